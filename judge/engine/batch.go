package engine

import (
	"context"
	"sync"
)

// A batch of [Client.EvaluateMany] ends when it has either of these, so that memory does not grow with the number of
// requests and no line comes near [MaxLine].
const (
	batchRequests = 128
	batchBytes    = 4 << 20
)

// batchesInFlight keeps the engine busy while a response travels.
const batchesInFlight = 3

// EvaluateMany evaluates requests that do not depend on each other and returns one answer each, in their order. It
// sends them in batches of bounded size; any number is fine. The error is that of the first batch that got no answer at all.
func (c *Client) EvaluateMany(ctx context.Context, requests []EvaluateParams) ([]Evaluation, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results := make([]Evaluation, len(requests))
	var batches sync.WaitGroup
	slots := make(chan struct{}, batchesInFlight)
	for start := 0; start < len(requests) && ctx.Err() == nil; {
		end := batchEnd(requests, start)
		batch, into := requests[start:end], results[start:end]
		slots <- struct{}{}
		batches.Go(func() {
			defer func() { <-slots }()
			if err := c.evaluateBatch(ctx, batch, into); err != nil {
				cancel(err)
			}
		})
		start = end
	}
	batches.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return results, nil
}

// batchEnd returns the index after the last request of the batch that begins at start.
func batchEnd(requests []EvaluateParams, start int) int {
	size := 0
	for i := start; i < len(requests) && i < start+batchRequests; i++ {
		size += len(requests[i].Resource) + len(requests[i].OldResource)
		if size > batchBytes && i > start {
			return i
		}
	}
	return min(start+batchRequests, len(requests))
}

// evaluateBatch fills into with the answers to one batch.
func (c *Client) evaluateBatch(ctx context.Context, batch []EvaluateParams, into []Evaluation) error {
	var result EvaluateManyResult
	if err := c.call(ctx, MethodEvaluateMany, EvaluateManyParams{Requests: batch}, &result); err != nil {
		return err
	}
	if err := result.check(len(batch)); err != nil {
		return notAnAnswer(MethodEvaluateMany, err)
	}
	copy(into, result.Results)
	return nil
}
