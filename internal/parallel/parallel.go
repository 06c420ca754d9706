// Package parallel distributes work over the processors.
package parallel

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Do calls f for 0 to n-1, as many at a time as there are processors, until a call fails
// or ctx is done. It returns the first error, or that of ctx.
func Do(ctx context.Context, n int, f func(i int) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error { return f(i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
