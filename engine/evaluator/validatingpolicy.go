package evaluator

import (
	"context"
	"errors"
	"slices"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"github.com/kyverno/kyverno/pkg/cel/engine"
	"github.com/kyverno/kyverno/pkg/cel/matching"
	"github.com/kyverno/kyverno/pkg/cel/policies/vpol"
	vpolcompiler "github.com/kyverno/kyverno/pkg/cel/policies/vpol/compiler"
	vpolengine "github.com/kyverno/kyverno/pkg/cel/policies/vpol/engine"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
)

// validatingFamily returns a ValidatingPolicy, evaluated by Kyverno's engine for CEL. It reads objects as those of the cluster.
func validatingFamily(policy *policiesv1beta1.ValidatingPolicy, objects lookups) (f family, err error) {
	defer recovered(&err, "compiling the policy")
	checks, err := checksOf(policy)
	if err != nil {
		return family{}, err
	}
	if _, err := vpol.Validate(policy); err != nil {
		return family{}, err
	}
	provider, err := compileValidating(policy, objects)
	if err != nil {
		return family{}, err
	}
	f = family{
		object: "ValidatingPolicy/" + policy.Name, checks: checks, action: protocol.ActionAudit,
		failClosed: policy.Spec.FailurePolicy == nil || *policy.Spec.FailurePolicy == admissionregistrationv1.Fail,
	}
	if actions := policy.Spec.ValidationActions(); slices.Contains(actions, admissionregistrationv1.Deny) {
		f.action = protocol.ActionEnforce
	}
	f.evaluate = func(ctx context.Context, r celRequest) (found celFindings, matches bool, err error) {
		defer recovered(&err, "evaluating "+f.object)
		namespace := func(string) *corev1.Namespace { return r.namespace }
		response, err := vpolengine.NewEngine(provider, namespace, matching.NewMatcher()).Handle(ctx,
			engine.RequestFromAdmission(objects.cel, *r.admission), nil)
		if err != nil {
			return celFindings{}, true, err
		}
		return findingsOf(response)
	}
	return f, nil
}

// compileValidating compiles a policy that reads objects as those of the cluster.
func compileValidating(policy *policiesv1beta1.ValidatingPolicy, objects lookups) (vpolengine.ProviderFunc, error) {
	defer bind(objects.cel)()
	return vpolengine.NewProvider(vpolcompiler.NewCompiler(), []policiesv1beta1.ValidatingPolicyLike{policy}, nil)
}

// findingsOf reads the response for one policy.
func findingsOf(response vpolengine.EngineResponse) (found celFindings, matches bool, err error) {
	for _, p := range response.Policies {
		for _, rule := range p.Rules {
			matches = true
			switch rule.Status() {
			case engineapi.RuleStatusError:
				return celFindings{}, true, errors.New(rule.Message())
			case engineapi.RuleStatusFail:
				found = findings(rule.Properties())
				found.refused, found.message = true, rule.Message()
			default:
				if !found.refused { // by another of the policies that Kyverno makes of one, for controllers
					found = findings(rule.Properties())
				}
			}
		}
	}
	return found, matches, nil
}
