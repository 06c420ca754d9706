package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// fakeEngine speaks the protocol of the engine for the scripts. It loads what it is given and
// answers every evaluation as FAKE_ENGINE says: silent (nothing is matched), error, empty (no verdict), or strict (policies in CEL
// refuse all that they are asked by name). Its Kyverno is FAKE_KYVERNO.
func fakeEngine() {
	var loaded fakeLoaded
	answerAll(loaded.answer)
}

// fakeLoaded holds the kind of each policy that the fake engine has, by name.
type fakeLoaded map[string]string

// load reads the names as the engine gives them: a policy in CEL has those of its checks.
func (l *fakeLoaded) load(raw json.RawMessage) (names []string) {
	var params struct {
		Policies []struct {
			Kind     string
			Metadata struct {
				Name        string
				Annotations map[string]string
			}
		}
	}
	if err := json.Unmarshal(raw, &params); err != nil {
		panic(err)
	}
	*l = fakeLoaded{}
	for _, p := range params.Policies {
		checks, inCEL := p.Metadata.Annotations[v1alpha1.AnnotationChecks]
		if !inCEL {
			checks = p.Metadata.Name
		}
		for check := range strings.SplitSeq(checks, ",") {
			policy, _, _ := strings.Cut(check, "/")
			(*l)[policy] = p.Kind
		}
	}
	return slices.Sorted(maps.Keys(*l))
}

// strict returns the verdict of FAKE_ENGINE=strict.
func (l *fakeLoaded) strict(request engine.EvaluateParams) *engine.EvaluateResult {
	result := &engine.EvaluateResult{Results: []engine.RuleResult{}}
	for _, name := range request.Policies {
		if (*l)[name] != "ClusterPolicy" {
			result.Blocked = true
			result.Results = append(result.Results, engine.RuleResult{Policy: name, Rule: "r", Result: engine.OutcomeFail, Blocks: true, Message: "no."})
		}
	}
	return result
}

// answerAll answers each request of the protocol until standard input ends.
func answerAll(answer func(engine.Request) any) {
	decoder := json.NewDecoder(os.Stdin)
	for {
		var request engine.Request
		if err := decoder.Decode(&request); err == io.EOF {
			return
		} else if err != nil {
			panic(err)
		}
		raw, err := json.Marshal(answer(request))
		if err != nil {
			panic(err)
		}
		response, err := json.Marshal(engine.Response{ID: request.ID, Result: raw})
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", response)
	}
}

func (l *fakeLoaded) answer(request engine.Request) any {
	switch request.Method {
	case engine.MethodHello:
		return engine.HelloResult{Protocol: engine.Protocol, Kyverno: os.Getenv("FAKE_KYVERNO"), Version: "fake"}
	case engine.MethodLoad:
		var result engine.LoadResult
		for _, name := range l.load(request.Params) {
			result.Policies = append(result.Policies, engine.LoadedPolicy{Name: name})
		}
		return result
	case engine.MethodEvaluateMany:
		var params engine.EvaluateManyParams
		if err := json.Unmarshal(request.Params, &params); err != nil {
			panic(err)
		}
		result := engine.EvaluateManyResult{Results: make([]engine.Evaluation, len(params.Requests))}
		for i := range result.Results {
			switch os.Getenv("FAKE_ENGINE") {
			case "error":
				result.Results[i].Error = &engine.Error{Code: engine.CodeEvaluation, Message: "kyverno panicked"}
			case "empty":
				result.Results[i].Result = &engine.EvaluateResult{}
			case "strict":
				result.Results[i].Result = l.strict(params.Requests[i])
			default:
				result.Results[i].Result = &engine.EvaluateResult{Results: []engine.RuleResult{}}
			}
		}
		return result
	}
	panic("unknown method " + request.Method)
}
