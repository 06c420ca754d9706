package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/exit"
	"github.com/gatehouse-dev/gatehouse/judge/impact"
)

type impactOptions struct {
	judgeOptions
	stage, format, failOn string
	summary               bool
	cluster               clusterOptions
	how                   reading
}

func newImpactCmd(g *globals) *cobra.Command {
	var o impactOptions
	cmd := &cobra.Command{
		Use:   "impact SOURCE [WORKLOADS...]",
		Short: "Show which workloads a stage bump would block",
		Long: `Ask the Kyverno engine what the next stage of each environment of SOURCE, or the
stage of --stage, would do to workloads: which ones it would newly block, which
ones are blocked today, which ones it would only report, and which ones are
exempt and until when. An exception that has ended exempts nothing. Findings are
grouped by the label owner of the namespace, or by namespace if it has none.

WORKLOADS are files, folders, kustomizations (folders with a kustomization.yaml),
or - for standard input. A folder with Kustomizations of Flux is read as Flux does:
from the folder that a cluster applies, each object with the namespace, patches and
variables that it gets, once for each place, in the environment of the cluster.
HelmReleases are rendered if their charts are at hand: in the repository, in a folder
of --charts, or pulled with --pull. What nothing applies, HelmReleases without a
chart and what depends on unknown variables are listed.
Objects are judged as if an ordinary user created them, not
a deployer. Without WORKLOADS, choose a cluster with --context, --kubeconfig, -n
or -A. Of its namespaced objects, those that a policy judges and no controller
created are read. gatehouse only lists objects, and reads the labels of the
namespace.

Policies that verify signatures need the registry, and policies that restrict who
may write need the user: they are listed as not evaluated.

Exits with 1 if the source is wrong, or if something would be blocked and
--fail-on is blocked, or if it is unjudged and a verdict is unknown or workloads
were not judged, and with 2 if something could not be read or judged: everything
else is in the report. 2 wins over what --fail-on says, as in kubectl diff and
flux diff, and the last message names all that is wrong. What could not be read is
listed in the report; with -o json, sarif or junit also on standard error.`,
		Example: `  gatehouse impact profile/ apps/

  # check what Flux applies to one cluster of a repository
  gatehouse impact profile/ . --flux clusters/prod -e prod

  # with the charts of its HelmReleases, from their repositories
  gatehouse impact profile/ . --pull --fail-on unjudged

  # check a pull request
  helm template shop charts/shop -n shop | gatehouse impact profile/ - -n shop -e prod --fail-on blocked

  # upload to a code scanning service
  gatehouse impact profile/ overlays/prod -e prod -o sarif > impact.sarif

  # check what runs in a cluster
  gatehouse impact profile/ --context prod-eu -A -e prod --stage enforce`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("%s takes SOURCE and WORKLOADS, got 0 arguments; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return completeSource(cmd, args, toComplete)
			}
			return completeWorkloads(cmd, args, toComplete)
		},
		RunE: g.judging(func(cmd *cobra.Command, args []string) (diag.List, error) {
			return runImpact(cmd.Context(), g, args[0], args[1:], o, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		}),
	}
	o.bind(cmd)
	return cmd
}

func (o *impactOptions) bind(cmd *cobra.Command) {
	o.judgeOptions.bind(cmd)
	cmd.Flags().StringVar(&o.stage, "stage", "", "compare with this `STAGE` instead of the next one")
	complete(cmd, "stage", fromSource(stageNames))
	outputFormat(cmd, &o.format, impact.Formats()...)
	choiceVar(cmd, cmd.Flags(), &o.failOn, "fail-on", "", "`WHEN` to exit with 1", "never", "blocked", "unjudged")
	cmd.Flags().BoolVar(&o.summary, "summary", false, "only count findings, by environment and control (text, json and markdown)")
	o.how.flux = true
	flags := cmd.Flags()
	flags.StringArrayVar(&o.how.roots, "flux", nil, "folder that a cluster applies, as a `PATH` in the repository; can be repeated (default: found by the Kustomizations of Flux)")
	flags.StringArrayVar(&o.how.substitute, "substitute", nil, "`FILE` with ConfigMaps and Secrets that are not in the repository, for variables of Flux and values of charts; can be repeated")
	flags.StringArrayVar(&o.how.charts, "charts", nil, "`FOLDER` with charts for HelmReleases, as folders or .tgz; can be repeated")
	flags.BoolVar(&o.how.pull, "pull", false, "pull charts of HelmReleases from where the repository says, with your logins of Helm and docker")
	flags.StringArrayVar(&o.how.exclude, "exclude", nil, "leave out what matches `GLOB`, as in .gitignore; can be repeated")
	complete(cmd, "flux", completeFolders)
	complete(cmd, "substitute", completeSource)
	complete(cmd, "charts", completeFolders)
	complete(cmd, "exclude", cobra.NoFileCompletions)
	o.cluster.bind(cmd)
	o.cluster.bindNamespace(cmd, "`NAMESPACE` to read from the cluster, or with WORKLOADS the namespace of objects that set none (default: default)")
}

func runImpact(ctx context.Context, g *globals, path string, workloads []string, o impactOptions, in io.Reader, out, errOut io.Writer) (diag.List, error) {
	if o.summary && (o.format == "sarif" || o.format == "junit") {
		return nil, usagef("--summary goes with text, json and markdown: %s is a list of findings", o.format)
	}
	source, now, warnings, err := look(ctx, g, path)
	if err != nil {
		return nil, err
	}
	steps, err := o.steps(now.Plan)
	if err != nil {
		return warnings, err
	}
	next, err := bump(ctx, source, now, steps)
	if err != nil {
		return warnings, err
	}
	renderer := o.renderer()
	defer renderer.Close()
	o.how.renderer = renderer
	objects, err := openWorkloads(ctx, workloads, &o.cluster, impact.Kinds(next.Plan), in, o.how)
	if err != nil {
		return warnings, err
	}
	client, err := o.start(ctx, next.Plan, errOut)
	if err != nil {
		return warnings, err
	}
	defer client.Close()
	console := newConsole(errOut)
	progress := func(p impact.Progress) {
		if ctx.Err() == nil {
			console.status(bar(p))
		}
	}
	r, err := await(ctx, func() impactResult { // a document of YAML may take seconds
		report, problems, err := impact.Run(ctx, client, now, next, steps, objects, impact.Options{Now: now.Plan.Now, Progress: progress})
		return impactResult{report, problems, err}
	})
	console.done()
	if err != nil {
		return warnings, err
	}
	if r.err == nil && r.report == nil {
		r.err = r.problems.Err()
	}
	if r.err != nil {
		return warnings, r.err
	}
	warnings = append(warnings, r.problems...)
	if g.diagnostics == "json" { // a program reads them, and wants all
		warnings = append(warnings, r.report.Unread.List()...)
	} else {
		warnings = append(warnings, r.report.Untold(o.format)...)
	}
	report := r.report
	if o.summary {
		report = report.Summary()
	}
	if err := report.Write(out, o.format, version()); err != nil {
		return warnings, err
	}
	return warnings, verdictOf(r.report, o.failOn)
}

// impactResult is the result of impact.Run.
type impactResult struct {
	report   *impact.Report
	problems diag.List
	err      error
}

// steps returns the bumps to look at.
func (o *impactOptions) steps(p *plan.Plan) ([]impact.Step, error) {
	if err := o.check(p); err != nil {
		return nil, err
	}
	stages := p.StageNames()
	if o.stage != "" && !slices.Contains(stages, o.stage) {
		return nil, usagef("--stage: there is no stage %q (%s)", o.stage, diag.OneOf(o.stage, stages))
	}
	return impact.Steps(p, o.environments, o.stage), nil
}

// bump returns the bundle with the stages of the bumps. The warnings are the same
// as before.
func bump(ctx context.Context, source *source, now *generator.Bundle, steps []impact.Step) (*generator.Bundle, error) {
	stages := impact.Stages(steps)
	if len(stages) == 0 {
		return now, nil
	}
	next, _, err := source.await(ctx, func() (*generator.Bundle, diag.List) { return now.WithStages(stages) })
	return next, err
}

// verdictOf returns the error that the run ends with: it names all that is wrong. What could not
// be judged never passes. As in kubectl diff, an error outranks what was found.
func verdictOf(r *impact.Report, failOn string) error {
	totals := r.Totals()
	var wrong []string
	note := func(what string, n int) {
		if n > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %d", what, n))
		}
	}
	note("would be blocked", totals.WouldBlock)
	note("verdicts missing", totals.Errors)
	note("could not be read", len(r.Unread))
	note("unknown", totals.Unknown)
	note("not judged", len(r.NotJudged))
	all := strings.Join(wrong, ", ")
	switch {
	case totals.Errors+len(r.Unread) > 0:
		return fmt.Errorf("%s; everything else was judged", all)
	case failOn != "never" && totals.WouldBlock > 0, failOn == "unjudged" && totals.Unknown+len(r.NotJudged) > 0:
		return exit.Wrongf("%s", all)
	}
	return nil
}

// bar shows the progress of a run.
func bar(p impact.Progress) string {
	const width = 30
	what := fmt.Sprintf("%d objects", p.Objects)
	if p.Share >= 0 {
		full := min(int(p.Share*width), width)
		what = fmt.Sprintf("[%s%s] %3.0f%% of %s", strings.Repeat("=", full), strings.Repeat(" ", width-full), p.Share*100, what)
	}
	return p.Environment + ": " + what
}
