package kyverno

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Exceptions emits environments/<env>/exceptions/<name>.yaml for each exception and
// environment: a PolicyException of this name, or one for each rule of a narrowed
// exception (plan.ExceptionObject), all in the one namespace that Kyverno honours. An
// exception ends by itself: a condition compares the time of the request with the
// expiry.
func Exceptions(p *plan.Plan) []manifest.File {
	var files []manifest.File
	for _, env := range p.Environments {
		folder := layout.Folder{Environment: env.Name, Kind: layout.Exceptions}
		for _, x := range env.Exceptions {
			// Policies in CEL hold their exceptions themselves.
			x.Policies = slices.DeleteFunc(slices.Clone(x.Policies), func(waived plan.ExceptionPolicy) bool {
				policy, _ := env.Policy(waived.Name)
				return policy.Target != catalog.ClusterPolicy
			})
			if len(x.Policies) == 0 {
				continue
			}
			files = append(files, manifest.File{
				Path: folder.File(x.Name), Folder: folder, Origin: x.At.File,
				Objects: exceptionObjects(p, env, x),
			})
		}
	}
	return files
}

func exceptionObjects(p *plan.Plan, env plan.Environment, x plan.Exception) []manifest.Object {
	var objects []manifest.Object
	if whole := wholeRules(env, x); len(whole) > 0 {
		objects = append(objects, policyException(p, x, x.Name, whole, everyKind, nil))
	}
	for _, waived := range x.Policies {
		policy, _ := env.Policy(waived.Name)
		for i, alternatives := range waived.Rest {
			rule := waived.Rules[i]
			only := []any{map[string]any{"policyName": policy.Name, "ruleNames": []any{rule}}}
			for n, conditions := range alternatives {
				name := plan.ExceptionObject(x.Name, policy.Name, rule, n)
				objects = append(objects, policyException(p, x, name, only, policy.RuleJudges(rule), conditions))
			}
		}
	}
	return objects
}

// everyKind leaves the kinds of an exception as they are.
func everyKind(string) bool { return true }

// policyException emits an exception from some rules, for the kinds that they judge. rest
// are the conditions on what a narrowed exception does not name.
func policyException(p *plan.Plan, x plan.Exception, name string, rules []any, judged func(kind string) bool, rest []map[string]any) manifest.Object {
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
		"exceptions": rules,
		"match":      map[string]any{"any": exceptionMatch(x, judged)},
	}
	all := expiry(x)
	for _, condition := range rest {
		all = append(all, condition)
	}
	conditions := map[string]any{}
	if len(all) > 0 {
		conditions["all"] = all
	}
	if ways := exemptWays(x, judged); len(ways) > 0 {
		conditions["any"] = ways
	}
	if len(conditions) > 0 {
		spec["conditions"] = conditions
	}
	return manifest.Object{
		"apiVersion": "kyverno.io/v2",
		"kind":       "PolicyException",
		"metadata":   map[string]any{"name": name, "namespace": p.ExceptionNamespace, "annotations": annotations, "labels": managed()},
		"spec":       spec,
	}
}

// wholeRules names the policies and rules that are waived for whole Pods exactly,
// including the autogen rules that judge controllers. For an image rule, it names each
// policy that is emitted.
func wholeRules(env plan.Environment, x plan.Exception) []any {
	var out []any
	for _, waived := range x.Policies {
		if len(waived.Rest) > 0 {
			continue
		}
		policy, _ := env.Policy(waived.Name)
		for _, o := range policy.Objects() {
			out = append(out, map[string]any{"policyName": o.Name, "ruleNames": list(waived.Rules)})
			for _, other := range env.Exempting(policy) {
				if len(x.Images) == 0 { // it waives the rule for all images
					out = append(out, map[string]any{"policyName": o.RemainderName(other.Name), "ruleNames": []any{podImages, templateImages}})
				}
			}
		}
	}
	return out
}

// exceptionMatch returns a filter for each kind, and for each kind that a controller
// makes from it. The filter has the namespaces if the kind has a namespace.
func exceptionMatch(x plan.Exception, judged func(kind string) bool) []any {
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
		if id := kind + "/" + strings.Join(names, ","); !seen[id] && judged(kind) {
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

// expiry returns the condition that the exception has not ended; none if it never does.
func expiry(x plan.Exception) []any {
	if x.Expires.IsZero() {
		return nil
	}
	return []any{isTrue(fmt.Sprintf("time_before(time_now_utc(), '%s')", x.Expires.UTC().Format(time.RFC3339)))}
}
