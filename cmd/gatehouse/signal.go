package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/gatehouse-dev/gatehouse/internal/exit"
)

// interruption is the signal that ended a command.
type interruption struct{ signal syscall.Signal }

func (i interruption) Error() string {
	if i.signal == syscall.SIGTERM {
		return "terminated"
	}
	return "interrupted"
}

// ExitCode returns what a shell reports for a program that the signal killed.
func (i interruption) ExitCode() exit.Code { return exit.Code(128 + int(i.signal)) }

// untilSignal returns a context that ends with the first SIGINT or SIGTERM, its
// cause. A second one kills the program. stop releases what the context needs.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(interruption{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// endOf returns the error that a command ends with: the signal if there was one,
// because errors after it are its consequences, else err.
func endOf(ctx context.Context, err error) error {
	if i, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
		return i
	}
	return err
}

// await returns the result of f, or the cause of ctx if that ends first. In that
// case f keeps running and its result is dropped, so it must not have effects.
func await[T any](ctx context.Context, f func() T) (T, error) {
	result := make(chan T, 1)
	go func() { result <- f() }()
	select {
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	case r := <-result:
		return r, nil
	}
}

// interruptible is a reader whose Read returns when ctx ends, even if it blocks on a
// pipe or a terminal.
type interruptible struct {
	ctx context.Context
	in  io.Reader
}

func (r interruptible) Read(p []byte) (int, error) {
	type read struct {
		data []byte
		err  error
	}
	got, err := await(r.ctx, func() read {
		buffer := make([]byte, len(p)) // the caller owns p again when ctx ends
		n, err := r.in.Read(buffer)
		return read{buffer[:n], err}
	})
	if err != nil {
		return 0, err
	}
	return copy(p, got.data), got.err
}
