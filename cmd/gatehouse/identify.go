package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/identify"
)

type identifyOptions struct {
	judge  judgeOptions
	format string
}

func newIdentifyCmd(g *globals) *cobra.Command {
	var o identifyOptions
	cmd := &cobra.Command{
		Use:   "identify POLICIES...",
		Short: "Find the controls that do what other policies do",
		Long: `Find for each policy that gatehouse did not make the controls that give the same
verdicts. The engine asks the policy and every control about the same documents: those
of all controls, and hostile variants of them. Names and texts count for nothing.

POLICIES are files, folders, kustomizations, or - for standard input, as for gatehouse
impact. Of the objects in them, these are compared: ClusterPolicy and Policy (their rules
that validate), ValidatingPolicy, and ValidatingAdmissionPolicy. Actions, bindings and
exceptions are not: stages, tiers and exceptions of a profile take their place.

The answer is one of these:

  equal            controls give equal verdicts on N documents that the policy judges,
                   at least one of which both refuse
  different        a control is similar; documents with other verdicts are listed
  not expressible  no control is similar, or the policy does something else: why

Equal verdicts are those on these documents, not a proof for all. A part of a profile that
enables the controls with equal verdicts is printed at the end.

Exits with 0 if there is an answer for each policy, whatever it is, with 1 if what was read
is wrong, and with 2 if there is no engine.`,
		Example: `  gatehouse identify policies/

  # what is in a cluster
  kubectl get clusterpolicies,policies,validatingadmissionpolicies -A -o yaml | gatehouse identify -`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("%s takes POLICIES, got 0 arguments; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: completeWorkloads,
		RunE: g.judging(func(cmd *cobra.Command, args []string) (diag.List, error) {
			return runIdentify(cmd.Context(), g, args, o, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		}),
	}
	o.judge.bindEngine(cmd)
	outputFormat(cmd, &o.format, identify.Formats()...)
	return cmd
}

func runIdentify(ctx context.Context, g *globals, args []string, o identifyOptions, in io.Reader, out, errOut io.Writer) (diag.List, error) {
	now, err := g.time()
	if err != nil {
		return nil, err
	}
	policies, err := openWorkloads(ctx, args, &clusterOptions{}, nil, in, reading{})
	if err != nil {
		return nil, err
	}
	client, err := o.judge.start(ctx, &plan.Plan{}, errOut)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	console := newConsole(errOut)
	report, problems, err := identify.Run(ctx, client, policies, identify.Options{Version: version(), Now: now, Progress: console.status})
	console.done()
	if err == nil {
		err = problems.Err()
	}
	if err != nil {
		return nil, err
	}
	return problems, report.Write(out, o.format)
}
