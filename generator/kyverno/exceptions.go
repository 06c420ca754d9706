package kyverno

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Exceptions emits one PolicyException per exception and environment:
// environments/<env>/exceptions/<name>.yaml, all in the one namespace that
// Kyverno honours. An exception ends by itself: a condition compares the time of the
// request with the expiry.
func Exceptions(p *plan.Plan) []manifest.File {
	var files []manifest.File
	for _, env := range p.Environments {
		folder := layout.Folder{Environment: env.Name, Kind: layout.Exceptions}
		for _, x := range env.Exceptions {
			files = append(files, manifest.File{
				Path: folder.File(x.Name), Folder: folder, Origin: x.At.File,
				Objects: []manifest.Object{policyException(p, env, x)},
			})
		}
	}
	return files
}

func policyException(p *plan.Plan, env plan.Environment, x plan.Exception) manifest.Object {
	annotations := map[string]any{
		v1alpha1.Group + "/reason":               x.Reason,
		v1alpha1.Group + "/owner":                x.Owner,
		"kustomize.toolkit.fluxcd.io/substitute": "disabled",
	}
	if x.Ticket != "" {
		annotations[v1alpha1.Group+"/ticket"] = x.Ticket
	}
	if !x.Expires.IsZero() {
		annotations[v1alpha1.Group+"/expires"] = x.Expires.Format(time.DateOnly)
	}
	spec := map[string]any{
		"background": true,
		"exceptions": waivedPolicies(env, x),
		"match":      map[string]any{"any": exceptionMatch(x)},
	}
	conditions := map[string]any{}
	if all := exceptionConditions(x); len(all) > 0 {
		conditions["all"] = all
	}
	if any := exemptWays(x); len(any) > 0 {
		conditions["any"] = any
	}
	if len(conditions) > 0 {
		spec["conditions"] = conditions
	}
	return manifest.Object{
		"apiVersion": "kyverno.io/v2",
		"kind":       "PolicyException",
		"metadata":   map[string]any{"name": x.Name, "namespace": p.ExceptionNamespace, "annotations": annotations, "labels": managed()},
		"spec":       spec,
	}
}

// waivedPolicies names policies and rules exactly, including the autogen rules that
// judge controllers. For an image rule, it names each policy that is emitted.
func waivedPolicies(env plan.Environment, x plan.Exception) []any {
	var out []any
	for _, waived := range x.Policies {
		policy, _ := env.Policy(waived.Name)
		for _, o := range policy.Objects() {
			out = append(out, map[string]any{"policyName": o.Name, "ruleNames": list(waived.Rules)})
		}
	}
	return out
}

// exceptionMatch returns a filter for each kind, and for each kind that a controller
// makes from it. The filter has the namespaces if the kind has a namespace.
func exceptionMatch(x plan.Exception) []any {
	var filters []any
	seen := map[string]bool{}
	add := func(kind string, names, namespaces []string) {
		resources := map[string]any{"kinds": []any{kind}}
		if names != nil {
			resources["names"] = list(names)
		}
		if len(namespaces) > 0 {
			resources["namespaces"] = list(namespaces)
		}
		if id := kind + "/" + strings.Join(names, ","); !seen[id] {
			seen[id] = true
			filters = append(filters, map[string]any{"resources": resources})
		}
	}
	for _, kind := range x.Kinds {
		names, namespaces := x.Names, x.Namespaces
		if kind == "Pod" {
			names = plan.PodNames(names)
		}
		if slices.Contains(x.ClusterKinds, kind) {
			namespaces = nil
		}
		add(kind, names, namespaces)
		for _, made := range plan.MadeFrom(kind) {
			add(made.Kind, plan.MadePrefixes(x.Names), namespaces)
		}
	}
	return filters
}

// allImages is an expression for every image of a Pod or a Pod template, as in Kyverno's context.
const allImages = "{{ [values(images.containers || `{}`), values(images.initContainers || `{}`), values(images.ephemeralContainers || `{}`)][][].reference }}"

func exceptionConditions(x plan.Exception) []any {
	var all []any
	if !x.Expires.IsZero() {
		all = append(all, map[string]any{
			"key":      fmt.Sprintf("{{ time_before(time_now_utc(), '%s') }}", x.Expires.UTC().Format(time.RFC3339)),
			"operator": "Equals",
			"value":    true,
		})
	}
	if len(x.Images) > 0 {
		all = append(all, map[string]any{"key": allImages, "operator": "AllIn", "value": list(x.Images)})
	}
	return all
}
