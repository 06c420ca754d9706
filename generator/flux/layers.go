package flux

import (
	"slices"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
)

// layer describes how Flux applies the layers of one kind.
type layer struct {
	kind layout.Kind
	// follows lists the kinds that it waits for, besides the layers that create the
	// namespaces of its objects.
	follows []layout.Kind
	// prune lets Flux delete what disappears from the layer.
	prune bool
	// secrets is set if the layer may hold Secrets that Flux must decrypt.
	secrets bool
	// gate makes Ready mean more than applied. It is nil if applied is enough for
	// the layers that follow.
	gate func(*kustomizev1.Kustomization, *content)
	// guards is set if workloads must not start before the layer is ready. The graph
	// makes them wait, and the proof checks that they do.
	guards bool
	// releases says what all HelmReleases of the layer are for. The proof refuses to
	// prune a release in a layer that does not say it.
	releases *role
}

// role is what a Helm release is for, as far as the graph and its proof need to know.
type role struct {
	// name of what the release installs, for findings.
	name string
	// provides lists the API groups whose CRDs the chart brings.
	provides []string
	// deployment must be available before the layer is ready, in the namespace that
	// the release installs into. If it is empty, Ready of the release is enough.
	deployment string
	// webhooks is set if webhooks may outlive an uninstall and block the API server.
	webhooks bool
}

// table is a list of layers, in the order in which Flux can apply them.
type table []layer

// layers returns the table of all kinds of layers.
func layers() table {
	return table{
		// Deleting a namespace deletes everything in it, so only people do it.
		{kind: layout.Namespaces, guards: true},
		// What a policy requires must not come after it, so network rules wait for their
		// namespaces only (docs/adr/0011-network-rules-do-not-wait-for-policies.md).
		{kind: layout.Network, prune: true, guards: true},
		// Defaults of a LimitRange are set when a Pod is created, so workloads wait for them.
		{kind: layout.Limits, prune: true, guards: true},
		{kind: layout.Kyverno, gate: waitForReleases, releases: &role{
			name: "Kyverno", provides: []string{groupKyverno, groupPolicies}, deployment: admissionController, webhooks: true,
		}},
		{kind: layout.KyvernoRBAC, follows: []layout.Kind{layout.Kyverno}, prune: true},
		{kind: layout.Trust, follows: []layout.Kind{layout.Kyverno}, prune: true, secrets: true},
		{kind: layout.Exceptions, follows: []layout.Kind{layout.KyvernoRBAC}, prune: true},
		// Policies wait for all namespaces, because tiers are read from their labels.
		{kind: layout.Policies, follows: []layout.Kind{layout.Exceptions, layout.Trust, layout.Namespaces}, prune: true, gate: waitForPolicies, guards: true},
	}
}

// index returns the row of a kind, or -1 if the table has none.
func (t table) index(kind layout.Kind) int {
	return slices.IndexFunc(t, func(l layer) bool { return l.kind == kind })
}

// layer returns the row of a kind. A kind that the table does not have, such as
// one of another version of gatehouse, has the zero row.
func (t table) layer(kind layout.Kind) layer {
	if i := t.index(kind); i >= 0 {
		return t[i]
	}
	return layer{}
}

// guards returns the kinds that workloads wait for.
func (t table) guards() []layout.Kind {
	var kinds []layout.Kind
	for _, l := range t {
		if l.guards {
			kinds = append(kinds, l.kind)
		}
	}
	return kinds
}
