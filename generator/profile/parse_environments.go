package profile

import (
	"fmt"
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
)

// environmentNames returns the names of the environments. There must be at least one.
func (p *parser) environmentNames() []string {
	names := make([]string, len(p.in.Environments))
	for i, e := range p.in.Environments {
		names[i] = e.Value.Metadata.Name
	}
	if len(names) == 0 {
		p.Report("", "environment-missing", "write one document with kind: Environment", "the source has no Environment")
	}
	return names
}

// environment parses one Environment. clusters maps the clusters of the environments
// before it to their environment; environment adds its own.
func (p *parser) environment(e Loaded[v1alpha1.Environment], clusters map[string]string) {
	r, spec := reporterOf(e.Positions), e.Value.Spec
	out := Environment{
		Document: Document{e.Value.Metadata.Name, e.Positions}, Ring: spec.Ring, Clusters: slices.Sorted(slices.Values(spec.Clusters)),
		Controls: map[string]int{}, Owners: spec.Owners, AllowSkip: *spec.AllowSkip, AllowAhead: *spec.AllowAhead,
	}
	r.name("metadata.name", out.Name, 40)
	if spec.Ring < 1 {
		r.Report("spec.ring", "out-of-range", "the first ring is 1", "ring %d is less than 1", spec.Ring)
	}
	out.Stage = p.stageIndex(&r, "spec.stage", spec.Stage)
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
		if r.control(field, id, p.in.Catalog.Defined()) && !p.enabled(id) {
			r.Report(field, "control-off", "switch it on in the profile's spec.controls", "control %q is not on in the profile", id)
		}
		out.Controls[id] = p.stageIndex(&r, field+".stage", spec.Controls[id].Stage)
	}
	r.owners("spec.owners", spec.Owners)
	p.out.Environments = append(p.out.Environments, out)
	p.Problems = append(p.Problems, r.Problems...)
}
