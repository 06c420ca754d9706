package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/migration"
	"github.com/gatehouse-dev/gatehouse/generator/output"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/exit"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
	"github.com/gatehouse-dev/gatehouse/judge/agreement"
	"github.com/gatehouse-dev/gatehouse/judge/impact"
)

// open opens the source and the output, which must be there.
func (m *migrator) open() (err error) {
	if m.source, err = openSource(m.path); err != nil {
		return err
	}
	if m.options, err = m.g.options(); err != nil {
		return err
	}
	if _, err := os.Stat(m.dir); err != nil {
		return fmt.Errorf("reading the output: %w", err)
	}
	return nil
}

// now compiles the source as it is. The output must be what it builds: else the step would
// hold more than one change, and what an environment does would not be known.
func (m *migrator) now(ctx context.Context) (*generator.Bundle, error) {
	if err := prepare(&m.options, m.path, m.dir); err != nil {
		return nil, err
	}
	if m.options.Prior == nil {
		return nil, exit.Wrongf("%s was never built: set spec.kyverno.policyType, and run gatehouse build %s -o %s", m.dir, m.path, m.dir)
	}
	bundle, warnings, err := m.source.compile(ctx, m.options)
	if err != nil {
		return nil, err
	}
	m.warnings = warnings
	stale, err := output.Check(ctx, m.dir, bundle.Files, bundle.Lock)
	if err != nil {
		return nil, err
	}
	for i, s := range stale {
		if i == 10 {
			fmt.Fprintf(m.errOut, "and %d more\n", len(stale)-i)
			break
		}
		fmt.Fprintln(m.errOut, plain.Line(s.String()))
	}
	if len(stale) > 0 {
		return nil, exit.Wrongf("%s is not what %s builds; run gatehouse build, look at it and commit it before a step", m.dir, m.path)
	}
	return bundle, nil
}

// step makes the next step of an environment, or nothing at all.
func (m *migrator) step(ctx context.Context, now *generator.Bundle, way migration.Way) error {
	if err := m.committed(ctx, way); err != nil {
		return err
	}
	file := m.source.locate(way.File)
	before, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the source: %w", err)
	}
	after, what, err := way.Edit(before, now.PolicyType())
	if err != nil {
		return err
	}
	next, warnings, err := m.source.with(way.File, after).compile(ctx, m.options)
	if err != nil {
		return err
	}
	found, err := place(m.source, next, m.dir)
	if err != nil {
		return err
	}
	reached, err := m.reached(next, way)
	if err != nil {
		return err
	}
	if err := m.compare(ctx, way); err != nil {
		return err
	}
	result, err := m.write(ctx, file, before, after, next)
	if err != nil {
		return err
	}
	m.warnings = append(warnings, found...)
	fmt.Fprintf(m.errOut, "%s: %s\n%s: %d files written, %d unchanged, %d removed\n", file, what, m.dir, result.Written, result.Unchanged, result.Removed)
	printEffects(m.errOut, next)
	fmt.Fprintf(m.out, "%s: %s\n", way.Environment, reached.At())
	for _, line := range reached.Next(way.From) {
		fmt.Fprintln(m.out, "  "+line)
	}
	return nil
}

// reached returns where a step leads. It refuses one that leaves what is enforced at once.
func (m *migrator) reached(next *generator.Bundle, before migration.Way) (migration.Way, error) {
	for _, way := range migration.Ways(next.Plan, m.to) {
		if way.Environment != before.Environment {
			continue
		}
		switch {
		case before.Place == migration.Before && before.Enforces && way.Place == migration.Done:
			return way, exit.Wrongf("%s: the old policies would be removed at once, before the new ones answer: spec.rollout.changes of the profile is immediate; set it to staged for the way", way.Environment)
		case way.Place <= before.Place:
			return way, exit.Wrongf("%s: the step would change nothing; what waits there is in %s/README.md", way.Environment, m.dir)
		}
		return way, nil
	}
	return migration.Way{}, fmt.Errorf("environment %s is gone", before.Environment)
}

// compare asks the engine what both kinds say of the workloads, if there are any.
func (m *migrator) compare(ctx context.Context, way migration.Way) error {
	if len(m.workloads) == 0 && !m.cluster.given() {
		fmt.Fprintf(m.errOut, "%s: not compared on what runs; give WORKLOADS or a cluster to do so\n", way.Environment)
		return nil
	}
	options := m.options
	options.Unstaged = true
	bundle, _, err := m.source.compile(ctx, options)
	if err != nil {
		return err
	}
	var sides [2]*generator.Bundle
	for i, kind := range []string{way.From, way.To} {
		if sides[i], _, err = m.source.await(ctx, func() (*generator.Bundle, diag.List) { return bundle.WithPolicyType(kind) }); err != nil {
			return err
		}
	}
	objects, err := openWorkloads(ctx, m.workloads, &m.cluster, impact.Kinds(sides[0].Plan), m.in, reading{flux: true})
	if err != nil {
		return err
	}
	m.judge.environments, m.judge.target = []string{way.Environment}, way.To
	client, err := m.judge.start(ctx, bundle.Plan, m.errOut)
	if err != nil {
		return err
	}
	defer client.Close()
	report, problems, err := agreement.Workloads(ctx, client, sides[0], sides[1], way.Environment, objects, m.options.Now)
	if err == nil {
		err = problems.Err()
	}
	if err != nil {
		return err
	}
	for _, line := range report.Lines() {
		fmt.Fprintln(m.out, plain.Line(line))
	}
	if len(report.Differences) > 0 && !m.allowDifferences {
		return exit.Wrongf("the kinds do not agree on what runs; nothing was written (--allow-differences makes the step all the same)")
	}
	return nil
}

// committed refuses a step while the one before is not committed, as far as Git knows.
func (m *migrator) committed(ctx context.Context, way migration.Way) error {
	b := &base{ctx: ctx, dir: m.dir}
	if _, err := b.git("rev-parse", "--verify", "HEAD"); err != nil || way.Place == migration.Before {
		return nil // no repository, or no step before
	}
	changed, err := b.git("status", "--porcelain", "--", ".")
	if err == nil && changed != "" {
		return exit.Wrongf("%s: %s has changes that are not committed: commit the step before on its own first", way.Environment, m.dir)
	}
	return err
}

// write writes the source and the output, or neither.
func (m *migrator) write(ctx context.Context, file string, before, after []byte, next *generator.Bundle) (output.Result, error) {
	if err := rewrite(file, after); err != nil {
		return output.Result{}, fmt.Errorf("writing the source: %w", err)
	}
	result, err := output.Write(ctx, m.dir, next.Files, next.Lock, output.Options{})
	if err == nil {
		return result, nil
	}
	if undo := rewrite(file, before); undo != nil {
		return result, fmt.Errorf("%w; %s is changed already, and could not be restored: %w", err, file, undo)
	}
	return result, err
}

// rewrite writes a file as a whole, with its mode. A link stays one.
func rewrite(name string, data []byte) (err error) {
	if name, err = filepath.EvalSymlinks(name); err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary.Name()) // the first error matters
		}
	}()
	if _, err = temporary.Write(data); err == nil {
		err = temporary.Chmod(info.Mode().Perm())
	}
	if e := temporary.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), name)
}
