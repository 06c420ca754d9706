package schema

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The built-in kinds that gatehouse writes, with all fields that they have in
// k8s.io/api: that module's packages would be a tenth of what compiling gatehouse
// costs, and an eighth of the program. TestBuiltin compares the two.

type object struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
}

type configMap struct {
	object     `json:",inline"`
	Immutable  *bool             `json:"immutable"`
	Data       map[string]string `json:"data"`
	BinaryData map[string][]byte `json:"binaryData"`
}

type secret struct {
	object     `json:",inline"`
	Immutable  *bool             `json:"immutable"`
	Data       map[string][]byte `json:"data"`
	StringData map[string]string `json:"stringData"`
	Type       string            `json:"type"`
}

type namespace struct {
	object `json:",inline"`
	Spec   struct {
		Finalizers []string `json:"finalizers"`
	} `json:"spec"`
	Status struct {
		Phase      string `json:"phase"`
		Conditions []struct {
			Type               string      `json:"type"`
			Status             string      `json:"status"`
			LastTransitionTime metav1.Time `json:"lastTransitionTime"`
			Reason             string      `json:"reason"`
			Message            string      `json:"message"`
		} `json:"conditions"`
	} `json:"status"`
}

type resourceQuota struct {
	object `json:",inline"`
	Spec   struct {
		Hard          map[string]resource.Quantity `json:"hard"`
		Scopes        []string                     `json:"scopes"`
		ScopeSelector *struct {
			MatchExpressions []struct {
				ScopeName string   `json:"scopeName"`
				Operator  string   `json:"operator"`
				Values    []string `json:"values"`
			} `json:"matchExpressions"`
		} `json:"scopeSelector"`
	} `json:"spec"`
	Status struct {
		Hard map[string]resource.Quantity `json:"hard"`
		Used map[string]resource.Quantity `json:"used"`
	} `json:"status"`
}

type limitRange struct {
	object `json:",inline"`
	Spec   struct {
		Limits []struct {
			Type                 string                       `json:"type"`
			Max                  map[string]resource.Quantity `json:"max"`
			Min                  map[string]resource.Quantity `json:"min"`
			Default              map[string]resource.Quantity `json:"default"`
			DefaultRequest       map[string]resource.Quantity `json:"defaultRequest"`
			MaxLimitRequestRatio map[string]resource.Quantity `json:"maxLimitRequestRatio"`
		} `json:"limits"`
	} `json:"spec"`
}

type networkPolicy struct {
	object `json:",inline"`
	Spec   struct {
		PodSelector metav1.LabelSelector `json:"podSelector"`
		Ingress     []struct {
			Ports []networkPort `json:"ports"`
			From  []networkPeer `json:"from"`
		} `json:"ingress"`
		Egress []struct {
			Ports []networkPort `json:"ports"`
			To    []networkPeer `json:"to"`
		} `json:"egress"`
		PolicyTypes []string `json:"policyTypes"`
	} `json:"spec"`
}

type networkPort struct {
	Protocol *string             `json:"protocol"`
	Port     *intstr.IntOrString `json:"port"`
	EndPort  *int32              `json:"endPort"`
}

type networkPeer struct {
	PodSelector       *metav1.LabelSelector `json:"podSelector"`
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector"`
	IPBlock           *struct {
		CIDR   string   `json:"cidr"`
		Except []string `json:"except"`
	} `json:"ipBlock"`
}

type clusterRole struct {
	object `json:",inline"`
	Rules  []struct {
		Verbs           []string `json:"verbs"`
		APIGroups       []string `json:"apiGroups"`
		Resources       []string `json:"resources"`
		ResourceNames   []string `json:"resourceNames"`
		NonResourceURLs []string `json:"nonResourceURLs"`
	} `json:"rules"`
	AggregationRule *struct {
		ClusterRoleSelectors []metav1.LabelSelector `json:"clusterRoleSelectors"`
	} `json:"aggregationRule"`
}
