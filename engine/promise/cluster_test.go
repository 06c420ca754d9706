package promise_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/engine/evaluator"
	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// output is what a build wrote.
type output struct {
	bundle *generator.Bundle
	// kept are the lock and the contents: what the next build reads.
	kept fstest.MapFS
}

// files returns all files.
func (o *output) files(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, f := range o.bundle.Files {
		data, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		all[f.Path] = string(data)
	}
	all[layout.Lock] = string(o.kept[layout.Lock].Data)
	return all
}

// build compiles a source on top of an output. The problems have an error if there is no output.
func build(t *testing.T, s source, before *output, day int) (*output, diag.List) {
	t.Helper()
	o := generator.Options{Version: "test", Now: time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, day)}
	if before != nil {
		lock, err := manifest.DecodeLock(before.kept[layout.Lock].Data)
		if err != nil {
			t.Fatal(err)
		}
		o.Prior, o.Output = lock, before.kept
	}
	bundle, problems := generator.Compile(s.files(), ".", o)
	if bundle == nil {
		return nil, problems
	}
	kept := fstest.MapFS{}
	for _, f := range bundle.Plan.Contents {
		data, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		kept[f.Path] = &fstest.MapFile{Data: data}
	}
	lock, err := bundle.Lock.Encode()
	if err != nil {
		t.Fatal(err)
	}
	kept[layout.Lock] = &fstest.MapFile{Data: lock}
	return &output{bundle, kept}, problems
}

// cluster is a cluster of an environment: what Flux applied to it.
type cluster struct {
	objects map[string]manifest.Object
}

// apply does what Flux does with an output: it applies what is there, and deletes what is
// not there any more, but for Namespaces.
func (c *cluster) apply(out *output, environment string) {
	before := c.objects
	c.objects = map[string]manifest.Object{}
	for id, o := range before {
		if o.Kind() == "Namespace" {
			c.objects[id] = o
		}
	}
	for _, f := range out.bundle.Files {
		if f.Folder.Environment == environment {
			for _, o := range f.Objects {
				c.objects[o.ID()] = o
			}
		}
	}
}

func (c *cluster) clone() *cluster { return &cluster{objects: maps.Clone(c.objects)} }

// instants returns what is in the cluster for a moment while Flux makes another one of it.
// It applies Namespaces first. A policy that is new answers some moments after it was
// applied, and before or after those that change.
func (c *cluster) instants(next *cluster) map[string]*cluster {
	all := map[string]*cluster{"new Namespaces": c.clone(), "new policies do not answer yet": next.clone(), "only new policies answer": c.clone()}
	for id, o := range next.objects {
		_, had := c.objects[id]
		switch {
		case o.Kind() == "Namespace":
			all["new Namespaces"].objects[id], all["only new policies answer"].objects[id] = o, o
		case !had:
			delete(all["new policies do not answer yet"].objects, id)
			all["only new policies answer"].objects[id] = o
		}
	}
	return all
}

// movesAndChanges reports whether a namespace goes to another tier while policies change
// too. It meets the old policies of its new tier for a moment (docs/staging.md).
func (c *cluster) movesAndChanges(next *cluster) bool {
	moves, changes := false, false
	for id, o := range next.objects {
		old := c.objects[id]
		switch {
		case o.Kind() == "Namespace":
			moves = moves || old != nil && !reflect.DeepEqual(o["metadata"], old["metadata"])
		case strings.Contains(o.Kind(), "Policy") && o.Kind() != "NetworkPolicy":
			changes = changes || !reflect.DeepEqual(o, old)
		}
	}
	for id, old := range c.objects {
		changes = changes || next.objects[id] == nil && strings.Contains(old.Kind(), "Policy")
	}
	return moves && changes
}

// seen is what people see of a cluster.
type seen struct {
	// Refused and Reported are the controls that refuse a Pod, and those that would, by
	// the name of the Pod.
	Refused, Reported map[string][]string
	// Unjudged are the Pods of system namespaces, where nothing can be audited.
	Unjudged map[string]bool
	// Closed says for each namespace whether its network is closed, and Passes what passes then.
	Closed map[string]bool
	Passes map[string][]string
	// Level is what Pod Security Admission enforces in each namespace: 0 nothing, 1 baseline, 2 restricted.
	Level map[string]int
	// Limits are what a quota or a limit range allows at most, by namespace, field and
	// resource. A minimum is its negative. Defaults are what a container gets, or "" for
	// nothing; those of two branches after a merge.
	Limits   map[string]int64
	Defaults map[string][]string
	// Signers are the keys that must have signed an image, by namespace and image.
	Signers map[string][]string
}

// observer asks the engine, once for each state of a cluster.
type observer struct {
	mu   sync.Mutex
	seen map[[32]byte]map[string][2][]string
	// engines are idle.
	engines []*evaluator.Evaluator
}

func (o *observer) look(t *testing.T, c *cluster, env plan.Environment) seen {
	t.Helper()
	s := seen{Refused: map[string][]string{}, Reported: map[string][]string{}, Unjudged: map[string]bool{}, Closed: map[string]bool{}, Passes: map[string][]string{}, Level: map[string]int{}, Signers: map[string][]string{}, Limits: map[string]int64{}, Defaults: map[string][]string{}}
	for _, object := range c.objects {
		switch object.Kind() {
		case "NetworkPolicy":
			if object.Name() == "default-deny" {
				s.Closed[object.Namespace()] = true
			} else {
				s.Passes[object.Namespace()] = append(s.Passes[object.Namespace()], object.Name())
			}
		case "ResourceQuota":
			for resource := range object.Map("spec", "hard") {
				s.Limits[object.Namespace()+" quota "+resource] = quantity(t, object.String("spec", "hard", resource))
			}
		case "LimitRange":
			limitRange(t, s, object)
		case "Namespace":
			level := object.String("metadata", "labels", "pod-security.kubernetes.io/enforce")
			s.Level[object.Name()] = max(0, slices.Index([]string{"privileged", "baseline", "restricted"}, level))
		}
	}
	base := map[string]string{}
	for _, p := range env.Policies {
		base[p.Name] = p.Base
		if p.Image != nil {
			signers(s, p, env, c)
		}
	}
	for pod, verdicts := range o.verdicts(t, c) {
		if namespace, _, _ := strings.Cut(pod, "/"); slices.Contains(env.SystemNamespaces, namespace) {
			s.Unjudged[pod] = true
		}
		for i, into := range []map[string][]string{s.Refused, s.Reported} {
			for _, policy := range verdicts[i] {
				if !slices.Contains(into[pod], base[policy]) {
					into[pod] = append(into[pod], base[policy])
				}
			}
		}
	}
	return s
}

func quantity(t *testing.T, text string) int64 {
	t.Helper()
	q, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// limitRange notes what an object limits. The API server refuses one that contradicts itself.
func limitRange(t *testing.T, s seen, o manifest.Object) {
	t.Helper()
	items, _ := o.Map("spec")["limits"].([]any)
	for _, item := range items {
		item := manifest.Object(item.(map[string]any))
		last := int64(0)
		for _, field := range []string{"min", "defaultRequest", "default", "max"} {
			text := item.String(field, "cpu")
			if text == "" {
				continue
			}
			q := quantity(t, text)
			if q < last {
				t.Errorf("%s of %s is below another one: %v", field, o.Namespace(), item)
			}
			last = q
			switch key := o.Namespace() + " " + field; field {
			case "min":
				s.Limits[key] = -q
			case "max":
				s.Limits[key] = q
			default:
				s.Defaults[key] = []string{text}
			}
		}
	}
}

// signers notes which keys an image must be signed with in each namespace. The tier is
// that of the Namespace in the cluster, which stays when the profile no longer has it.
func signers(s seen, p plan.Policy, env plan.Environment, c *cluster) {
	var needed []string
	for _, a := range p.Image.Attestors {
		pem := a.PublicKeys
		for _, trust := range env.Trust {
			if a.ConfigMap == trust.Name {
				pem = trust.Data[a.ConfigMapKey]
			}
		}
		for _, k := range keys() {
			if k.pem == pem {
				needed = append(needed, k.name)
			}
		}
	}
	for _, name := range namespaceNames() {
		tier := "apps"
		if label := c.objects["/Namespace//"+name].String("metadata", "labels", "gatehouse.dev/tier"); label != "" {
			tier = label
		}
		if p.ActionFor(name, tier) != plan.Enforce || slices.Contains(env.SystemNamespaces, name) {
			continue
		}
		for _, ref := range p.Image.References {
			s.Signers[name+" "+ref] = append(s.Signers[name+" "+ref], needed...)
		}
	}
}

// verdicts returns for each Pod the policies that refuse it and those that report it.
func (o *observer) verdicts(t *testing.T, c *cluster) map[string][2][]string {
	t.Helper()
	params := protocol.LoadParams{ExceptionNamespace: "policy-exceptions"}
	for _, id := range slices.Sorted(maps.Keys(c.objects)) {
		object := c.objects[id]
		raw := encode(t, object)
		switch object.Kind() {
		case "ValidatingPolicy", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding":
			params.Policies = append(params.Policies, raw)
		case "ClusterPolicy":
			if !bytes.Contains(raw, []byte(`"verifyImages"`)) { // see signers
				params.Policies = append(params.Policies, raw)
			}
		case "PolicyException":
			params.Exceptions = append(params.Exceptions, raw)
		case "NetworkPolicy":
			params.Objects = append(params.Objects, raw)
		case "Namespace":
			labels := map[string]string{}
			for k, v := range object.Map("metadata", "labels") {
				labels[k], _ = v.(string)
			}
			params.Namespaces = append(params.Namespaces, protocol.Namespace{Name: object.Name(), Labels: labels})
		}
	}
	params.Exceptions = slices.DeleteFunc(params.Exceptions, func(x json.RawMessage) bool {
		return bytes.Contains(x, []byte("verify-images")) && !bytes.Contains(x, []byte("require"))
	})
	state := sha256.Sum256(encode(t, params))
	o.mu.Lock()
	known, ok := o.seen[state]
	o.mu.Unlock()
	if ok {
		return known
	}
	verdicts := o.ask(t, params)
	o.mu.Lock()
	o.seen[state] = verdicts
	o.mu.Unlock()
	return verdicts
}

func (o *observer) ask(t *testing.T, params protocol.LoadParams) map[string][2][]string {
	t.Helper()
	verdicts := map[string][2][]string{}
	if len(params.Policies) == 0 {
		return verdicts
	}
	e := o.engine(t)
	result, err := e.Load(params)
	if err != nil {
		t.Fatal(err)
	}
	if err := result.Err(); err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods() {
		answer, err := e.Evaluate(t.Context(), protocol.EvaluateParams{
			Resource: encode(t, pod), Now: "2030-06-01T00:00:00Z",
			UserInfo: protocol.UserInfo{Username: "jane", Groups: []string{"system:authenticated"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var v [2][]string
		for _, r := range answer.Results {
			switch {
			case r.Blocks:
				v[0] = append(v[0], r.Policy)
			case r.Result == protocol.OutcomeFail, len(r.Exceptions) > 0: // what is exempt cannot be audited
				v[1] = append(v[1], r.Policy)
			case r.Result == protocol.OutcomeError:
				t.Errorf("%s: %s", r.Policy, r.Message)
			}
		}
		verdicts[pod.Namespace()+"/"+pod.Name()] = v
	}
	o.mu.Lock()
	o.engines = append(o.engines, e)
	o.mu.Unlock()
	return verdicts
}

func (o *observer) engine(t *testing.T) *evaluator.Evaluator {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.engines); n > 0 {
		e := o.engines[n-1]
		o.engines = o.engines[:n-1]
		return e
	}
	e, err := evaluator.New()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func namespaceNames() []string { return []string{"shop", "cart", "edge", "batch", "unlisted"} }

// pods returns a Pod for each namespace and fault, and one without.
func pods() []manifest.Object {
	var all []manifest.Object
	for _, namespace := range namespaceNames() {
		for name, fault := range map[string]func(labels, container object){
			"good":       func(object, object) {},
			"registry":   func(_, c object) { c["image"] = "quay.io/acme/app:1" },
			"elsewhere":  func(_, c object) { c["image"] = "docker.io/acme/app:1" },
			"latest":     func(_, c object) { c["image"] = "ghcr.io/acme/app:latest" },
			"privileged": func(_, c object) { c["securityContext"] = object{"privileged": true} },
			"nameless":   func(l, _ object) { delete(l, "app.kubernetes.io/name") },
			"ownerless":  func(l, _ object) { delete(l, "owner") },
			"old":        func(l, _ object) { l["old"] = "1" },
			"new":        func(l, _ object) { l["new"] = "1" },
			"newer":      func(l, _ object) { l["newer"] = "1" },
		} {
			labels := object{"app.kubernetes.io/name": "app", "owner": "team"}
			container := object{"name": "c", "image": "ghcr.io/acme/app:1"}
			fault(labels, container)
			all = append(all, manifest.Object{"apiVersion": "v1", "kind": "Pod",
				"metadata": object{"name": name, "namespace": namespace, "labels": labels},
				"spec":     object{"containers": []any{container}}})
		}
	}
	return all
}

func encode(t *testing.T, v any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// either returns what either refuses.
func either(a, b seen) seen {
	lists := func(a, b map[string][]string) map[string][]string {
		all := map[string][]string{}
		for _, from := range []map[string][]string{a, b} {
			for k, v := range from {
				all[k] = append(all[k], v...)
			}
		}
		return all
	}
	out := seen{
		Refused: lists(a.Refused, b.Refused), Reported: lists(a.Reported, b.Reported), Signers: lists(a.Signers, b.Signers),
		Unjudged: map[string]bool{}, Closed: map[string]bool{}, Passes: map[string][]string{}, Level: maps.Clone(a.Level),
		Limits: maps.Clone(a.Limits), Defaults: lists(a.Defaults, b.Defaults),
	}
	for key, most := range b.Limits {
		if other, both := out.Limits[key]; !both || most < other {
			out.Limits[key] = most
		}
	}
	for key := range out.Defaults {
		if a.Defaults[key] == nil || b.Defaults[key] == nil {
			out.Defaults[key] = append(out.Defaults[key], "")
		}
	}
	for _, from := range []seen{a, b} {
		maps.Copy(out.Unjudged, from.Unjudged)
		maps.Copy(out.Closed, from.Closed)
	}
	for namespace := range out.Closed {
		for _, rule := range a.Passes[namespace] {
			if !b.Closed[namespace] || slices.Contains(b.Passes[namespace], rule) {
				out.Passes[namespace] = append(out.Passes[namespace], rule)
			}
		}
		if !a.Closed[namespace] {
			out.Passes[namespace] = b.Passes[namespace]
		}
	}
	for namespace, level := range b.Level {
		out.Level[namespace] = max(out.Level[namespace], level)
	}
	return out
}

// stricter lists what was possible before and is not any more, and what is refused
// without a report before.
func stricter(before, after seen) (stricter, unaudited []string) {
	for pod, controls := range after.Refused {
		if len(controls) > 0 && len(before.Refused[pod]) == 0 {
			stricter = append(stricter, fmt.Sprintf("Pod %s is refused by %v", pod, controls))
		}
		for _, control := range controls {
			if !before.Unjudged[pod] && !slices.Contains(before.Refused[pod], control) && !slices.Contains(before.Reported[pod], control) {
				unaudited = append(unaudited, fmt.Sprintf("Pod %s is refused by %s, which did not report it", pod, control))
			}
		}
	}
	for namespace := range after.Closed {
		if !before.Closed[namespace] {
			stricter = append(stricter, fmt.Sprintf("the network of %s is closed", namespace))
			continue
		}
		for _, rule := range before.Passes[namespace] {
			if !slices.Contains(after.Passes[namespace], rule) {
				stricter = append(stricter, fmt.Sprintf("%s of %s is gone", rule, namespace))
			}
		}
	}
	for key, most := range after.Limits {
		if was, had := before.Limits[key]; !had || most < was {
			stricter = append(stricter, fmt.Sprintf("%s goes from %d to %d", key, was, most))
		}
	}
	for _, key := range slices.Collect(maps.Keys(either(before, after).Defaults)) {
		value, old := "", before.Defaults[key]
		if now := after.Defaults[key]; now != nil {
			value = now[0]
		}
		if old == nil {
			old = []string{""}
		}
		namespace, _, _ := strings.Cut(key, " ")
		if _, needed := after.Limits[namespace+" quota requests.cpu"]; !slices.Contains(old, value) && (value != "" || needed) {
			stricter = append(stricter, fmt.Sprintf("%s goes from %v to %q", key, old, value))
		}
	}
	for namespace, level := range after.Level {
		if level > before.Level[namespace] {
			stricter = append(stricter, fmt.Sprintf("Pod Security of %s goes from %d to %d", namespace, before.Level[namespace], level))
		}
	}
	for image, needed := range after.Signers {
		for _, key := range needed {
			if !slices.Contains(before.Signers[image], key) {
				stricter = append(stricter, fmt.Sprintf("%s must be signed by %s", image, key))
			}
		}
	}
	return stricter, unaudited
}
