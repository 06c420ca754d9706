package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// start runs "start --foreground" in a separate session, shows its output until it is
// ready, and leaves it running. An interrupt before that ends it.
func start(ctx context.Context, o options, args []string, out, log io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if pid := servedBy(o.dir); pid != 0 {
		return fmt.Errorf("a control plane runs in %s already; stop it first", o.dir)
	}
	// The state of a killed run would look like our own; its other files are removed when the lock is held.
	if err := os.RemoveAll(filepath.Join(o.dir, stateFile)); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.dir), 0o755); err != nil {
		return err
	}
	logFile, err := os.Create(o.dir + logSuffix)
	if err != nil {
		return err
	}
	defer logFile.Close()
	cmd := exec.Command(self, append([]string{"start", "--foreground"}, args...)...)
	cmd.Stderr, cmd.SysProcAttr = logFile, &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	reader, err := os.Open(logFile.Name())
	if err != nil {
		return err
	}
	defer reader.Close()
	for {
		if _, err := io.Copy(log, reader); err != nil {
			return err
		}
		if s, err := readState(o.dir); err == nil {
			s.print(out)
			return nil
		}
		select {
		case err := <-ended:
			_, copyErr := io.Copy(log, reader)
			return errors.Join(fmt.Errorf("the control plane did not start: %w", err), copyErr)
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), cmd.Process.Signal(syscall.SIGTERM), <-ended)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// stop ends the process that serves a folder, and removes the files of a killed one.
func stop(ctx context.Context, dir string, log io.Writer) error {
	pid := servedBy(dir)
	if pid == 0 {
		fmt.Fprintln(log, "no control plane runs in", dir)
	} else if err := end(ctx, dir, pid); err != nil {
		return err
	}
	var problems []error
	for _, path := range []string{dir, dir + lockSuffix, dir + logSuffix} {
		problems = append(problems, os.RemoveAll(path))
	}
	return errors.Join(problems...)
}

func end(ctx context.Context, dir string, pid int) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping %d: %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for servedBy(dir) == pid {
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), syscall.Kill(pid, syscall.SIGKILL)) // its children die with it
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// servedBy returns the pid of the process that serves a folder, 0 if there is none. The
// file is locked only while that process is running.
func servedBy(dir string) int {
	lock, err := os.Open(dir + lockSuffix)
	if err != nil {
		return 0
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return 0
	}
	raw, err := io.ReadAll(lock)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0
	}
	return pid
}

// status prints what runs.
func status(_ context.Context, dir string, out io.Writer) error {
	pid := servedBy(dir)
	if pid == 0 {
		return fmt.Errorf("no control plane runs in %s", dir)
	}
	fmt.Fprintf(out, "%-32s %d\n", "supervisor", pid)
	entries, err := os.ReadDir(filepath.Join(dir, "pids"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, "pids", e.Name()))
		if err != nil {
			continue // it has just ended
		}
		fmt.Fprintf(out, "%-32s %s\n", e.Name(), raw)
	}
	s, err := readState(dir)
	if err != nil {
		fmt.Fprintln(out, "not ready yet")
		return nil
	}
	s.print(out)
	return nil
}

func readState(dir string) (state, error) {
	var s state
	raw, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(raw, &s)
}
