package evaluator

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/google/go-cmp/cmp"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/data"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// served is what an API server says of a kind.
type served struct {
	Plural     string
	Namespaced bool
	Versions   []string // sorted
}

// TestKindsAreServed compares the table of kinds with the discovery document of the engine, and with the CRDs of
// Kyverno: what is in one must be in the other, and the same.
func TestKindsAreServed(t *testing.T) {
	want := discovered(t)
	maps.Copy(want, customResources(t))
	got := map[schema.GroupKind]served{}
	for _, k := range kinds.All() {
		if !strings.Contains(k.Group, "fluxcd") && !slices.Contains(others(), k.Group) {
			got[schema.GroupKind{Group: k.Group, Kind: k.Kind}] = served{k.Plural, k.Scope == kinds.Namespaced, slices.Sorted(slices.Values(k.Versions))}
		}
	}
	for _, gk := range elsewhere() {
		if _, found := want[gk]; found {
			t.Errorf("%s is in the documents: compare it", gk)
		}
		if _, found := got[gk]; !found {
			t.Errorf("%s is not in the table", gk)
		}
		delete(got, gk)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the documents of the engine (-) and the table (+) differ:\n%s", diff)
	}
}

// others lists the groups of network policies of other projects.
func others() []string {
	return []string{"cilium.io", "crd.antrea.io", "crd.projectcalico.org", "policy.networking.k8s.io", "projectcalico.org"}
}

// elsewhere lists the kinds that the documents of the engine do not have: those of Kubernetes that are newer or not
// on by default, and those of Kyverno that its CLI does not know.
func elsewhere() []schema.GroupKind {
	return []schema.GroupKind{
		{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicy"},
		{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicyBinding"},
		{Group: "certificates.k8s.io", Kind: "ClusterTrustBundle"},
		{Group: "certificates.k8s.io", Kind: "PodCertificateRequest"},
		{Group: "coordination.k8s.io", Kind: "LeaseCandidate"},
		{Group: "resource.k8s.io", Kind: "DeviceTaintRule"},
		{Group: "storagemigration.k8s.io", Kind: "StorageVersionMigration"},
		{Group: "kyverno.io", Kind: "GlobalContextEntry"},
		{Group: "kyverno.io", Kind: "UpdateRequest"},
		{Group: "reports.kyverno.io", Kind: "ClusterEphemeralReport"},
		{Group: "reports.kyverno.io", Kind: "EphemeralReport"},
		{Group: "wgpolicyk8s.io", Kind: "ClusterPolicyReport"},
		{Group: "wgpolicyk8s.io", Kind: "PolicyReport"},
	}
}

// discovered returns the kinds of Kubernetes, without those that only subresources have.
func discovered(t *testing.T) map[schema.GroupKind]served {
	t.Helper()
	table, err := builtinKinds()
	if err != nil {
		t.Fatal(err)
	}
	out := map[schema.GroupKind]served{}
	for gvk, info := range table {
		if strings.Contains(info.resource, "/") {
			continue
		}
		versions := append(out[gvk.GroupKind()].Versions, gvk.Version)
		slices.Sort(versions)
		out[gvk.GroupKind()] = served{info.resource, info.namespaced, versions}
	}
	return out
}

// definition is the part of a CRD that says which kind it defines.
type definition struct {
	Spec struct {
		Group    string
		Names    struct{ Kind, Plural string }
		Scope    string
		Versions []struct {
			Name   string
			Served bool
		}
	}
}

// customResources returns the kinds of Kyverno's CRDs, without those that are only files for its CLI.
func customResources(t *testing.T) map[schema.GroupKind]served {
	t.Helper()
	fsys, err := data.Crds()
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[schema.GroupKind]served{}
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			t.Fatal(err)
		}
		var crd definition
		if err := yaml.Unmarshal(text, &crd); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if crd.Spec.Group == "cli.kyverno.io" {
			continue
		}
		var versions []string
		for _, v := range crd.Spec.Versions {
			if v.Served {
				versions = append(versions, v.Name)
			}
		}
		slices.Sort(versions)
		gk := schema.GroupKind{Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind}
		out[gk] = served{crd.Spec.Names.Plural, crd.Spec.Scope == "Namespaced", versions}
	}
	return out
}
