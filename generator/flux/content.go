package flux

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// groupKind of a Kubernetes object.
type groupKind struct{ group, kind string }

// API groups that the graph or the proof treats specially.
const (
	groupKyverno  = "kyverno.io"
	groupPolicies = "policies.kyverno.io"
	groupHelm     = "helm.toolkit.fluxcd.io"
	groupFlux     = "kustomize.toolkit.fluxcd.io"
	groupIndex    = "kustomize.config.k8s.io"
	groupRBAC     = "rbac.authorization.k8s.io"
	groupCRD      = "apiextensions.k8s.io"
)

// pruneAnnotation with the value disabled keeps Flux from deleting an object.
const pruneAnnotation = groupFlux + "/prune"

// substituteAnnotation with the value disabled keeps Flux from replacing ${…} in an object.
const substituteAnnotation = groupFlux + "/substitute"

// release is a Helm release that a layer brings. The role is nil if the table of
// layers does not say what it is for.
type release struct {
	name, namespace string
	target          string // the namespace that it installs into
	role            *role
}

// content is what a layer holds, brings and needs: the order of the layers depends
// on it.
type content struct {
	objects  int
	kinds    map[groupKind]bool
	creates  map[string]bool // namespaces
	needs    map[string]bool // namespaces that its objects live in
	provides map[string]bool // API groups whose CRDs come with the layer
	releases []release
	// aggregated is set if a ClusterRole extends what Kyverno may do.
	aggregated bool
	// unprotected are the Namespaces that a prune would delete.
	unprotected []string
}

// contents reads the files once, by layer.
func (t table) contents(files []manifest.File) map[layout.Folder]*content {
	all := map[layout.Folder]*content{}
	for _, f := range files {
		if !f.Folder.Applied() {
			continue
		}
		for _, o := range f.Objects {
			if o.Group() == groupIndex {
				continue
			}
			c := all[f.Folder]
			if c == nil {
				c = &content{kinds: map[groupKind]bool{}, creates: map[string]bool{}, needs: map[string]bool{}, provides: map[string]bool{}}
				all[f.Folder] = c
			}
			c.add(o, t.layer(f.Folder.Kind).releases)
		}
	}
	return all
}

// add notes what an object brings and needs. A HelmRelease gets the role releases.
func (c *content) add(o manifest.Object, releases *role) {
	c.objects++
	gk := groupKind{o.Group(), o.Kind()}
	c.kinds[gk] = true
	if ns := o.Namespace(); ns != "" {
		c.needs[ns] = true
	}
	switch gk {
	case groupKind{"", "Namespace"}:
		c.creates[o.Name()] = true
		if o.String("metadata", "annotations", pruneAnnotation) != "disabled" {
			c.unprotected = append(c.unprotected, o.Name())
		}
	case groupKind{groupHelm, "HelmRelease"}:
		c.addRelease(o, releases)
	case groupKind{groupCRD, "CustomResourceDefinition"}:
		if g := o.String("spec", "group"); g != "" {
			c.provides[g] = true
		}
	case groupKind{groupRBAC, "ClusterRole"}:
		for key := range o.Map("metadata", "labels") {
			c.aggregated = c.aggregated || strings.HasPrefix(key, "rbac.kyverno.io/aggregate-to-")
		}
	}
}

// addRelease notes a Helm release and the API groups whose CRDs its chart brings.
func (c *content) addRelease(o manifest.Object, role *role) {
	r := release{o.Name(), o.Namespace(), o.String("spec", "targetNamespace"), role}
	if r.target == "" {
		r.target = r.namespace
	}
	c.needs[r.target] = true
	c.releases = append(c.releases, r)
	if role == nil {
		return
	}
	for _, g := range role.provides {
		c.provides[g] = true
	}
}

// policyKinds are the kinds of Kyverno policies in the layer, in the order of healthKinds.
func (c *content) policyKinds() []groupKind {
	var found []groupKind
	for _, k := range healthKinds() {
		if c.kinds[k] {
			found = append(found, k)
		}
	}
	return found
}

// exceptions reports whether the layer holds PolicyExceptions of either group.
func (c *content) exceptions() bool {
	return c.kinds[groupKind{groupKyverno, "PolicyException"}] || c.kinds[groupKind{groupPolicies, "PolicyException"}]
}

// purpose returns what the release installs.
func (r release) purpose() string {
	if r.role == nil {
		return r.name
	}
	return r.role.name
}
