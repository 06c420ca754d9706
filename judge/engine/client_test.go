package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary play the engine: with a first argument "engine" it serves in the mode named by the second.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "engine" {
		os.Exit(playEngine(os.Args[2], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// playEngine answers like an engine that has no policies, except for what the mode says.
func playEngine(mode string, in io.Reader, out, errOut io.Writer) int {
	hello := HelloResult{Protocol: Protocol, Kyverno: "1.19.1", Version: "v0.1.0"}
	switch mode {
	case "crash":
		fmt.Fprintln(errOut, "panic: out of ideas")
		return 3
	case "old protocol":
		hello.Protocol = Protocol + 1
	case "mute":
		_, _ = io.Copy(io.Discard, in)
		return 0
	case "endless stderr":
		_, _ = io.Copy(errOut, endless("noise\n"))
		return 0
	case "stubborn": // nothing but a kill ends it
		time.Sleep(time.Hour)
	case "leaves a child": // which holds its stderr
		child := exec.Command("sleep", "20")
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			return 4
		}
		return 3
	case "garbage":
		fmt.Fprintln(out, "Hello, I am not JSON")
	}
	lines := bufio.NewReader(in)
	encoder := json.NewEncoder(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return 0
		}
		var request Request
		if err := json.Unmarshal(line, &request); err != nil {
			return 4
		}
		response := Response{ID: request.ID}
		switch request.Method {
		case MethodHello:
			response.Result = mustJSON(hello)
		case MethodLoad:
			response.Result = json.RawMessage(`{"policies":[{"name":"x","rules":["r"]}],"problems":[]}`)
		case MethodEvaluate:
			switch mode {
			case "dies later":
				fmt.Fprintln(errOut, strings.Repeat("noise ", 10000)+"\nfatal error: out of memory")
				return 2
			case "hangs":
				continue
			}
			response.Error = &Error{Code: CodeNotLoaded, Message: "nothing is loaded yet"}
		case MethodRender:
			var params RenderParams
			_ = json.Unmarshal(request.Params, &params) // written by this package
			switch params.Name {
			case "dies":
				fmt.Fprintln(errOut, "it needs more than there is")
				return 2
			case "hangs":
				continue
			case "refused":
				response.Error = &Error{Code: CodeChart, Message: "it is refused"}
			case "nothing":
				response.Result = json.RawMessage(`{"chart":"","version":"","manifests":null}`)
			default:
				response.Result = json.RawMessage(`{"chart":"web","version":"1.0.0","manifests":[]}`)
			}
		case MethodPull:
			response.Result = json.RawMessage(`{"archive":null,"version":"","digest":""}`)
		case MethodEvaluateMany:
			var params EvaluateManyParams
			_ = json.Unmarshal(request.Params, &params) // written by this package
			if mode == "miscounts" {
				params.Requests = params.Requests[1:]
			}
			var result EvaluateManyResult
			for _, p := range params.Requests {
				// The answer carries the request, so that the test sees that each comes back in its place.
				result.Results = append(result.Results, Evaluation{Result: &EvaluateResult{Results: []RuleResult{{Policy: "x", Rule: p.Namespace, Result: OutcomePass}}}})
			}
			response.Result = mustJSON(result)
		}
		if err := encoder.Encode(response); err != nil {
			return 5
		}
	}
}

func mustJSON(v any) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

// play starts a played engine.
func play(t *testing.T, mode, kyverno string) (*Client, error) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := start(ctx, exec.Command(program, "engine", mode), kyverno, limits{line: MaxLine, hello: 10 * time.Second, answer: 10 * time.Second, close: closeWait})
	if err == nil {
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return c, err
}

func started(t *testing.T, mode string) *Client {
	t.Helper()
	c, err := play(t, mode, "1.19")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFind(t *testing.T) {
	look := func(have ...string) func(string) (string, error) {
		return func(file string) (string, error) {
			if slices.Contains(have, file) {
				return "found " + file, nil
			}
			return "", exec.ErrNotFound
		}
	}
	adjacent := filepath.Join("/opt/bin", Program)
	tests := []struct {
		name, executable string
		have             []string
		want             string
	}{
		{"next to the program", "/opt/bin/gatehouse", []string{adjacent, Program}, "found " + adjacent},
		{"on the PATH", "/opt/bin/gatehouse", []string{Program}, "found " + Program},
		{"program unknown", "", []string{Program}, "found " + Program},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := Find(tt.executable, look(tt.have...)); got != tt.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		_, err := Find("/opt/bin/gatehouse", look())
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "/opt/bin/gatehouse") || !strings.Contains(err.Error(), "make build") {
			t.Errorf("error is %v", err)
		}
	})
}

func TestStartRefuses(t *testing.T) {
	tests := []struct {
		mode, kyverno string
		want          []string
	}{
		{"crash", "1.19", []string{"exit status 3", "panic: out of ideas"}},
		{"old protocol", "1.19", []string{fmt.Sprint("protocol ", Protocol+1), "install both"}},
		{"garbage", "1.19", []string{"not a response"}},
		{"works", "1.18", []string{"Kyverno 1.19.1", "1.18"}},
		{"works", "1.19.10", []string{"Kyverno 1.19.1", "1.19.10"}},
		{"works", "1.1", []string{"Kyverno 1.19.1"}},
	}
	for _, tt := range tests {
		t.Run(tt.mode+" "+tt.kyverno, func(t *testing.T) {
			_, err := play(t, tt.mode, tt.kyverno)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
	t.Run("no such program", func(t *testing.T) {
		if _, err := Start(t.Context(), exec.Command(filepath.Join(t.TempDir(), "absent")), ""); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("greeting never comes", func(t *testing.T) {
		program, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := Start(ctx, exec.Command(program, "engine", "mute"), ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestClient(t *testing.T) {
	for _, kyverno := range []string{"", "1", "1.19", "1.19.1"} {
		if _, err := play(t, "works", kyverno); err != nil {
			t.Errorf("an engine with Kyverno 1.19.1 is refused for %q: %v", kyverno, err)
		}
	}
	c := started(t, "works")
	if got := c.Hello().Version; got != "v0.1.0" {
		t.Errorf("version is %q", got)
	}
	loaded, err := c.Load(t.Context(), LoadParams{Policies: []json.RawMessage{json.RawMessage(`{"metadata": {"name": "x"}}`)}})
	if err != nil || len(loaded.Policies) != 1 || loaded.Policies[0].Name != "x" {
		t.Errorf("Load gave %+v, %v", loaded, err)
	}
	var coded *Error
	if _, err := c.Evaluate(t.Context(), EvaluateParams{}); !errors.As(err, &coded) || coded.Code != CodeNotLoaded {
		t.Errorf("the engine's error came as %v", err)
	}
}

// TestEvaluateMany sends more than fit into the batches in flight, with one request larger than a batch.
func TestEvaluateMany(t *testing.T) {
	c := started(t, "works")
	requests := make([]EvaluateParams, 10*batchRequests+7)
	for i := range requests {
		requests[i] = EvaluateParams{Namespace: fmt.Sprint(i), Resource: json.RawMessage(`{}`)}
	}
	large, err := json.Marshal(strings.Repeat("x", batchBytes+1))
	if err != nil {
		t.Fatal(err)
	}
	requests[300].Resource = large
	got, err := c.EvaluateMany(t.Context(), requests)
	if err != nil || len(got) != len(requests) {
		t.Fatalf("%d results, error %v", len(got), err)
	}
	for i, g := range got {
		if g.Result == nil || g.Result.Results[0].Rule != fmt.Sprint(i) {
			t.Fatalf("answer %d is %+v", i, g.Result)
		}
	}
	if got, err := c.EvaluateMany(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("no requests: %v, %v", got, err)
	}
}

func TestEvaluateManyFails(t *testing.T) {
	requests := make([]EvaluateParams, 3*batchRequests)
	if _, err := started(t, "miscounts").EvaluateMany(t.Context(), requests); err == nil {
		t.Error("a missing answer is not an error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := started(t, "works").EvaluateMany(ctx, requests); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error is %v", err)
	}
}

func TestClientTooLarge(t *testing.T) {
	large, err := json.Marshal(strings.Repeat("x", MaxLine))
	if err != nil {
		t.Fatal(err)
	}
	var coded *Error
	if _, err := started(t, "works").Evaluate(t.Context(), EvaluateParams{Resource: large}); !errors.As(err, &coded) || coded.Code != CodeTooLarge {
		t.Errorf("error is %v", err)
	}
}

// TestClientEngineDies: all calls get to know, with the end of what the engine said; memory for that is bounded.
func TestClientEngineDies(t *testing.T) {
	c := started(t, "dies later")
	for range 2 {
		_, err := c.Evaluate(t.Context(), EvaluateParams{})
		if err == nil || !strings.Contains(err.Error(), "exit status 2") || !strings.HasSuffix(err.Error(), "fatal error: out of memory") || len(err.Error()) > tailSize+200 {
			t.Errorf("error is %v", err)
		}
	}
}

// TestClientCancel: the end of a context ends the call, and the engine goes on.
func TestClientCancel(t *testing.T) {
	c := started(t, "hangs")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Evaluate(ctx, EvaluateParams{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	if _, err := c.Load(t.Context(), LoadParams{Policies: []json.RawMessage{json.RawMessage(`{"metadata": {"name": "x"}}`)}}); err != nil {
		t.Errorf("after a cancelled call: %v", err)
	}
}

func TestClientClosed(t *testing.T) {
	c := started(t, "works")
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Load(t.Context(), LoadParams{}); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("error is %v", err)
	}
}

func TestLoadResultErr(t *testing.T) {
	warning := Problem{Object: "ClusterPolicy/a", Severity: SeverityWarning, Message: "old"}
	refusal := Problem{Object: "ClusterPolicy/b", Severity: SeverityError, Message: "bad"}
	if err := (LoadResult{Problems: []Problem{warning}}).Err(); err != nil {
		t.Errorf("a warning is an error: %v", err)
	}
	if err := (LoadResult{Problems: []Problem{warning, refusal}}).Err(); err == nil || err.Error() != "kyverno refuses 1 object(s):\nClusterPolicy/b: bad" {
		t.Errorf("error is %v", err)
	}
}
