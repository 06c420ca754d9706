package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-cmp/cmp"
)

// ask sends lines to a fresh engine and returns the responses in the order of their ids.
func ask(t *testing.T, in io.Reader) []protocol.Response {
	t.Helper()
	var out, errOut bytes.Buffer
	if status := run(nil, in, &out, &errOut); status != 0 {
		t.Fatalf("status %d: %s", status, &errOut)
	}
	var responses []protocol.Response
	for decoder := json.NewDecoder(&out); decoder.More(); {
		var r protocol.Response
		if err := decoder.Decode(&r); err != nil {
			t.Fatal(err)
		}
		responses = append(responses, r)
	}
	slices.SortStableFunc(responses, func(a, b protocol.Response) int { return int(a.ID) - int(b.ID) })
	return responses
}

const (
	denying = `{"apiVersion":"kyverno.io/v1","kind":"ClusterPolicy","metadata":{"name":"x"},"spec":{"rules":[{"name":"r","match":{"any":[{"resources":{"kinds":["ConfigMap"]}}]},` +
		`"validate":{"failureAction":"Enforce","message":"refused","deny":{}}}]}}`
	configMap = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"payments"}}`
)

func TestServe(t *testing.T) {
	got := ask(t, strings.NewReader(strings.Join([]string{
		`{"id":1,"method":"hello"}`,
		`{"id":2,"method":"evaluate","params":{"resource":` + configMap + `}}`,
		`{"id":3,"method":"load","params":{"policies":[` + denying + `],"exceptionNamespace":""}}`,
		``,
		`{"id":4,"method":"evaluate","params":{"resource":` + configMap + `}}`,
		`{"id":5,"method":"evaluateMany","params":{"requests":[{"resource":` + configMap + `},{"resource":[]}]}}`,
		`{"id":6,"method":"evaluate","params":{"resuorce":{}}}`,
		`{"id":7,"method":"dance"}`,
		`{"id":8,"method":"evaluate","params":`,
		`nonsense`,
	}, "\n")))
	denied := `{"policy":"x","rule":"r","type":"Validation","result":"fail","action":"Enforce","blocks":true,"message":"refused"}`
	want := []string{
		`0 bad-request`,
		fmt.Sprintf(`1 {"protocol":%d,"kyverno":`, protocol.Protocol),
		`2 not-loaded`,
		`3 {"policies":[{"name":"x","rules":["r"]}],"problems":[`,
		`4 {"blocked":true,"results":[` + denied + `]}`,
		`5 {"results":[{"result":{"blocked":true,"results":[` + denied + `]}},{"error":{"code":"bad-request",`,
		`6 bad-request`,
		`7 bad-request`,
		`8 bad-request`,
	}
	var lines []string
	for i, r := range got {
		line := fmt.Sprintf("%d %s", r.ID, r.Result)
		if r.Error != nil {
			line = fmt.Sprintf("%d %s", r.ID, r.Error.Code)
		}
		if i < len(want) {
			line = line[:min(len(line), len(want[i]))] // want holds beginnings
		}
		lines = append(lines, line)
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}
}

// TestServeParallel: many evaluations in flight do not mix up their answers, and a load waits for those before it.
func TestServeParallel(t *testing.T) {
	var in strings.Builder
	in.WriteString(`{"id":1,"method":"load","params":{"policies":[` + denying + `],"exceptionNamespace":""}}` + "\n")
	const n = 500
	for i := 2; i < n; i++ {
		object := configMap
		if i%2 == 0 {
			object = strings.Replace(configMap, "ConfigMap", "Secret", 1)
		}
		fmt.Fprintf(&in, `{"id":%d,"method":"evaluate","params":{"resource":%s}}`+"\n", i, object)
	}
	fmt.Fprintf(&in, `{"id":%d,"method":"load","params":{"policies":[],"exceptionNamespace":""}}`+"\n", n)
	for _, r := range ask(t, strings.NewReader(in.String())) {
		if r.ID == 1 || r.ID == n {
			continue
		}
		var result protocol.EvaluateResult
		if err := json.Unmarshal(r.Result, &result); err != nil || result.Blocked != (r.ID%2 == 1) {
			t.Fatalf("response %d: %s, error %v", r.ID, r.Result, r.Error)
		}
	}
}
