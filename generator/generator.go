package generator

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator/cel"
	"github.com/gatehouse-dev/gatehouse/generator/flux"
	"github.com/gatehouse-dev/gatehouse/generator/kyverno"
	"github.com/gatehouse-dev/gatehouse/generator/kyvernotest"
	"github.com/gatehouse-dev/gatehouse/generator/limits"
	"github.com/gatehouse-dev/gatehouse/generator/namespaces"
	"github.com/gatehouse-dev/gatehouse/generator/network"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/generator/resolve"
	"github.com/gatehouse-dev/gatehouse/generator/staging"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Options holds what a build depends on besides the source.
type Options struct {
	// Version of gatehouse, which spec.gatehouse of a profile may limit.
	Version string
	// Now is the time to judge expiries by.
	Now time.Time
	// Day is the day to note in the lock for what is new; zero for that of Now.
	Day time.Time
	// Unstaged shows every environment as if it had audited and accepted everything.
	// Such a bundle is for inspection; do not write it.
	Unstaged bool
	// Prior is the lock of the current output; nil if there is none.
	Prior *manifest.Lock
	// Output is the current output, for the contents that it keeps; nil if there is none.
	Output fs.FS
	// Existing lists the files in the current output, relative to it, with slashes.
	Existing []string
}

// Bundle is a compiled profile: proven, but not written.
type Bundle struct {
	Plan  *plan.Plan
	Graph *flux.Graph
	// Files of the output, sorted by path, without the lock.
	Files []manifest.File
	// Lock without the hashes of the files, which the writer adds.
	Lock manifest.Lock

	input   *profile.Input
	options Options
}

// Compile turns a source into a policy repository: load, default, parse,
// resolve, emit, link. It reads fsys and writes nothing. name is "." for a
// folder, or one file of fsys.
//
// A stage runs to its end and reports everything that is wrong. The next one starts
// only if there is no error. The bundle is nil if the list has an error; otherwise
// it is complete, even with warnings.
func Compile(fsys fs.FS, name string, o Options) (*Bundle, diag.List) {
	input, problems := profile.Load(fsys, name, o.Version)
	if input == nil {
		return nil, problems
	}
	return compile(input, problems, o)
}

// compile runs every stage after load. It does not change the input. problems are
// those of load.
func compile(input *profile.Input, problems diag.List, o Options) (*Bundle, diag.List) {
	src, found := profile.Parse(profile.Default(*input), o.Now)
	s := stages{append(problems, found...)}
	p := run(&s, func() (*plan.Plan, diag.List) {
		return resolve.Plan(src, resolve.Options{Now: o.Now, Day: o.Day, Unstaged: o.Unstaged, Prior: o.Prior, Output: o.Output})
	})
	files := run(&s, func() ([]manifest.File, diag.List) { return emit(p) })
	bundle := run(&s, func() (*Bundle, diag.List) { return link(p, files, o) })
	if bundle != nil {
		bundle.Lock, bundle.input, bundle.options = lock(p, bundle.Graph), input, o
	}
	return bundle, s.problems.Sort()
}

// stages collects the problems that the stages find.
type stages struct{ problems diag.List }

// run runs a stage unless an earlier one found an error. It returns the zero value
// if there is an error.
func run[T any](s *stages, stage func() (T, diag.List)) (result T) {
	if s.problems.HasErrors() {
		return result
	}
	made, found := stage()
	if s.problems = append(s.problems, found...); s.problems.HasErrors() {
		return result
	}
	return made
}

// WithStages compiles the source of the bundle again with environments, by name, at
// other stages. It does not compare rings, so that all environments may be a step
// ahead at the same time. Such a bundle is for inspection; do not write it.
func (b *Bundle) WithStages(stages map[string]string) (*Bundle, diag.List) {
	return compile(b.input.WithStages(stages), nil, b.options)
}

// WithPolicyType compiles the source of the bundle again with another kind of policies in
// all environments. Such a bundle is for inspection; do not write it.
func (b *Bundle) WithPolicyType(policyType string) (*Bundle, diag.List) {
	return compile(b.input.WithPolicyType(policyType), nil, b.options)
}

// PolicyType returns the kind of policies of an environment whose overrides do not name one.
func (b *Bundle) PolicyType() string {
	return *profile.Default(*b.input).Profile.Value.Spec.Kyverno.PolicyType
}

// emit returns every object of the plan, and the tests.
func emit(p *plan.Plan) ([]manifest.File, diag.List) {
	files := namespaces.Emit(p)
	files = append(files, kyverno.Install(p)...)
	files = append(files, kyverno.Trust(p)...)
	files = append(files, kyverno.Exceptions(p)...)
	files = append(files, kyverno.Policies(p)...)
	files = append(files, cel.Policies(p)...)
	files = append(files, network.Emit(p)...)
	files = append(files, limits.Emit(p)...)
	files = append(files, p.Contents...)
	if !p.KyvernoTests {
		return files, nil
	}
	tests, problems := kyvernotest.Emit(p)
	return append(files, tests...), problems
}

// chartValues returns the values of the Kyverno chart, by environment.
func chartValues(p *plan.Plan) map[string]map[string]any {
	values := map[string]map[string]any{}
	for _, env := range p.Environments {
		values[env.Name] = kyverno.Values(p, env)
	}
	return values
}

// lock records what each environment audits and enforces, for the next build, and what
// bootstrap must know of the profile.
func lock(p *plan.Plan, g *flux.Graph) manifest.Lock {
	l := manifest.Lock{Environments: map[string]manifest.LockedEnvironment{}}
	for _, env := range p.Environments {
		locked := env.Locked
		locked.FluxInstall, locked.Kyverno = env.Flux.Install, kyverno.Locked(p, env)
		for _, n := range g.Existing(env.Name) {
			locked.Workloads = append(locked.Workloads, manifest.LockedWorkload{Name: n.Name(), DependsOn: n.WaitsFor()})
		}
		l.Environments[env.Name] = locked
	}
	return l
}

// Effects returns what the build changes in the environments that were built before, of
// what a reviewer easily misses. It is empty if nothing changes.
func (b *Bundle) Effects() []staging.Effect {
	var all []staging.Effect
	if b.options.Prior == nil {
		return nil
	}
	for _, env := range b.Plan.Environments {
		if before, built := b.options.Prior.Environments[env.Name]; built {
			all = append(all, staging.Effects(env, b.Plan.Tiers, before)...)
		}
	}
	return all
}

// Print writes all manifests as one stream of YAML documents, each file with
// its path in a comment. It leaves out tests and the files for people.
func (b *Bundle) Print(w io.Writer) error {
	for _, f := range b.Files {
		if f.Objects == nil || !applied(f) {
			continue
		}
		out, err := f.Encode()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "# %s\n%s", f.Path, out); err != nil {
			return fmt.Errorf("writing manifests: %w", err)
		}
	}
	return nil
}

// applied reports whether Flux applies the objects of a file.
func applied(f manifest.File) bool {
	return f.Folder.Applied() && path.Base(f.Path) != layout.Index
}
