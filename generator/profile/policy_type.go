package profile

import (
	"maps"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
)

// WithPolicyType returns the input with another kind of policies in all environments, as
// if the profile and every override of it said so. It does not change its receiver.
func (in *Input) WithPolicyType(policyType string) *Input {
	out := *in
	out.Profile = withPolicyType(in.Profile, policyType)
	out.Overridden = maps.Clone(in.Overridden)
	for name, overridden := range out.Overridden {
		out.Overridden[name] = withPolicyType(overridden, policyType)
	}
	return &out
}

func withPolicyType(p Loaded[v1alpha1.Profile], policyType string) Loaded[v1alpha1.Profile] {
	kyverno := orZero(p.Value.Spec.Kyverno)
	kyverno.PolicyType = &policyType
	p.Value.Spec.Kyverno = &kyverno
	return p
}
