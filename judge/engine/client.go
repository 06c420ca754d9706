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

// Client talks to a running engine. It is safe for concurrent use.
type Client struct {
	hello HelloResult
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan []byte // to the goroutine that writes
	tail  *tail       // of stderr

	done chan struct{} // closed when the engine is gone; then err is set
	err  error

	mu      sync.Mutex
	closing bool
	nextID  uint64
	waiting map[uint64]chan Response
}

// Start starts the command, which must not have been started and must have no pipes, and sends it hello. It returns an
// error if the engine does not speak this [Protocol] or has another version of Kyverno: "1.19" accepts every 1.19.x, ""
// every version. The context applies only to the hello; the engine runs until [Client.Close].
func Start(ctx context.Context, cmd *exec.Cmd, kyverno string) (*Client, error) {
	c := &Client{cmd: cmd, lines: make(chan []byte), tail: new(tail), done: make(chan struct{}), waiting: map[uint64]chan Response{}}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", Program, err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", Program, err)
	}
	c.stdin, cmd.Stderr = stdin, c.tail
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", Program, err)
	}
	go c.write()
	go c.read(stdout)
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

// check returns an error if the engine cannot be used.
func (h HelloResult) check(path, kyverno string) error {
	if h.Protocol != Protocol {
		return fmt.Errorf("%s (%s) speaks protocol %d, this gatehouse %d: install both from the same version", path, h.Version, h.Protocol, Protocol)
	}
	if kyverno != "" && h.Kyverno != kyverno && !strings.HasPrefix(h.Kyverno, kyverno+".") {
		return fmt.Errorf("%s holds Kyverno %s, the profile says %s: its verdicts would not be those of the clusters", path, h.Kyverno, kyverno)
	}
	return nil
}

// Hello returns the engine's answer to hello.
func (c *Client) Hello() HelloResult { return c.hello }

// Load replaces the objects loaded in the engine. Check [LoadResult.Err]: an object that Kyverno refuses is not an error of Load.
func (c *Client) Load(ctx context.Context, params LoadParams) (LoadResult, error) {
	var result LoadResult
	err := c.call(ctx, MethodLoad, params, &result)
	return result, err
}

// Evaluate returns what the cluster would answer to one request. An [*Error] means that there is no verdict; never read it as a pass.
func (c *Client) Evaluate(ctx context.Context, params EvaluateParams) (EvaluateResult, error) {
	var result EvaluateResult
	err := c.call(ctx, MethodEvaluate, params, &result)
	return result, err
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
	response := make(chan Response, 1)
	c.mu.Lock()
	c.nextID++
	request.ID = c.nextID
	c.waiting[request.ID] = response
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, request.ID)
		c.mu.Unlock()
	}()
	line, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encoding the request %s: %w", method, err)
	}
	if len(line) > MaxLine {
		return &Error{Code: CodeTooLarge, Message: fmt.Sprintf("%s: the request has %d MiB, the engine takes %d", method, len(line)>>20, MaxLine>>20)}
	}
	select {
	case c.lines <- append(line, '\n'):
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case r := <-response:
		return r.into(method, result)
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// into decodes the result of the response, or returns its error.
func (r Response) into(method string, result any) error {
	if r.Error != nil {
		return r.Error
	}
	if err := json.Unmarshal(r.Result, result); err != nil {
		return fmt.Errorf("decoding the answer of %s to %s: %w", Program, method, err)
	}
	return nil
}

// write writes lines to the engine, so that no caller blocks on a full pipe.
func (c *Client) write() {
	for {
		select {
		case line := <-c.lines:
			if _, err := c.stdin.Write(line); err != nil {
				return // the engine has ended or is ending; read reports why
			}
		case <-c.done:
			return
		}
	}
}

// read passes responses to the waiting calls until the engine ends.
func (c *Client) read(stdout io.Reader) {
	decoder := json.NewDecoder(stdout)
	var broken error
	for {
		var response Response
		if err := decoder.Decode(&response); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) { // these two mean that it died
				broken = err
				_ = c.cmd.Process.Kill() // it may be gone already
			}
			break
		}
		c.mu.Lock()
		waiting := c.waiting[response.ID]
		delete(c.waiting, response.ID)
		c.mu.Unlock()
		if waiting != nil {
			waiting <- response
		}
	}
	err := c.cmd.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing:
		c.err = fmt.Errorf("%s was closed", Program)
	case broken != nil:
		c.err = fmt.Errorf("%s wrote what is not a response: %w%s", Program, broken, c.tail)
	default:
		if err == nil {
			err = errors.New("exit status 0")
		}
		c.err = fmt.Errorf("%s ended unexpectedly: %w%s", Program, err, c.tail)
	}
	close(c.done)
}

// closeWait is how long an engine may take to end by itself once its stdin is closed.
const closeWait = 5 * time.Second

// Close ends the engine and waits for it. Calls in flight fail. Closing twice is harmless.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	_ = c.stdin.Close() // fails only if it was closed before
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	select {
	case <-c.done:
		return nil
	case <-timer.C:
	}
	if err := c.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("ending %s: %w", Program, err)
	}
	<-c.done
	return nil
}

// tailSize is how many bytes of the engine's stderr are kept for errors.
const tailSize = 8 << 10

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
