package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// fake is an engine that refuses what has no namespace, panics in the namespace "panic", and answers "large" with more
// than fits into a line.
type fake struct{}

func (fake) Load(p protocol.LoadParams) (protocol.LoadResult, error) {
	if p.ExceptionNamespace == "panic" {
		panic("in a load")
	}
	return protocol.LoadResult{Policies: make([]protocol.LoadedPolicy, len(p.Policies)), Problems: []protocol.Problem{}}, nil
}

func (fake) Evaluate(_ context.Context, p protocol.EvaluateParams) (protocol.EvaluateResult, error) {
	switch p.Namespace {
	case "":
		return protocol.EvaluateResult{}, errors.New("no namespace")
	case "panic":
		panic("in an evaluation")
	case "large":
		return protocol.EvaluateResult{Patched: json.RawMessage(`"` + strings.Repeat("x", protocol.MaxLine) + `"`)}, nil
	}
	return protocol.EvaluateResult{Results: []protocol.RuleResult{}, Patched: p.Resource}, nil
}

func (f fake) EvaluateMany(ctx context.Context, p protocol.EvaluateManyParams) protocol.EvaluateManyResult {
	out := protocol.EvaluateManyResult{Results: make([]protocol.Evaluation, len(p.Requests))}
	for i, r := range p.Requests {
		if result, err := f.Evaluate(ctx, r); err != nil {
			out.Results[i].Error = badRequest(err)
		} else {
			out.Results[i].Result = &result
		}
	}
	return out
}

func (fake) Render(_ context.Context, p protocol.RenderParams) (protocol.RenderResult, error) {
	return protocol.RenderResult{Chart: p.Name}, nil
}

func (fake) Pull(context.Context, protocol.PullParams) (protocol.PullResult, error) {
	return protocol.PullResult{}, errors.New("no network")
}

// serve returns the responses of a fake engine in the order of their ids, each decoded strictly.
func serve(t *testing.T, in io.Reader) []protocol.Response {
	t.Helper()
	var out bytes.Buffer
	if err := Serve(t.Context(), in, &out, protocol.HelloResult{Protocol: protocol.Protocol}, fake{}, fake{}); err != nil {
		t.Fatal(err)
	}
	var responses []protocol.Response
	for line := range bytes.Lines(out.Bytes()) {
		var r protocol.Response
		if err := protocol.Decode(line, &r); err != nil || (r.Result == nil) == (r.Error == nil) || len(line) > protocol.MaxLine+1 {
			t.Fatalf("%.200q is no response: %v", line, err)
		}
		responses = append(responses, r)
	}
	slices.SortStableFunc(responses, func(a, b protocol.Response) int { return int(a.ID) - int(b.ID) })
	return responses
}

// TestServeHostile: a request that is none gets an error with its id, as far as it has one, and the next one is served.
func TestServeHostile(t *testing.T) {
	tests := []struct {
		name, line string
		id         uint64
		code       string
	}{
		{"no JSON", "nonsense", 0, protocol.CodeBadRequest},
		{"cut off", `{"id":7,"method":"evaluate","params":`, 7, protocol.CodeBadRequest},
		{"null", "null", 0, protocol.CodeBadRequest},
		{"a list", "[]", 0, protocol.CodeBadRequest},
		{"an id that is too large", `{"id":18446744073709551616,"method":"hello"}`, 0, protocol.CodeBadRequest},
		{"a negative id", `{"id":-1,"method":"hello"}`, 0, protocol.CodeBadRequest},
		{"two on a line", `{"id":7,"method":"hello"}{"id":8,"method":"hello"}`, 7, protocol.CodeBadRequest},
		{"no method", `{"id":7}`, 7, protocol.CodeBadRequest},
		{"an unknown method", `{"id":7,"method":"dance"}`, 7, protocol.CodeBadRequest},
		{"no params", `{"id":7,"method":"evaluate"}`, 7, protocol.CodeBadRequest},
		{"an unknown param", `{"id":7,"method":"evaluate","params":{"resuorce":{}}}`, 7, protocol.CodeBadRequest},
		{"params of another type", `{"id":7,"method":"evaluateMany","params":{"requests":{}}}`, 7, protocol.CodeBadRequest},
		{"nested without end", `{"id":7,"method":"evaluate","params":{"resource":` + strings.Repeat("[", 1<<20), 7, protocol.CodeBadRequest},
		{"a panic", `{"id":7,"method":"evaluate","params":{"namespace":"panic"}}`, 7, protocol.CodeEvaluation},
		{"a panic in a load", `{"id":7,"method":"load","params":{"exceptionNamespace":"panic"}}`, 7, protocol.CodeEvaluation},
		{"an answer that is too large", `{"id":7,"method":"evaluate","params":{"namespace":"large"}}`, 7, protocol.CodeTooLarge},
		{"bytes that are no text", "\x00\xff\xfe", 0, protocol.CodeBadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := serve(t, strings.NewReader(tt.line+"\n"+`{"id":99,"method":"hello"}`+"\n"))
			if len(got) != 2 || got[0].ID != tt.id || got[0].Error == nil || got[0].Error.Code != tt.code || got[0].Error.Message == "" || got[1].ID != 99 || got[1].Error != nil {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestServeTooLong: a line over the limit is refused by its id, and the next one is served.
func TestServeTooLong(t *testing.T) {
	got := serve(t, io.MultiReader(
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

// TestServeEndless: memory does not grow with a request that does not end.
func TestServeEndless(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if got := serve(t, io.LimitReader(filler{}, 8*protocol.MaxLine)); len(got) != 1 || got[0].Error == nil || got[0].Error.Code != protocol.CodeTooLarge {
		t.Errorf("got %+v", got)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 8*protocol.MaxLine {
		t.Errorf("it allocated %d MiB", grown>>20)
	}
}

func TestServeEndsWhenNothingReads(t *testing.T) {
	broken := errors.New("broken pipe")
	in := io.MultiReader(strings.NewReader(`{"id":1,"method":"load","params":{}}`+"\n"), strings.NewReader(`{"id":2,"method":"hello"}`+"\n"))
	if err := Serve(context.Background(), in, failingWriter{broken}, protocol.HelloResult{}, fake{}, fake{}); !errors.Is(err, broken) {
		t.Errorf("error is %v, want %v", err, broken)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// FuzzServe: whatever a client writes, each line that is not blank gets one response, soon.
func FuzzServe(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "null\n", `{"id":1,"method":"hello"}` + "\n", `{"id":1,"method":"load","params":{"policies":[{}],"exceptionNamespace":""}}` + "\n",
		`{"id":2,"method":"evaluate","params":{"resource":{},"namespace":"a"}}`, `{"id":3,"method":"evaluateMany","params":{"requests":[{"namespace":"a"},{}]}}` + "\n\r\n",
		`{"id":4,"method":"evaluate","params":{"namespace":"panic"}}`, `{"id":5,"meth`, "\xff\n\x00\n", `{"id":-1}` + "\n" + `{"id":6,"method":"load","params":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.Contains(in, []byte("large")) {
			t.Skip("64 MiB for each line") // TestServeHostile has one
		}
		want := 0
		for line := range bytes.Lines(in) {
			if len(bytes.TrimSpace(line)) > 0 {
				want++
			}
		}
		begin := time.Now()
		if got := serve(t, bytes.NewReader(in)); len(got) != want {
			t.Errorf("%d responses to %d lines: %+v", len(got), want, got)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%d bytes took %v", len(in), took)
		}
	})
}
