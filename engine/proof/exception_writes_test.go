package proof_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/made"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// waivedTools is a cluster with exceptions from disallow-privileged-containers for one
// workload of each kind, in the namespace tools.
func waivedTools(t *testing.T) cluster {
	t.Helper()
	files := map[string]any{}
	for kind, name := range map[string]string{"Deployment": "app", "DaemonSet": "node-agent", "StatefulSet": "db", "Job": "migrate", "CronJob": "nightly"} {
		name := strings.ToLower(kind) + "-" + name
		files[name+".yaml"] = waiver(name, object{
			"controls": []any{"disallow-privileged-containers"},
			"match":    object{"namespaces": []any{"tools"}, "kinds": []any{kind}, "names": []any{strings.TrimPrefix(name, strings.ToLower(kind)+"-")}},
		})
	}
	bundle := compile(t, object{"controls": object{"disallow-privileged-containers": object{}}}, files)
	return newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
}

// workloads are those that waivedTools exempts.
func workloads() map[string]string {
	return map[string]string{"Deployment": "app", "DaemonSet": "node-agent", "StatefulSet": "db", "Job": "migrate", "CronJob": "nightly"}
}

// exempted reports whether an exception skipped a rule.
func exempted(r protocol.EvaluateResult) bool {
	return slices.ContainsFunc(r.Results, func(rule protocol.RuleResult) bool { return len(rule.Exceptions) > 0 })
}

// stored is the object of a request as the API server has it afterwards.
func stored(t *testing.T, s made.Sent, request protocol.EvaluateParams) manifest.Object {
	t.Helper()
	var o manifest.Object
	if err := json.Unmarshal(request.Resource, &o); err != nil {
		t.Fatal(err)
	}
	o.Metadata()["name"] = s.Stored()
	return o
}

// update is an update of an object by a user.
func update(t *testing.T, user protocol.UserInfo, before manifest.Object, change func(manifest.Object)) protocol.EvaluateParams {
	t.Helper()
	after := clone(t, before)
	change(after)
	return protocol.EvaluateParams{Operation: protocol.Update, OldResource: encode(t, before), Resource: encode(t, after), UserInfo: user, Now: dayBefore}
}

// podSpec is the spec of a Pod or of the Pods of a workload.
func podSpec(o manifest.Object) manifest.Object {
	if template := o.Map("spec", "template", "spec"); template != nil {
		return template
	}
	return o.Map("spec")
}

// TestExceptionOfAllControllers: in a cluster in which the controllers share an account, it makes what is exempt.
func TestExceptionOfAllControllers(t *testing.T) {
	k := waivedTools(t)
	for kind, name := range workloads() {
		for _, s := range made.From(kind, name) {
			if s.User == "" {
				continue
			}
			s.User, s.Groups = "system:kube-controller-manager", []string{"system:authenticated"}
			request := sent(t, s, faulty(t, s.Kind, s.Stored(), "tools"))
			request.Now = dayBefore
			if got := k.ask(t, request); got.Blocked || !exempted(got) {
				t.Errorf("%s: %s of %s: %s", kind, s.Kind, s.Owner, verdict(got))
			}
		}
	}
}

// TestExceptionUpdates changes objects that are exempt, and such as want to be.
func TestExceptionUpdates(t *testing.T) {
	k := waivedTools(t)
	ask := func(t *testing.T, what string, exempt bool, request protocol.EvaluateParams) {
		t.Helper()
		// In CEL an update that adds no fault needs no exception.
		if got := k.ask(t, request); exempted(got) && !exempt || !exempted(got) && exempt && *policyType == "" || exempt && got.Blocked {
			t.Errorf("%s: exempt is %v: %s", what, !exempt, verdict(got))
		}
	}
	for kind, name := range workloads() {
		for _, s := range made.From(kind, name) {
			t.Run(kind+"/"+s.Kind+" of "+s.Owner, func(t *testing.T) {
				request := sent(t, s, faulty(t, s.Kind, s.Stored(), "tools"))
				o := stored(t, s, request)
				label := func(o manifest.Object) { o.Metadata()["labels"] = object{"seen": "yes"} }
				ask(t, "a label by a person", true, update(t, stranger(), o, label))
				ask(t, "no owner any more", true, update(t, stranger(), o, func(o manifest.Object) { delete(o.Metadata(), "ownerReferences") }))
				ask(t, "a finalizer by the controller", true, update(t, request.UserInfo, o, func(o manifest.Object) { o.Metadata()["finalizers"] = []any{"a.b/c"} }))
				ask(t, "an image by a person", false, update(t, stranger(), o, func(o manifest.Object) { podSpec(o).Maps("containers")[0]["image"] = "ghcr.io/acme/evil:1" }))

				orphan := clone(t, o)
				delete(orphan.Metadata(), "ownerReferences")
				forge := func(o manifest.Object) { o.Metadata()["ownerReferences"] = []any{s.OwnerReference} }
				if s.User != "" {
					ask(t, "an owner by a person", false, update(t, stranger(), orphan, forge))
					ask(t, "adopted by the controller", true, update(t, request.UserInfo, orphan, forge))
				}
				forged := clone(t, orphan)
				forge(forged)
				ask(t, "an image after the owner", false, update(t, stranger(), forged, func(o manifest.Object) {
					podSpec(o)["containers"] = []any{object{"name": "c", "image": "ghcr.io/acme/evil:1", "securityContext": object{"privileged": true}}}
				}))
			})
		}
	}
}

// TestExceptionUpdatesWithOtherOwner gives a Pod the owners of other kinds, whose objects have no spec like a Pod's.
func TestExceptionUpdatesWithOtherOwner(t *testing.T) {
	k := waivedTools(t)
	for kind, name := range workloads() {
		for _, s := range made.From(kind, name) {
			if s.Kind == "Pod" {
				continue
			}
			pod := manifest.Object(faultyPod(s.Stored(), "tools").Object)
			pod.Metadata()["ownerReferences"] = []any{s.OwnerReference}
			request := update(t, stranger(), pod, func(o manifest.Object) { podSpec(o).Maps("containers")[0]["image"] = "ghcr.io/acme/evil:1" })
			if got := k.ask(t, request); exempted(got) {
				t.Errorf("a Pod with the owner %s: %s", s.Owner, verdict(got))
			}
		}
	}
}

// TestExceptionSubresources: whoever adds a debug container or resizes a Pod is judged.
func TestExceptionSubresources(t *testing.T) {
	k := waivedTools(t)
	for kind, name := range workloads() {
		s := made.From(kind, name)[len(made.From(kind, name))-1]
		o := stored(t, s, sent(t, s, faulty(t, "Pod", s.Stored(), "tools")))
		debugged := update(t, stranger(), o, func(o manifest.Object) {
			podSpec(o)["ephemeralContainers"] = []any{object{"name": "debug", "image": "ghcr.io/acme/debug:1", "securityContext": object{"privileged": true}}}
		})
		debugged.SubResource = "ephemeralcontainers"
		resized := update(t, stranger(), o, func(o manifest.Object) {
			podSpec(o).Maps("containers")[0]["resources"] = object{"limits": object{"cpu": "2"}}
		})
		resized.SubResource = "resize"
		for what, request := range map[string]protocol.EvaluateParams{"debugged": debugged, "resized": resized} {
			if got := k.ask(t, request); exempted(got) {
				t.Errorf("%s: a Pod that is %s: %s", kind, what, verdict(got))
			}
		}
	}
}

// TestExceptionScans: a background scan knows no user, so the owner decides what is reported, and the name of what is named.
func TestExceptionScans(t *testing.T) {
	k := waivedTools(t)
	scan := func(o manifest.Object) protocol.EvaluateResult {
		return k.ask(t, protocol.EvaluateParams{Scan: true, Resource: encode(t, o), Now: dayBefore})
	}
	for kind, name := range workloads() {
		if got := scan(faulty(t, kind, name, "tools").Object); !exempted(got) || faults(got) > 0 {
			t.Errorf("%s: %s", kind, verdict(got))
		}
		for _, s := range made.From(kind, name) {
			o := stored(t, s, sent(t, s, faulty(t, s.Kind, s.Stored(), "tools")))
			if got := scan(o); !exempted(got) || faults(got) > 0 {
				t.Errorf("%s: %s of %s: %s", kind, s.Kind, s.Owner, verdict(got))
			}
			delete(o.Metadata(), "ownerReferences")
			if got := scan(o); exempted(got) || faults(got) == 0 {
				t.Errorf("%s: %s without an owner: %s", kind, s.Kind, verdict(got))
			}
		}
	}
}

// TestExceptionOfAnotherRun: a run of a CronJob with a longer name is not one of the CronJob that is exempt.
func TestExceptionOfAnotherRun(t *testing.T) {
	k := waivedTools(t)
	for _, s := range made.From("CronJob", "nightly-report") {
		if strings.HasSuffix(s.Owner, "-by-hand") {
			continue // docs/safety.md#exceptions
		}
		request := sent(t, s, faulty(t, s.Kind, s.Stored(), "tools"))
		request.Now = dayBefore
		if got := k.ask(t, request); !got.Blocked {
			t.Errorf("%s %s: %s", s.What, s.Stored(), verdict(got))
		}
	}
}

// TestExceptionByHand: a Job that a person runs from an exempt CronJob needs all that kubectl writes.
func TestExceptionByHand(t *testing.T) {
	k := waivedTools(t)
	i := slices.IndexFunc(made.From("CronJob", "nightly"), func(s made.Sent) bool { return s.User == "" })
	hand := made.From("CronJob", "nightly")[i]
	for what, tt := range map[string]struct {
		exempt bool
		change func(metadata object)
	}{
		"as kubectl writes it":      {true, func(object) {}},
		"another name":              {false, func(m object) { m["name"] = "report-by-hand" }},
		"the name of the CronJob":   {false, func(m object) { m["name"] = "nightly" }},
		"without the annotation":    {false, func(m object) { delete(m, "annotations") }},
		"another annotation":        {false, func(m object) { m["annotations"].(map[string]any)["cronjob.kubernetes.io/instantiate"] = "auto" }},
		"of another CronJob":        {false, func(m object) { m["ownerReferences"].([]any)[0].(map[string]any)["name"] = "report" }},
		"of another kind":           {false, func(m object) { m["ownerReferences"].([]any)[0].(map[string]any)["kind"] = "Job" }},
		"of another group":          {false, func(m object) { m["ownerReferences"].([]any)[0].(map[string]any)["apiVersion"] = "evil.example/v1" }},
		"with more annotations":     {true, func(m object) { m["annotations"].(map[string]any)["why"] = "it failed" }},
		"owned, but not controlled": {false, func(m object) { m["ownerReferences"].([]any)[0].(map[string]any)["controller"] = false }},
	} {
		request := sent(t, hand, faulty(t, "Job", hand.Name, "tools"))
		o := stored(t, hand, request)
		tt.change(o.Metadata())
		o.Metadata()["namespace"] = "tools"
		request.Resource, request.UserInfo, request.Now = encode(t, o), stranger(), dayBefore
		if o.Name() == hand.Name && what == "another name" {
			t.Fatal("the test changes nothing")
		}
		if got := k.ask(t, request); got.Blocked == tt.exempt {
			t.Errorf("%s: blocked is %v: %s", what, got.Blocked, verdict(got))
		}
	}
}

// TestExceptionOfLongIndexedJob: the API server cuts the name of the Job, not the index.
func TestExceptionOfLongIndexedJob(t *testing.T) {
	const job = "data-warehouse-nightly-customer-segmentation-training-job1"
	bundle := compile(t, object{"controls": object{"disallow-privileged-containers": object{}}}, map[string]any{
		"long.yaml": waiver("long", object{
			"controls": []any{"disallow-privileged-containers"},
			"match":    object{"namespaces": []any{"batch"}, "kinds": []any{"Job"}, "names": []any{job}},
		}),
	})
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	for _, s := range made.From("Job", job) {
		request := sent(t, s, faulty(t, "Pod", s.Stored(), "batch"))
		request.Now = dayBefore
		if got := k.ask(t, request); got.Blocked {
			t.Errorf("%s: %s", s.Stored(), verdict(got))
		}
		strangers(t, k, s, request)
	}
}

// TestExceptionOfImageRule exempts workloads from a rule whose images are verified before Pods have names.
func TestExceptionOfImageRule(t *testing.T) {
	onImageTargets(t, func(t *testing.T, with func(object) object) {
		f := newFixture(t)
		files := map[string]any{"release.pub": f.signer.PublicKey}
		for kind, name := range workloads() {
			files[name+".yaml"] = waiver(name, object{
				"controls": []any{"verify-images-all"},
				"match":    object{"namespaces": []any{"shop"}, "kinds": []any{kind}, "names": []any{name}},
			})
		}
		files["pods.yaml"] = waiver("pods", object{
			"controls": []any{"verify-images-all"},
			"match":    object{"namespaces": []any{"shop"}, "kinds": []any{"Pod"}, "names": []any{"build-*", "lonely"}},
		})
		bundle := compile(t, with(imageProfile(keySources(f.signer.PublicKey)["inline"], nil, f.Host+"/*")), files)
		k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
		unsigned := func(kind, name string) catalog.Case { return faulty(t, kind, name, "shop", f.Host+"/unsigned:v1") }
		for kind, name := range workloads() {
			for _, s := range made.From(kind, name) {
				t.Run(s.What+"/"+s.Stored(), func(t *testing.T) {
					request := sent(t, s, unsigned(s.Kind, s.Stored()))
					request.Now = dayBefore
					if got := k.ask(t, request); got.Blocked || !exempted(got) {
						t.Errorf("refused: %s", verdict(got))
					}
					if s.User == "" {
						return
					}
					request.UserInfo = stranger()
					if got := k.ask(t, request); !got.Blocked || exempted(got) {
						t.Errorf("a stranger's is admitted: %s", verdict(got))
					}
				})
			}
		}
		for _, tt := range []struct {
			field, name string
			exempt      bool
		}{{"name", "lonely", true}, {"name", "lonely-2", false}, {"generateName", "build-", true}, {"generateName", "lonely-", false}, {"generateName", "other-", false}} {
			pod := unsigned("Pod", "x")
			pod.Object["metadata"] = object{tt.field: tt.name, "namespace": "shop"}
			request := requestOf(t, pod)
			request.Now = dayBefore
			if got := k.ask(t, request); got.Blocked == tt.exempt {
				t.Errorf("Pod with %s %s: %s", tt.field, tt.name, verdict(got))
			}
		}
	})
}
