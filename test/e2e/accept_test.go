//go:build e2e

package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// testChange makes an enforced control stricter in the profile, and lets one ring after
// the other accept it. What the old content refuses is refused at every moment, and what
// only the new one refuses is admitted at every moment until the environment accepts,
// and again after a revert.
func testChange(t *testing.T, f *fleet) {
	const control = "disallow-capabilities-strict"
	adding := func(name, capability string) manifest.Object {
		spec := goodPodSpec()
		container := spec["containers"].([]any)[0].(map[string]any)
		container["securityContext"].(map[string]any)["capabilities"] = map[string]any{"drop": []any{"ALL"}, "add": []any{capability}}
		return pod(platformNamespace, name, spec)
	}
	changed, always := adding("changed", "NET_BIND_SERVICE"), adding("always", "SYS_ADMIN")
	wantAdmitted(t, judge(t, f.Client(), changed))
	saved := f.source
	f.source = filepath.Join(t.TempDir(), "source")
	if err := os.CopyFS(f.source, os.DirFS(saved)); err != nil {
		t.Fatal(err)
	}
	bad := start(t, 20*time.Millisecond, f.creating("a Pod that both contents refuse", always, admitted))
	unaccepted := func() *probes {
		return start(t, 20*time.Millisecond, f.creating("a Pod that only the new content refuses", changed, refused, closed))
	}

	quiet := unaccepted()
	profile := filepath.Join(f.source, "profile.yaml")
	replaceIn(t, profile, "  controls:\n", "  controls:\n    "+control+": {parameters: {allowedCapabilities: []}}\n")
	f.commit(t, "Allow no capability")
	next := f.get(t, newObject("kyverno.io/v1", "ClusterPolicy", "", control+"-next", nil))
	if next.Condition("Ready").String("status") != "True" {
		t.Errorf("%s is not ready: %v", next.Name(), next["status"])
	}
	f.accept(t, "dev")
	f.commit(t, "Accept it in dev")
	quiet.end(t)

	f.accept(t, environment)
	turns := start(t, 20*time.Millisecond, turning("a Pod that only the new content refuses", f, changed))
	f.commit(t, "Accept it here")
	f.eventuallyJudged(t, changed, control)
	turns.end(t)
	eventually(t, layerTimeout, "the audited policy to go", func() error {
		for _, p := range f.list(t, "kyverno.io/v1", "ClusterPolicy") {
			if p.Name() == control+"-next" {
				return errors.New("it is still there")
			}
		}
		return nil
	})

	f.git(t, "revert", "--no-edit", "HEAD")
	f.waitFor(t, "gatehouse-policies", f.push(t))
	f.eventuallyJudged(t, changed, "")
	bad.end(t)

	f.source = saved
	f.commit(t, "Go back")
}

// commit builds, commits, pushes, and waits until the policies are applied.
func (f *fleet) commit(t *testing.T, message string) {
	t.Helper()
	f.build(t, message)
	f.waitFor(t, "gatehouse-policies", f.push(t))
}

// turning asks whether an object is admitted, and fails if it is admitted after it was refused.
func turning(what string, f *fleet, o manifest.Object) *probe {
	client, wasRefused := f.Client().DryRun(), false
	return &probe{what: what, wrong: []answer{closed}, ask: func(ctx context.Context) error {
		_, err := client.Create(ctx, o)
		switch a := answerOf(err); {
		case a == refused:
			wasRefused = true
		case a == admitted && wasRefused:
			return errors.New("failed calling webhook: admitted again after it was refused")
		}
		return err
	}}
}
