package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Program is the name of the engine's program.
const Program = "gatehouse-engine"

// ErrNotFound is wrapped by the error of [Find].
var ErrNotFound = errors.New("the Kyverno engine is missing")

// Find returns the path of the engine: next to the given executable (os.Executable), or else where look (exec.LookPath)
// finds it. The error says how to install the engine.
func Find(executable string, look func(file string) (string, error)) (string, error) {
	if executable != "" {
		if path, err := look(filepath.Join(filepath.Dir(executable), Program)); err == nil {
			return path, nil
		}
	}
	path, err := look(Program)
	if err != nil {
		return "", fmt.Errorf("%w: %s is neither next to %s nor on the PATH; in a checkout of gatehouse, `make build` or `go -C engine install ./cmd/%s` builds it (several minutes)",
			ErrNotFound, Program, executable, Program)
	}
	return path, nil
}

// Client talks to a running engine. It is safe for concurrent use. It trusts nothing that the engine writes: see the limits
// of this package.
type Client struct {
	hello   HelloResult
	process process
	limits  limits
	lines   chan []byte // to the goroutine that writes
	tail    *tail       // of stderr

	done chan struct{} // closed when the engine is gone; then err is set
	err  error

	mu      sync.Mutex
	closing bool
	broken  error // why the client ended the engine
	nextID  uint64
	waiting map[uint64]chan Response
	left    map[uint64]bool // calls that ended without their response, which may still come
}

// process is a running engine.
type process struct {
	stdin  io.WriteCloser
	stdout io.ReadCloser
	kill   func() error
	wait   func() error // is called once
}

// Start starts the command, which must not have been started and must have no pipes, and sends it hello. It returns an
// error if the engine does not speak this [Protocol] or has another version of Kyverno: "1.19" accepts every 1.19.x, ""
// every version. The context applies only to the hello; the engine runs until [Client.Close].
func Start(ctx context.Context, cmd *exec.Cmd, kyverno string) (*Client, error) {
	return start(ctx, cmd, kyverno, usualLimits())
}

func start(ctx context.Context, cmd *exec.Cmd, kyverno string, l limits) (*Client, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", Program, err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", Program, err)
	}
	kept := new(tail)
	cmd.Stderr, cmd.WaitDelay = kept, l.close/2 // a child of the engine may hold stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", Program, err)
	}
	c := newClient(process{stdin: stdin, stdout: stdout, kill: cmd.Process.Kill, wait: cmd.Wait}, kept, l)
	err = c.call(ctx, MethodHello, nil, &c.hello)
	if err == nil {
		err = c.hello.check(cmd.Path, kyverno)
	}
	if err != nil {
		_ = c.Close() // what went wrong before matters more
		return nil, err
	}
	return c, nil
}

func newClient(p process, kept *tail, l limits) *Client {
	c := &Client{process: p, limits: l, tail: kept, lines: make(chan []byte), done: make(chan struct{}), waiting: map[uint64]chan Response{}, left: map[uint64]bool{}}
	go c.write()
	go c.read()
	return c
}

// check returns an error if the engine cannot be used.
func (h HelloResult) check(path, kyverno string) error {
	if h.Protocol != Protocol {
		return fmt.Errorf("%s (%s) speaks protocol %d, this gatehouse %d: install both from the same version", path, h.Version, h.Protocol, Protocol)
	}
	if kyverno != "" && h.Kyverno != kyverno && !strings.HasPrefix(h.Kyverno, kyverno+".") {
		return fmt.Errorf("%s holds Kyverno %s, the profile says %s: its verdicts would not be those of the clusters (--as-kyverno judges with it all the same)", path, h.Kyverno, kyverno)
	}
	return nil
}

// Hello returns the engine's answer to hello.
func (c *Client) Hello() HelloResult { return c.hello }

// Load replaces the objects loaded in the engine. Check [LoadResult.Err]: an object that Kyverno refuses is not an error of Load.
func (c *Client) Load(ctx context.Context, params LoadParams) (LoadResult, error) {
	var result LoadResult
	if err := c.call(ctx, MethodLoad, params, &result); err != nil {
		return LoadResult{}, err
	}
	if err := result.check(params); err != nil {
		return LoadResult{}, notAnAnswer(MethodLoad, err)
	}
	return result, nil
}

// Evaluate returns what the cluster would answer to one request. An [*Error] means that there is no verdict; never read it as a pass.
func (c *Client) Evaluate(ctx context.Context, params EvaluateParams) (EvaluateResult, error) {
	var result EvaluateResult
	if err := c.call(ctx, MethodEvaluate, params, &result); err != nil {
		return EvaluateResult{}, err
	}
	if err := result.check(); err != nil {
		return EvaluateResult{}, notAnAnswer(MethodEvaluate, err)
	}
	return result, nil
}

// call sends one request and waits for its response, the end of the context or the end of the engine.
func (c *Client) call(ctx context.Context, method string, params, result any) error {
	request := Request{Method: method}
	if params != nil {
		raw, err := json.Marshal(params)
		if err != nil {
			return fmt.Errorf("encoding the params of %s: %w", method, err)
		}
		request.Params = raw
	}
	response := c.expect(&request)
	defer c.leave(request.ID)
	line, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encoding the request %s: %w", method, err)
	}
	if len(line) > MaxLine {
		return &Error{Code: CodeTooLarge, Message: fmt.Sprintf("%s: the request has %d MiB, the engine takes %d", method, len(line)>>20, MaxLine>>20)}
	}
	timer := time.NewTimer(c.limits.wait(method))
	defer timer.Stop()
	lines := c.lines
	for {
		select {
		case lines <- append(line, '\n'):
			lines = nil // sent: what is left is to wait
		case r := <-response:
			return r.into(method, result)
		case <-c.done:
			return c.last(response, method, result)
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return fmt.Errorf("%s did not answer %s within %v%s", Program, method, c.limits.wait(method), c.tail)
		}
	}
}

// last returns what a call gets of an engine that is gone: a response that came before, or why it is gone.
func (c *Client) last(response <-chan Response, method string, result any) error {
	select {
	case r := <-response:
		return r.into(method, result)
	default:
		return c.err
	}
}

// expect gives the request an id and returns where its response arrives.
func (c *Client) expect(request *Request) <-chan Response {
	response := make(chan Response, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nextID++
	request.ID = c.nextID
	c.waiting[request.ID] = response
	return response
}

// leave notes that nothing waits for the response to a request any more.
func (c *Client) leave(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting[id] != nil {
		delete(c.waiting, id)
		c.left[id] = true
	}
}

// write writes lines to the engine, so that no caller blocks on a full pipe.
func (c *Client) write() {
	for {
		select {
		case line := <-c.lines:
			if _, err := c.process.stdin.Write(line); err != nil {
				c.unread()
				return
			}
		case <-c.done:
			return
		}
	}
}

// unread ends an engine that takes no more requests, unless it ends by itself: read then reports why.
func (c *Client) unread() {
	select {
	case <-c.done:
	case <-time.After(c.limits.close):
		c.end(fmt.Errorf("%s does not read requests any more", Program))
	}
}

// end ends the engine. The first error that it is given becomes that of every call.
func (c *Client) end(why error) {
	c.mu.Lock()
	if c.broken == nil {
		c.broken = why
	}
	c.mu.Unlock()
	_ = c.process.kill()         // it may be gone already
	_ = c.process.stdout.Close() // a child of the engine may hold the other end
}

// read passes responses to the waiting calls until the engine ends.
func (c *Client) read() {
	if err := c.receive(); err != nil {
		c.end(fmt.Errorf("%s wrote what is not a response: %w", Program, err))
	}
	timer := time.AfterFunc(c.limits.close, func() { c.end(fmt.Errorf("%s closed its stdout and did not end", Program)) })
	err := c.process.wait()
	timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing:
		c.err = fmt.Errorf("%s was closed", Program)
	case c.broken != nil:
		c.err = fmt.Errorf("%w%s", c.broken, c.tail)
	default:
		if err == nil {
			err = errors.New("exit status 0")
		}
		c.err = fmt.Errorf("%s ended unexpectedly: %w%s", Program, err, c.tail)
	}
	close(c.done)
}

// receive passes responses on. It returns nil when stdout ends, even within a line, and an error for what is not a
// response to a request in flight.
func (c *Client) receive() error {
	lines := NewLines(c.process.stdout, c.limits.line)
	for {
		line, err := lines.Next()
		if errors.Is(err, ErrTooLong) {
			return fmt.Errorf("the line is longer than %d MiB", c.limits.line>>20)
		}
		if err != nil || lines.Cut() {
			return nil // the engine has died
		}
		response, err := parseResponse(line)
		if err == nil {
			err = c.deliver(response)
		}
		if err != nil {
			return err
		}
	}
}

// deliver gives a response to the call that waits for it.
func (c *Client) deliver(r Response) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := c.waiting[r.ID]
	switch {
	case waiting != nil:
		waiting <- r
	case c.left[r.ID]:
	case r.Error != nil && r.ID == 0:
		return fmt.Errorf("it could not read a request: %w", r.Error)
	default:
		return fmt.Errorf("it answers request %d, which does not wait for an answer", r.ID)
	}
	delete(c.waiting, r.ID)
	delete(c.left, r.ID)
	return nil
}

// Close ends the engine and waits for it. Calls in flight fail. Closing twice is harmless.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	_ = c.process.stdin.Close() // fails only if it was closed before
	timer := time.NewTimer(c.limits.close)
	defer timer.Stop()
	select {
	case <-c.done:
		return nil
	case <-timer.C:
	}
	c.end(fmt.Errorf("%s did not end", Program))
	select {
	case <-c.done:
		return nil
	case <-time.After(closeWait):
		return fmt.Errorf("%s cannot be ended", Program)
	}
}

// tail is a writer that keeps the end of what was written.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept = bytes.Clone(t.kept[over:])
	}
	return len(p), nil
}

// String returns the kept text as the end of an error message.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := strings.TrimSpace(string(t.kept)); text != "" {
		return "; its stderr ends with:\n" + text
	}
	return ""
}
