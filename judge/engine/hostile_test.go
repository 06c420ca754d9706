package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// quick are the limits of most tests.
func quick() limits {
	return limits{line: 1 << 20, hello: 5 * time.Second, answer: 5 * time.Second, close: 50 * time.Millisecond}
}

// piped returns a client of an engine that is a function. It ends when the function returns, or fails to write.
func piped(engine func(in io.Reader, out io.Writer), l limits) *Client {
	requests, stdin := io.Pipe()
	stdout, responses := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer responses.Close()
		engine(requests, responses)
	}()
	kill := func() error { return errors.Join(requests.Close(), responses.Close()) }
	wait := func() error { <-ended; return nil }
	return newClient(process{stdin: stdin, stdout: stdout, kill: kill, wait: wait}, new(tail), l)
}

// answering is an engine that answers every request with a line.
func answering(answer func(Request) string) func(io.Reader, io.Writer) {
	return func(in io.Reader, out io.Writer) {
		lines := NewLines(in, MaxLine)
		for {
			line, err := lines.Next()
			if err != nil {
				return
			}
			var request Request
			if err := json.Unmarshal(line, &request); err != nil {
				return
			}
			if _, err := io.WriteString(out, answer(request)); err != nil {
				return
			}
		}
	}
}

// result is a response with a result.
func result(of Request, text string) string {
	return fmt.Sprintf(`{"id":%d,"result":%s}`+"\n", of.ID, text)
}

// TestHostileAnswers: an answer that is none is an error that says why, and never a verdict.
func TestHostileAnswers(t *testing.T) {
	const pass = `{"blocked":false,"results":[]}`
	evaluate := func(c *Client) error { _, err := c.Evaluate(t.Context(), EvaluateParams{}); return err }
	two := func(c *Client) error { _, err := c.EvaluateMany(t.Context(), make([]EvaluateParams, 2)); return err }
	load := func(c *Client) error {
		_, err := c.Load(t.Context(), LoadParams{Policies: []json.RawMessage{json.RawMessage(`{}`)}})
		return err
	}
	tests := []struct {
		name   string
		ask    func(*Client) error
		answer func(Request) string
		want   string
	}{
		{"of another request", evaluate, func(Request) string { return result(Request{ID: 7}, pass) }, "answers request 7"},
		{"to a request without an id", evaluate, func(Request) string { return `{"error":{"code":"bad-request","message":"not a request"}}` + "\n" }, "not a request"},
		{"no object", evaluate, func(Request) string { return "null\n" }, "neither a result nor an error"},
		{"a list", evaluate, func(Request) string { return "[]\n" }, "not a response"},
		{"a text", evaluate, func(Request) string { return "Segmentation fault\n" }, "not a response"},
		{"cut off, with its newline", evaluate, func(r Request) string { return fmt.Sprintf(`{"id":%d,"result":{"blo`+"\n", r.ID) }, "not a response"},
		{"two on a line", evaluate, func(r Request) string { return strings.TrimSpace(result(r, pass)) + result(r, pass) }, "text after the value"},
		{"an unknown field", evaluate, func(r Request) string { return fmt.Sprintf(`{"id":%d,"result":%s,"verdict":1}`+"\n", r.ID, pass) }, `unknown field "verdict"`},
		{"an id that is no number", evaluate, func(Request) string { return `{"id":"1","result":` + pass + "}\n" }, "not a response"},
		{"a negative id", evaluate, func(Request) string { return `{"id":-1,"result":` + pass + "}\n" }, "not a response"},
		{"nested without end", evaluate, func(r Request) string { return result(r, strings.Repeat(`[`, 1<<19)) }, "not a response"},
		{"a result and an error", evaluate, func(r Request) string {
			return fmt.Sprintf(`{"id":%d,"result":%s,"error":{"code":"x","message":"y"}}`+"\n", r.ID, pass)
		}, "a result and an error"},
		{"neither of them", evaluate, func(r Request) string { return fmt.Sprintf(`{"id":%d}`+"\n", r.ID) }, "neither a result nor an error"},
		{"the result null", evaluate, func(r Request) string { return result(r, "null") }, "neither a result nor an error"},
		{"an error without text", evaluate, func(r Request) string { return fmt.Sprintf(`{"id":%d,"error":{}}`+"\n", r.ID) }, "its error says nothing"},
		{"an empty verdict", evaluate, func(r Request) string { return result(r, `{}`) }, "no list of results"},
		{"a verdict of another type", evaluate, func(r Request) string { return result(r, `{"blocked":"no","results":[]}`) }, "no answer to it"},
		{"the answer to another method", evaluate, func(r Request) string { return result(r, `{"policies":[],"problems":[]}`) }, "no answer to it"},
		{"a verdict that contradicts itself", evaluate, func(r Request) string {
			return result(r, `{"blocked":false,"results":[{"policy":"p","rule":"r","type":"Validation","result":"fail","action":"Enforce","blocks":true}]}`)
		}, "blocks what is not blocked"},
		{"a result without an outcome", evaluate, func(r Request) string {
			return result(r, `{"blocked":false,"results":[{"policy":"p","rule":"r","type":"Validation","action":"Audit","blocks":false}]}`)
		}, "its outcome"},
		{"one answer too few", two, func(r Request) string { return result(r, `{"results":[{"result":`+pass+`}]}`) }, "1 answers to 2 requests"},
		{"one answer too many", two, func(r Request) string {
			return result(r, `{"results":[{"result":`+pass+`},{"result":`+pass+`},{"result":`+pass+`}]}`)
		}, "3 answers to 2 requests"},
		{"no answers", two, func(r Request) string { return result(r, `{}`) }, "0 answers to 2 requests"},
		{"an answer null", two, func(r Request) string { return result(r, `{"results":[{"result":`+pass+`},null]}`) }, "answer 2 of 2: it has neither"},
		{"an answer with both", two, func(r Request) string {
			return result(r, `{"results":[{"result":`+pass+`,"error":{"code":"x","message":"y"}},{}]}`)
		}, "answer 1 of 2: it has a result and an error"},
		{"an answer that is empty", two, func(r Request) string { return result(r, `{"results":[{"result":{}},{"result":{}}]}`) }, "answer 1 of 2: it has no list"},
		{"a policy too many", load, func(r Request) string {
			return result(r, `{"policies":[{"name":"a","rules":[]},{"name":"b","rules":[]}],"problems":[]}`)
		}, "2 policies of 1"},
		{"a policy too few", load, func(r Request) string {
			return result(r, `{"policies":[],"problems":[{"object":"x","severity":"warning","message":"y"}]}`)
		}, "does not say why"},
		{"nothing loaded", load, func(r Request) string { return result(r, `{}`) }, "does not say why"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := piped(answering(tt.answer), quick())
			err := tt.ask(c)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), Program) {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHostileTwice: an answer that comes twice is an error of what is asked next.
func TestHostileTwice(t *testing.T) {
	c := piped(answering(func(r Request) string { return strings.Repeat(result(r, `{"blocked":false,"results":[]}`), 2) }), quick())
	defer c.Close()
	_, _ = c.Evaluate(t.Context(), EvaluateParams{})
	if _, err := c.Evaluate(t.Context(), EvaluateParams{}); err == nil || !strings.Contains(err.Error(), "does not wait for an answer") {
		t.Errorf("error is %v", err)
	}
}

// TestHostileStreams: an engine that does not stop, or does not go on, is ended. Neither memory nor time grows with what it writes.
func TestHostileStreams(t *testing.T) {
	read := func(in io.Reader) { _, _ = NewLines(in, MaxLine).Next() }
	tests := []struct {
		name   string
		engine func(in io.Reader, out io.Writer)
		want   string
	}{
		{"a line without end", func(in io.Reader, out io.Writer) { read(in); _, _ = io.Copy(out, endless("x")) }, "longer than 1 MiB"},
		{"carriage returns without end", func(in io.Reader, out io.Writer) { read(in); _, _ = io.Copy(out, endless("\r")) }, "longer than 1 MiB"},
		{"blank lines without end", func(in io.Reader, out io.Writer) { read(in); _, _ = io.Copy(out, endless("\n")) }, "did not answer evaluate within"},
		{"nothing", func(in io.Reader, _ io.Writer) { _, _ = io.Copy(io.Discard, in) }, "did not answer evaluate within"},
		{"does not read", func(_ io.Reader, out io.Writer) { _, _ = io.Copy(out, endless("\n")) }, "did not answer evaluate within"},
		{"ends at once", func(io.Reader, io.Writer) {}, "ended unexpectedly"},
		{"ends within a line", func(in io.Reader, out io.Writer) { read(in); _, _ = io.WriteString(out, `{"id":1,"resu`) }, "ended unexpectedly"},
		{"closes its stdout", func(in io.Reader, out io.Writer) {
			read(in)
			_ = out.(io.Closer).Close()
			_, _ = io.Copy(io.Discard, in)
		}, "closed its stdout and did not end"},
		{"closes its stdin", func(in io.Reader, out io.Writer) { _ = in.(io.Closer).Close(); _, _ = io.Copy(out, endless("\n")) }, "does not read requests any more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := quick()
			if strings.Contains(tt.want, "within") {
				w.answer = 100 * time.Millisecond
			}
			c := piped(tt.engine, w)
			for range 2 {
				if _, err := c.Evaluate(t.Context(), EvaluateParams{}); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error is %v, want %q", err, tt.want)
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHostileProcess: what only a process can do wrong. Each ends in time, with the end of its stderr.
func TestHostileProcess(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[string]string{
		"endless stderr": "did not answer hello within",
		"stubborn":       "did not answer hello within",
		"leaves a child": "exit status 3",
	} {
		t.Run(mode, func(t *testing.T) {
			w := limits{line: MaxLine, hello: 300 * time.Millisecond, answer: time.Second, close: time.Second}
			if strings.HasPrefix(want, "exit") {
				w.hello = 10 * time.Second
			}
			begin := time.Now()
			_, err := start(t.Context(), exec.Command(program, "engine", mode), "", w)
			if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > tailSize+200 {
				t.Errorf("error is %v, want %q", err, want)
			}
			if took := time.Since(begin); took > 8*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// FuzzAnswers: whatever an engine writes, each call ends with an error or with an answer that is complete.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "null\n", "{}\n", `{"id":1,"result":{"blocked":false,"results":[]}}` + "\n", `{"id":1,"error":{"code":"c","message":"m"}}` + "\n",
		`{"id":1,"result":{"policies":[],"problems":[]}}` + "\n" + `{"id":2,"result":{"blocked":true,"results":[{"policy":"p","rule":"r","result":"fail","blocks":true}]}}` + "\n" +
			`{"id":3,"result":{"results":[{"result":{"blocked":false,"results":[]}},{"error":{"code":"c","message":"m"}}]}}` + "\n",
		`{"id":3,"result":{"results":[{},{}]}}` + "\n", `{"id":18446744073709551616}` + "\n", `{"id":1,"result":[[[[`, "\xff\xfe\n", "\x00\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answers []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		c := piped(func(in io.Reader, out io.Writer) {
			go io.Copy(io.Discard, in) //nolint:errcheck // it ends with the test
			_, _ = out.Write(answers)
		}, quick())
		_, err := c.Load(ctx, LoadParams{})
		errs := []error{err}
		one, err := c.Evaluate(ctx, EvaluateParams{})
		if err == nil && one.Results == nil {
			t.Error("an empty verdict")
		}
		errs = append(errs, err)
		many, err := c.EvaluateMany(ctx, make([]EvaluateParams, 2))
		if err == nil {
			for _, e := range many {
				if (e.Result == nil) == (e.Error == nil) || e.Result != nil && e.Result.Results == nil {
					t.Errorf("an answer that is none: %+v", e)
				}
			}
		}
		for _, err := range append(errs, err) {
			if errors.Is(err, context.DeadlineExceeded) || err != nil && (err.Error() == "" || strings.Contains(err.Error(), "did not answer")) {
				t.Errorf("a call hangs: %v", err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
