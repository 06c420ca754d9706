package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

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
		case engine.MethodRender:
			return rendered(request.Params)
		case engine.MethodPull:
			return engine.PullResult{Archive: []byte("pulled"), Version: "1.0.0"}
		}
		return (&fakeLoaded{}).answer(request)
	})
}

// rendered is a chart for the scripts: its templates are no templates, and a packaged one has a
// Pod.
func rendered(params json.RawMessage) any {
	var p engine.RenderParams
	if err := json.Unmarshal(params, &p); err != nil {
		panic(err)
	}
	if p.Archive != nil {
		p.Files = map[string][]byte{"templates/pod.yaml": []byte(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "` + p.Name + `", "annotations": {"violates": "disallow-host-path"}}}`)}
	}
	result := engine.RenderResult{Chart: "chart", Version: "1.0.0", Manifests: []engine.Manifest{}}
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		if strings.HasPrefix(name, "templates/") {
			object, err := yaml.YAMLToJSON(p.Files[name])
			if err != nil {
				panic(err)
			}
			result.Manifests = append(result.Manifests, engine.Manifest{Template: "chart/" + name, Line: 1, Object: object})
		}
	}
	return result
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
