//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// deployer is an account that the policies allow to write policies.
const deployer = "system:serviceaccount:flux-system:kustomize-controller"

// replaceIn changes one place of a file.
func replaceIn(t *testing.T, path, from, to string) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	after := bytes.Replace(before, []byte(from), []byte(to), 1)
	if bytes.Equal(before, after) {
		t.Fatalf("%s does not hold %q", path, from)
	}
	if err := os.WriteFile(path, after, 0o644); err != nil {
		t.Fatal(err)
	}
}

// testExceptionEnds lets an exception of the repository end soon. A source names
// days and not seconds, so the test changes the time in the generated file.
func testExceptionEnds(t *testing.T, f *fleet) {
	end := time.Now().Add(time.Minute).UTC().Truncate(time.Second)
	path := filepath.Join(f.repository, "environments", environment, "exceptions", "node-agent-hostpath.yaml")
	replaceIn(t, path, "2031-09-30T00:00:00Z", end.Format(time.RFC3339))
	f.git(t, "commit", "-q", "-a", "-m", "Let the exception end soon")
	f.waitFor(t, "gatehouse-exceptions", f.push(t))

	exempt := daemonSet(platformNamespace, "node-agent", hostPath(goodPodSpec()))
	exception := newObject("kyverno.io/v2", "PolicyException", "policy-exceptions", "node-agent-hostpath", nil)
	before := f.get(t, exception)
	admitted := 0
	for {
		begin := time.Now()
		err := judge(t, f.Client(), exempt)
		if err != nil {
			if time.Now().Before(end) {
				t.Errorf("refused before %v: %v", end, err)
			}
			break
		}
		if begin.After(end) {
			t.Fatalf("still admitted at %v, the exception ends at %v", begin.UTC(), end)
		}
		admitted++
		time.Sleep(200 * time.Millisecond)
	}
	if admitted == 0 {
		t.Error("never admitted: the exception was not seen before its end")
	}
	t.Logf("admitted %d times until %v, then refused", admitted, end)
	// Not of the refusal above: Kyverno reads the clock for each policy, so a request in which
	// the exception ends can be refused by the last of them alone.
	after := judge(t, f.Client(), exempt)
	wantRefused(t, after, "disallow-host-path")
	wantRefused(t, after, "restrict-volume-types")
	if diff := cmp.Diff(before["spec"], f.get(t, exception)["spec"]); diff != "" {
		t.Errorf("the exception was changed: %s", diff)
	}

	f.git(t, "revert", "--no-edit", "HEAD")
	f.waitFor(t, "gatehouse-exceptions", f.push(t))
	f.eventuallyJudged(t, exempt, "")
}

// testRemovedControl switches a control off in the profile, and on again: its policy is
// removed and restored, and no other is changed. It comes back at Audit, like one that is
// new, and is enforced when the environments accept it.
func testRemovedControl(t *testing.T, f *fleet) {
	const removed = "restrict-nodeport"
	bad := newObject("v1", "Service", platformNamespace, "node-port", map[string]any{"spec": map[string]any{
		"type": "NodePort", "ports": []any{map[string]any{"port": 80}},
	}})
	wantRefused(t, judge(t, f.Client(), bad), removed)
	stop := f.neverAdmitted(t)
	others := f.identities(t)
	delete(others, removed)

	profile := filepath.Join(f.source, "profile.yaml")
	off := "  controls:\n    " + removed + ": {enabled: false}\n"
	replaceIn(t, profile, "  controls:\n", off)
	path := "environments/" + environment + "/policies/" + removed + ".yaml"
	if changed := f.build(t, "Remove a control"); !slices.Contains(changed, path) {
		t.Errorf("%s is not among what changed: %v", path, changed)
	}
	f.waitFor(t, "gatehouse-policies", f.push(t))
	if diff := cmp.Diff(others, f.identities(t)); diff != "" {
		t.Errorf("the policies other than the removed one (-before +after): %s", diff)
	}
	f.eventuallyJudged(t, bad, "")

	replaceIn(t, profile, off, "  controls:\n")
	f.build(t, "Bring the control back")
	f.waitFor(t, "gatehouse-policies", f.push(t))
	testPoliciesReady(t, f)
	f.eventuallyJudged(t, bad, "")

	f.accept(t, "dev") // the ring before
	f.accept(t, environment)
	f.build(t, "Accept the control")
	f.waitFor(t, "gatehouse-policies", f.push(t))
	f.eventuallyJudged(t, bad, removed)
	stop(t)
}

// identities returns the UIDs and generations of the policies by name.
func (f *fleet) identities(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, p := range f.list(t, "kyverno.io/v1", "ClusterPolicy") {
		all[p.Name()] = fmt.Sprint(p.Metadata()["uid"], " generation ", p.Metadata()["generation"])
	}
	return all
}

// testHandEdit weakens a policy and deletes a NetworkPolicy by hand, as a deployer may:
// the next reconcile restores both.
func testHandEdit(t *testing.T, f *fleet) {
	policy := f.get(t, newObject("kyverno.io/v1", "ClusterPolicy", "", badPodPolicy, nil))
	listed := f.list(t, "networking.k8s.io/v1", "NetworkPolicy")
	if len(listed) == 0 {
		t.Fatal("there is no NetworkPolicy")
	}
	network := f.get(t, newObject("networking.k8s.io/v1", "NetworkPolicy", listed[0].Namespace(), listed[0].Name(), nil))
	admin := as(t, f.Client(), deployer)
	if _, err := admin.Patch(t.Context(), policy, "", map[string]any{"spec": map[string]any{"rules": audited(policy)}}); err != nil {
		t.Fatal(err)
	}
	if err := admin.Delete(t.Context(), network); err != nil {
		t.Fatal(err)
	}
	bad := pod(platformNamespace, "bad", badPodSpec())
	f.eventuallyJudged(t, bad, "")

	for _, name := range []string{"gatehouse-policies", "gatehouse-network"} {
		k := newObject(kustomizationAPI, "Kustomization", "flux-system", name, nil)
		if _, err := f.Client().Patch(t.Context(), k, "", requestReconcile()); err != nil {
			t.Fatal(err)
		}
	}
	f.eventuallyJudged(t, bad, badPodPolicy)
	for _, want := range []manifest.Object{policy, network} {
		eventually(t, layerTimeout, want.ID()+" to return", func() error {
			got, err := f.Client().Get(t.Context(), want.APIVersion(), want.Kind(), want.Namespace(), want.Name())
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want["spec"], got["spec"]); diff != "" {
				return fmt.Errorf("(-before +after): %s", diff)
			}
			return nil
		})
	}
}

// audited returns the rules of a policy with nothing enforced.
func audited(policy manifest.Object) []any {
	var rules []any
	for _, r := range policy["spec"].(map[string]any)["rules"].([]any) {
		rule := maps.Clone(r.(map[string]any))
		validate := maps.Clone(rule["validate"].(map[string]any))
		validate["failureAction"] = "Audit"
		delete(validate, "failureActionOverrides")
		rule["validate"] = validate
		rules = append(rules, rule)
	}
	return rules
}
