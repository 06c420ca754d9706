package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/impact"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// errWouldBlock ends an impact --fail-on blocked.
var errWouldBlock = errors.New("the bump would block workloads")

type impactOptions struct {
	environments          []string
	stage, format, failOn string
	engine                string
	cluster               clusterOptions
}

func newImpactCmd(g *globals) *cobra.Command {
	var o impactOptions
	cmd := &cobra.Command{
		Use:   "impact SOURCE [WORKLOADS...]",
		Short: "Tell which workloads a stage bump would block",
		Long: `Ask the Kyverno engine what the next stage of each environment of SOURCE, or the
one given with --stage, would do to workloads: which it would refuse that are
admitted today, which are refused today, what is only reported, and what is
exempt and until when. Findings are grouped by the label owner of the namespace,
or else by the namespace.

WORKLOADS are files, folders, kustomizations (a folder with a kustomization.yaml)
or - for standard input, judged as somebody would create them who is no deployer.
Without any, --context, --kubeconfig, -n or -A say which cluster to read: its
namespaced objects that a policy judges, except what controllers have made; only
list requests, and one for the labels of the namespace, are sent.

Policies that verify signatures need the registry, and those that guard who may
write need to know who does: they are named and not evaluated. Exit code 1 with
--fail-on blocked if something would be blocked; 2 if something could not be
judged.`,
		Example: `  gatehouse impact profile/ apps/

  # in a pull request
  helm template shop charts/shop -n shop | gatehouse impact profile/ - -n shop -e prod --fail-on blocked

  # for the code scanning of a forge
  gatehouse impact profile/ overlays/prod -e prod -o sarif > impact.sarif

  # what runs in a cluster
  gatehouse impact profile/ --context prod-eu -A -e prod --stage enforce`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{fmt.Errorf("%s takes SOURCE and WORKLOADS, got nothing; see %s --help", cmd.CommandPath(), cmd.CommandPath())}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runImpact(cmd.Context(), g, args[0], args[1:], o, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&o.environments, "environment", "e", nil, "look only at this `ENVIRONMENT`; may be repeated")
	flags.StringVar(&o.stage, "stage", "", "compare with this `STAGE` instead of the next one of the ladder")
	flags.StringVarP(&o.format, "output", "o", "text", "`FORMAT`: "+strings.Join(impact.Formats(), ", "))
	flags.StringVar(&o.failOn, "fail-on", "never", "exit 1 if something would be blocked: never or blocked")
	flags.StringVar(&o.engine, "engine", "", "`PATH` of "+engine.Program+"; by default beside gatehouse, then on the PATH")
	o.cluster.bind(flags)
	return cmd
}

func runImpact(ctx context.Context, g *globals, source string, workloads []string, o impactOptions, in io.Reader, out, errOut io.Writer) error {
	if err := oneOf("--output", o.format, impact.Formats()...); err != nil {
		return err
	}
	if err := oneOf("--fail-on", o.failOn, "never", "blocked"); err != nil {
		return err
	}
	now, next, steps, err := compileSteps(g, source, o)
	if err != nil {
		return err
	}
	warnings := g.warnings
	controls, err := loadCatalog(g, source)
	if err != nil {
		return err
	}
	g.warnings = warnings
	objects, err := openWorkloads(workloads, o.cluster, impact.Kinds(next.Plan), in)
	if err != nil {
		return err
	}
	client, err := startEngine(ctx, o.engine, now.Plan.Kyverno.Version)
	if err != nil {
		return err
	}
	defer client.Close()
	console := newConsole(errOut)
	progress := func(p impact.Progress) { console.status(bar(p)) }
	report, problems, err := impact.Run(ctx, client, now, next, steps, objects, controls, impact.Options{Now: now.Plan.Now, Progress: progress})
	console.done()
	if err == nil {
		err = problems.Err()
	}
	if err != nil {
		return err
	}
	g.warnings = append(warnings, problems...)
	if err := report.Write(out, o.format, version()); err != nil {
		return err
	}
	return verdictOf(report.Totals(), o.failOn)
}

// verdictOf is the end of the program. What could not be judged is never fine.
func verdictOf(totals impact.Counts, failOn string) error {
	switch {
	case failOn == "blocked" && totals.WouldBlock > 0:
		return errWouldBlock
	case totals.Errors > 0:
		return fmt.Errorf("%d verdicts are missing: the engine could not judge everything", totals.Errors)
	}
	return nil
}

// compileSteps compiles the source as it is, and with the stages of the bumps.
func compileSteps(g *globals, source string, o impactOptions) (now, next *generator.Bundle, steps []impact.Step, err error) {
	if now, err = compile(g, source, "", true); err != nil {
		return nil, nil, nil, err
	}
	if err := knownEnvironments(now.Plan, o.environments); err != nil {
		return nil, nil, nil, err
	}
	var stages []string
	for _, s := range now.Plan.Stages {
		stages = append(stages, s.Name)
	}
	if o.stage != "" {
		if err := oneOf("--stage", o.stage, stages...); err != nil {
			return nil, nil, nil, err
		}
	}
	steps = impact.Steps(now.Plan, o.environments, o.stage)
	bumped := impact.Stages(steps)
	if len(bumped) == 0 {
		return now, now, steps, nil
	}
	warnings := g.warnings
	next, err = compileWith(g, source, generator.Options{Version: version(), Now: now.Plan.Now, AllowSkip: true, Stages: bumped})
	g.warnings = warnings // the same again
	return now, next, steps, err
}

// openWorkloads finds out where the workloads come from. Nothing is read yet.
func openWorkloads(args []string, cluster clusterOptions, kinds []string, in io.Reader) (workload.Source, error) {
	switch {
	case len(args) == 0 && !cluster.asked():
		return nil, usageError{errors.New("name WORKLOADS, or a cluster with --context, --kubeconfig, -n or -A")}
	case len(args) == 0:
		return cluster.open(kinds)
	case cluster.live():
		return nil, usageError{errors.New("--context, --kubeconfig and -A read a cluster: they cannot be used with WORKLOADS")}
	}
	var inputs []workload.Input
	for _, arg := range args {
		if arg == "-" {
			inputs = append(inputs, workload.Input{Name: "stdin", Open: func() (io.ReadCloser, error) { return io.NopCloser(in), nil }})
			continue
		}
		some, err := openWorkload(arg)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, some...)
	}
	namespace := cluster.namespace
	if namespace == "" {
		namespace = "default"
	}
	return workload.NewFiles(inputs, filesys.MakeFsOnDisk(), namespace), nil
}

func openWorkload(name string) ([]workload.Input, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("reading workloads: %w", err)
	}
	shown := filepath.ToSlash(filepath.Clean(name))
	if !info.IsDir() {
		open := func() (io.ReadCloser, error) { return os.Open(name) }
		return []workload.Input{{Name: shown, Open: open, Size: info.Size()}}, nil
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("reading workloads: %w", err)
	}
	inputs, err := workload.Folder(root.FS(), shown)
	if err == nil && len(inputs) == 0 {
		var none diag.List
		none.Add(diag.Diagnostic{Code: "workload-none", Position: diag.Position{File: shown}, Summary: "the folder holds no .yaml, .yml or .json file"})
		err = none.Err()
	}
	return inputs, err
}

// bar is how far a run is.
func bar(p impact.Progress) string {
	const width = 30
	what := fmt.Sprintf("%d objects", p.Objects)
	if p.Share >= 0 {
		full := min(int(p.Share*width), width)
		what = fmt.Sprintf("[%s%s] %3.0f%% of %s", strings.Repeat("=", full), strings.Repeat(" ", width-full), p.Share*100, what)
	}
	return p.Environment + ": " + what
}
