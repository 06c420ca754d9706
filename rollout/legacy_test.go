package rollout

import (
	"fmt"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// withKyverno is a repository of an example in a cluster with Flux, with another Kyverno in
// the lock.
func withKyverno(t *testing.T, change func(k *manifest.LockedKyverno)) (*fakeServer, *Bootstrap) {
	t.Helper()
	server, client := newFakeServer(t)
	server.runFlux(1)
	server.served["kyverno.io/v1"] = []served{{"clusterpolicies", "ClusterPolicy", false}, {"policies", "Policy", true}}
	server.served["kyverno.io/v2"] = []served{{"policyexceptions", "PolicyException", true}, {"cleanuppolicies", "CleanupPolicy", true}, {"clustercleanuppolicies", "ClusterCleanupPolicy", false}}
	server.put(identity(sourceAPI, "OCIRepository", "flux-system", "policies"))
	target, err := Open(changed(t, "existing-kyverno", func(l *manifest.Lock) {
		for _, env := range l.Environments {
			change(env.Kyverno)
		}
	}), "prod")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := target.Objects(Access{})
	if err != nil {
		t.Fatal(err)
	}
	target.Policies = nil // they are ClusterPolicies
	return server, &Bootstrap{Client: client, Target: target, Objects: objects}
}

func next(k *manifest.LockedKyverno) { k.Version = "1.20" }

// runKyverno puts a Kyverno into the cluster that is set up as the README says.
func (f *fakeServer) runKyverno(version string) {
	deployment, config := goodKyverno()
	kyvernoContainer(deployment)["image"] = "ghcr.io/kyverno/kyverno:" + version
	f.put(deployment)
	f.put(config)
}

func TestCheckLegacy(t *testing.T) {
	theirs := []manifest.Object{
		identity("kyverno.io/v1", "ClusterPolicy", "", "theirs"), identity("kyverno.io/v1", "Policy", "shop", "own"),
		identity("kyverno.io/v2", "PolicyException", "shop", "x"), identity("kyverno.io/v2", "CleanupPolicy", "shop", "sweep"), identity("kyverno.io/v2", "ClusterCleanupPolicy", "", "all"),
	}
	t.Run("none", func(t *testing.T) {
		server, b := withKyverno(t, next)
		server.runKyverno("v1.20.0")
		checkLines(t, wrong(t, b), nil)
	})
	t.Run("another version", func(t *testing.T) {
		server, b := withKyverno(t, next)
		server.runKyverno("v1.19.1")
		checkLines(t, wrong(t, b), []string{"error    Kyverno is v1.19.1; the policies are for 1.20 - run 1.20 there, or set spec.kyverno.version to what runs and build again"})
	})
	t.Run("some", func(t *testing.T) {
		server, b := withKyverno(t, next)
		server.runKyverno("v1.20.0")
		for _, o := range theirs {
			server.put(o)
		}
		checkLines(t, wrong(t, b), []string{
			"PolicyExceptions outside policy-exceptions do not count",
			"error    Kyverno: the cluster has what 1.20 no longer executes: ClusterPolicy theirs, Policy shop/own, PolicyException shop/x, CleanupPolicy shop/sweep, ClusterCleanupPolicy all - replace them",
		})
	})
	t.Run("many", func(t *testing.T) {
		server, b := withKyverno(t, next)
		server.runKyverno("v1.20.0")
		for i := range 23 {
			server.put(identity("kyverno.io/v1", "ClusterPolicy", "", fmt.Sprintf("p%02d", i)))
		}
		checkLines(t, wrong(t, b), []string{"ClusterPolicy p18, ClusterPolicy p19 and 3 more - replace"})
	})
	t.Run("with the version that executes them", func(t *testing.T) {
		server, b := withKyverno(t, func(*manifest.LockedKyverno) {})
		server.runKyverno("v1.19.1")
		server.put(theirs[0])
		checkLines(t, wrong(t, b), nil)
	})
}

// Where no Kyverno is needed, none is looked for, and one that is there is not looked at.
func TestCheckAbsent(t *testing.T) {
	absent := func(k *manifest.LockedKyverno) { k.Absent = true }
	server, b := withKyverno(t, absent)
	checkLines(t, wrong(t, b), nil)
	server.runKyverno("v1.12.0")
	server.put(identity("kyverno.io/v2", "PolicyException", "shop", "x"))
	checkLines(t, wrong(t, b), nil)
}

// Policies in CEL need a newer Kubernetes than Kyverno.
func TestCheckKubernetesForCEL(t *testing.T) {
	server, b := withKyverno(t, func(k *manifest.LockedKyverno) { k.Absent = true })
	server.version = "v1.29.14"
	checkLines(t, wrong(t, b), nil)
	b.Target.Policies = []manifest.Object{identity("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "", "gatehouse-pods.apps")}
	checkLines(t, wrong(t, b), []string{"a ValidatingAdmissionPolicy needs 1.30.0 or later"})
	b.Target.Policies = []manifest.Object{identity("policies.kyverno.io/v1", "ValidatingPolicy", "", "gatehouse-pods.apps")}
	checkLines(t, wrong(t, b), []string{"a ValidatingPolicy needs 1.30.0 or later"})
}
