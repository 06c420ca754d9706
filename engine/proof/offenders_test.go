package proof_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// byObject are the controls that do not compare the old object with the new one, with
// the reason.
func byObject() map[string]string {
	return map[string]string{
		"disallow-default-namespace":     "the fault is the namespace, which no update changes",
		"protect-network-policies":       "for one rule, the violation is the user",
		"protect-tier-labels":            "the violation is the change",
		"require-flux-service-account":   "its rules compare nothing",
		"require-requests-limits-resize": "its cases are updates",
		"require-network-policy":         "the fault is what the namespace lacks",
		"restrict-flux-artifacts":        "the violation is the change",
		"restrict-flux-sources":          "for a source, everything that is fetched is one fault",
		"restrict-policy-exceptions":     "the violation is the user",
	}
}

// becomes is the request that changes one object into another.
func becomes(t testing.TB, policy string, from, to catalog.Case) protocol.EvaluateParams {
	t.Helper()
	request := only(policy, requestOf(t, to))
	request.Operation, request.OldResource = protocol.Update, encode(t, from.Object)
	return in("apps", request)
}

// edited is a copy of a case, changed.
func edited(t testing.TB, c catalog.Case, change func(o object)) catalog.Case {
	t.Helper()
	out := clone(t, c)
	change(out.Object)
	return out
}

// metadataOf returns the metadata of an object, which it adds if there is none.
func metadataOf(o object) object {
	if _, ok := o["metadata"].(map[string]any); !ok {
		o["metadata"] = object{}
	}
	return o["metadata"].(map[string]any)
}

// withAnnotation changes what no control judges.
func withAnnotation(t testing.TB, c catalog.Case) catalog.Case {
	t.Helper()
	return edited(t, c, func(o object) {
		annotations, _ := metadataOf(o)["annotations"].(map[string]any)
		if annotations == nil {
			annotations = object{}
		}
		annotations["example.com/restarted-at"] = "now"
		metadataOf(o)["annotations"] = annotations
	})
}

// deleting is an object that only its finalizers keep.
func deleting(t testing.TB, c catalog.Case, finalizers ...any) catalog.Case {
	t.Helper()
	return edited(t, c, func(o object) {
		metadataOf(o)["deletionTimestamp"] = "2026-11-22T00:00:00Z"
		metadataOf(o)["finalizers"] = finalizers
	})
}

// doubled is a Pod with a renamed copy of each container and volume.
func doubled(t testing.TB, pod catalog.Case) catalog.Case {
	t.Helper()
	return edited(t, pod, func(o object) {
		spec, _ := o["spec"].(map[string]any)
		for _, kind := range append(containerKinds(), "volumes") {
			list, _ := spec[kind].([]any)
			for _, entry := range list {
				if _, ok := entry.(map[string]any); ok {
					spec[kind] = append(spec[kind].([]any), named(t, entry, "copy-of-"+textOf(entry, "name")))
				}
			}
		}
	})
}

func textOf(entry any, key string) string {
	o, _ := entry.(map[string]any)
	text, _ := o[key].(string)
	return text
}

// emptied is a Pod without containers and volumes.
func emptied(t testing.TB, pod catalog.Case) catalog.Case {
	t.Helper()
	return edited(t, pod, func(o object) {
		spec, _ := o["spec"].(map[string]any)
		for _, kind := range append(containerKinds(), "volumes") {
			delete(spec, kind)
		}
	})
}

// forms are a Pod, and the controllers with it as their template.
func forms(t testing.TB, c catalog.Case) []catalog.Case {
	t.Helper()
	if c.Kind.Kind != "Pod" {
		return []catalog.Case{c}
	}
	return []catalog.Case{c, wrapped(t, c, "Deployment"), wrapped(t, c, "CronJob")}
}

// TestNoNewOffender: an update of an object that is faulty already may change what the
// fault is not about, and take faults away, but not add one.
func TestNoNewOffender(t *testing.T) {
	controls := builtin(t)
	bundle := compile(t, switchedOn(controls), nil)
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	for _, c := range controls {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			if reason, none := byObject()[c.ID]; none {
				t.Skip(reason)
			}
			bad := slices.DeleteFunc(slices.Clone(c.bad), func(b catalog.Case) bool { return b.Operation != "CREATE" || b.SubResource != "" })
			if len(bad) == 0 {
				t.Fatal("no bad document is created")
			}
			for _, b := range bad {
				for _, form := range forms(t, b) {
					if !k.refuses(t, c.ID, form) {
						continue // such as probes in a CronJob
					}
					admitted(t, k, b.Name+": unrelated", becomes(t, c.ID, form, withAnnotation(t, form)))
					admitted(t, k, b.Name+": finalizer", becomes(t, c.ID, deleting(t, form, "example.com/wait"), deleting(t, form)))
				}
				if b.Kind.Kind == "Pod" {
					testDoubled(t, k, c.ID, b)
				}
				if good, found := goodBefore(t, k, c, b); found {
					to := clone(t, b)
					to.Object = good
					admitted(t, k, b.Name+": repaired", becomes(t, c.ID, b, to))
				}
			}
		})
	}
}

// testDoubled adds and removes containers and volumes like those that are bad.
func testDoubled(t *testing.T, k cluster, id string, bad catalog.Case) {
	t.Helper()
	local := !k.refuses(t, id, emptied(t, bad))
	more := doubled(t, bad)
	for i, form := range forms(t, bad) {
		if !k.refuses(t, id, form) {
			continue
		}
		worse := forms(t, more)[i]
		admitted(t, k, bad.Name+": reduced", becomes(t, id, worse, form))
		if got := k.ask(t, becomes(t, id, form, worse)); local && !got.Blocked {
			t.Errorf("%s in a %s: a second container or volume like it is admitted: %s", bad.Name, form.Kind.Kind, verdict(got))
		}
	}
}

// admitted wants a request admitted, and judged.
func admitted(t testing.TB, k cluster, name string, request protocol.EvaluateParams) {
	t.Helper()
	got := k.ask(t, request)
	if got.Blocked || faults(got) > 0 || len(got.Results) == 0 {
		t.Errorf("%s: an update is refused, or judged by no rule: %s", name, strings.Join([]string{verdict(got), messages(got)}, ": "))
	}
}

// messages are the messages of the rules that found something.
func messages(r protocol.EvaluateResult) string {
	var out []string
	for _, rule := range r.Results {
		if rule.Result == protocol.OutcomeFail {
			out = append(out, rule.Message)
		}
	}
	return strings.Join(out, "; ")
}
