package verdict

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/made"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// trial is an exception with one of the policies that it waives.
type trial struct {
	cluster   *cluster
	exception plan.Exception
	policy    plan.Policy
	image     *imageTrial    // of an image rule; else nil
	candidate []catalog.Case // bad documents that a waived rule can judge
}

// subject is an object that an exception names, or one that a controller makes from it.
type subject struct {
	// Sent says what reaches the API server. Of an object that the exception names, it has
	// the name.
	made.Sent
	workload  string // name of what the exception names
	kind      string // of it, as the exception says
	namespace string
}

// made reports whether a controller, or a person who runs a Job by hand, makes the object.
func (s subject) made() bool { return s.OwnerReference != nil }

// exception checks an exception for each of its kinds, names and namespaces, and for
// what controllers make: the object is exempt until the expiry and not after it, and
// the exemption does not extend to other names, owners and users, other namespaces or
// other policies.
func (r *run) exception(k *cluster, x plan.Exception, waived plan.ExceptionPolicy) error {
	policy, _ := k.env.Policy(waived.Name)
	t := trial{cluster: k, exception: x, policy: policy, image: k.trials[policy.Name]}
	if len(k.names(policy)) == 0 {
		return nil // it failed to load
	}
	if t.image != nil && len(t.image.samples) == 0 {
		r.skip(t.result(subject{}, "exempt"), "no image of the rule can be made up")
		return nil
	}
	_, bad, err := policy.Control.Tests(policy.Parameters)
	if err != nil {
		return fmt.Errorf("the documents of control %s: %w", policy.Control.ID, err)
	}
	if t.image != nil {
		for i, c := range bad {
			bad[i] = t.image.placed(k, c, false)
		}
	}
	t.candidate = slices.DeleteFunc(bad, func(c catalog.Case) bool {
		return !c.Plain() || !movable(c)
	})
	for _, s := range t.subjects(waived.Rules) {
		if err := r.subject(t, s); err != nil {
			return fmt.Errorf("exception %s: %w", x.Name, err)
		}
	}
	return nil
}

// subjects returns objects in which each kind occurs once with each name and once with
// each namespace.
func (t trial) subjects(rules []string) []subject {
	judged := map[string]bool{}
	for _, rule := range t.policy.Rules {
		if slices.Contains(rules, rule.Name) {
			for _, kind := range rule.Kinds {
				judged[kind] = true
			}
		}
	}
	var out []subject
	for _, kind := range t.exception.Kinds {
		namespaces := t.exception.Namespaces
		if len(namespaces) == 0 || slices.Contains(t.exception.ClusterKinds, kind) {
			namespaces = []string{""}
		}
		for i := range max(len(namespaces), len(t.exception.Names)) {
			for _, s := range subjectsOf(kind, concrete(t.exception.Names[i%len(t.exception.Names)]), namespaces[i%len(namespaces)]) {
				if judged[s.Kind] {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// subjectsOf returns an object, and what controllers make from it.
func subjectsOf(kind, name, namespace string) []subject {
	out := []subject{{made.Sent{Kind: kind, Name: name}, name, kind, namespace}}
	for _, o := range made.From(kind, name) {
		out = append(out, subject{o, name, kind, namespace})
	}
	return out
}

// renamed returns the same object of a workload with another name.
func (s subject) renamed(workload string) subject {
	all := subjectsOf(s.kind, s.workload, s.namespace)
	i := slices.IndexFunc(all, func(o subject) bool { return o.Kind == s.Kind && o.Stored() == s.Stored() })
	return subjectsOf(s.kind, workload, s.namespace)[i]
}

// concrete returns a string that the glob matches.
func concrete(glob string) string { return strings.NewReplacer("*", "x", "?", "x").Replace(glob) }

// subject checks one object that the exception names.
func (r *run) subject(t trial, s subject) error {
	tier := ""
	if s.namespace != "" {
		tier = t.cluster.plan.TierOf(t.cluster.env, s.namespace)
	}
	bad := wantBad(t.cluster.action(t.policy, s.namespace, tier))
	if bad == silent {
		where := "in tier " + tier
		switch {
		case tier == "":
			where = "for what has no namespace"
		case !t.policy.Scope.Covers(s.namespace):
			where = "in namespace " + s.namespace
		}
		r.skip(t.result(s, "exempt"), "the policy is off "+where)
		return nil
	}
	other, found := t.other(s)
	probe := other
	if elsewhere, some := t.elsewhere(s); !found && some { // every name is exempt
		probe = elsewhere
	}
	object, err := r.violation(t, probe, bad)
	if err != nil {
		return err
	}
	if object == nil {
		r.skip(t.result(s, "exempt"), "no bad document of the control is, as a "+s.Kind+", a violation that the exception could exempt")
		return nil
	}
	checks := t.checks(s, object, bad)
	if found {
		checks = append(checks, t.check(other, "another name", object, t.before(), want{bad, t.exception.Name}))
	}
	return r.ask(append(checks, t.strangers(s, object, bad)...))
}

// before returns the last second in which the exception holds.
func (t trial) before() time.Time {
	if t.exception.Expires.IsZero() {
		return t.cluster.plan.Now
	}
	return t.exception.Expires.Add(-time.Second)
}

// checks returns the checks of one object, most of them in the last second before the expiry.
func (t trial) checks(s subject, object map[string]any, bad verdict) []check {
	x, now := t.exception, t.before()
	what := "the object that it names"
	if s.made() {
		what = s.What
	}
	out := []check{t.check(s, what, object, now, want{exempted, x.Name})}
	if scan := t.check(s, "in a background scan", object, now, want{exempted, x.Name}); t.cluster.scansAll(t.policy) {
		scan.request.Scan, scan.request.UserInfo = true, engine.UserInfo{}
		out = append(out, scan)
	}
	if s.Kind == "Pod" {
		out = append(out, t.injected(s, object, bad))
	}
	if !x.Expires.IsZero() {
		out = append(out, t.check(s, "after the expiry", object, x.Expires, want{bad, x.Name}))
	}
	if elsewhere, some := t.elsewhere(s); some {
		out = append(out, t.check(elsewhere, "another namespace", object, now, want{bad, x.Name}))
	}
	if other := t.otherImage(); other != "" {
		out = append(out, t.rest(s, "another image", withImages(object, other), bad))
	}
	if name := t.otherContainer(); name != "" {
		out = append(out, t.rest(s, "another container", withNames(object, name), bad))
	}
	others := t.check(s, "policies that it does not name", object, now, want{untouched, x.Name})
	others.request.Policies = t.unnamed(s.Kind)
	others.result.Policy = ""
	if len(others.request.Policies) > 0 {
		out = append(out, others)
	}
	return append(out, t.unnamedImages(s, object, now)...)
}

// strangers returns checks of an object that a controller makes, as others send it: a
// user who gives it the name under which it is stored, and one who also writes its owner.
func (t trial) strangers(s subject, object map[string]any, bad verdict) []check {
	if !s.made() || t.names(s) {
		return nil
	}
	user := catalog.OrdinaryUser()
	forged := s
	forged.User, forged.Groups = user.Username, user.Groups
	alone := forged
	alone.Name, alone.GenerateName, alone.OwnerReference = s.Stored(), "", nil
	out := []check{t.check(alone, "a stranger with the same name", object, t.before(), want{bad, t.exception.Name})}
	if s.User == "" { // whoever runs a Job by hand writes its owner
		forged.Annotations = nil
		return append(out, t.check(forged, "a Job that is not run by hand", object, t.before(), want{bad, t.exception.Name}))
	}
	return append(out, t.check(forged, "a stranger with the same owner", object, t.before(), want{bad, t.exception.Name}))
}

// otherImage returns an image that the exception does not name and that the policy
// refuses as well. It is empty if the exception names all images or none.
func (t trial) otherImage() string {
	if len(t.exception.Images) == 0 {
		return ""
	}
	named := t.namedImage()
	candidates := []string{"gatehouse.invalid/other" + named[len(repositoryOf(named)):]} // what is wrong with the tag of one is with the other's
	if t.image != nil {
		candidates = nil
		for _, repository := range t.image.repositories {
			candidates = append(candidates, t.image.unsigned(repository))
		}
	}
	i := slices.IndexFunc(candidates, func(image string) bool { return !matchesAny(t.exception.Images, image) })
	if i < 0 {
		return ""
	}
	return candidates[i]
}

// unnamed returns the names of the policies that the exception does not waive and
// that judge objects of a kind.
func (t trial) unnamed(kind string) []string {
	var out []string
	for _, p := range t.cluster.env.Policies {
		named := slices.ContainsFunc(t.exception.Policies, func(w plan.ExceptionPolicy) bool { return w.Name == p.Name })
		if !named && p.Image == nil && t.cluster.loaded[p.Name] && judges(p, kind) {
			out = append(out, p.Name)
		}
	}
	return out
}

// judges reports whether a rule of a policy judges objects of a kind.
func judges(p plan.Policy, kind string) bool {
	return slices.ContainsFunc(p.Rules, func(rule catalog.Rule) bool {
		return slices.ContainsFunc(rule.Kinds, func(k string) bool { return k == kind || strings.ContainsAny(k, "*?") })
	})
}

// unnamedImages returns a check for each image rule that the exception does not waive,
// with an image that the rule refuses, since its other images are not known.
func (t trial) unnamedImages(s subject, object map[string]any, now time.Time) []check {
	var out []check
	for _, p := range t.cluster.env.Policies {
		image := t.cluster.trials[p.Name]
		named := slices.ContainsFunc(t.exception.Policies, func(w plan.ExceptionPolicy) bool { return w.Name == p.Name })
		if named || !judges(p, s.Kind) || image == nil || len(image.samples) == 0 || len(t.cluster.names(p)) == 0 || t.cluster.action(p, s.namespace, t.cluster.plan.TierOf(t.cluster.env, s.namespace)) == plan.Off {
			continue
		}
		c := t.check(s, "an image rule that it does not name", withImages(object, image.unsigned(image.repositories[0])), now, want{untouched, t.exception.Name})
		c.request.Policies, c.result.Policy = t.cluster.names(p), p.Name
		out = append(out, c)
	}
	return out
}

// other returns the subject of another workload, which the exception does not cover. It
// reports whether there is one.
func (t trial) other(s subject) (subject, bool) {
	for _, name := range []string{"x" + s.workload, catalog.TestNamespace("other")} {
		if o := s.renamed(name); !t.covers(name) && !t.names(o) {
			return o, true
		}
	}
	return s, false
}

// elsewhere returns the subject in a namespace of the same tier in which the policy judges, and
// that no exception names. It reports whether there is one.
func (t trial) elsewhere(s subject) (subject, bool) {
	if s.namespace == "" {
		return s, false
	}
	k, scope := t.cluster, t.policy.Scope
	tier := k.plan.TierOf(k.env, s.namespace)
	for _, name := range append([]string{catalog.TestNamespace(tier)}, scope.Include...) {
		_, made := catalog.CutTestNamespace(name)
		if scope.Covers(name) && !k.excepted(name) && (made || k.plan.TierOf(k.env, name) == tier) && !slices.Contains(k.env.SystemNamespaces, name) {
			s.namespace = name
			return s, true
		}
	}
	return s, false
}

// names reports whether the exception names an object itself, by its kind and name.
func (t trial) names(s subject) bool {
	return slices.Contains(t.exception.Kinds, s.Kind) && t.covers(s.Stored())
}

// covers reports whether the exception has a name.
func (t trial) covers(name string) bool {
	return slices.ContainsFunc(t.exception.Names, func(glob string) bool {
		ok, err := path.Match(glob, name)
		return ok || err != nil
	})
}

// violation returns the first bad document that still violates the policy as an object
// of the kind, for a subject that is not exempt. If there is none, it returns one that
// is exempt although it should not be, so that the check fails. It returns nil if there
// is neither.
func (r *run) violation(t trial, s subject, bad verdict) (map[string]any, error) {
	var objects []map[string]any
	for _, exact := range []bool{true, false} {
		for _, c := range t.candidate {
			if exact != (c.Kind.Kind == s.Kind) || clusterScoped(c, t.policy) != (s.namespace == "") {
				continue
			}
			object := asKind(c.Object, s.Kind)
			if object == nil {
				continue
			}
			if object = t.named(object); object != nil {
				objects = append(objects, object)
			}
		}
	}
	objects, err := r.exemptable(t, s, objects, bad)
	if err != nil {
		return nil, err
	}
	requests := make([]engine.EvaluateParams, len(objects))
	for i, object := range objects {
		requests[i] = t.check(s, "", object, t.cluster.plan.Now, want{}).request
	}
	answers, err := r.engine.EvaluateMany(r.ctx, requests)
	if err != nil {
		return nil, fmt.Errorf("evaluating: %w", err)
	}
	var exempt map[string]any
	for i, answer := range answers {
		if answer.Result == nil {
			continue
		}
		a := read(*answer.Result)
		if !a.errors && (want{bad, t.exception.Name}).met(a) {
			return objects[i], nil
		}
		if exempt == nil && slices.Contains(a.exceptions, t.exception.Name) {
			exempt = objects[i]
		}
	}
	return exempt, nil
}

// check returns a check of the object as the subject reaches the API server.
func (t trial) check(s subject, what string, object map[string]any, now time.Time, w want) check {
	given := manifest.Object(object).Map("metadata")
	user := catalog.OrdinaryUser()
	if s.User != "" {
		user = catalog.UserInfo{Username: s.User, Groups: s.Groups}
	}
	metadata := s.Metadata(s.namespace, given.Map("labels"), given.Map("annotations"))
	request := engine.EvaluateParams{
		Operation: engine.Create, Namespace: s.namespace, Now: now.UTC().Format(time.RFC3339), Policies: t.cluster.names(t.policy),
		UserInfo: engine.UserInfo{Username: user.Username, Groups: user.Groups},
	}
	if tier, ok := catalog.CutTestNamespace(s.namespace); ok {
		request.NamespaceLabels = map[string]string{v1alpha1.LabelTier: tier}
	}
	named := maps.Clone(object)
	named["metadata"] = metadata
	if spec, ok := object["spec"].(map[string]any); ok && s.Hostname != "" {
		named["spec"] = union(spec, map[string]any{"hostname": s.Hostname})
	}
	raw, err := json.Marshal(named)
	if err != nil {
		panic("a document of the catalogue is JSON: " + err.Error())
	}
	request.Resource = raw
	return check{request: request, want: w, result: t.result(s, what)}
}

// result returns a result for the subject, without the outcome.
func (t trial) result(s subject, what string) Result {
	out := Result{
		Environment: t.cluster.env.Name, Check: CheckException, Policy: t.policy.Name, Origin: t.exception.At.String(),
		Case: t.exception.Name + ": " + what, Expected: want{exempted, t.exception.Name}.String(),
	}
	if s.namespace != "" {
		out.Tier = t.cluster.plan.TierOf(t.cluster.env, s.namespace)
		if tier, ok := catalog.CutTestNamespace(s.namespace); ok {
			out.Tier = tier
		}
	}
	if s.Kind != "" {
		out.Resource = described("CREATE", s.Kind, "", s.namespace, s.Stored())
	}
	return out
}
