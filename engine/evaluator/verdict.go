package evaluator

import (
	"cmp"
	"context"
	"slices"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	engineutils "github.com/kyverno/kyverno/pkg/utils/engine"
)

// verdicts collects the results of the webhooks.
type verdicts struct {
	blocked bool
	rules   []protocol.RuleResult
}

// add records the response of a policy and reports whether it blocks the request. Where the webhook does not wait for the response (canBlock
// false) nothing in it does, whatever the rule says.
func (v *verdicts) add(ctx context.Context, policy kyvernov1.PolicyInterface, response engineapi.EngineResponse, canBlock bool) bool {
	failurePolicy := policy.GetSpec().GetFailurePolicy(ctx)
	blocked := canBlock && engineutils.BlockRequest(response, failurePolicy)
	v.blocked = v.blocked || blocked
	alone := len(response.PolicyResponse.Rules) == 1
	for _, rule := range response.PolicyResponse.Rules {
		result := protocol.RuleResult{
			Policy:  key(policy),
			Rule:    rule.Name(),
			Type:    string(rule.RuleType()),
			Result:  protocol.Outcome(rule.Status()),
			Action:  protocol.ActionAudit,
			Blocks:  blocked && (alone || engineutils.BlockRequest(only(response, rule), failurePolicy)),
			Message: rule.Message(),
		}
		if canBlock && enforces(response, rule) {
			result.Action = protocol.ActionEnforce
		}
		for _, exception := range rule.Exceptions() {
			result.Exceptions = append(result.Exceptions, exception.GetName())
		}
		v.merge(result)
	}
	return blocked
}

// only returns the response reduced to one rule.
func only(response engineapi.EngineResponse, rule engineapi.RuleResponse) engineapi.EngineResponse {
	return response.WithPolicyResponse(engineapi.PolicyResponse{Rules: []engineapi.RuleResponse{rule}})
}

// enforces asks Kyverno whether a failure of the rule would be enforced here, whatever its result is now.
func enforces(response engineapi.EngineResponse, rule engineapi.RuleResponse) bool {
	return only(response, *engineapi.RuleFail(rule.Name(), rule.RuleType(), "", nil)).HasEnforcedFailure()
}

// severity orders outcomes from harmless to bad; one that Kyverno may add some day is the worst.
func severity(outcome protocol.Outcome) int {
	switch outcome {
	case protocol.OutcomeSkip:
		return 0
	case protocol.OutcomePass:
		return 1
	case protocol.OutcomeWarn:
		return 2
	case protocol.OutcomeFail:
		return 3
	default:
		return 4
	}
}

// merge adds the result of a rule, or keeps the worse one if the rule already has one from the other webhook.
func (v *verdicts) merge(result protocol.RuleResult) {
	for i, known := range v.rules {
		if known.Policy != result.Policy || known.Rule != result.Rule || known.Type != result.Type {
			continue
		}
		blocks := known.Blocks || result.Blocks
		if severity(result.Result) > severity(known.Result) {
			v.rules[i] = result
		}
		v.rules[i].Blocks = blocks
		return
	}
	v.rules = append(v.rules, result)
}

// result returns everything collected, sorted by policy, rule and type.
func (v *verdicts) result() protocol.EvaluateResult {
	slices.SortFunc(v.rules, func(a, b protocol.RuleResult) int {
		return cmp.Or(cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Type, b.Type))
	})
	if v.rules == nil {
		v.rules = []protocol.RuleResult{}
	}
	return protocol.EvaluateResult{Blocked: v.blocked, Results: v.rules}
}
