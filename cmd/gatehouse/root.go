package main

import (
	"io"

	"github.com/spf13/cobra"
)

func newRootCmd(args []string, in io.Reader, out, errOut io.Writer) *cobra.Command {
	g := &globals{}
	root := &cobra.Command{
		Use:   "gatehouse",
		Short: "Compile a profile into Kyverno policies that Flux applies",
		Long: `gatehouse compiles a small declarative profile (namespaces, registries, keys,
controls, rollout stages, exceptions) into a policy repository: Kyverno policies
and exceptions, NetworkPolicies, Namespaces, trust material, and the Flux
Kustomizations that order them.

Manifests and data are written to standard output, messages to standard error.
Exit codes: 0 success; 1 the input, or what was checked, is wrong; 2 gatehouse
could not do its work; 130 interrupted; 143 terminated.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.Flags().Bool("version", false, "print the version")
	root.Version = version() // makes --version work
	root.SetVersionTemplate(thisVersion().text())
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	g.bind(root)
	root.AddCommand(newBootstrapCmd(), newBuildCmd(g), newCatalogCmd(g), newGraphCmd(g), newIdentifyCmd(g), newImpactCmd(g), newInitCmd(), newMigrateCmd(g), newSchemaCmd(), newTestCmd(g), newUninstallCmd(), newVersionCmd())
	return root
}
