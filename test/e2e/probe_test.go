//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// answer is the outcome of a request.
type answer string

const (
	admitted answer = "admitted"
	refused  answer = "refused"       // by a policy, or by the Pod Security labels that gatehouse sets
	closed   answer = "failed closed" // Kyverno could not be asked
	// silent is everything else: the API server is down or not ready yet, the
	// namespace is not there yet. It says nothing about policies.
	silent answer = "no verdict"
)

func answerOf(err error) answer {
	switch {
	case err == nil:
		return admitted
	case strings.Contains(err.Error(), "denied the request"), // by a webhook
		strings.Contains(err.Error(), "denied request: "), // by a ValidatingAdmissionPolicy
		strings.Contains(err.Error(), "violates PodSecurity"):
		return refused
	case strings.Contains(err.Error(), "failed calling webhook"):
		return closed
	}
	return silent
}

// probe sends the same request repeatedly, and stores nothing.
type probe struct {
	what string
	ask  func(context.Context) error
	// wrong are the answers that must never come.
	wrong []answer

	mu      sync.Mutex
	answers map[answer]int
	faults  []string
}

func (p *probe) once(ctx context.Context) {
	err := p.ask(ctx)
	if ctx.Err() != nil {
		return // the outcome is due to the end
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a := answerOf(err)
	p.answers[a]++
	if slices.Contains(p.wrong, a) {
		p.faults = append(p.faults, fmt.Sprintf("%s %s: %v", time.Now().Format(time.TimeOnly+".000"), a, err))
	}
}

// check fails the test if a wrong answer came since the last check.
func (p *probe) check(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.faults); n > 0 {
		t.Errorf("%s: %d wrong answers, such as %s", p.what, n, p.faults[0])
	}
	p.faults = nil
}

// probes run in turn until they are stopped.
type probes struct {
	all  []*probe
	stop func()
}

// start runs the probes in turn, with a pause after each.
func start(t *testing.T, pause time.Duration, all ...*probe) *probes {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for _, p := range all {
		p.answers = map[answer]int{}
	}
	group.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			all[i%len(all)].once(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	})
	end := sync.OnceFunc(func() { cancel(); group.Wait() })
	t.Cleanup(end)
	return &probes{all: all, stop: end}
}

// end stops the probes, and fails the test for wrong answers and for a question
// that was never answered.
func (p *probes) end(t *testing.T) {
	t.Helper()
	p.stop()
	for _, one := range p.all {
		one.check(t)
		t.Logf("%s: %v", one.what, one.answers)
		if one.answers[admitted]+one.answers[refused]+one.answers[closed] == 0 {
			t.Errorf("%s: no verdict was given", one.what)
		}
	}
}

// creating returns a request that asks whether an object may be created.
func (f *fleet) creating(what string, o manifest.Object, wrong ...answer) *probe {
	client := f.Client().DryRun()
	return &probe{what: what, wrong: wrong, ask: func(ctx context.Context) error {
		_, err := client.Create(ctx, o)
		return err
	}}
}

// neverAdmitted probes whether a bad Pod of the enforced tier is refused, until the
// returned function is called. That function fails the test if the Pod was ever admitted.
func (f *fleet) neverAdmitted(t *testing.T) func(*testing.T) {
	t.Helper()
	p := start(t, 20*time.Millisecond, f.creating("a bad Pod", pod(platformNamespace, "probe", badPodSpec()), admitted))
	return p.end
}

// systemNamespaces whose Pods the cluster needs to come up again.
func systemNamespaces() []string { return []string{"kube-system", "flux-system", "kyverno"} }

// guard checks during the whole test what docs/safety.md says: Pods of the system
// namespaces are admitted whether or not Kyverno runs, and neither good workloads nor the
// objects that Flux applies are refused.
type guard struct {
	system, good *probes
}

func (f *fleet) guard(t *testing.T) guard {
	t.Helper()
	var system []*probe
	for _, namespace := range systemNamespaces() {
		system = append(system, f.creating("Pods of "+namespace, pod(namespace, "probe", badPodSpec()), refused, closed))
	}
	deployer := as(t, f.Client(), deployer).DryRun()
	applied := &probe{what: "what Flux applies", ask: func(ctx context.Context) error {
		_, err := deployer.Patch(ctx, newObject("v1", "Namespace", "", platformNamespace, nil), "", labels(map[string]any{"gatehouse.dev/tier": "probe"}))
		return err
	}}
	good := []*probe{applied}
	for _, namespace := range []string{platformNamespace, appsNamespace} {
		good = append(good, f.creating("good Pods of "+namespace, pod(namespace, "probe", goodPodSpec())))
	}
	return guard{start(t, 50*time.Millisecond, system...), start(t, 50*time.Millisecond, good...)}
}

// allowClosed sets whether Kyverno may be down from now on. Requests that it judges then
// fail closed, and all others are still admitted.
func (g guard) allowClosed(allow bool) {
	for _, p := range g.good.all {
		p.mu.Lock()
		p.wrong = []answer{refused, closed}
		if allow {
			p.wrong = []answer{refused}
		}
		p.mu.Unlock()
	}
}

// check fails the test for what came since the last check.
func (g guard) check(t *testing.T) {
	t.Helper()
	for _, p := range slices.Concat(g.system.all, g.good.all) {
		p.check(t)
	}
}

// end stops the probes.
func (g guard) end(t *testing.T) {
	t.Helper()
	g.system.end(t)
	g.good.end(t)
}
