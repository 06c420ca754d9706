// Package server speaks the protocol of judge/engine: JSON lines in, JSON lines out.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"golang.org/x/sync/errgroup"
)

// Engine judges; evaluator.Evaluator is one. All methods but Load are called concurrently.
type Engine interface {
	Load(protocol.LoadParams) (protocol.LoadResult, error)
	Evaluate(context.Context, protocol.EvaluateParams) (protocol.EvaluateResult, error)
	EvaluateMany(context.Context, protocol.EvaluateManyParams) protocol.EvaluateManyResult
}

// Charts renders and pulls Helm charts. Its methods are called concurrently.
type Charts interface {
	Render(context.Context, protocol.RenderParams) (protocol.RenderResult, error)
	Pull(context.Context, protocol.PullParams) (protocol.PullResult, error)
}

// Serve answers requests from in on out until in ends or cannot be read, or out cannot be written. Loads are done in
// the order they come, with nothing else in flight; evaluations between two loads run in parallel and are answered as
// they finish. At most as many lines are held in memory as there are processors, and one more. At the end of in what is in flight is answered.
func Serve(ctx context.Context, in io.Reader, out io.Writer, hello protocol.HelloResult, e Engine, c Charts) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{hello: hello, engine: e, charts: c, out: out}
	lines := protocol.NewLines(in, protocol.MaxLine)
	workers := new(errgroup.Group)
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for {
		line, err := lines.Next()
		switch {
		case errors.Is(err, io.EOF):
			_ = workers.Wait() // a worker has no error
			return s.failed()
		case errors.Is(err, protocol.ErrTooLong):
			message := fmt.Sprintf("the request is longer than %d MiB", protocol.MaxLine>>20)
			s.reply(idOf(line), nil, &protocol.Error{Code: protocol.CodeTooLarge, Message: message})
			continue
		case err != nil:
			return fmt.Errorf("reading requests: %w", err)
		}
		var request protocol.Request
		if err := json.Unmarshal(line, &request); err != nil {
			s.reply(idOf(line), nil, badRequest(fmt.Errorf("not a request: %w", err)))
			continue
		}
		if request.Method == protocol.MethodLoad {
			_ = workers.Wait()
			s.handle(ctx, request)
		} else {
			workers.Go(func() error { s.handle(ctx, request); return nil })
		}
		if err := s.failed(); err != nil {
			return err
		}
	}
}

// server answers requests; handle and reply may be called concurrently.
type server struct {
	hello  protocol.HelloResult
	engine Engine
	charts Charts

	mu       sync.Mutex
	out      io.Writer
	writeErr error
}

// handle answers one request.
func (s *server) handle(ctx context.Context, request protocol.Request) {
	result, err := s.dispatch(ctx, request)
	if err == nil {
		s.reply(request.ID, result, nil)
		return
	}
	s.reply(request.ID, nil, protocolError(err))
}

// dispatch calls the method. A panic becomes an error: one broken request must not take the others with it.
func (s *server) dispatch(ctx context.Context, request protocol.Request) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &protocol.Error{Code: protocol.CodeEvaluation, Message: fmt.Sprintf("%s: panic: %v", request.Method, p)}
		}
	}()
	switch request.Method {
	case protocol.MethodHello:
		return s.hello, nil
	case protocol.MethodLoad:
		return withParams(request.Params, s.engine.Load)
	case protocol.MethodEvaluate:
		return withParams(request.Params, func(p protocol.EvaluateParams) (protocol.EvaluateResult, error) {
			return s.engine.Evaluate(ctx, p)
		})
	case protocol.MethodEvaluateMany:
		return withParams(request.Params, func(p protocol.EvaluateManyParams) (protocol.EvaluateManyResult, error) {
			return s.engine.EvaluateMany(ctx, p), nil
		})
	case protocol.MethodRender:
		return withParams(request.Params, func(p protocol.RenderParams) (protocol.RenderResult, error) {
			return s.charts.Render(ctx, p)
		})
	case protocol.MethodPull:
		return withParams(request.Params, func(p protocol.PullParams) (protocol.PullResult, error) {
			return s.charts.Pull(ctx, p)
		})
	default:
		return nil, badRequest(fmt.Errorf("unknown method %q", request.Method))
	}
}

// withParams decodes params strictly and calls f.
func withParams[P, R any](raw json.RawMessage, f func(P) (R, error)) (any, error) {
	var params P
	if err := protocol.Decode(raw, &params); err != nil {
		return nil, badRequest(fmt.Errorf("reading params: %w", err))
	}
	return f(params)
}

// reply writes one response. After a failed write nothing more is written.
func (s *server) reply(id uint64, result any, failure *protocol.Error) {
	line := encode(id, result, failure)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr == nil {
		if _, err := s.out.Write(append(line, '\n')); err != nil {
			s.writeErr = fmt.Errorf("writing responses: %w", err)
		}
	}
}

// encode returns a response without its newline. It is one line of at most protocol.MaxLine bytes, an error if the
// result would not be.
func encode(id uint64, result any, failure *protocol.Error) []byte {
	response := protocol.Response{ID: id, Error: failure}
	if failure == nil {
		raw, err := json.Marshal(result)
		if err != nil {
			response.Error = &protocol.Error{Code: protocol.CodeEvaluation, Message: "encoding the result: " + err.Error()}
		}
		response.Result = raw
	}
	line, err := json.Marshal(response)
	if err != nil {
		panic(err) // its fields always encode
	}
	if len(line) <= protocol.MaxLine {
		return line
	}
	message := fmt.Sprintf("the response is longer than %d MiB", protocol.MaxLine>>20)
	return encode(id, nil, &protocol.Error{Code: protocol.CodeTooLarge, Message: message})
}

// failed returns the error of the first write that failed.
func (s *server) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeErr
}

// protocolError keeps an error that already has a code.
func protocolError(err error) *protocol.Error {
	if coded, ok := errors.AsType[*protocol.Error](err); ok {
		return coded
	}
	return badRequest(err)
}

func badRequest(err error) *protocol.Error {
	return &protocol.Error{Code: protocol.CodeBadRequest, Message: err.Error()}
}
