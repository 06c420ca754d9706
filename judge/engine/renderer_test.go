package engine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestRenderer: an engine that a chart ends, or that gives no answer, costs that chart. The next one gets another engine.
func TestRenderer(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	started := 0
	r := &Renderer{Start: func(ctx context.Context) (*Client, error) {
		started++
		l := limits{line: MaxLine, hello: 10 * time.Second, answer: 10 * time.Second, close: time.Second, chart: 500 * time.Millisecond, pull: 500 * time.Millisecond}
		return start(ctx, exec.Command(program, "engine", "renders"), "", l)
	}}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, tt := range []struct {
		release, want string
		started       int
	}{
		{"good", "", 1}, {"refused", "it is refused", 1}, {"dies", "needs more than", 1}, {"good", "", 2}, {"hangs", "did not answer render within 500ms", 2}, {"good", "", 3},
		{"nothing", "no chart or no list of manifests", 3}, {"good", "", 4},
	} {
		result, err := r.Render(t.Context(), RenderParams{Name: tt.release})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || err == nil && result.Chart != "web" || started != tt.started {
			t.Errorf("%d: %s: %v, want %q; %d engines were started, want %d", i, tt.release, err, tt.want, started, tt.started)
		}
	}
	if _, err := r.Pull(t.Context(), PullParams{}); err == nil || !strings.Contains(err.Error(), "it has no archive or no version") {
		t.Error(err)
	}
	broken := &Renderer{Start: func(context.Context) (*Client, error) { return nil, errors.New("no engine") }}
	if _, err := broken.Render(t.Context(), RenderParams{}); err == nil || broken.Close() != nil {
		t.Error(err)
	}
}
