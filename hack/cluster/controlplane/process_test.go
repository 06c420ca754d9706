package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shell is a component that appends its pid to a file and goes on as the script says.
func shell(t *testing.T, script string) (*process, func() []string) {
	t.Helper()
	dir := t.TempDir()
	pids := filepath.Join(dir, "started")
	p := &process{name: "shell", program: "/bin/sh", args: []string{"-c", "echo $$ >> " + pids + "; " + script}, dir: dir, logs: dir, pids: t.TempDir()}
	t.Cleanup(func() { p.end(syscall.SIGKILL) })
	return p, func() []string {
		data, err := os.ReadFile(pids)
		if err != nil {
			return nil
		}
		return strings.Fields(string(data))
	}
}

func TestProcessRestarts(t *testing.T) {
	p, started := shell(t, "exec sleep 1000")
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	waitStarts := func(n int) {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for len(started()) != n {
			if time.Now().After(deadline) {
				t.Fatalf("started %d times, want %d", len(started()), n)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	waitStarts(1)
	p.signal(syscall.SIGKILL)
	waitStarts(2)
	p.end(syscall.SIGKILL)
	if err := p.isReady(t.Context()); err == nil {
		t.Error("ready after its end")
	}
	time.Sleep(restartDelay + 200*time.Millisecond)
	waitStarts(2) // it stays down
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	waitStarts(3)
}

// TestProcessEndsItsChildren: the children of a component end with it.
func TestProcessEndsItsChildren(t *testing.T) {
	p, _ := shell(t, "sleep 1000 & echo $! > child; wait")
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	child := filepath.Join(p.dir, "child")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var pid string
	started := func(context.Context) error {
		data, err := os.ReadFile(child)
		if pid = strings.TrimSpace(string(data)); err == nil && pid == "" {
			err = errors.New("the file is still empty")
		}
		return err
	}
	if err := poll(ctx, 10*time.Millisecond, started); err != nil {
		t.Fatal(err)
	}
	p.end(syscall.SIGTERM)
	gone := func(context.Context) error {
		state, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(state), ") Z ") {
			return nil
		}
		return fmt.Errorf("the child lives: %s", state)
	}
	if err := poll(ctx, 10*time.Millisecond, gone); err != nil {
		t.Error(err)
	}
}

func TestProcessThatCannotStart(t *testing.T) {
	p := &process{name: "none", program: "/does/not/exist", logs: t.TempDir(), pids: t.TempDir()}
	if err := p.start(); err == nil {
		t.Error("no error")
	}
}
