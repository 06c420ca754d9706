//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// usage is what one process cost.
type usage struct {
	wall time.Duration
	// processor time of all threads, which other work on the machine hardly changes.
	processor time.Duration
	// peak resident memory in bytes. It is at least that of this program, which
	// Linux counts to a child that has just been started.
	peak int64
}

// measure runs a program with its output to out.
func measure(ctx context.Context, out io.Writer, name string, args ...string) (usage, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = out, &stderr
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		return usage{}, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	if runtime.GOOS != "darwin" {
		peak *= 1024 // kilobytes but for Darwin
	}
	state := cmd.ProcessState
	return usage{wall: wall, processor: state.UserTime() + state.SystemTime(), peak: peak}, nil
}

// golang runs the go command for what it prints.
func golang(ctx context.Context, args ...string) (string, error) {
	var stdout bytes.Buffer
	_, err := measure(ctx, &stdout, "go", args...)
	return strings.TrimSpace(stdout.String()), err
}

// median of an odd number of durations; of an even one, the later of the middle two.
func median(all []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}

// kindCounter counts the objects in a stream of YAML documents.
type kindCounter struct {
	count int
	line  []byte
}

// Write counts the lines that begin with "kind:".
func (k *kindCounter) Write(p []byte) (int, error) {
	for _, c := range p {
		if c != '\n' {
			if len(k.line) < len("kind:") {
				k.line = append(k.line, c)
			}
			continue
		}
		if string(k.line) == "kind:" {
			k.count++
		}
		k.line = k.line[:0]
	}
	return len(p), nil
}
