package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/internal/exit"
	"github.com/gatehouse-dev/gatehouse/rollout"
)

type uninstallOptions struct {
	targetOptions
	keepKyverno, dryRun, yes bool
}

func newUninstallCmd() *cobra.Command {
	var o uninstallOptions
	cmd := &cobra.Command{
		Use:   "uninstall DIR",
		Short: "Remove a repository from a cluster in a safe order",
		Long: `Remove from a cluster what bootstrap added: first the root Kustomization, then each
other Kustomization after those that depend on it, so that policies go while
Kyverno still answers for them; then Kyverno and the webhooks that it leaves, if
the repository in DIR installed it and no other policies exist; and last the
source, if bootstrap created it.

Namespaces, Flux, and what the Kustomizations of workloads applied are never
deleted. Run it again if it was interrupted. It does not start while a repository
would bring the root back, or another Kustomization waits for what would go.

Exits with 1 if you do not confirm it, if it does not start, or if something is
not gone within --timeout, and with 2 if the cluster does not answer or refuses a request.`,
		Example: `  # show what would be deleted, and in which order
  gatehouse uninstall policy-repo --cluster prod-eu --dry-run`,
		Args: exactArgs("DIR"), ValidArgsFunction: completeArgs(completeFolders),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runUninstall(cmd.Context(), args[0], o, cmd.InOrStdin(), cmd.ErrOrStderr())
		},
	}
	o.bind(cmd)
	cmd.Flags().BoolVar(&o.keepKyverno, "keep-kyverno", false, "leave Kyverno in the cluster")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print what would be deleted, in order, without deleting anything")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask for confirmation")
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
	client, err := o.client(log)
	if err != nil {
		return err
	}
	if !o.dryRun && !o.yes {
		fmt.Fprintf(errOut, "Remove the policies of cluster %s (environment %s) from %s? [y/N] ", target.Cluster, target.Environment, client.Server())
		if !confirmed(ctx, in) {
			return exit.Wrongf("not confirmed; nothing was changed (--yes skips the question)")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	u := rollout.Uninstall{Client: client, Target: target, KeepKyverno: o.keepKyverno, DryRun: o.dryRun, Every: lookEvery, Log: log}
	return u.Run(ctx)
}

// confirmed reads a line and reports whether it says yes.
func confirmed(ctx context.Context, in io.Reader) bool {
	line, _ := bufio.NewReader(interruptible{ctx, in}).ReadString('\n') // an error leaves what was read before it
	answer := strings.ToLower(strings.TrimSpace(line))
	return ctx.Err() == nil && (answer == "y" || answer == "yes")
}
