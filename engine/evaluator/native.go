package evaluator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/generic"
	"k8s.io/apiserver/pkg/admission/plugin/policy/matching"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/client-go/kubernetes/scheme"
	corev1listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	strictjson "sigs.k8s.io/json"
)

// nativeFamily returns a policy of the API server with one of its bindings, evaluated by
// the library of the API server: k8s.io/apiserver/pkg/admission/plugin/policy. It is
// compiled as there (plugin.go), where the function is not exported.
func nativeFamily(policy *admissionregistrationv1.ValidatingAdmissionPolicy, binding *admissionregistrationv1.ValidatingAdmissionPolicyBinding) (family, error) {
	checks, err := checksOf(policy)
	if err != nil {
		return family{}, err
	}
	validator, err := compileNative(observed(policy))
	if err != nil {
		return family{}, err
	}
	settle(policy.Spec.MatchConstraints)
	settle(binding.Spec.MatchResources)
	f := family{
		object: "ValidatingAdmissionPolicyBinding/" + binding.Name, checks: checks, action: protocol.ActionAudit,
		failClosed: policy.Spec.FailurePolicy == nil || *policy.Spec.FailurePolicy == admissionregistrationv1.Fail,
	}
	if slices.Contains(binding.Spec.ValidationActions, admissionregistrationv1.Deny) {
		f.action = protocol.ActionEnforce
	}
	f.evaluate = func(ctx context.Context, r celRequest) (celFindings, bool, error) {
		return evaluateNative(ctx, validator, policy, binding, r)
	}
	return f, nil
}

// observed returns a policy of gatehouse with an annotation that names the checks that fail. What is emitted has none: in
// an API server each annotation costs as much as the policy.
func observed(policy *admissionregistrationv1.ValidatingAdmissionPolicy) *admissionregistrationv1.ValidatingAdmissionPolicy {
	const failed = "failed"
	named := func(a admissionregistrationv1.AuditAnnotation) bool { return a.Key == failedChecks }
	isFailed := func(v admissionregistrationv1.Variable) bool { return v.Name == failed }
	ours := policy.Labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy && slices.ContainsFunc(policy.Spec.Variables, isFailed)
	if !ours || slices.ContainsFunc(policy.Spec.AuditAnnotations, named) {
		return policy
	}
	copied := policy.DeepCopy()
	copied.Spec.AuditAnnotations = append(copied.Spec.AuditAnnotations,
		admissionregistrationv1.AuditAnnotation{Key: failedChecks, ValueExpression: "variables." + failed + `.join(",")`})
	return copied
}

// settle sets the defaults of the API server.
func settle(m *admissionregistrationv1.MatchResources) {
	if m == nil {
		return
	}
	if m.NamespaceSelector == nil {
		m.NamespaceSelector = &metav1.LabelSelector{}
	}
	if m.ObjectSelector == nil {
		m.ObjectSelector = &metav1.LabelSelector{}
	}
	if m.MatchPolicy == nil {
		equivalent := admissionregistrationv1.Equivalent
		m.MatchPolicy = &equivalent
	}
}

// compileNative compiles a policy. An expression that does not compile is an error, as it
// is for the API server.
func compileNative(policy *admissionregistrationv1.ValidatingAdmissionPolicy) (validating.Validator, error) {
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		return nil, err
	}
	withAuthorizer := plugincel.OptionalVariableDeclarations{HasAuthorizer: true}
	var problems []error
	for _, v := range policy.Spec.Variables {
		result := compiler.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, withAuthorizer, environment.StoredExpressions)
		if result.Error != nil {
			problems = append(problems, fmt.Errorf("variable %s: %w", v.Name, result.Error))
		}
	}
	var conditions, messages, annotations []plugincel.ExpressionAccessor
	for _, v := range policy.Spec.Validations {
		conditions = append(conditions, &validating.ValidationCondition{Expression: v.Expression, Message: v.Message, Reason: v.Reason})
		var message plugincel.ExpressionAccessor // nil, and not an empty expression, where there is none
		if v.MessageExpression != "" {
			message = &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression}
		}
		messages = append(messages, message)
	}
	for _, a := range policy.Spec.AuditAnnotations {
		annotations = append(annotations, &validating.AuditAnnotationCondition{Key: a.Key, ValueExpression: a.ValueExpression})
	}
	compile := func(expressions []plugincel.ExpressionAccessor, variables plugincel.OptionalVariableDeclarations) plugincel.ConditionEvaluator {
		compiled := compiler.CompileCondition(expressions, variables, environment.StoredExpressions)
		problems = append(problems, compiled.CompilationErrors()...)
		return compiled
	}
	var matcher matchconditions.Matcher
	if len(policy.Spec.MatchConditions) > 0 {
		failurePolicy := policy.Spec.FailurePolicy
		if failurePolicy == nil {
			fail := admissionregistrationv1.Fail
			failurePolicy = &fail
		}
		var matching []plugincel.ExpressionAccessor
		for i := range policy.Spec.MatchConditions {
			matching = append(matching, (*matchconditions.MatchCondition)(&policy.Spec.MatchConditions[i]))
		}
		matcher = matchconditions.NewMatcher(compile(matching, withAuthorizer), failurePolicy, "policy", "validate", policy.Name)
	}
	validator := validating.NewValidator(compile(conditions, withAuthorizer), matcher, compile(annotations, withAuthorizer),
		compile(messages, plugincel.OptionalVariableDeclarations{}), policy.Spec.FailurePolicy, nil)
	return validator, errors.Join(problems...)
}

// evaluateNative does for one policy and binding what the dispatcher of the plugin does.
func evaluateNative(ctx context.Context, validator validating.Validator, policy *admissionregistrationv1.ValidatingAdmissionPolicy,
	binding *admissionregistrationv1.ValidatingAdmissionPolicyBinding, r celRequest,
) (celFindings, bool, error) {
	namespaces := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	if r.namespace != nil {
		if err := namespaces.Add(r.namespace); err != nil {
			return celFindings{}, false, err
		}
	}
	matcher := generic.NewPolicyMatcher(matching.NewMatcher(corev1listers.NewNamespaceLister(namespaces), nil))
	interfaces := admission.NewObjectInterfacesFromScheme(scheme.Scheme)
	// The API server asks no policy about what could lock everyone out.
	if rules.IsExemptAdmissionConfigurationResource(r.attributes) {
		return celFindings{}, false, nil
	}
	matches, resource, kind, err := matcher.DefinitionMatches(r.attributes, interfaces, validating.NewValidatingAdmissionPolicyAccessor(policy))
	if err != nil || !matches {
		return celFindings{}, false, err
	}
	if matches, err = matcher.BindingMatches(r.attributes, interfaces, validating.NewValidatingAdmissionPolicyBindingAccessor(binding)); err != nil || !matches {
		return celFindings{}, false, err
	}
	versioned, err := admission.NewVersionedAttributes(r.attributes, kind, interfaces)
	if err != nil {
		return celFindings{}, true, err
	}
	result := validator.Validate(ctx, resource, versioned, nil, r.namespace, celconfig.RuntimeCELCostBudget, noAuthorizer{})
	annotations := map[string]string{}
	for _, a := range result.AuditAnnotations {
		if a.Action == validating.AuditAnnotationActionError {
			return celFindings{}, true, errors.New(a.Error)
		}
		annotations[a.Key] = a.Value
	}
	found := findings(annotations)
	for _, d := range result.Decisions {
		switch {
		case d.Evaluation == validating.EvalError:
			return celFindings{}, true, errors.New(d.Message)
		case d.Action == validating.ActionDeny:
			found.refused, found.message = true, d.Message
		}
	}
	return found, true, nil
}

// noAuthorizer answers no question: policies of gatehouse ask none.
type noAuthorizer struct{}

func (noAuthorizer) Authorize(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
	return authorizer.DecisionNoOpinion, "", errors.New("the engine has no authorizer")
}

// decodeNative decodes an object of the API server, which refuses unknown fields.
func decodeNative(raw json.RawMessage, into any) error {
	unknown, err := strictjson.UnmarshalStrict(raw, into)
	return errors.Join(append(unknown, err)...)
}
