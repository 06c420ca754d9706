package evaluator

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"github.com/kyverno/kyverno/ext/resource/convert"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
)

// family is a policy in CEL that holds the checks of several policies of a bundle, with
// the action that it has in the namespaces that it selects.
type family struct {
	object string // kind/name
	checks []string
	action protocol.Action
	// images is set if the checks are of images.
	images bool
	// failClosed is set if the request is refused where the policy cannot be evaluated.
	failClosed bool
	// evaluate reports whether the policy applies to the request, and what its checks find.
	evaluate func(ctx context.Context, r celRequest) (found celFindings, matches bool, err error)
}

// celRequest is an admission request as both engines for CEL take it.
type celRequest struct {
	admission  *admissionv1.AdmissionRequest
	attributes admission.Attributes
	namespace  *corev1.Namespace // nil for a request without a namespace
}

// celFindings are what the checks of a policy find in a request.
type celFindings struct {
	failed, exempted []string
	message          string
	refused          bool
}

// What the evaluation of an emitted policy tells of its checks, in audit annotations.
// Lists are separated by commas.
const (
	failedChecks   = "failed-checks"
	exemptedChecks = "exempted-checks"
)

// checksOf returns the checks that a policy holds.
func checksOf(o metav1.Object) ([]string, error) {
	list := o.GetAnnotations()[v1alpha1.AnnotationChecks]
	if list == "" {
		return nil, fmt.Errorf("has no annotation %s: gatehouse did not make it", v1alpha1.AnnotationChecks)
	}
	return strings.Split(list, ","), nil
}

// findings reads the annotations of an evaluation.
func findings(annotations map[string]string) celFindings {
	list := func(key string) []string {
		if annotations[key] == "" {
			return nil
		}
		return strings.Split(annotations[key], ",")
	}
	return celFindings{failed: list(failedChecks), exempted: list(exemptedChecks)}
}

// newCELRequest returns the request for the engines for CEL.
// now is what the API server writes into the metadata.
func newCELRequest(r admissionv1.AdmissionRequest, resource schema.GroupVersionResource, namespace *corev1.Namespace, now time.Time) (celRequest, error) {
	var object, old *unstructured.Unstructured
	for _, side := range []struct {
		raw  *[]byte
		into **unstructured.Unstructured
	}{{&r.Object.Raw, &object}, {&r.OldObject.Raw, &old}} {
		if len(*side.raw) == 0 {
			continue
		}
		*side.into = &unstructured.Unstructured{}
		if err := json.Unmarshal(*side.raw, *side.into); err != nil {
			return celRequest{}, fmt.Errorf("reading the object: %w", err)
		}
		withoutNulls((*side.into).Object)
	}
	stamp(r.Operation, object, old, now)
	for _, side := range []struct {
		raw  *[]byte
		from *unstructured.Unstructured
	}{{&r.Object.Raw, object}, {&r.OldObject.Raw, old}} {
		if side.from == nil {
			continue
		}
		var err error
		if *side.raw, err = json.Marshal(side.from); err != nil {
			return celRequest{}, fmt.Errorf("writing the object: %w", err)
		}
	}
	info := &user.DefaultInfo{Name: r.UserInfo.Username, Groups: r.UserInfo.Groups}
	attributes := admission.NewAttributesRecord(orNil(object), orNil(old), schema.GroupVersionKind(r.Kind), r.Namespace, r.Name,
		resource, r.SubResource, admission.Operation(r.Operation), nil, false, info)
	return celRequest{&r, attributes, namespace}, nil
}

// stamp writes the times that the API server writes before it asks: of the creation, and
// of the manager of the fields that an update adds or changes.
func stamp(operation admissionv1.Operation, object, old *unstructured.Unstructured, now time.Time) {
	if object == nil || operation != admissionv1.Create && operation != admissionv1.Update {
		return
	}
	manager := metav1.ManagedFieldsEntry{Manager: "gatehouse", Operation: metav1.ManagedFieldsOperationUpdate, Time: &metav1.Time{Time: now}}
	if operation == admissionv1.Create {
		object.SetCreationTimestamp(metav1.Time{Time: now})
		object.SetManagedFields([]metav1.ManagedFieldsEntry{manager})
		return
	}
	object.SetCreationTimestamp(old.GetCreationTimestamp())
	if reflect.DeepEqual(object.Object, old.Object) {
		return
	}
	object.SetManagedFields(append(object.GetManagedFields(), manager))
}

// orNil returns nil for an object that is not there, and not an interface that holds nil.
func orNil(o *unstructured.Unstructured) runtime.Object {
	if o == nil {
		return nil
	}
	return o
}

// withoutNulls removes the fields that are null. The API server drops them when it reads an
// object.
func withoutNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if value == nil {
				delete(v, key)
			}
			withoutNulls(value)
		}
	case []any:
		for _, element := range v {
			withoutNulls(element)
		}
	}
}

// results returns what a family says of a request as results of the policies and rules
// that its checks belong to.
func (f family) results(found celFindings, err error) []protocol.RuleResult {
	var out []protocol.RuleResult
	messages := found.messages()
	for _, check := range f.checks {
		policy, rule, _ := strings.Cut(check, "/")
		result := protocol.RuleResult{Policy: policy, Rule: rule, Type: "Validation", Result: protocol.OutcomePass, Action: f.action}
		if f.images {
			result.Type = "ImageVerify"
		}
		switch {
		case err != nil:
			result.Result, result.Message = protocol.OutcomeError, fmt.Sprintf("%s: %v", f.object, err)
			result.Blocks = f.failClosed && f.action == protocol.ActionEnforce
		case slices.ContainsFunc(found.exempted, func(e string) bool { return strings.HasPrefix(e, check+"=") }):
			result.Result = protocol.OutcomeSkip
			for _, e := range found.exempted {
				if exception, ok := strings.CutPrefix(e, check+"="); ok {
					result.Exceptions = append(result.Exceptions, exception)
				}
			}
		case slices.Contains(found.failed, check), found.refused && len(found.failed) == 0: // the object is too large to be judged
			result.Result, result.Message = protocol.OutcomeFail, cmp.Or(messages[check], found.message)
			result.Blocks = found.refused && f.action == protocol.ActionEnforce
		}
		out = append(out, result)
	}
	return out
}

// celPolicy loads a policy in CEL, or the binding of one. It reports whether the object is
// one.
func (l *loading) celPolicy(raw json.RawMessage) (is bool, err error) {
	var meta metav1.TypeMeta
	if json.Unmarshal(raw, &meta) != nil {
		return false, nil
	}
	switch meta.APIVersion + " " + meta.Kind {
	case "policies.kyverno.io/v1 ValidatingPolicy":
		untyped, err := l.evaluator.schemas.decode(raw)
		if err != nil {
			return true, err
		}
		policy, err := convert.To[policiesv1beta1.ValidatingPolicy](untyped)
		if err != nil {
			return true, err
		}
		f, err := validatingFamily(policy, l.bundle.objects)
		if err == nil {
			l.family(f)
		}
		return true, err
	case "policies.kyverno.io/v1 ImageValidatingPolicy":
		return true, l.imagePolicy(raw)
	case "policies.kyverno.io/v1 MutatingPolicy":
		return true, l.mutatingPolicy(raw)
	case "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy":
		policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
		err := decodeNative(raw, policy)
		l.native[policy.Name] = policy
		return true, err
	case "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding":
		binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
		err := decodeNative(raw, binding)
		l.bindings = append(l.bindings, binding)
		return true, err
	}
	return false, nil
}

// imagePolicy loads an ImageValidatingPolicy.
func (l *loading) imagePolicy(raw json.RawMessage) error {
	untyped, err := l.evaluator.schemas.decode(raw)
	if err != nil {
		return err
	}
	policy, err := convert.To[policiesv1beta1.ImageValidatingPolicy](untyped)
	if err == nil && l.standIn != nil {
		err = l.standIn.imagePolicy(policy)
	}
	if err != nil {
		return err
	}
	// As in a cluster, each policy has an identity, under which its results are remembered.
	policy.UID = types.UID(fmt.Sprintf("%s-%d", policy.Name, l.evaluator.loads))
	f, err := imageFamily(policy, l.images())
	if err == nil {
		l.family(f)
	}
	return err
}

// mutatingPolicy loads a MutatingPolicy.
func (l *loading) mutatingPolicy(raw json.RawMessage) error {
	untyped, err := l.evaluator.schemas.decode(raw)
	if err != nil {
		return err
	}
	policy, err := convert.To[policiesv1beta1.MutatingPolicy](untyped)
	if err != nil {
		return err
	}
	m, err := newMutator(policy, l.images())
	l.bundle.mutators = append(l.bundle.mutators, m)
	return err
}

// images returns the way to the images of the bundle.
func (l *loading) images() images {
	if l.standIn == nil {
		return images{verified: l.evaluator.verified}
	}
	return images{&standInClient{&l.standIn.registry}, l.evaluator.verified}
}

// bind compiles the policies of the API server with each of their bindings. One that is not
// bound judges nothing.
func (l *loading) bind() {
	for _, name := range slices.Sorted(maps.Keys(l.native)) {
		if !slices.ContainsFunc(l.bindings, func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) bool {
			return b.Spec.PolicyName == name
		}) {
			id := "ValidatingAdmissionPolicy/" + name
			l.problem(id, protocol.SeverityError, "nothing binds it")
			l.bundle.brokenFamily = id
		}
	}
	for _, b := range l.bindings {
		id := "ValidatingAdmissionPolicyBinding/" + b.Name
		policy := l.native[b.Spec.PolicyName]
		err := fmt.Errorf("there is no policy %s", b.Spec.PolicyName)
		var f family
		if policy != nil {
			f, err = nativeFamily(policy, b)
		}
		if err != nil {
			l.problem(id, protocol.SeverityError, err.Error())
			l.bundle.brokenFamily = id
			continue
		}
		l.family(f)
	}
}

// family adds a policy in CEL, and names the policies whose checks it holds.
func (l *loading) family(f family) {
	l.bundle.families = append(l.bundle.families, f)
	for _, check := range f.checks {
		policy, rule, _ := strings.Cut(check, "/")
		l.bundle.inFamilies[policy] = true
		i := slices.IndexFunc(l.result.Policies, func(p protocol.LoadedPolicy) bool { return p.Name == policy })
		if i < 0 {
			i = len(l.result.Policies)
			l.result.Policies = append(l.result.Policies, protocol.LoadedPolicy{Name: policy})
		}
		if rules := &l.result.Policies[i].Rules; !slices.Contains(*rules, rule) {
			*rules = append(*rules, rule)
		}
	}
}

// messages returns the part of the message that is about each check that fails: it begins
// with the name of the policy, and the parts are in the order of the checks.
func (c celFindings) messages() map[string]string {
	all, rest := map[string]string{}, c.message
	for i, check := range c.failed {
		policy, _, _ := strings.Cut(check, "/")
		part := strings.TrimPrefix(rest, policy+": ")
		rest = ""
		if i+1 < len(c.failed) {
			next, _, _ := strings.Cut(c.failed[i+1], "/")
			if before, after, found := strings.Cut(part, " "+next+": "); found {
				part, rest = before, next+": "+after
			}
		}
		all[check] = part
	}
	return all
}

// families evaluates the policies in CEL.
func (r *run) families(ctx context.Context, all []family) error {
	if len(all) == 0 {
		return nil
	}
	request, err := newCELRequest(r.request.admission, r.request.resource, r.namespace, r.now)
	if err != nil {
		return err
	}
	for _, f := range all {
		found, matches, err := f.evaluate(ctx, request)
		if !matches && err == nil {
			continue
		}
		for _, result := range f.results(found, err) {
			result.Blocks = result.Blocks && !r.scan
			if len(r.wanted) == 0 || slices.Contains(r.wanted, result.Policy) {
				r.results.blocked = r.results.blocked || result.Blocks
				r.results.merge(result)
			}
		}
	}
	return nil
}
