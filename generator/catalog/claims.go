package catalog

import (
	"fmt"
	"maps"
	"slices"
)

// Claims is what a control makes impossible or needs. The compiler has no Kyverno
// engine: it finds contradictions of a profile by these claims. They must be complete
// where they are about gatehouse's own objects and about what the profile lists
// (engine/proof asks the engine). The zero value claims nothing.
type Claims struct {
	Refuses  Refusals
	Demands  Demands
	Reserves Reserves
	// Needs names parameters with x-gatehouse-from. If a profile sets one, it must keep
	// what gatehouse would set, and of deployers at least the account that applies the
	// repository: otherwise the control refuses objects of gatehouse or Kyverno.
	Needs []string
}

// Refusals is what a control never admits.
type Refusals struct {
	// Namespaces in which no workload is admitted.
	Namespaces []string `json:"namespaces,omitempty"`
	// ImagesOutside names the parameter that lists the registries and repositories that
	// images must come from.
	ImagesOutside string `json:"imagesOutside,omitempty"`
	// Volumes lists types of volumes; VolumesOutside names the parameter that lists the
	// types that are admitted.
	Volumes        []string `json:"volumes,omitempty"`
	VolumesOutside string   `json:"volumesOutside,omitempty"`
	// CapabilitiesOutside names the parameter that lists the capabilities that may be added.
	CapabilitiesOutside string `json:"capabilitiesOutside,omitempty"`
}

// Demands is what a control asks of every Namespace.
type Demands struct {
	// NamespaceLabels names the parameter that lists the labels that each must have.
	NamespaceLabels string `json:"namespaceLabels,omitempty"`
	// Exempt names the parameter that lists the Namespaces that need none.
	Exempt string `json:"exempt,omitempty"`
}

// Reserves is what a control leaves to the deployers.
type Reserves struct {
	// NamespaceLabels that only deployers may set.
	NamespaceLabels []string `json:"namespaceLabels,omitempty"`
}

// parameters returns the parameters that the claims name, by the field that names them.
func (c Claims) parameters() map[string]string {
	named := map[string]string{
		"spec.refuses.imagesOutside": c.Refuses.ImagesOutside, "spec.refuses.volumesOutside": c.Refuses.VolumesOutside,
		"spec.refuses.capabilitiesOutside": c.Refuses.CapabilitiesOutside,
		"spec.demands.namespaceLabels":     c.Demands.NamespaceLabels, "spec.demands.exempt": c.Demands.Exempt,
	}
	maps.DeleteFunc(named, func(_, parameter string) bool { return parameter == "" })
	return named
}

// checkClaims refuses claims about parameters that do not exist.
func (c *Control) checkClaims() []Problem {
	var out []Problem
	named := c.Claims.parameters()
	for _, field := range slices.Sorted(maps.Keys(named)) {
		if list := c.Parameters.Properties[named[field]]; list == nil || list.Type != "array" {
			out = append(out, Problem{Path: field, Summary: "must name a parameter that is a list"})
		}
	}
	for i, name := range c.Claims.Needs {
		if parameter := c.Parameters.Properties[name]; parameter == nil || parameter.From == "" {
			out = append(out, Problem{Path: fmt.Sprintf("spec.needs[%d]", i), Summary: "must name a parameter with x-gatehouse-from"})
		}
	}
	return out
}
