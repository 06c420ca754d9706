package proof_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// The namespaces of these tests: of the first scope, of the second one, and of none.
const (
	inside  = "inside"
	outside = "outside"
	unnamed = "unnamed"
)

// scoped gives every other control that may have one a scope that includes a namespace, and
// the others one that excludes another.
func scoped(controls []control) (spec object, scopes map[string]plan.Scope) {
	spec, scopes = switchedOn(controls), map[string]plan.Scope{}
	for i, c := range controls {
		if _, guards := c.Deployers(nil); guards || c.ClusterScoped {
			continue
		}
		settings := spec["controls"].(object)[c.ID].(object)
		if i%2 == 0 {
			scopes[c.ID], settings["namespaces"] = plan.Scope{Include: []string{inside}}, object{"include": []string{inside}}
		} else {
			scopes[c.ID], settings["namespaces"] = plan.Scope{Exclude: []string{outside}}, object{"exclude": []string{outside}}
		}
	}
	return spec, scopes
}

// TestScopes asks policies of each kind about documents of every control, also in
// controllers, in three namespaces: a control finds in its scope what it finds without a
// scope, and elsewhere nothing.
func TestScopes(t *testing.T) {
	everywhere, inCEL := onTargets(t)
	spec, scopes := scoped(builtin(t))
	for _, target := range catalog.Targets() {
		spec["kyverno"] = object{"policyType": target}
		bundle := compile(t, spec, nil)
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		t.Run(target, func(t *testing.T) {
			found := map[bool]int{}
			for _, c := range inCEL {
				for _, one := range samples(t, c) {
					places := []string{inside, outside, unnamed}
					if !namespaced(one) {
						places = []string{""}
					}
					for _, namespace := range places {
						at := one
						if namespace != "" {
							at = moved(t, one, namespace)
						}
						request := only(c.ID, in("apps", requestOf(t, at)))
						want := failures(everywhere[target].ask(t, request), inCEL, true)
						judged := scopes[c.ID].Covers(namespace)
						found[judged] += min(1, len(want))
						if !judged {
							want = nil
						}
						if diff := cmp.Diff(want, failures(k.ask(t, request), inCEL, true)); diff != "" {
							t.Errorf("%s: %s in %q (-want +got):\n%s", c.ID, one.Name, namespace, diff)
						}
					}
				}
			}
			if found[true] < 100 || found[false] < 50 {
				t.Errorf("%d faults are in a scope, and %d are not: the test shows little", found[true], found[false])
			}
		})
	}
}

// samples are some documents of a control that may be in any namespace, one of the bad ones
// also in controllers.
func samples(t *testing.T, c control) []catalog.Case {
	t.Helper()
	anywhere := func(cases []catalog.Case) []catalog.Case {
		return slices.DeleteFunc(slices.Clone(cases), func(one catalog.Case) bool {
			return one.Namespace != "" && one.Namespace != catalog.CaseNamespace
		})
	}
	good, bad := anywhere(c.good), anywhere(c.bad)
	all := slices.Concat(good[:min(1, len(good))], bad[:min(3, len(bad))])
	if pods := plainPods(bad); len(pods) > 0 {
		all = append(all, wrapped(t, pods[0], "Deployment"), wrapped(t, pods[0], "CronJob"))
	}
	return all
}

// TestScopeByName: the scope of a control is about names, whatever labels a namespace has.
func TestScopeByName(t *testing.T) {
	violation := func(namespace string) protocol.EvaluateParams { return requestOf(t, faultyPod("x", namespace)) }
	for _, target := range catalog.Targets() {
		for choice, refused := range map[string]map[string]bool{
			"include": {"edge": true, "shop": false}, "exclude": {"edge": false, "shop": true},
		} {
			t.Run(target+" "+choice, func(t *testing.T) {
				spec := object{"kyverno": object{"policyType": target}, "controls": object{
					"disallow-host-path": object{"namespaces": object{choice: []string{"edge"}}},
				}}
				bundle := compileExisting(t, spec)
				k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
				wantByName(t, k, violation, refused)
				for _, labels := range labelsOfOthers() {
					request := violation("new")
					request.NamespaceLabels = labels
					if got := k.ask(t, request); got.Blocked != (choice == "exclude") {
						t.Errorf("a namespace of another name, with %v: refused %v", labels, got.Blocked)
					}
				}
			})
		}
	}
}

// TestScopeOfWhatExists: Kyverno's background scan reports nothing outside of a scope.
func TestScopeOfWhatExists(t *testing.T) {
	for _, target := range catalog.Targets() {
		spec := object{"kyverno": object{"policyType": target}, "controls": object{
			"disallow-host-path":             object{"namespaces": object{"exclude": []string{outside}}},
			"disallow-privileged-containers": object{"namespaces": object{"include": []string{inside}}},
		}}
		bundle := compile(t, spec, nil)
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		for namespace, want := range map[string][]string{
			inside: {"disallow-host-path/host-path", "disallow-privileged-containers/privileged-containers"}, outside: nil, unnamed: {"disallow-host-path/host-path"},
		} {
			request := in("apps", requestOf(t, faultyPod("x", namespace)))
			request.Scan, request.UserInfo = true, protocol.UserInfo{}
			var got []string
			for _, rule := range k.ask(t, request).Results {
				if rule.Result == protocol.OutcomeFail {
					got = append(got, rule.Policy+"/"+rule.Rule)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: a scan of %s (-want +got):\n%s", target, namespace, diff)
			}
		}
	}
}

// TestLargeOutsideOfScope: what no check judges may be of any size.
func TestLargeOutsideOfScope(t *testing.T) {
	var containers []any
	for i := range 251 {
		containers = append(containers, object{"name": fmt.Sprint("c", i), "image": "a"})
	}
	for _, target := range catalog.CELTargets() {
		spec := object{"kyverno": object{"policyType": target}, "controls": object{
			"disallow-host-path":             object{"namespaces": object{"include": []string{inside}}},
			"disallow-privileged-containers": object{"namespaces": object{"include": []string{outside}}},
		}}
		bundle := compile(t, spec, nil)
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		for namespace, refused := range map[string]bool{inside: true, outside: true, unnamed: false} {
			pod := object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "p", "namespace": namespace}, "spec": object{"containers": containers}}
			if got := k.ask(t, in("apps", protocol.EvaluateParams{Resource: encode(t, pod)})); got.Blocked != refused {
				t.Errorf("%s: a large Pod in %s is refused: %v: %s", target, namespace, got.Blocked, verdict(got))
			}
		}
	}
}

// TestScopeOfImages: image rules have the scope of verify-images, also where an exception
// leaves some images to be verified.
func TestScopeOfImages(t *testing.T) {
	f := newFixture(t)
	onImageTargets(t, func(t *testing.T, with func(spec object) object) {
		for choice, refused := range map[string]map[string]bool{
			"include": {inside: true, unnamed: false}, "exclude": {inside: false, unnamed: true},
		} {
			spec := with(imageProfile(keySources(f.signer.PublicKey)["inline"], nil, f.Host+"/*"))
			spec["controls"] = object{"verify-images": object{"namespaces": object{choice: []string{inside}}}}
			exception := object{"apiVersion": "gatehouse.dev/v1alpha1", "kind": "Exception", "metadata": object{"name": "tool"}, "spec": object{
				"controls": []string{"verify-images"}, "match": object{"namespaces": []string{inside, unnamed}, "kinds": []string{"Pod"}, "names": []string{"tool"}},
				"images": []string{f.Host + "/tool:*"}, "reason": "a test", "owner": "team", "expires": "2027-03-31",
			}}
			bundle := compile(t, spec, map[string]any{"exception.yaml": exception})
			k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
			for namespace, want := range refused {
				for _, name := range []string{"p", "tool"} {
					got := k.ask(t, in("apps", protocol.EvaluateParams{Resource: encode(t, object{
						"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": name, "namespace": namespace},
						"spec": object{"containers": []any{object{"name": "c", "image": f.Host + "/unsigned:v1"}}},
					})}))
					if got.Blocked != want {
						t.Errorf("%s %s: an unsigned image of %s in %s is refused: %v: %s", choice, inside, name, namespace, got.Blocked, verdict(got))
					}
				}
			}
		}
	})
}
