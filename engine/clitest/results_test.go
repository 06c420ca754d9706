package clitest_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/engine/evaluator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/templates"
)

var update = flag.Bool("update", false, "record the results of the catalogue anew")

// TestResults holds the recorded results of each control against the engine.
func TestResults(t *testing.T) {
	set, problems := catalog.Load(templates.FS(), "controls")
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	e, err := evaluator.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range set.Controls {
		if !c.Judges() {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			file := filepath.Join("../../templates/controls", c.ID, catalog.ResultsFile)
			got := recordings(t, e, c)
			if *update {
				if got == nil {
					return
				}
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the recording is stale, use -update (-recorded +engine):\n%s", diff)
			}
		})
	}
}

// recordings are the text of the control's file; nil for a control whose rules
// ask a registry or the API server, which `kyverno test` has not.
func recordings(t *testing.T, e *evaluator.Evaluator, c *catalog.Control) []byte {
	t.Helper()
	params, problems := c.Examples()
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	good, bad, err := c.Tests(params)
	if err != nil {
		t.Fatal(err)
	}
	examples := record(t, e, c, params, good, bad)
	if examples == nil {
		return nil
	}
	r := catalog.Recordings{Examples: *examples}
	defaults, problems := c.ResolveParameters(nil, func(string) (any, bool) { return nil, false })
	if len(problems) == 0 && !cmp.Equal(defaults, params) {
		if good, bad, err := c.Tests(defaults); err == nil { // an empty default may be too little for a document
			r.Defaults = record(t, e, c, defaults, good, bad)
		}
	}
	text, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func record(t *testing.T, e *evaluator.Evaluator, c *catalog.Control, params map[string]any, good, bad []catalog.Case) *catalog.Recording {
	t.Helper()
	policy, err := c.Render(catalog.ClusterPolicy, params)
	if err != nil {
		t.Fatal(err)
	}
	body := policy.Body
	for _, r := range body["spec"].(map[string]any)["rules"].([]any) {
		rule := r.(map[string]any)
		if rule["verifyImages"] != nil || looksUp(rule) {
			return nil
		}
		rule["validate"].(map[string]any)["failureAction"] = "Enforce"
	}
	body["metadata"] = map[string]any{"name": c.ID, "annotations": annotations(body)}
	body["spec"].(map[string]any)["background"] = c.Background
	loaded, err := e.Load(protocol.LoadParams{Policies: []json.RawMessage{encode(t, body)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := loaded.Err(); err != nil {
		t.Fatal(err)
	}
	return &catalog.Recording{Good: results(t, e, good), Bad: results(t, e, bad)}
}

func annotations(body map[string]any) any {
	metadata, _ := body["metadata"].(map[string]any)
	return metadata["annotations"]
}

// looksUp reports whether a rule's context comes from outside the request.
func looksUp(rule map[string]any) bool {
	entries, _ := rule["context"].([]any)
	for _, entry := range entries {
		if entry.(map[string]any)["variable"] == nil {
			return true
		}
	}
	return false
}

func results(t *testing.T, e *evaluator.Evaluator, cases []catalog.Case) catalog.Results {
	t.Helper()
	out := catalog.Results{}
	for _, c := range cases {
		if !c.Plain() {
			continue
		}
		namespace := c.Namespace
		if namespace == "" {
			namespace = "default"
		}
		said, err := e.Evaluate(t.Context(), protocol.EvaluateParams{
			Resource: encode(t, c.Object), Namespace: namespace,
			UserInfo: protocol.UserInfo{Username: c.UserInfo.Username, Groups: c.UserInfo.Groups},
		})
		if err != nil {
			t.Fatal(c.Name, err)
		}
		for _, r := range said.Results {
			if out[c.Name] == nil {
				out[c.Name] = map[string]string{}
			}
			rule := strings.TrimPrefix(strings.TrimPrefix(r.Rule, "autogen-"), "cronjob-")
			out[c.Name][rule] = strings.ToLower(string(r.Result))
		}
	}
	return out
}

func encode(t *testing.T, v any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
