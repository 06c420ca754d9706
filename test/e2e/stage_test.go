//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// testStage moves the environment from enforce-platform to enforce and back, one
// commit each. What was enforced before is refused at every moment in between.
func testStage(t *testing.T, f *fleet) {
	p := f.probe(t, pod(platformNamespace, "probe", badPodSpec()))
	app := pod(appsNamespace, "bump", badPodSpec())
	wantAdmitted(t, judge(t, f.Client(), app))

	f.setStage(t, "enforce-platform", "enforce")
	for _, path := range f.build(t, "Enforce staging everywhere") {
		// The Pod Security labels of the Namespaces follow the stage.
		layer := strings.TrimPrefix(path, "environments/"+environment+"/")
		inLayer := strings.HasPrefix(layer, "policies/") || strings.HasPrefix(layer, "namespaces/")
		if applied := strings.HasPrefix(path, "environments/") || strings.HasPrefix(path, "clusters/"); applied && !inLayer {
			t.Errorf("the bump of a stage changes %s", path)
		}
	}
	f.waitFor(t, "gatehouse-policies", f.push(t))
	f.eventuallyJudged(t, app, true)

	f.git(t, "revert", "--no-edit", "HEAD")
	f.waitFor(t, "gatehouse-policies", f.push(t))
	f.eventuallyJudged(t, app, false)
	p.stop(t)
	f.setStage(t, "enforce", "enforce-platform")
}

// setStage changes the line that a team bumps.
func (f *fleet) setStage(t *testing.T, from, to string) {
	t.Helper()
	path := filepath.Join(f.source, "environments", environment+".yaml")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	after := bytes.Replace(before, []byte("stage: "+from+"\n"), []byte("stage: "+to+"\n"), 1)
	if bytes.Equal(before, after) {
		t.Fatalf("%s is not at stage %s", path, from)
	}
	if err := os.WriteFile(path, after, 0o644); err != nil {
		t.Fatal(err)
	}
}

// eventuallyJudged waits until an object is refused, or admitted. A Kustomization
// is ready when the policies are in the webhook; Kyverno's cache follows.
func (f *fleet) eventuallyJudged(t *testing.T, o manifest.Object, refused bool) {
	t.Helper()
	eventually(t, time.Minute, "the new verdict", func() error {
		err := judge(t, f.Client(), o)
		if (err != nil) == refused {
			return nil
		}
		return fmt.Errorf("refused: %v", err)
	})
	if refused {
		wantRefused(t, judge(t, f.Client(), o), badPodPolicy)
	}
}

// prober asks the same question all the time.
type prober struct {
	done     chan struct{}
	group    sync.WaitGroup
	mu       sync.Mutex
	asked    int
	admitted []time.Time
}

// probe asks until stop whether an object is refused, by whatever error.
func (f *fleet) probe(t *testing.T, o manifest.Object) *prober {
	t.Helper()
	p := &prober{done: make(chan struct{})}
	p.group.Go(func() {
		for {
			err := judge(t, f.Client(), o)
			p.mu.Lock()
			p.asked++
			if err == nil {
				p.admitted = append(p.admitted, time.Now())
			}
			p.mu.Unlock()
			select {
			case <-p.done:
				return
			case <-t.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	return p
}

// stop fails the test if the object was admitted once.
func (p *prober) stop(t *testing.T) {
	t.Helper()
	close(p.done)
	p.group.Wait()
	if len(p.admitted) > 0 {
		t.Errorf("a bad Pod was admitted %d times of %d, at %v", len(p.admitted), p.asked, p.admitted)
	}
	t.Logf("a bad Pod was refused %d times", p.asked-len(p.admitted))
}
