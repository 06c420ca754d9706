package identify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// foreign is a policy that gatehouse did not make.
type foreign struct {
	found Policy
	// objects for the engine: the policy under a name of its own, and what binds it.
	objects []json.RawMessage
	// name of the policy in the engine.
	name string
	// parameters of controls that are read off the policy, by the id of the control.
	parameters map[string]map[string]any
}

// The kinds of policies that are compared, by the group of their API.
const (
	groupKyverno   = "kyverno.io"
	groupCEL       = "policies.kyverno.io"
	groupAPIServer = "admissionregistration.k8s.io"
)

// unlike says why policies of a kind are not compared with controls.
func unlike(kind string) (why string, is bool) {
	why, is = map[string]string{
		"CleanupPolicy": "it deletes objects", "ClusterCleanupPolicy": "it deletes objects",
		"DeletingPolicy": "it deletes objects", "NamespacedDeletingPolicy": "it deletes objects",
		"MutatingPolicy": "it changes objects", "NamespacedMutatingPolicy": "it changes objects", "MutatingAdmissionPolicy": "it changes objects",
		"GeneratingPolicy": "it makes objects", "NamespacedGeneratingPolicy": "it makes objects",
		"ImageValidatingPolicy": verifies, "NamespacedImageValidatingPolicy": verifies,
	}[kind]
	return why, is
}

const verifies = "it verifies images: say whose signatures in spec.trust of the profile"

// read returns the foreign policy of an object; nil if the object is none. n makes its name
// in the engine.
func read(w workload.Workload, n int) (*foreign, error) {
	group, _, _ := strings.Cut(w.APIVersion, "/")
	if !slices.Contains([]string{groupKyverno, groupCEL, groupAPIServer}, group) {
		return nil, nil
	}
	f := &foreign{found: Policy{Kind: w.Kind, Name: w.Name, Namespace: w.Namespace, At: w.At}, name: fmt.Sprintf("foreign-%d", n)}
	if why, is := unlike(w.Kind); is {
		f.found.refuse(why)
		return f, nil
	}
	objects, err := manifest.Parse(w.Object)
	if err != nil || len(objects) != 1 {
		return nil, fmt.Errorf("%s: it is not one object: %w", w.ID(), err)
	}
	object := objects[0]
	switch group + " " + w.Kind {
	case "kyverno.io ClusterPolicy", "kyverno.io Policy":
		f.rules(object)
	case "policies.kyverno.io ValidatingPolicy", "policies.kyverno.io NamespacedValidatingPolicy":
		object["apiVersion"], object["kind"] = "policies.kyverno.io/v1", "ValidatingPolicy"
	case "admissionregistration.k8s.io ValidatingAdmissionPolicy":
		object["apiVersion"] = "admissionregistration.k8s.io/v1"
		if object.Value("spec", "paramKind") != nil {
			f.found.refuse("it reads parameters from other objects (paramKind)")
		}
	default:
		return nil, nil
	}
	if f.found.Answer == Inexpressible {
		return f, nil
	}
	f.parameters = parameters(object)
	return f, f.load(object, group)
}

// rules leaves the rules that validate, and notes the others.
func (f *foreign) rules(object manifest.Object) {
	object["kind"] = "ClusterPolicy"
	var kept []any
	for _, rule := range object.Maps("spec", "rules") {
		r := manifest.Object(rule)
		what := ""
		for field, does := range map[string]string{"mutate": "changes objects", "generate": "makes objects", "verifyImages": "verifies images"} {
			if r[field] != nil {
				what = "the rule " + r.String("name") + " " + does
			}
		}
		if what == "" {
			kept = append(kept, map[string]any(r))
			continue
		}
		f.found.Left = append(f.found.Left, what)
	}
	if len(kept) == 0 && len(f.found.Left) == 0 {
		f.found.refuse("it has no rules")
		return
	}
	if len(kept) == 0 {
		f.found.refuse("no rule of it validates: " + strings.Join(f.found.Left, "; "))
		return
	}
	if spec, ok := object["spec"].(map[string]any); ok {
		spec["rules"] = kept
	}
}

// load makes the objects for the engine: the policy under its name there, and a binding of
// a policy of the API server, which refuses everywhere.
func (f *foreign) load(object manifest.Object, group string) error {
	object["metadata"] = map[string]any{"name": f.name}
	delete(object, "status")
	all := []manifest.Object{object}
	if group == groupAPIServer {
		all = append(all, manifest.Object{
			"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": map[string]any{"name": f.name},
			"spec": map[string]any{"policyName": f.name, "validationActions": []any{"Deny"}},
		})
	}
	for _, o := range all {
		if group != groupKyverno { // the engine asks policies in CEL for their checks
			o.Metadata()["annotations"] = map[string]any{v1alpha1.AnnotationChecks: f.name + "/check"}
		}
		raw, err := json.Marshal(o)
		if err != nil {
			return fmt.Errorf("encoding %s: %w", f.found.Name, err)
		}
		f.objects = append(f.objects, raw)
	}
	return nil
}
