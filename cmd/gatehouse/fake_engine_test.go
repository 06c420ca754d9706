package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// fakeEngine speaks the protocol of the engine for the scripts. It loads what it is given and
// answers every evaluation as FAKE_ENGINE says: silent (nothing is matched), error, or empty (no verdict). Its Kyverno is FAKE_KYVERNO.
func fakeEngine() { answerAll(fakeAnswer) }

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

func fakeAnswer(request engine.Request) any {
	switch request.Method {
	case engine.MethodHello:
		return engine.HelloResult{Protocol: engine.Protocol, Kyverno: os.Getenv("FAKE_KYVERNO"), Version: "fake"}
	case engine.MethodLoad:
		var params struct {
			Policies []struct{ Metadata struct{ Name string } }
		}
		if err := json.Unmarshal(request.Params, &params); err != nil {
			panic(err)
		}
		var result engine.LoadResult
		for _, p := range params.Policies {
			result.Policies = append(result.Policies, engine.LoadedPolicy{Name: p.Metadata.Name})
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
			default:
				result.Results[i].Result = &engine.EvaluateResult{Results: []engine.RuleResult{}}
			}
		}
		return result
	}
	panic("unknown method " + request.Method)
}
