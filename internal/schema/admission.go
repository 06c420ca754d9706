package schema

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The kinds of admissionregistration.k8s.io that gatehouse writes, as those of builtin.go.

type admissionPolicy struct {
	object `json:",inline"`
	Spec   struct {
		ParamKind *struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		} `json:"paramKind"`
		MatchConstraints *matchResources `json:"matchConstraints"`
		Validations      []struct {
			Expression        string  `json:"expression"`
			Message           string  `json:"message"`
			Reason            *string `json:"reason"`
			MessageExpression string  `json:"messageExpression"`
		} `json:"validations"`
		FailurePolicy    *string `json:"failurePolicy"`
		AuditAnnotations []struct {
			Key             string `json:"key"`
			ValueExpression string `json:"valueExpression"`
		} `json:"auditAnnotations"`
		MatchConditions []named `json:"matchConditions"`
		Variables       []named `json:"variables"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration int64 `json:"observedGeneration"`
		TypeChecking       *struct {
			ExpressionWarnings []struct {
				FieldRef string `json:"fieldRef"`
				Warning  string `json:"warning"`
			} `json:"expressionWarnings"`
		} `json:"typeChecking"`
		Conditions []metav1.Condition `json:"conditions"`
	} `json:"status"`
}

// named is an expression with a name.
type named struct {
	Name       string `json:"name"`
	Expression string `json:"expression"`
}

type matchResources struct {
	NamespaceSelector    *metav1.LabelSelector `json:"namespaceSelector"`
	ObjectSelector       *metav1.LabelSelector `json:"objectSelector"`
	ResourceRules        []resourceRule        `json:"resourceRules"`
	ExcludeResourceRules []resourceRule        `json:"excludeResourceRules"`
	MatchPolicy          *string               `json:"matchPolicy"`
}

type resourceRule struct {
	ResourceNames []string `json:"resourceNames"`
	Operations    []string `json:"operations"`
	APIGroups     []string `json:"apiGroups"`
	APIVersions   []string `json:"apiVersions"`
	Resources     []string `json:"resources"`
	Scope         *string  `json:"scope"`
}

type admissionPolicyBinding struct {
	object `json:",inline"`
	Spec   struct {
		PolicyName string `json:"policyName"`
		ParamRef   *struct {
			Name                    string                `json:"name"`
			Namespace               string                `json:"namespace"`
			Selector                *metav1.LabelSelector `json:"selector"`
			ParameterNotFoundAction *string               `json:"parameterNotFoundAction"`
		} `json:"paramRef"`
		MatchResources    *matchResources `json:"matchResources"`
		ValidationActions []string        `json:"validationActions"`
	} `json:"spec"`
}
