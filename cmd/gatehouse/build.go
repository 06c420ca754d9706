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
)

// errStale ends a --check of an output that a build would change.
var errStale = errors.New("the output is stale; run gatehouse build")

type buildOptions struct {
	dir                     string
	check, force, allowSkip bool
}

func newBuildCmd(g *globals) *cobra.Command {
	var o buildOptions
	cmd := &cobra.Command{
		Use:   "build SOURCE",
		Short: "Compile a source into a policy repository",
		Long: `Compile SOURCE, a file or a folder of YAML documents, into a policy repository.

With -o DIR the repository is written there: files that gatehouse did not write
are never touched, files that somebody edited are named and not overwritten,
files that are no longer needed are removed. Without -o all manifests go to
standard output.`,
		Example: `  # write the repository that Flux applies
  gatehouse build profile/ -o policy-repo

  # in CI: fail if the repository is not what the profile says
  gatehouse build profile/ -o policy-repo --check

  # look at one policy
  gatehouse build profile/ | yq 'select(.metadata.name == "disallow-latest-tag")'`,
		Args: exactArgs("SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBuild(cmd.Context(), g, args[0], o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&o.dir, "output", "o", "", "write the repository to `DIR`")
	cmd.Flags().BoolVar(&o.check, "check", false, "write nothing; exit 1 if DIR is not what a build would write")
	cmd.Flags().BoolVar(&o.force, "force", false, "overwrite files in DIR that somebody edited or put there")
	cmd.Flags().BoolVar(&o.allowSkip, "allow-skip", false, "enforce also what was never audited in an environment")
	return cmd
}

func runBuild(ctx context.Context, g *globals, source string, o buildOptions, out, errOut io.Writer) error {
	if o.dir == "" && (o.check || o.force) {
		return usageError{errors.New("--check and --force need -o DIR")}
	}
	if o.check && o.force {
		return usageError{errors.New("--check writes nothing: it cannot be used with --force")}
	}
	bundle, err := compile(g, source, o.dir, o.allowSkip)
	if err != nil {
		return err
	}
	switch {
	case o.dir == "":
		return bundle.Print(out)
	case o.check:
		stale, err := generator.CheckDir(ctx, o.dir, bundle.Files, bundle.Lock)
		if err != nil {
			return err
		}
		for _, s := range stale {
			fmt.Fprintln(out, s)
		}
		if len(stale) > 0 {
			return errStale
		}
		return nil
	}
	result, err := generator.WriteDir(ctx, o.dir, bundle.Files, bundle.Lock, generator.WriteOptions{Force: o.force})
	if err != nil {
		return err
	}
	fmt.Fprintf(errOut, "%s: %d files written, %d unchanged, %d removed\n", o.dir, result.Written, result.Unchanged, result.Removed)
	return nil
}

// compile compiles a source against the output folder as it is; dir may be
// empty. Warnings go to g, which prints them with what comes after.
func compile(g *globals, source, dir string, allowSkip bool) (*generator.Bundle, error) {
	now, err := g.time()
	if err != nil {
		return nil, err
	}
	options := generator.Options{Version: version(), Now: now, AllowSkip: allowSkip}
	if dir != "" {
		if options.Prior, err = generator.ReadLock(dir); err != nil {
			return nil, err
		}
		if options.Existing, err = listFiles(dir); err != nil {
			return nil, err
		}
	}
	return compileWith(g, source, options)
}

func compileWith(g *globals, source string, options generator.Options) (*generator.Bundle, error) {
	fsys, name, err := openSource(source)
	if err != nil {
		return nil, err
	}
	bundle, problems := generator.Compile(fsys, name, options)
	for i, d := range problems {
		if _, err := fs.Stat(fsys, d.File); err == nil {
			problems[i].File = filepath.Join(dirOf(source, name), filepath.FromSlash(d.File))
		}
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	g.warnings = problems
	return bundle, nil
}

// dirOf is the folder that names in the source are relative to.
func dirOf(source, name string) string {
	if name == "." {
		return source
	}
	return filepath.Dir(source)
}

// openSource opens the folder of a source so that nothing outside it can be
// read, not even through a symbolic link. name is "." or the file.
func openSource(source string) (fsys fs.FS, name string, err error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, "", fmt.Errorf("reading the source: %w", err)
	}
	dir, name := source, "."
	if !info.IsDir() {
		dir, name = filepath.Split(source)
		dir = filepath.Clean(dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, "", fmt.Errorf("reading the source: %w", err)
	}
	return root.FS(), name, nil
}

// listFiles lists what lies in the output, with slashes; nothing if it is not there.
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
