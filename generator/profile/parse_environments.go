package profile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// environmentNames returns the names of the environments. There must be at least one.
func (p *parser) environmentNames() []string {
	names := make([]string, len(p.input.Environments))
	for i, e := range p.input.Environments {
		names[i] = e.Value.Metadata.Name
	}
	if len(names) == 0 {
		p.Report("", "environment-missing", "write one document with kind: Environment", "the source has no Environment")
	}
	return names
}

// in returns the parser of an environment: one that has parsed the profile with the
// overrides of the environment, or p itself if there are none. Problems of the profile
// alone are not repeated.
func (p *parser) in(environment string, environments []string) *parser {
	profile, ok := p.input.Overridden[environment]
	if !ok {
		return p
	}
	own := newParser(p.input, profile, p.src, p.now)
	own.parse(environments)
	p.systemThere(environment, own)
	for _, d := range own.Problems {
		overridden := strings.HasPrefix(d.Path, overridesField+".")
		if slices.Contains(p.Problems, d) || !overridden && strings.HasPrefix(d.Path, "spec.namespaces[") { // p found it
			continue
		}
		if !overridden {
			d.Summary = "in environment " + environment + ": " + d.Summary
		}
		p.Problems = append(p.Problems, d)
	}
	own.out.Namespaces = onTop(p.out.Namespaces, own.out.Namespaces)
	return own
}

// systemThere refuses namespaces of the profile that are system namespaces only with the
// overrides of an environment.
func (p *parser) systemThere(environment string, own *parser) {
	for _, n := range p.out.Namespaces {
		if slices.Contains(own.out.SystemNamespaces, n.Name) && !slices.Contains(p.out.SystemNamespaces, n.Name) {
			p.Report(n.Field+".name", "namespace-system", "choose another namespace for Flux or Kyverno there", "in environment %s: %s is a system namespace", environment, n.Name)
		}
	}
}

// onTop returns the namespaces of the profile with those that overrides change or add.
// The others are shared, and so are their networks: a fleet has thousands.
func onTop(namespaces, changed []Namespace) []Namespace {
	out, index := slices.Clone(namespaces), make(map[string]int, len(namespaces))
	for i, n := range namespaces {
		index[n.Name] = i
	}
	for _, n := range changed {
		if i, ok := index[n.Name]; ok {
			out[i] = n
		} else {
			out = append(out, n)
		}
	}
	return out
}

// environment parses one Environment with the parser of the environment, adds it to
// the source, and returns its problems. clusters maps the clusters of the environments
// before it to their environment; environment adds its own.
func (p *parser) environment(e Loaded[v1alpha1.Environment], clusters map[string]string) diag.List {
	r, spec := reporterOf(e.Positions), e.Value.Spec
	out := Environment{
		Document: Document{e.Value.Metadata.Name, e.Positions}, Spec: p.out, Ring: spec.Ring, Clusters: slices.Sorted(slices.Values(spec.Clusters)),
		Controls: map[string]int{}, Owners: spec.Owners, AllowSkip: *spec.AllowSkip, AllowAhead: *spec.AllowAhead, Changes: *spec.Changes,
	}
	r.name("metadata.name", out.Name, 40)
	if spec.Ring < 1 {
		r.Report("spec.ring", "out-of-range", "the first ring is 1", "ring %d is less than 1", spec.Ring)
	}
	out.Stage = p.stageIndex(&r, "spec.stage", spec.Stage)
	if _, err := time.Parse(time.DateOnly, out.Changes); err != nil && out.Changes != "" {
		r.Report("spec.changes", "date-invalid", "such as 2026-11-20", "%q is not a date", out.Changes)
	}
	r.distinct("spec.clusters", spec.Clusters)
	if len(spec.Clusters) == 0 {
		r.Report("spec.clusters", "required", "leave the field out for one cluster with the environment's name", "at least one cluster is needed")
	}
	for i, c := range spec.Clusters {
		field := fmt.Sprintf("spec.clusters[%d]", i)
		r.name(field, c, 63)
		if other, ok := clusters[c]; ok && other != out.Name {
			r.Report(field, "duplicate-name", "", "cluster %q is also in environment %q", c, other)
		}
		clusters[c] = out.Name
	}
	for _, id := range sortedKeys(spec.Controls) {
		field := fmt.Sprintf("spec.controls[%s]", id)
		if r.control(field, id, p.src.Catalog.Defined()) && !p.enabled(id) {
			r.Report(field, "control-off", "switch it on in the profile's spec.controls", "control %q is not on in the profile", id)
		}
		out.Controls[id] = p.stageIndex(&r, field+".stage", spec.Controls[id].Stage)
	}
	r.owners("spec.owners", spec.Owners)
	p.src.Environments = append(p.src.Environments, out)
	return r.Problems
}
