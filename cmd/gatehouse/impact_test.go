package main

import (
	"encoding/json"
	"strings"

	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// impactEngine is a fakeEngine that judges: an object with the annotation
// violates: POLICY gets what the policy's first rule says, and one with the
// annotation breaks: "yes" no verdict. Those of judged: POLICY POLICY… pass.
func impactEngine() {
	actions := map[string]engine.Action{}
	answerAll(func(request engine.Request) any {
		switch request.Method {
		case engine.MethodLoad:
			actions = actionsOf(request.Params)
		case engine.MethodEvaluateMany:
			var params engine.EvaluateManyParams
			if err := json.Unmarshal(request.Params, &params); err != nil {
				panic(err)
			}
			var result engine.EvaluateManyResult
			for _, p := range params.Requests {
				result.Results = append(result.Results, judged(p, actions))
			}
			return result
		}
		return (&fakeLoaded{}).answer(request)
	})
}

// actionsOf are the actions of loaded policies, by name.
func actionsOf(load json.RawMessage) map[string]engine.Action {
	var params struct {
		Policies []struct {
			Metadata struct{ Name string }
			Spec     struct {
				Rules []struct {
					Validate struct{ FailureAction engine.Action }
				}
			}
		}
	}
	if err := json.Unmarshal(load, &params); err != nil {
		panic(err)
	}
	actions := map[string]engine.Action{}
	for _, p := range params.Policies {
		actions[p.Metadata.Name] = p.Spec.Rules[0].Validate.FailureAction
	}
	return actions
}

func judged(p engine.EvaluateParams, actions map[string]engine.Action) engine.Evaluation {
	var object struct {
		Metadata struct {
			Annotations struct{ Violates, Breaks, Judged string }
		}
	}
	if err := json.Unmarshal(p.Resource, &object); err != nil {
		panic(err)
	}
	if object.Metadata.Annotations.Breaks != "" {
		return engine.Evaluation{Error: &engine.Error{Code: engine.CodeEvaluation, Message: "kyverno panicked"}}
	}
	result := &engine.EvaluateResult{Results: []engine.RuleResult{}}
	for name := range strings.FieldsSeq(object.Metadata.Annotations.Judged) {
		result.Results = append(result.Results, engine.RuleResult{Policy: name, Rule: "r", Result: engine.OutcomePass})
	}
	if action, ok := actions[object.Metadata.Annotations.Violates]; ok {
		result.Blocked = action == engine.ActionEnforce
		result.Results = []engine.RuleResult{{Policy: object.Metadata.Annotations.Violates, Rule: "r", Result: engine.OutcomeFail, Action: action, Blocks: result.Blocked, Message: "no host paths in " + p.Namespace}}
	}
	return engine.Evaluation{Result: result}
}
