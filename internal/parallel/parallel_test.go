package parallel_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/parallel"
)

// TestDo: every index is called once, so that results stored by index are in order.
func TestDo(t *testing.T) {
	for _, n := range []int{0, 1, 100} {
		got, want := make([]int, n), make([]int, n)
		for i := range want {
			want[i] = i + 1
		}
		if err := parallel.Do(t.Context(), n, func(i int) error { got[i] += i + 1; return nil }); err != nil {
			t.Errorf("%d: %v", n, err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d: got %v", n, got)
		}
	}
}

// TestDoError: Do returns the first error and starts no more calls.
func TestDoError(t *testing.T) {
	first, later := errors.New("first"), errors.New("later")
	limit := runtime.GOMAXPROCS(0)
	failed := make(chan struct{})
	var calls atomic.Int64
	err := parallel.Do(t.Context(), 1000*limit, func(i int) error {
		calls.Add(1)
		if i == 0 {
			defer close(failed)
			return first
		}
		<-failed
		runtime.Gosched()
		return nil
	})
	if !errors.Is(err, first) {
		t.Errorf("got %v, want %v", err, first)
	}
	if n := calls.Load(); n == int64(1000*limit) {
		t.Error("an error does not end the work")
	}
	if err := parallel.Do(t.Context(), 1, func(int) error { return later }); !errors.Is(err, later) {
		t.Errorf("got %v, want %v", err, later)
	}
}

// TestDoCanceled: a context that is done ends the work, which then is not complete.
func TestDoCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var calls atomic.Int64
	n := 1000 * runtime.GOMAXPROCS(0)
	err := parallel.Do(ctx, n, func(int) error { calls.Add(1); cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if got := calls.Load(); got == int64(n) {
		t.Error("the context does not end the work")
	}
	if err := parallel.Do(ctx, n, func(int) error { t.Error("called after the end"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
