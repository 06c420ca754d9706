package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/internal/exit"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/rollout"
)

type bootstrapOptions struct {
	targetOptions
	access                                        rollout.Access
	sshKeyFile, knownHostsFile, tokenFile, caFile string
	fluxInstall                                   string
	dryRun, export, noWait                        bool
}

func newBootstrapCmd() *cobra.Command {
	var o bootstrapOptions
	cmd := &cobra.Command{
		Use:   "bootstrap DIR",
		Short: "Bootstrap a built repository into a cluster",
		Long: `Check a cluster, apply what Flux needs to start from the repository in DIR (its
namespace, the source with its credentials, and the root Kustomization), and
wait until every Kustomization, Helm release and policy is ready.

If the cluster has no Flux, spec.flux.install of the profile decides how to get
it: operator creates a FluxInstance for the Flux Operator, cli applies the output
of flux install --export that --flux-install names, and none requires that Flux
is installed. An existing Flux is left as it is.

Bootstrap checks an existing Kyverno and Flux before applying anything, and
reports all problems in one run. Objects are applied server-side by the field manager
gatehouse, never by force. A second run changes nothing. A source or root that a
Kustomization applies already is left to it. Credentials are read from files and
never printed.

Exits with 1 if the cluster is not ready for the repository, if another field
manager owns a field to be applied, or if something is not ready in time.`,
		Example: `  # bootstrap from a public repository
  gatehouse bootstrap policy-repo --cluster prod-eu --source-url https://github.com/acme/policies

  # use a deploy key, and install Flux (spec.flux.install: cli)
  flux install --export > flux.yaml
  gatehouse bootstrap policy-repo --cluster prod-eu --flux-install flux.yaml \
    --source-url ssh://git@github.com/acme/policies --ssh-key-file id_ed25519 --known-hosts-file known_hosts

  # join a repository that Flux follows already: write the file that leads to DIR
  gatehouse bootstrap policies --cluster prod --export > clusters/prod/gatehouse.yaml

  # show what would change, with the source that is in the cluster
  gatehouse bootstrap policy-repo --cluster prod-eu --dry-run`,
		Args: exactArgs("DIR"), ValidArgsFunction: completeArgs(completeFolders),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBootstrap(cmd.Context(), args[0], o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.bind(cmd)
	return cmd
}

func (o *bootstrapOptions) bind(cmd *cobra.Command) {
	o.targetOptions.bind(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.access.URL, "source-url", "", "`URL` that Flux reads the repository from (https://, ssh://, or oci:// for an OCIRepository); if empty, the source must exist in the cluster")
	flags.StringVar(&o.access.Branch, "branch", "main", "`BRANCH` of the GitRepository")
	flags.StringVar(&o.access.Tag, "tag", "latest", "`TAG` of the OCIRepository")
	flags.StringVar(&o.access.Username, "username", "git", "user `NAME` for the token")
	flags.StringVar(&o.sshKeyFile, "ssh-key-file", "", "`FILE` with the private key for ssh://")
	flags.StringVar(&o.knownHostsFile, "known-hosts-file", "", "`FILE` with the host keys of the SSH server")
	flags.StringVar(&o.tokenFile, "token-file", "", "`FILE` with the token for https:// or oci://")
	flags.StringVar(&o.caFile, "ca-file", "", "`FILE` with the CA certificate of the server")
	flags.StringVar(&o.fluxInstall, "flux-install", "", "install or upgrade Flux from `FILE`, the output of flux install --export")
	flags.BoolVar(&o.dryRun, "dry-run", false, "check the cluster and show what would change, without changing anything")
	flags.BoolVar(&o.export, "export", false, "print the objects as YAML, without Secrets, instead of applying them; needs no cluster")
	flags.BoolVar(&o.noWait, "no-wait", false, "do not wait until everything is ready")
	cmd.MarkFlagsMutuallyExclusive("export", "dry-run")
	for _, flag := range []string{"ssh-key-file", "known-hosts-file", "token-file", "ca-file", "flux-install"} {
		complete(cmd, flag, completeFiles)
	}
	for _, flag := range []string{"source-url", "branch", "tag", "username"} {
		complete(cmd, flag, cobra.NoFileCompletions)
	}
}

func runBootstrap(ctx context.Context, dir string, o bootstrapOptions, out, errOut io.Writer) error {
	target, err := o.target(dir)
	if err != nil {
		return err
	}
	if err := o.readCredentials(); err != nil {
		return err
	}
	objects, err := target.Objects(o.access)
	if err != nil {
		return usageError{err}
	}
	flux, err := o.flux(target)
	if err != nil {
		return err
	}
	b := &rollout.Bootstrap{Target: target, Flux: flux, Objects: objects, Repository: repositoryOf(dir)(target.Path), DryRun: o.dryRun, Every: lookEvery}
	if o.export {
		return exportObjects(out, slices.Concat(b.Stages()...))
	}
	console := newConsole(errOut)
	defer console.done()
	log := console.log()
	b.Log = log
	if b.Client, err = o.client(log); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	findings, err := b.Check(ctx)
	if err != nil {
		return err
	}
	for _, f := range findings {
		log.Line(f.String())
	}
	if rollout.Failed(findings) {
		return exit.Wrongf("the cluster is not ready; nothing was applied")
	}
	changes, err := b.Apply(ctx)
	if err != nil {
		return err
	}
	log.Line(summary(changes, o.dryRun))
	if o.dryRun || o.noWait {
		return nil
	}
	if err := b.Wait(ctx); err != nil {
		return err
	}
	log.Line(fmt.Sprintf("cluster %s (environment %s) is ready", target.Cluster, target.Environment))
	return nil
}

// flux returns the objects that install Flux, as the profile says.
func (o *bootstrapOptions) flux(target *rollout.Target) ([]manifest.Object, error) {
	if o.fluxInstall != "" && target.FluxInstall != rollout.FluxByCLI {
		return nil, usagef("--flux-install requires a profile with spec.flux.install: cli; set it and build again, or omit the flag")
	}
	if target.FluxInstall == rollout.FluxByOperator {
		return []manifest.Object{target.FluxInstance()}, nil
	}
	if o.fluxInstall == "" {
		return nil, nil
	}
	data, err := os.ReadFile(o.fluxInstall)
	if err != nil {
		return nil, fmt.Errorf("--flux-install: %w", err)
	}
	objects, err := manifest.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("--flux-install: reading %s: %w", o.fluxInstall, err)
	}
	if len(objects) == 0 {
		return nil, usagef("--flux-install: %s contains no objects; create it with flux install --export", o.fluxInstall)
	}
	return objects, nil
}

// readCredentials reads the files that go into Secrets.
func (o *bootstrapOptions) readCredentials() (err error) {
	for _, f := range []struct {
		flag, path string
		private    bool
		into       *[]byte
	}{
		{"--ssh-key-file", o.sshKeyFile, true, &o.access.SSHKey},
		{"--known-hosts-file", o.knownHostsFile, false, &o.access.KnownHosts},
		{"--token-file", o.tokenFile, true, &o.access.Token},
		{"--ca-file", o.caFile, false, &o.access.CA},
	} {
		if f.path == "" {
			continue
		}
		if o.export {
			return usagef("--export omits Secrets and cannot be used with %s", f.flag)
		}
		if *f.into, err = readCredential(f.path, f.private); err != nil {
			return fmt.Errorf("%s: %w", f.flag, err)
		}
	}
	return nil
}

// readCredential refuses an empty file, and a private one that is readable by all
// users of the machine.
func readCredential(path string, private bool) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if private && info.Mode().Perm()&0o007 != 0 && runtime.GOOS != "windows" { // which has no such bits
		return nil, usagef("%s is readable by all users (%v); run chmod 600 %[1]s", path, info.Mode().Perm())
	}
	data, err := os.ReadFile(path)
	if err == nil && len(data) == 0 {
		err = usagef("%s is empty", path)
	}
	return data, err
}

func exportObjects(out io.Writer, objects []manifest.Object) error {
	data, err := manifest.File{Objects: objects}.Encode()
	if err != nil {
		return err
	}
	_, err = out.Write(data)
	return err
}

func summary(changes []rollout.Change, dryRun bool) string {
	count := map[string]int{}
	for _, c := range changes {
		count[c.Did]++
	}
	text := fmt.Sprintf("%d created, %d configured, %d unchanged", count[rollout.Created], count[rollout.Configured], count[rollout.Unchanged])
	if dryRun {
		text += " (dry run)"
	}
	return text
}
