package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator/output"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/regular"
	"github.com/gatehouse-dev/gatehouse/rollout"
)

// Completions never fail and print nothing: if something cannot be read, they offer
// nothing.

// complete registers the completion of a flag, which must be declared before.
func complete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(fmt.Sprintf("completing --%s of %s: %v", flag, cmd.Name(), err)) // no such flag, or two completions
	}
}

// completeArgs completes each argument with the function at its position, and
// nothing after the last.
func completeArgs(places ...cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(places) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return places[len(args)](cmd, args, toComplete)
	}
}

// completeFiles offers files and folders.
func completeFiles(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completeFolders offers folders only.
func completeFolders(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeSource offers folders and YAML files.
func completeSource(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// completeWorkloads offers folders and the files that workloads are read from.
func completeWorkloads(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt
}

// fromSource offers names from the SOURCE on the command line.
func fromSource(names func(*profile.Input) []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		s, err := openSource(args[0])
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		loaded, _ := profile.Load(s.fsys, s.name, version())
		if loaded == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(profile.Default(*loaded)), cobra.ShellCompDirectiveNoFileComp
	}
}

func environmentNames(in *profile.Input) (names []string) {
	for _, e := range in.Environments {
		names = append(names, e.Value.Metadata.Name)
	}
	return names
}

func stageNames(in *profile.Input) (names []string) {
	for _, s := range in.Profile.Value.Spec.Rollout.Stages {
		names = append(names, s.Name)
	}
	return names
}

func namespaceNames(in *profile.Input) (names []string) {
	for _, n := range in.Profile.Value.Spec.Namespaces {
		names = append(names, n.Name)
	}
	return names
}

// completeClusters offers the clusters of the repository in DIR.
func completeClusters(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, _ := rollout.Clusters(regular.FS(os.DirFS(args[0]), output.MaxFile)) // none without a repository
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeControls offers the ids of the controls, including those of --source, and
// the built-in profiles.
func (o *catalogOptions) completeControls(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	all, _, err := o.load(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []cobra.Completion
	for _, c := range all.Controls() {
		ids = append(ids, cobra.CompletionWithDesc(c.ID, c.Title))
	}
	for _, p := range profile.Builtins() {
		ids = append(ids, cobra.CompletionWithDesc(p.Name, "built-in profile"))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
