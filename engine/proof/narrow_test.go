package proof_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// unseen begins the names of containers, and the references of image volumes, that a
// narrowed policy does not see.
const unseen = "exempt-"

// TestNarrowed: a narrowed policy judges a Pod as if the containers and image volumes
// that it does not see were not there.
func TestNarrowed(t *testing.T) {
	controls := builtin(t)
	bundle := compile(t, switchedOn(controls), nil)
	narrowing := catalog.Narrowing{
		Container: "!starts_with(not_null(name, ''), '" + unseen + "')",
		Image:     "!starts_with(@, '" + unseen + "')",
	}
	policies := applied(bundle, enforced)
	var narrowed []control
	for _, c := range controls {
		policy, ok, err := c.Narrowed(catalog.ClusterPolicy, c.params, narrowing)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			narrowed = append(narrowed, c)
			policies = append(policies, narrowedPolicy(t, policyNamed(t, policies, c.ID), policy))
		}
	}
	k := newCluster(t, bundle.Plan.ExceptionNamespace, policies)
	for _, c := range narrowed {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			freed := 0
			pods := plainPods(append(c.bad, c.good...))
			for _, pod := range pods {
				for _, seen := range visible(t, pod) {
					hidden := hide(t, pod, seen)
					want := k.ask(t, in("apps", only(c.ID, requestOf(t, without(t, hidden)))))
					got := k.ask(t, in("apps", only(c.ID+"-narrowed", requestOf(t, hidden))))
					if got.Blocked != want.Blocked {
						t.Errorf("%s, only %q seen: refused %v, want %v: %s", pod.Name, seen, got.Blocked, want.Blocked, verdict(got))
					}
					if all := k.ask(t, in("apps", only(c.ID, requestOf(t, hidden)))); all.Blocked && !got.Blocked {
						freed++
					}
				}
			}
			if freed == 0 && len(pods) > 0 { // not one that judges a subresource alone
				t.Error("the narrowed policy never admits what the policy refuses")
			}
		})
	}
}

// narrowedPolicy is the emitted policy with the rules of another rendering.
func narrowedPolicy(t *testing.T, emitted manifest.Object, policy catalog.Policy) manifest.Object {
	t.Helper()
	out := clone(t, emitted)
	out.Metadata()["name"] = emitted.Name() + "-narrowed"
	rules := rulesOf(manifest.Object(policy.Body))
	for i, rule := range rulesOf(out) {
		old := rule["validate"].(map[string]any)
		rule["validate"] = clone(t, rules[i]["validate"])
		for _, key := range []string{"failureAction", "failureActionOverrides"} {
			if old[key] != nil {
				rule["validate"].(map[string]any)[key] = old[key]
			}
		}
		if rules[i]["context"] != nil {
			rule["context"] = rules[i]["context"]
		}
	}
	return out
}

// part is a container or an image volume of a Pod.
type part struct {
	object object
	// holder and key say where the name is that decides whether the part is seen.
	holder object
	key    string
}

// parts lists the containers and image volumes of a Pod, below its spec.
func parts(pod catalog.Case) map[string][]part {
	out := map[string][]part{}
	for _, kind := range append(containerKinds(), "volumes") {
		for _, entry := range containersOf(pod.Object, kind) {
			o, _ := entry.(map[string]any)
			p := part{object: o, holder: o, key: "name"}
			if kind == "volumes" {
				p.holder, _ = o["image"].(map[string]any)
				p.key = "reference"
			}
			if p.holder != nil {
				out[kind] = append(out[kind], p)
			}
		}
	}
	return out
}

// visible returns the names of the parts, and one that no part has.
func visible(t *testing.T, pod catalog.Case) []string {
	t.Helper()
	names := map[string]bool{"nothing": true}
	for _, list := range parts(pod) {
		for _, p := range list {
			name, _ := p.object["name"].(string)
			names[name] = true
		}
	}
	return sortedKeys(names)
}

// hide renames all parts but those of a name.
func hide(t *testing.T, pod catalog.Case, seen string) catalog.Case {
	t.Helper()
	out := clone(t, pod)
	for _, list := range parts(out) {
		for _, p := range list {
			if p.object["name"] != seen {
				text, _ := p.holder[p.key].(string)
				p.holder[p.key] = unseen + text
			}
		}
	}
	return out
}

// without takes the hidden parts out of a Pod.
func without(t *testing.T, pod catalog.Case) catalog.Case {
	t.Helper()
	out := clone(t, pod)
	spec, _ := out.Object["spec"].(map[string]any)
	for kind, list := range parts(out) {
		for _, p := range list {
			if name, _ := p.holder[p.key].(string); strings.HasPrefix(name, unseen) {
				entries, _ := spec[kind].([]any)
				spec[kind] = slices.DeleteFunc(entries, func(e any) bool {
					o, _ := e.(map[string]any)
					if kind == "volumes" {
						o, _ = o["image"].(map[string]any)
					}
					name, _ := o[p.key].(string)
					return strings.HasPrefix(name, unseen)
				})
			}
		}
	}
	return out
}
