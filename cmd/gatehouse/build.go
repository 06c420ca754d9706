package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/flux"
	"github.com/gatehouse-dev/gatehouse/generator/output"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/exit"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
	"github.com/gatehouse-dev/gatehouse/internal/regular"
)

type buildOptions struct {
	dir                  string
	dirSet               bool // -o was given, perhaps with an empty variable
	held                 bool // the output was there, and is held
	base                 string
	baseSet              bool
	check, force, strict bool
}

func newBuildCmd(g *globals) *cobra.Command {
	var o buildOptions
	cmd := &cobra.Command{
		Use:   "build SOURCE",
		Short: "Compile a source into a policy repository",
		Long: `Compile SOURCE, a file or a folder of YAML documents, into a policy repository.

With -o DIR, write the repository to that folder. Files that gatehouse did not
write are never touched, files that were edited by hand are reported and not
overwritten, and files that are no longer needed are removed.

Without -o, print all manifests to standard output, as if every environment had
audited and accepted everything: to look at, not to apply.

With -o DIR, build also prints what changes in an environment that was built before and
is easily missed in the diff: policies that begin or stop to enforce or to fail closed,
background scans that end, levels of Pod Security, networks that are closed.

With --base, the lock and the contents of DIR do not decide what may be enforced: they
are part of what a pull request changes. Those of the revision that it will be merged
into do.

The output does not depend on the day of the build. An exception that has ended
stays in it, exempts nothing, and is a warning. With --strict it is an error,
with and without --check: the build writes and prints nothing, and exits with 1.`,
		Example: `  # write the repository for Flux
  gatehouse build profile/ -o policy-repo

  # in CI, fail if the repository is out of date
  gatehouse build profile/ -o policy-repo --check

  # in a pull request, do not believe its lock
  gatehouse build profile/ -o policy-repo --check --base origin/main

  # at night, fail as well if an exception has ended
  gatehouse build profile/ -o policy-repo --check --strict

  # look at one policy
  gatehouse build profile/ | yq 'select(.metadata.name == "disallow-latest-tag")'`,
		Args: exactArgs("SOURCE"), ValidArgsFunction: completeArgs(completeSource),
		RunE: g.judging(func(cmd *cobra.Command, args []string) (diag.List, error) {
			o.dirSet, o.baseSet = cmd.Flags().Changed("output"), cmd.Flags().Changed("base")
			return runBuild(cmd.Context(), g, args[0], o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		}),
	}
	cmd.Flags().StringVarP(&o.dir, "output", "o", "", "write the repository to `DIR`")
	cmd.Flags().BoolVar(&o.check, "check", false, "write nothing; exit with 1 if DIR is not up to date")
	cmd.Flags().StringVar(&o.base, "base", "", "compare with the output in `REVISION` of Git, not with DIR as it is")
	cmd.Flags().BoolVar(&o.force, "force", false, "overwrite files in DIR that were edited or added by hand")
	cmd.Flags().BoolVar(&o.strict, "strict", false, "treat expired exceptions as errors")
	complete(cmd, "output", completeFolders)
	complete(cmd, "base", cobra.NoFileCompletions)
	return cmd
}

func runBuild(ctx context.Context, g *globals, path string, o buildOptions, out, errOut io.Writer) (diag.List, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	source, err := openSource(path)
	if err != nil {
		return nil, err
	}
	options, err := g.options()
	if err != nil {
		return nil, err
	}
	options.Unstaged = o.dir == ""
	if o.dir != "" {
		release, err := o.hold(ctx) // nothing yet before the first build
		if err != nil {
			return nil, err
		}
		defer release()
		if err := prepare(&options, path, o.dir); err != nil {
			return nil, err
		}
		if err := o.rebase(ctx, &options); err != nil {
			return nil, err
		}
	}
	bundle, warnings, err := source.compile(ctx, options)
	if err != nil {
		return nil, err
	}
	if o.strict {
		if err := profile.Strict(warnings).Err(); err != nil {
			return nil, err
		}
	}
	if o.dir != "" {
		found, err := place(source, bundle, o.dir)
		if err != nil {
			return nil, err
		}
		warnings = append(warnings, found...)
	}
	return warnings, o.put(ctx, bundle, out, errOut)
}

// place proves that the output is where Flux looks for it. It returns the warnings.
func place(source *source, bundle *generator.Bundle, dir string) (diag.List, error) {
	found := flux.ProveRepository(bundle.Plan, repositoryOf(dir))
	if err := found.Err(); err != nil {
		return nil, err
	}
	misplaced, err := source.warnings(flux.ProvePath(bundle.Plan, pathInGit(dir)))
	return append(found, misplaced...), err
}

// hold keeps other builds out of the output while this one reads and writes it.
func (o *buildOptions) hold(ctx context.Context) (release func(), err error) {
	if o.check {
		return func() {}, nil
	}
	_, err = os.Stat(o.dir)
	o.held = err == nil
	return output.Hold(ctx, o.dir)
}

// create creates and holds the output, if the build does not hold it yet.
func (o buildOptions) create(ctx context.Context) (release func(), err error) {
	if o.held {
		return func() {}, nil
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating the output: %w", err)
	}
	return output.Hold(ctx, o.dir)
}

// rebase makes the revision of --base what the build compares with.
func (o buildOptions) rebase(ctx context.Context, options *generator.Options) error {
	if !o.baseSet {
		return nil
	}
	b, err := openBase(ctx, o.dir, o.base)
	if err != nil {
		return err
	}
	return b.prepare(options)
}

// put prints the bundle, compares it with the output, or writes it there.
func (o buildOptions) put(ctx context.Context, bundle *generator.Bundle, out, errOut io.Writer) error {
	if o.dir == "" {
		return bundle.Print(out)
	}
	if o.check {
		printEffects(errOut, bundle)
		return compare(ctx, bundle, o.dir, o.again(), out)
	}
	release, err := o.create(ctx)
	if err != nil {
		return err
	}
	defer release()
	result, err := output.Write(ctx, o.dir, bundle.Files, bundle.Lock, output.Options{Force: o.force})
	if err != nil {
		return err
	}
	fmt.Fprintf(errOut, "%s: %d files written, %d unchanged, %d removed\n", o.dir, result.Written, result.Unchanged, result.Removed)
	printEffects(errOut, bundle)
	return nil
}

// printEffects prints what the build changes, of what a reviewer easily misses.
func printEffects(errOut io.Writer, bundle *generator.Bundle) {
	for _, e := range bundle.Effects() {
		fmt.Fprintln(errOut, e)
	}
}

// again returns the flag with which a build writes what the check of --base accepts.
func (o buildOptions) again() string {
	if !o.baseSet {
		return ""
	}
	return " with --base " + o.base
}

// compare prints what a build would change. again is how to build it.
func compare(ctx context.Context, bundle *generator.Bundle, dir, again string, out io.Writer) error {
	stale, err := output.Check(ctx, dir, bundle.Files, bundle.Lock)
	if err != nil {
		return err
	}
	for _, s := range stale {
		fmt.Fprintln(out, plain.Line(s.String()))
	}
	if len(stale) > 0 {
		return exit.Wrongf("the output is stale; run gatehouse build%s", again)
	}
	return nil
}

// prepare adds to the options what a build needs of the output as it is.
func prepare(o *generator.Options, source, dir string) (err error) {
	if err := separate(source, dir); err != nil {
		return err
	}
	if o.Prior, err = output.ReadLock(dir); err != nil {
		return err
	}
	if o.Existing, err = listFiles(dir); err != nil || o.Prior == nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("opening the output: %w", err)
	}
	o.Output = regular.FS(root.FS(), output.MaxFile)
	return nil
}

// listFiles lists the files of the output, with slashes; none if it does not exist.
func listFiles(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) && p == dir {
				return fs.SkipAll
			}
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		files = append(files, filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the output: %w", err)
	}
	return files, nil
}
