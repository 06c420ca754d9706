package verdict

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// signatures is the reason why the tests of the user do not ask image rules.
const signatures = "a test has no registry with signed images; the rule is tried with images of its own"

// policy checks the policy of a control against the good and bad documents of the control.
func (r *run) policy(k *cluster, policy plan.Policy) error {
	control := policy.Control
	if len(k.names(policy)) == 0 {
		return nil // it failed to load
	}
	good, bad, err := control.Tests(policy.Parameters)
	if err != nil {
		return fmt.Errorf("the documents of control %s: %w", control.ID, err)
	}
	if policy.Image != nil {
		return r.image(k, policy, control, good, bad)
	}
	sure, differing, err := control.Fit(policy.Parameters)
	if err != nil {
		return fmt.Errorf("the documents of control %s: %w", control.ID, err)
	}
	var checks []check
	for _, set := range []struct {
		check  string
		cases  []catalog.Case
		wanted func(plan.Action) verdict
	}{{CheckGood, good, wantGood}, {CheckBad, bad, wantBad}} {
		for _, c := range set.cases {
			p := probe{Case: c, check: set.check, origin: originOf(control, set.check), wanted: set.wanted}
			if !sure(c, set.check == CheckBad) {
				p.unsure = "the document is written for other values of " + strings.Join(differing, ", ")
			}
			made, err := k.everywhere(policy, p)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", p.origin, c.Name, err)
			}
			checks = append(checks, made...)
		}
	}
	return r.ask(checks)
}

// originOf returns the path of the file with the good or the bad documents.
func originOf(control *catalog.Control, check string) string {
	return control.Dir + "/tests/" + check + ".yaml"
}

// probe is a document and the verdict expected for it.
type probe struct {
	catalog.Case
	check, origin string
	// unsure is the reason why a different verdict is skipped; if it is empty, a
	// different verdict is a failure.
	unsure string
	wanted func(plan.Action) verdict
	// spec returns the spec that the object must then have; nil if the spec is not checked.
	spec func(plan.Action) any
}

// everywhere returns the checks of a document in each tier. A bad document is also
// checked in the system namespaces.
func (k *cluster) everywhere(policy plan.Policy, p probe) ([]check, error) {
	checks, err := k.tiers(policy, p)
	if err != nil || p.check != CheckBad || clusterScoped(p.Case, policy) {
		return checks, err
	}
	for _, namespace := range k.env.SystemNamespaces {
		p.check = CheckSystem
		c, err := k.check(policy, p, place{namespace: namespace}, plan.Off)
		if err != nil {
			return nil, err
		}
		checks = append(checks, c)
	}
	return checks, nil
}

// tiers returns the checks of a document in each tier.
func (k *cluster) tiers(policy plan.Policy, p probe) ([]check, error) {
	if clusterScoped(p.Case, policy) {
		c, err := k.check(policy, p, place{namespace: p.Namespace}, k.action(policy, p.Namespace, ""))
		return []check{c}, err
	}
	var checks []check
	for _, tier := range k.plan.Tiers {
		for _, at := range k.places(policy, tier) {
			if !movable(p.Case) {
				at = k.labelled(tier)
				at.namespace = p.Namespace
			}
			action := k.action(policy, at.namespace, tier)
			if slices.Contains(k.env.SystemNamespaces, at.namespace) {
				action = plan.Off
			}
			c, err := k.check(policy, p, at, action)
			if err != nil {
				return nil, err
			}
			checks = append(checks, c)
			if !movable(p.Case) {
				break // it is about its own namespace
			}
		}
	}
	return checks, nil
}

// check returns the check that a document gets the verdict of the action in a place.
func (k *cluster) check(policy plan.Policy, p probe, at place, action plan.Action) (check, error) {
	request, err := requestOf(p.Case, at)
	request.Policies = k.names(policy)
	w := want{verdict: p.wanted(action)}
	if w.verdict == silent && sharesObject(policy) && !policy.Scope.Covers(at.namespace) {
		w.verdict = clean // other controls of the object judge there
	}
	c := check{request: request, want: w, unsure: p.unsure, result: Result{
		Environment: k.env.Name, Tier: at.tier, Check: p.check, Policy: policy.Name, Case: p.Name, Resource: nameOf(p.Case, request.Namespace), Origin: p.origin,
	}}
	if p.spec != nil {
		c.spec = p.spec(action)
	}
	return c, err
}

// sharesObject reports whether a policy is in an object with other controls, which may judge
// outside of its scope: the engine then has a result for it, too.
func sharesObject(policy plan.Policy) bool {
	return policy.Target != catalog.ClusterPolicy && policy.Image == nil
}

// names returns the names of a policy in the engine. An image rule may have several as
// ClusterPolicies; what is in CEL has one, whatever its objects are called. There are none
// if the engine refused it.
func (k *cluster) names(policy plan.Policy) []string {
	var names []string
	if policy.Target != catalog.ClusterPolicy {
		names = append(names, policy.Name)
	} else {
		for _, o := range policy.Objects() {
			names = append(names, o.Name)
			for _, x := range k.env.Exempting(policy) {
				names = append(names, o.RemainderName(x.Name))
			}
		}
	}
	slices.Sort(names)
	if slices.ContainsFunc(names, func(name string) bool { return !k.loaded[name] }) {
		return nil
	}
	return names
}

// notEvaluated is what a check that is not run got.
const notEvaluated = "not evaluated"

// skip adds a result for a check that is not run.
func (r *run) skip(result Result, reason string) {
	result.Status, result.Got, result.Message = Skipped, notEvaluated, reason
	r.report.Results = append(r.report.Results, result)
}

func clusterScoped(c catalog.Case, policy plan.Policy) bool {
	return c.ClusterScoped || c.Namespace == "" && policy.Control.ClusterScoped
}

// movable reports whether a document may be moved to any namespace. Other documents
// are about their own namespace.
func movable(c catalog.Case) bool { return c.Namespace == "" || c.Namespace == catalog.CaseNamespace }

// requestOf returns the admission request for a document in a namespace.
func requestOf(c catalog.Case, p place) (engine.EvaluateParams, error) {
	object, old := moved(c.Object, p.namespace), moved(c.OldObject, p.namespace)
	if c.Operation == "DELETE" {
		object, old = old, nil
	}
	request := engine.EvaluateParams{
		Operation: engine.Operation(c.Operation), SubResource: c.SubResource, Namespace: p.namespace, NamespaceLabels: p.labels,
		UserInfo: engine.UserInfo{Username: c.UserInfo.Username, Groups: c.UserInfo.Groups},
	}
	var err error
	if request.Resource, err = json.Marshal(object); err != nil {
		return request, fmt.Errorf("encoding the object: %w", err)
	}
	if old != nil {
		if request.OldResource, err = json.Marshal(old); err != nil {
			return request, fmt.Errorf("encoding the old object: %w", err)
		}
	}
	return request, nil
}

// moved returns the object with another namespace, if it names one. What the object says
// of its own namespace moves with it. The original is left as it is.
func moved(object map[string]any, namespace string) map[string]any {
	own, _ := manifest.Object(object).Value("metadata", "namespace").(string)
	if own == "" || own == namespace {
		return object
	}
	return catalog.Moved(object, own, namespace).(map[string]any)
}

// nameOf describes the object of a request.
func nameOf(c catalog.Case, namespace string) string {
	object := c.Object
	if c.OldObject != nil {
		object = c.OldObject
	}
	name := manifest.Object(object).Name()
	if name == "" {
		name = c.Name
	}
	return described(c.Operation, c.Kind.Kind, c.SubResource, namespace, name)
}

func described(operation, kind, subResource, namespace, name string) string {
	if subResource != "" {
		kind += "/" + subResource
	}
	if namespace != "" && kind != "Namespace" {
		name = namespace + "/" + name
	}
	return operation + " " + kind + " " + name
}
