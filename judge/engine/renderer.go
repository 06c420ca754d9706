package engine

import (
	"context"
	"errors"
	"sync"
)

// Renderer renders and pulls charts in an engine of its own, which it starts when it is needed. A chart may end its engine:
// the next chart gets another one. It is safe for concurrent use.
type Renderer struct {
	// Start starts an engine.
	Start func(context.Context) (*Client, error)

	mu     sync.Mutex
	client *Client
}

// Render is [Client.Render].
func (r *Renderer) Render(ctx context.Context, params RenderParams) (RenderResult, error) {
	return with(ctx, r, func(c *Client) (RenderResult, error) { return c.Render(ctx, params) })
}

// Pull is [Client.Pull].
func (r *Renderer) Pull(ctx context.Context, params PullParams) (PullResult, error) {
	return with(ctx, r, func(c *Client) (PullResult, error) { return c.Pull(ctx, params) })
}

// Close ends the engine, if there is one.
func (r *Renderer) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.end()
}

func (r *Renderer) end() error {
	if r.client == nil {
		return nil
	}
	client := r.client
	r.client = nil
	return client.Close()
}

// with calls the engine. One that gives no answer is ended.
func with[T any](ctx context.Context, r *Renderer, call func(*Client) (T, error)) (result T, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client == nil {
		if r.client, err = r.Start(ctx); err != nil {
			r.client = nil
			return result, err
		}
	}
	result, err = call(r.client)
	if _, answered := errors.AsType[*Error](err); err != nil && !answered {
		_ = r.end() // what went wrong before matters more
	}
	return result, err
}
