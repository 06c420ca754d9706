package kinds_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

func TestTableIsSound(t *testing.T) {
	seen := map[[2]string]bool{}
	for _, k := range kinds.All() {
		id := [2]string{k.Group, k.Kind}
		if seen[id] {
			t.Errorf("%v is there twice", id)
		}
		seen[id] = true
		if k.Kind == "" || k.Plural == "" || k.Plural != strings.ToLower(k.Plural) || k.Scope == kinds.Unknown || len(k.Versions) == 0 {
			t.Errorf("%v is not complete: %+v", id, k)
		}
		if len(k.Makes) > 0 && !slices.Contains(k.Makes, "Pod") {
			t.Errorf("%v makes %v, which are not Pods", id, k.Makes)
		}
		for _, made := range k.Makes {
			if kinds.Named(made).Scope() != kinds.Namespaced {
				t.Errorf("%v makes %s, which is not a namespaced kind of the table", id, made)
			}
		}
	}
}

func TestFind(t *testing.T) {
	exception, ok := kinds.Find("kyverno.io", "PolicyException")
	if !ok || exception.APIVersion() != "kyverno.io/v2" || exception.InForce != kinds.NotPolicy || exception.Scope != kinds.Namespaced {
		t.Errorf("PolicyException = %+v, %t", exception, ok)
	}
	pod, ok := kinds.Find("", "Pod")
	if !ok || pod.APIVersion() != "v1" || !pod.KyvernoReads {
		t.Errorf("Pod = %+v, %t", pod, ok)
	}
	for _, id := range [][2]string{{"apps", "Pod"}, {"", "Deployment"}, {"kustomize.config.k8s.io", "Kustomization"}, {"", ""}} {
		if k, ok := kinds.Find(id[0], id[1]); ok {
			t.Errorf("%v = %+v", id, k)
		}
	}
}

func TestKindsOfKyverno(t *testing.T) {
	var legacy []string
	for _, k := range kinds.Legacy() {
		legacy = append(legacy, k.Group+"/"+k.Kind)
	}
	want := []string{"kyverno.io/ClusterPolicy", "kyverno.io/Policy", "kyverno.io/PolicyException", "kyverno.io/CleanupPolicy", "kyverno.io/ClusterCleanupPolicy"}
	if diff := cmp.Diff(want, legacy); diff != "" {
		t.Error(diff)
	}
	names := map[string]bool{}
	for _, k := range kinds.Policies() {
		if found, ok := kinds.Policy(k.Kind); !ok || names[k.Kind] || found.Group != k.Group {
			t.Errorf("%s is not the only policy with its name", k.Kind)
		}
		names[k.Kind] = true
	}
	if _, ok := kinds.Policy("PolicyException"); ok {
		t.Error("a PolicyException is a policy")
	}
	for id, ofKyverno := range map[string]bool{
		"kyverno.io/ClusterPolicy//a": true, "policies.kyverno.io/PolicyException/b/a": true, "admissionregistration.k8s.io/ValidatingAdmissionPolicy//a": false, "/Pod/b/a": false,
	} {
		if kind, name, ok := kinds.ParseID(id); !ok || name != "a" || kind.OfKyverno() != ofKyverno {
			t.Errorf("%s = %+v, %s, %t", id, kind, name, ok)
		}
	}
	for _, id := range []string{"", "a", "example.com/Thing//a", "kyverno.io/ClusterPolicy/a"} {
		if _, _, ok := kinds.ParseID(id); ok {
			t.Errorf("%q is known", id)
		}
	}
}

func TestPolicies(t *testing.T) {
	got := map[kinds.InForce][]string{}
	for _, k := range kinds.Policies() {
		got[k.InForce] = append(got[k.InForce], k.APIVersion()+" "+k.Kind)
	}
	want := map[kinds.InForce][]string{
		kinds.ObservedGeneration: {"admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy"},
		kinds.ReadyCondition:     {"kyverno.io/v1 ClusterPolicy", "kyverno.io/v1 Policy"},
	}
	for _, kind := range []string{"ValidatingPolicy", "ImageValidatingPolicy", "MutatingPolicy", "GeneratingPolicy", "DeletingPolicy"} {
		want[kinds.ReadyStatus] = append(want[kinds.ReadyStatus], "policies.kyverno.io/v1 "+kind, "policies.kyverno.io/v1 Namespaced"+kind)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestControllers(t *testing.T) {
	want := []string{"CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"}
	if diff := cmp.Diff(want, kinds.Controllers()); diff != "" {
		t.Error(diff)
	}
}

func TestGroup(t *testing.T) {
	for apiVersion, want := range map[string]string{"v1": "", "": "", "apps/v1": "apps", "networking.k8s.io/v1": "networking.k8s.io"} {
		if got := kinds.Group(apiVersion); got != want {
			t.Errorf("Group(%q) = %q, want %q", apiVersion, got, want)
		}
	}
}
