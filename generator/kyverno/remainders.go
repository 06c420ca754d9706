package kyverno

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// remainders returns, for each exception from an image rule that is for some images, the
// policies that verify the other images of what the exception matches. The exception
// itself exempts whole workloads: Kyverno's image rules know no smaller part.
func remainders(p *plan.Plan, env plan.Environment, policy plan.Policy) []manifest.Object {
	var objects []manifest.Object
	for _, x := range env.Exempting(policy) {
		for _, o := range policy.Objects() {
			objects = append(objects, remainder(p, env, policy, o, x))
		}
	}
	return objects
}

// The rules of such a policy: for Pods, and for what has a template of one.
const podImages, templateImages = "verify-pod-images", "verify-template-images"

// remainder is one half of an image rule for what an exception matches. It asks for no
// digest, since the exempt images may have none: where digests are required, those of
// the others are put in.
func remainder(p *plan.Plan, env plan.Environment, policy plan.Policy, o plan.PolicyObject, x plan.Exception) manifest.Object {
	object := imagePolicy(p, env, policy, o.RemainderName(x.Name), p.TiersAt(policy, o.Action), o.Action)
	spec := object["spec"].(map[string]any)
	var rules []any
	for _, r := range spec["rules"].([]any) {
		for _, pods := range []bool{true, false} {
			name := templateImages
			if pods {
				name = podImages
			}
			match := exceptionMatch(x, func(kind string) bool { return (kind == "Pod") == pods })
			if len(match) == 0 {
				continue
			}
			for _, filter := range match {
				filter.(map[string]any)["resources"].(map[string]any)["operations"] = []any{"CREATE", "UPDATE"}
			}
			rule := runtime.DeepCopyJSON(r.(map[string]any))
			rule["name"], rule["match"] = name, map[string]any{"any": match}
			if !pods {
				delete(rule, "imageExtractors") // they are for Pods
			}
			for _, e := range rule["verifyImages"].([]any) {
				entry := e.(map[string]any)
				entry["skipImageReferences"] = list(x.Images)
				entry["mutateDigest"] = entry["mutateDigest"] == true || entry["verifyDigest"] == true
				entry["verifyDigest"] = false
			}
			rules = append(rules, rule)
		}
	}
	spec["rules"] = rules
	return object
}
