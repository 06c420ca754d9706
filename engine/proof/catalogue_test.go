package proof_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// TestCatalogue holds every built-in control against its own cases as a bundle
// compiles it: audited, enforced, and enforced for one tier only.
func TestCatalogue(t *testing.T) {
	controls := builtin(t)
	bundle := compile(t, switchedOn(controls), nil)
	clusters := map[string]cluster{}
	for _, env := range environments() {
		clusters[env] = newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, env))
	}
	for _, c := range controls {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			for _, good := range c.good {
				t.Run("good/"+good.Name, func(t *testing.T) {
					request := only(c.ID, requestOf(t, good))
					wantGood(t, clusters[audited], in("", request))
					wantGood(t, clusters[mixed], in("platform", request))
					wantGood(t, clusters[enforced], in("apps", request))
				})
			}
			for _, bad := range c.bad {
				t.Run("bad/"+bad.Name, func(t *testing.T) { wantBad(t, clusters, c, bad) })
			}
		})
	}
}

// only asks one policy.
func only(policy string, request protocol.EvaluateParams) protocol.EvaluateParams {
	request.Policies = []string{policy}
	return request
}

// wantGood wants a request admitted without any complaint.
func wantGood(t *testing.T, k cluster, request protocol.EvaluateParams) {
	t.Helper()
	got := k.ask(t, request)
	if got.Blocked || faults(got) > 0 {
		t.Errorf("a good document is refused or found faulty: %s", verdict(got))
	}
}

// verdict is a result in one line.
func verdict(r protocol.EvaluateResult) string {
	if len(r.Results) == 0 {
		return "no rule matched"
	}
	var rules []string
	for _, rule := range r.Results {
		text := fmt.Sprintf("%s: %s (%s)", rule.Rule, rule.Result, rule.Action)
		if rule.Result == protocol.OutcomeError {
			text += ": " + rule.Message
		}
		rules = append(rules, text)
	}
	return strings.Join(rules, "; ")
}

// faults counts the rules that found something or could not tell.
func faults(r protocol.EvaluateResult) int {
	n := 0
	for _, rule := range r.Results {
		if rule.Result != protocol.OutcomePass && rule.Result != protocol.OutcomeSkip {
			n++
		}
	}
	return n
}

// wantBad wants a request refused where its tier is enforced, reported where it
// is audited, and not judged at all in a system namespace.
func wantBad(t *testing.T, clusters map[string]cluster, c control, bad catalog.Case) {
	t.Helper()
	request := only(c.ID, requestOf(t, bad))
	for _, want := range []struct {
		environment, tier string
		blocked           bool
	}{
		{audited, "platform", false},
		// A policy for cluster-scoped kinds is staged as a whole; a cluster-scoped object of another one counts for the last tier.
		{mixed, "platform", c.ClusterScoped || !bad.ClusterScoped},
		{mixed, "apps", c.ClusterScoped},
		{mixed, "", c.ClusterScoped},
		{enforced, "apps", true},
		{enforced, "", true},
	} {
		got := clusters[want.environment].ask(t, in(want.tier, request))
		fails := slices.ContainsFunc(got.Results, func(r protocol.RuleResult) bool { return r.Result == protocol.OutcomeFail && r.Blocks == want.blocked })
		if got.Blocked != want.blocked || !fails {
			t.Errorf("%s, tier %q: blocked is %v, want a failing rule and %v: %s", want.environment, want.tier, got.Blocked, want.blocked, verdict(got))
		}
	}
	if bad.ClusterScoped {
		return
	}
	for _, namespace := range []string{"kube-system", "flux-system", "kyverno"} {
		if got := clusters[enforced].ask(t, in("platform", only(c.ID, requestOf(t, moved(t, bad, namespace))))); got.Blocked || len(got.Results) > 0 {
			t.Errorf("judged in %s: %s", namespace, verdict(got))
		}
	}
}

// moved is the case in another namespace.
func moved(t testing.TB, c catalog.Case, namespace string) catalog.Case {
	t.Helper()
	c = clone(t, c)
	c.Namespace = namespace
	for _, o := range []object{c.Object, c.OldObject} {
		if metadata, ok := o["metadata"].(map[string]any); ok {
			metadata["namespace"] = namespace
		}
	}
	return c
}

// TestOffTier climbs a ladder on which the last tier is off for long: it, and
// what the profile does not know, must be left alone.
func TestOffTier(t *testing.T) {
	controls := builtin(t)
	spec := switchedOn(controls)
	spec["rollout"] = object{"stages": []any{
		object{"name": "audit", "audit": []any{"platform"}},
		object{"name": "enforce-platform", "enforce": []any{"platform"}},
		object{"name": "enforce", "enforce": []any{"platform", "apps"}},
	}}
	bundle := compile(t, spec, nil)
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, mixed))
	for _, c := range controls {
		for _, bad := range c.bad {
			request := only(c.ID, requestOf(t, bad))
			if got := k.ask(t, in("platform", request)); !got.Blocked && !bad.ClusterScoped {
				t.Errorf("%s: %s is admitted in the enforced tier: %s", c.ID, bad.Name, verdict(got))
			}
			for _, tierName := range []string{"apps", "", "unknown"} {
				if got := k.ask(t, in(tierName, request)); got.Blocked != c.ClusterScoped || !c.ClusterScoped && len(got.Results) > 0 {
					t.Errorf("%s: %s is judged in tier %q, which is off: %s", c.ID, bad.Name, tierName, verdict(got))
				}
			}
		}
	}
}

// TestRulesAreNeeded takes each rule out of each policy: something bad must then pass.
func TestRulesAreNeeded(t *testing.T) {
	controls := builtin(t)
	bundle := compile(t, switchedOn(controls), nil)
	var policies []manifest.Object // one for each rule, without it
	type missing struct{ control, rule int }
	names := map[missing]string{}
	for i, c := range controls {
		policy := policyNamed(t, applied(bundle, enforced), c.ID)
		rules := rulesOf(policy)
		for j := range rules {
			lesser := clone(t, policy)
			names[missing{i, j}] = c.ID + "-without-" + rules[j]["name"].(string)
			lesser.Metadata()["name"] = names[missing{i, j}]
			lesser["spec"].(map[string]any)["rules"] = slices.Delete(clone(t, rules), j, j+1)
			if len(rules) > 1 {
				policies = append(policies, lesser)
			}
		}
	}
	k := newCluster(t, bundle.Plan.ExceptionNamespace, policies)
	for i, c := range controls {
		rules := rulesOf(policyNamed(t, applied(bundle, enforced), c.ID))
		for j := range rules {
			if len(rules) == 1 {
				continue // a policy without rules refuses nothing, and TestCatalogue shows that this one does
			}
			if !slices.ContainsFunc(c.bad, func(bad catalog.Case) bool {
				return !k.ask(t, in("apps", only(names[missing{i, j}], requestOf(t, bad)))).Blocked
			}) {
				t.Errorf("%s: without rule %s every bad document is still refused", c.ID, rules[j]["name"])
			}
		}
	}
}

func policyNamed(t testing.TB, objects []manifest.Object, name string) manifest.Object {
	t.Helper()
	for _, o := range objects {
		if o.Kind() == "ClusterPolicy" && o.Name() == name {
			return o
		}
	}
	t.Fatalf("there is no policy %s", name)
	return nil
}

func rulesOf(policy manifest.Object) []object {
	var out []object
	for _, r := range policy["spec"].(map[string]any)["rules"].([]any) {
		out = append(out, r.(map[string]any))
	}
	return out
}
