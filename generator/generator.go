package generator

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator/flux"
	"github.com/gatehouse-dev/gatehouse/generator/kyverno"
	"github.com/gatehouse-dev/gatehouse/generator/network"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Options are what a build depends on beside the source.
type Options struct {
	// Version of gatehouse, for the lock.
	Version string
	// Now is the time by which expiries are judged.
	Now time.Time
	// AllowSkip permits every environment to enforce what was never audited.
	AllowSkip bool
	// Stages replaces the stages of environments, by name: what if they were
	// bumped. Rings are then not compared. A bundle like this is for looking at.
	Stages map[string]string
	// Prior is the lock of the output as it is; nil for a new one.
	Prior *manifest.Lock
	// Existing lists the files in the output as it is, relative, with slashes.
	Existing []string
}

// Bundle is a compiled profile that was proven but not written.
type Bundle struct {
	Plan  *plan.Plan
	Graph *flux.Graph
	// Files of the output, sorted by path, without the lock.
	Files []manifest.File
	// Lock without the hashes of the files, which the writer adds.
	Lock manifest.Lock
}

// Compile turns a source into a policy repository: load, default, validate,
// plan, emit, link. It reads fsys and writes nothing. name is "." for a folder,
// or one file of fsys.
//
// A stage runs to its end and tells all that is wrong; the next one begins only
// if nothing is. The bundle is nil if the list has an error, and complete
// beside warnings.
func Compile(fsys fs.FS, name string, o Options) (*Bundle, diag.List) {
	loaded, problems := Load(fsys, name)
	if loaded == nil {
		return nil, problems
	}
	in := Default(*loaded)
	in.restage(o.Stages)
	problems = append(problems, Validate(in, o.Now)...)
	if problems.HasErrors() {
		return nil, problems.Sort()
	}
	p, found := Plan(in, o)
	problems = append(problems, found...)
	if problems.HasErrors() {
		return nil, problems.Sort()
	}
	files, found := Emit(p, in)
	problems = append(problems, found...)
	if problems.HasErrors() {
		return nil, problems.Sort()
	}
	bundle, found := Link(p, files, o)
	problems = append(problems, found...)
	if problems.HasErrors() {
		return nil, problems.Sort()
	}
	bundle.Lock = lock(p, in, o)
	return bundle, problems.Sort()
}

// Emit makes every object that the plan asks for, and the files that are for
// people.
func Emit(p *plan.Plan, in *Input) ([]manifest.File, diag.List) {
	files := Namespaces(p)
	files = append(files, kyverno.Install(p)...)
	files = append(files, kyverno.Trust(p)...)
	files = append(files, kyverno.Exceptions(p)...)
	files = append(files, kyverno.Policies(p)...)
	files = append(files, network.Emit(p)...)
	files = append(files, Documents(p)...)
	tests, problems := Tests(p, in)
	return append(files, tests...), problems
}

// lock records what each environment is shown, so that no stage can skip, and
// what bootstrap must know of the profile.
func lock(p *plan.Plan, in *Input, o Options) manifest.Lock {
	l := manifest.Lock{Tool: o.Version, Source: in.Hash(), FluxInstall: p.Flux.Install, Kyverno: kyverno.Locked(p), Environments: map[string]manifest.LockedEnvironment{}}
	for _, env := range p.Environments {
		policies := map[string]map[string]string{}
		for _, policy := range env.Policies {
			tiers := map[string]string{}
			for tier, action := range policy.Actions {
				if action != plan.Off {
					tiers[tier] = action.String()
				}
			}
			policies[policy.Name] = tiers
		}
		l.Environments[env.Name] = manifest.LockedEnvironment{Stage: env.Stage, Policies: policies}
	}
	return l
}

// Print writes all manifests as one stream of YAML documents, each file with
// its path in a comment. Files for people and tests are left out.
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

// applied tells whether Flux applies the objects of a file.
func applied(f manifest.File) bool {
	return f.Folder.Applied() && path.Base(f.Path) != layout.Index
}
