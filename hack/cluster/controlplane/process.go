package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// restartDelay is how long a crashed process stays down. Kubernetes waits longer.
	restartDelay = time.Second
	// stopTimeout is how long a process has to end by itself.
	stopTimeout = 10 * time.Second
)

// process is a component that is started again when it ends, as a kubelet would.
type process struct {
	name string
	// program, arguments and complete environment.
	program   string
	args, env []string
	// dir is the working directory; the log and the pid are in logs and pids.
	dir, logs, pids string
	// ready returns nil once the component serves; nil means that running is enough.
	ready func(context.Context) error

	mu      sync.Mutex
	running *instance
}

// instance is one supervised life of a process, restarts included.
type instance struct {
	stop, ended chan struct{}
	signals     chan syscall.Signal
}

// start starts the supervision; it does nothing if the process is started already.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		return nil
	}
	log, err := os.OpenFile(filepath.Join(p.logs, p.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	i := &instance{stop: make(chan struct{}), ended: make(chan struct{}), signals: make(chan syscall.Signal, 1)}
	started := make(chan error, 1)
	go p.supervise(i, log, started)
	if err := <-started; err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	p.running = i
	return nil
}

// supervise runs the program until stop is closed. It keeps its thread: the
// kernel kills the child when the thread that started it ends (Pdeathsig).
func (p *process) supervise(i *instance, log *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer close(i.ended)
	defer log.Close()
	for first := true; ; first = false {
		cmd := exec.Command(p.program, p.args...)
		cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = p.env, p.dir, log, log, childAttributes()
		err := cmd.Start()
		if first {
			started <- err
			if err != nil {
				return
			}
		}
		if err == nil {
			p.wait(i, cmd)
		}
		select {
		case <-i.stop:
			return
		case <-time.After(restartDelay):
			fmt.Fprintf(log, "--- %s ended (%v) and is started again\n", p.name, cmd.ProcessState)
		}
	}
}

// wait waits until the child has ended, and passes on signals to it.
func (p *process) wait(i *instance, cmd *exec.Cmd) {
	pidFile := filepath.Join(p.pids, p.name)
	// The pid is for people and for status; the process runs without it, too.
	_ = os.WriteFile(pidFile, []byte(strconv.Itoa(cmd.Process.Pid)), 0o644)
	defer func() { _ = os.Remove(pidFile) }()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the result is in cmd.ProcessState
	}()
	for {
		select {
		case signal := <-i.signals:
			_ = syscall.Kill(-cmd.Process.Pid, signal) // the group; it may be gone already
		case <-ended:
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the rest of its group, if any
			return
		}
	}
}

// end stops the supervision and ends the process with a signal, followed by SIGKILL if
// that has no effect. A process that is down stays down.
func (p *process) end(signal syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.running
	if i == nil {
		return
	}
	p.running = nil
	close(i.stop)
	i.signals <- signal
	select {
	case <-i.ended:
		return
	case <-time.After(stopTimeout):
	}
	select {
	case i.signals <- syscall.SIGKILL:
	default:
	}
	<-i.ended
}

// signal sends a signal to a running process without ending its supervision.
func (p *process) signal(signal syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return
	}
	select {
	case p.running.signals <- signal:
	default: // a signal is pending
	}
}

// isReady reports whether the component serves.
func (p *process) isReady(ctx context.Context) error {
	p.mu.Lock()
	running := p.running != nil
	p.mu.Unlock()
	if !running {
		return errors.New("stopped")
	}
	if _, err := os.Stat(filepath.Join(p.pids, p.name)); err != nil {
		return errors.New("crashed")
	}
	if p.ready == nil {
		return nil
	}
	return p.ready(ctx)
}

// waitReady polls until the component serves; the error holds the end of its log.
func (p *process) waitReady(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := poll(ctx, 200*time.Millisecond, p.isReady)
	if err != nil {
		return fmt.Errorf("waiting for %s: %w\n%s", p.name, err, tail(filepath.Join(p.logs, p.name+".log"), 2000))
	}
	return nil
}

// poll calls f until it returns nil or ctx ends; then its last error is returned.
func poll(ctx context.Context, every time.Duration, f func(context.Context) error) error {
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(every):
		}
	}
}

// tail returns up to size bytes from the end of a file; nothing if it cannot be read.
func tail(path string, size int) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return data[max(0, len(data)-size):]
}
