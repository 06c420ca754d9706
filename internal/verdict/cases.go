package verdict

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/engine"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// caseNamespace is where the documents of the catalogue put what may be anywhere.
const caseNamespace = "apps"

// signatures is why image rules are not tried.
const signatures = "the signatures are in a registry: they are verified where the registry and its keys can be reached"

// clusterKinds are the kinds without a namespace that policies are written for.
var clusterKinds = []string{
	"APIService", "CertificateSigningRequest", "ClusterCleanupPolicy", "ClusterPolicy", "ClusterRole", "ClusterRoleBinding", "CSIDriver", "CustomResourceDefinition",
	"DeletingPolicy", "GeneratingPolicy", "GlobalContextEntry", "ImageValidatingPolicy", "IngressClass", "MutatingPolicy", "MutatingWebhookConfiguration", "Namespace",
	"Node", "PersistentVolume", "PriorityClass", "RuntimeClass", "StorageClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingPolicy",
	"ValidatingWebhookConfiguration", "VolumeAttachment",
}

// policy tries the documents of a control.
func (r *run) policy(k *cluster, policy plan.Policy, control *catalog.Control) error {
	if policy.Image != nil {
		for _, tier := range k.plan.Tiers {
			if policy.Actions[tier] != plan.Off {
				r.skip(Result{Environment: k.env.Name, Tier: tier, Check: CheckBad, Policy: policy.Name, Case: "signatures", Origin: policy.At.String(),
					Expected: want{verdict: wantBad(policy.Actions[tier])}.String()}, signatures)
			}
		}
		return nil
	}
	if !k.loaded[policy.Name] {
		return nil // the load has failed for it
	}
	good, bad, err := control.Tests(policy.Parameters)
	if err != nil {
		return fmt.Errorf("the documents of control %s: %w", control.ID, err)
	}
	sure, differing, err := control.Fit(policy.Parameters)
	if err != nil {
		return fmt.Errorf("the documents of control %s: %w", control.ID, err)
	}
	var checks []check
	for _, set := range []struct {
		check, file string
		cases       []catalog.Case
		want        func(plan.Action) verdict
	}{{CheckGood, "good.yaml", good, wantGood}, {CheckBad, "bad.yaml", bad, wantBad}} {
		origin := control.Dir + "/tests/" + set.file
		for _, c := range set.cases {
			unsure := ""
			if !sure(c, set.check == CheckBad) {
				unsure = "the document is written for other values of " + strings.Join(differing, ", ")
			}
			made, err := k.tiers(policy, c, set.check, origin, unsure, set.want)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", origin, c.Name, err)
			}
			checks = append(checks, made...)
		}
	}
	return r.ask(checks)
}

// tiers tries a document in each tier, and a bad one in the system namespaces.
func (k *cluster) tiers(policy plan.Policy, c catalog.Case, kind, origin, unsure string, wanted func(plan.Action) verdict) ([]check, error) {
	var checks []check
	add := func(p place, w verdict, kind string) error {
		request, err := requestOf(c, p)
		request.Policies = []string{policy.Name}
		checks = append(checks, check{request: request, want: want{verdict: w}, unsure: unsure, result: Result{
			Environment: k.env.Name, Tier: p.tier, Check: kind, Policy: policy.Name, Case: c.Name, Resource: nameOf(c, request.Namespace), Origin: origin,
		}})
		return err
	}
	if clusterScoped(c, policy) {
		err := add(place{namespace: c.Namespace}, wanted(k.action(policy, "")), kind)
		return checks, err
	}
	for _, tier := range k.plan.Tiers {
		for _, p := range k.places(tier, looksUp(policy)) {
			action := k.action(policy, tier)
			if !movable(c) {
				if p = k.labelled(tier); slices.Contains(k.plan.SystemNamespaces, c.Namespace) {
					action = plan.Off
				}
				p.namespace = c.Namespace
			}
			if err := add(p, wanted(action), kind); err != nil {
				return nil, err
			}
			if !movable(c) {
				break // its namespace is what it is about
			}
		}
	}
	if kind != CheckBad {
		return checks, nil
	}
	for _, namespace := range k.plan.SystemNamespaces {
		if err := add(place{namespace: namespace}, silent, CheckSystem); err != nil {
			return nil, err
		}
	}
	return checks, nil
}

// skip adds a result that nothing was asked for.
func (r *run) skip(result Result, reason string) {
	result.Status, result.Got, result.Message = Skipped, "not evaluated", reason
	r.report.Results = append(r.report.Results, result)
}

func clusterScoped(c catalog.Case, policy plan.Policy) bool {
	return slices.Contains(clusterKinds, c.Kind.Kind) || c.Namespace == "" && policy.ClusterScoped
}

// movable tells whether a document may be in any namespace; others are about theirs.
func movable(c catalog.Case) bool { return c.Namespace == "" || c.Namespace == caseNamespace }

// requestOf is the admission request that a document stands for, in a namespace.
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

// moved is the object with another namespace, if it says which one it has. It shares the rest.
func moved(object map[string]any, namespace string) map[string]any {
	metadata, _ := object["metadata"].(map[string]any)
	if metadata["namespace"] == nil || metadata["namespace"] == namespace {
		return object
	}
	out, metadata := maps.Clone(object), maps.Clone(metadata)
	out["metadata"], metadata["namespace"] = metadata, namespace
	return out
}

// nameOf says which object a request is about.
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
