package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/engine/evaluator"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-cmp/cmp"
)

// ask sends lines to a fresh engine and returns the responses in the order of their ids.
func ask(t *testing.T, in io.Reader) []protocol.Response {
	t.Helper()
	e, err := evaluator.New()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Serve(t.Context(), in, &out, e); err != nil {
		t.Fatal(err)
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
	policy = `{"apiVersion":"kyverno.io/v1","kind":"ClusterPolicy","metadata":{"name":"x"},"spec":{"rules":[{"name":"r","match":{"any":[{"resources":{"kinds":["ConfigMap"]}}]},` +
		`"validate":{"failureAction":"Enforce","message":"refused","deny":{}}}]}}`
	configMap = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"payments"}}`
)

func TestServe(t *testing.T) {
	got := ask(t, strings.NewReader(strings.Join([]string{
		`{"id":1,"method":"hello"}`,
		`{"id":2,"method":"evaluate","params":{"resource":` + configMap + `}}`,
		`{"id":3,"method":"load","params":{"policies":[` + policy + `],"exceptionNamespace":""}}`,
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
		`1 {"protocol":3,"kyverno":`,
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
	in.WriteString(`{"id":1,"method":"load","params":{"policies":[` + policy + `],"exceptionNamespace":""}}` + "\n")
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

// TestServeTooLong: a line over the limit is refused by its id, and the next one is served.
func TestServeTooLong(t *testing.T) {
	got := ask(t, io.MultiReader(
		strings.NewReader(`{"id":7,"method":"evaluate","params":{"resource":{"x":"`), io.LimitReader(filler{}, protocol.MaxLine), strings.NewReader(`"}}}`+"\n"),
		strings.NewReader(`{"id":8,"method":"hello"}`+"\n"),
	))
	if len(got) != 2 || got[0].ID != 7 || got[0].Error == nil || got[0].Error.Code != protocol.CodeTooLarge || got[1].Error != nil {
		t.Errorf("got %+v", got)
	}
}

// filler reads as x without end.
type filler struct{}

func (filler) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestServeEndsWhenNobodyReads(t *testing.T) {
	e, err := evaluator.New()
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken pipe")
	in := io.MultiReader(strings.NewReader(`{"id":1,"method":"load","params":{}}`+"\n"), strings.NewReader(`{"id":2,"method":"hello"}`+"\n"))
	if err := Serve(context.Background(), in, failingWriter{broken}, e); !errors.Is(err, broken) {
		t.Errorf("error is %v, want %v", err, broken)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestLineReader(t *testing.T) {
	long := strings.Repeat("y", 200<<10) // longer than the buffer
	tests := []struct {
		name, in string
		limit    int
		want     []string
	}{
		{"empty", "", 10, nil},
		{"blank lines", "\n \r\n\n", 10, nil},
		{"last line without newline", "a\nb", 10, []string{"a", "b"}},
		{"exactly the limit", "1234567890\nb\n", 10, []string{"1234567890", "b"}},
		{"exactly the limit with CR LF", "1234567890\r\nb\r\n", 10, []string{"1234567890", "b"}},
		{"over the limit", "12345678901\nb\n", 10, []string{"too long", "b"}},
		{"over the limit at the end", "a\n12345678901", 10, []string{"a", "too long"}},
		{"longer than the buffer", long + "\nb\n", 1 << 20, []string{long, "b"}},
		{"longer than buffer and limit", long + "\nb\n", 100 << 10, []string{"too long", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newLineReader(strings.NewReader(tt.in), tt.limit)
			var got []string
			for {
				line, err := r.next()
				if errors.Is(err, io.EOF) {
					break
				}
				if errors.Is(err, errTooLong) {
					line = []byte("too long")
				} else if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(line))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
