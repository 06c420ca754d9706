//go:build unix

// Command bench measures gatehouse against its limits (how fast, how big) and
// against kustomize, helm and cp in the same run, and writes docs/benchmarks.md:
//
//	go run ./hack/bench -o docs/benchmarks.md
//
// from the root of the repository. It exits 1 if a figure is over its limit.
// Ratios carry over to other machines, seconds do not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run: the programs it measures and what it found so far.
type bench struct {
	// dir holds the programs, the generated profiles and their output.
	dir      string
	sizes    []int
	rounds   int
	progress io.Writer
	report   report
}

func run(ctx context.Context, args []string, errOut io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	output := flags.String("o", "", "write the report to `FILE`")
	sizes := flags.String("sizes", "100,1000,10000", "`NUMBERS` of namespaces, ascending; the limits are about the last two")
	rounds := flags.Int("rounds", 3, "measure each size this `OFTEN` and take the median")
	only := flags.String("only", "", "measure only this `STEP`: start, size, growth, layers, objects, evaluations, impact, repository or admission")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *only != "" && *output != "" {
		return errors.New("-only: a report has all steps, so -o cannot be given")
	}
	b := &bench{rounds: *rounds, progress: errOut}
	for field := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return fmt.Errorf("-sizes: %q is not a positive number", field)
		}
		b.sizes = append(b.sizes, n)
	}
	if len(b.sizes) < 2 || !slices.IsSorted(b.sizes) {
		return fmt.Errorf("-sizes: needs two or more ascending numbers")
	}
	if b.dir, err = os.MkdirTemp("", "gatehouse-bench-"); err != nil {
		return err
	}
	defer func() {
		if failed := os.RemoveAll(b.dir); err == nil {
			err = failed
		}
	}()
	if err := b.build(ctx); err != nil {
		return err
	}
	found := false
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"start", b.start}, {"size", b.size}, {"growth", b.growth}, {"layers", b.layers}, {"objects", b.objects},
		{"evaluations", b.evaluations}, {"impact", b.impact}, {"repository", b.repository}, {"admission", b.admission},
	} {
		if *only != "" && *only != step.name {
			continue
		}
		found = true
		if err := step.run(ctx); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("-only: there is no step %q", *only)
	}
	text := b.report.markdown()
	if *output != "" {
		if err := os.WriteFile(*output, []byte(text), 0o644); err != nil {
			return err
		}
	}
	fmt.Fprint(errOut, text)
	return b.report.err()
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "bench: "+format+"\n", args...)
}

// path returns the path of a program, a source or an output.
func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// build builds the measured programs with the flags of a release.
func (b *bench) build(ctx context.Context) error {
	// What links Kyverno has no -trimpath, so that the cache of the tests serves; its size is not measured.
	trimmed, cached := []string{"-trimpath", "-ldflags", "-s -w"}, []string{"-ldflags", "-s -w"}
	for _, program := range []struct {
		folder, name, pkg string
		flags             []string
	}{
		{".", "gatehouse", "./cmd/gatehouse", trimmed},
		{"engine", "gatehouse-engine", "./cmd/gatehouse-engine", cached},
		{"hack/tools/peers", "kustomize", "sigs.k8s.io/kustomize/kustomize/v5", trimmed},
		{"hack/tools/peers", "helm", "helm.sh/helm/v3/cmd/helm", trimmed},
		{"hack/tools/kyverno", "kyverno", "github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno", cached},
	} {
		b.say("building %s", program.name)
		args := slices.Concat([]string{"-C", program.folder, "build"}, program.flags, []string{"-o", b.path(program.name), program.pkg})
		if _, err := golang(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}
