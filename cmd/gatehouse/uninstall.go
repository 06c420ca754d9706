package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/rollout"
)

type uninstallOptions struct {
	connection
	keepKyverno, dryRun, yes bool
}

func newUninstallCmd() *cobra.Command {
	var o uninstallOptions
	cmd := &cobra.Command{
		Use:   "uninstall DIR",
		Short: "Take a repository out of a cluster in the safe order",
		Long: `Take what bootstrap brought in out of a cluster: the root Kustomization, then each
other one after those that depend on it, so that policies go while Kyverno still
answers for them; then Kyverno, if the repository in DIR installed it and nobody
else has policies, with the webhooks that it left; the source last, if bootstrap
made it.

Namespaces are never deleted, nor is what workloads applied, nor Flux. It can be
run again after it was interrupted.`,
		Example: `  # what would go, and in which order?
  gatehouse uninstall policy-repo --cluster prod-eu --dry-run`,
		Args: exactArgs("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runUninstall(cmd.Context(), args[0], o, cmd.InOrStdin(), cmd.ErrOrStderr())
		},
	}
	o.bind(cmd.Flags())
	cmd.Flags().BoolVar(&o.keepKyverno, "keep-kyverno", false, "leave Kyverno in the cluster")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be deleted, in order; delete nothing")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask")
	return cmd
}

func runUninstall(ctx context.Context, dir string, o uninstallOptions, in io.Reader, errOut io.Writer) error {
	target, err := o.target(dir)
	if err != nil {
		return err
	}
	console := newConsole(errOut)
	defer console.done()
	log := console.log()
	client, err := o.open(log)
	if err != nil {
		return err
	}
	if !o.dryRun && !o.yes {
		fmt.Fprintf(errOut, "Take the policies of cluster %s (environment %s) out of %s? [y/N] ", target.Cluster, target.Environment, client.Server())
		if !confirmed(ctx, in) {
			return errNotConfirmed
		}
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	u := rollout.Uninstall{Client: client, Target: target, KeepKyverno: o.keepKyverno, DryRun: o.dryRun, Every: lookEvery, Log: log}
	return u.Run(ctx)
}

// confirmed reads a line and tells whether it says yes. Ctrl-C is an answer too.
func confirmed(ctx context.Context, in io.Reader) bool {
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n') // what cannot be read is no yes
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return false
	case a := <-answer:
		return a == "y" || a == "yes"
	}
}
