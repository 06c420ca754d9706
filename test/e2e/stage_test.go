//go:build e2e

package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// testStage moves the environment from enforce-platform to enforce and back, one
// commit each. What was enforced before is refused at every moment in between.
func testStage(t *testing.T, f *fleet) {
	stop := f.neverAdmitted(t)
	app := pod(appsNamespace, "bump", badPodSpec())
	wantAdmitted(t, judge(t, f.Client(), app))

	f.setStage(t, "enforce-platform", "enforce")
	for _, path := range f.build(t, "Enforce staging everywhere") {
		// The Pod Security labels of the Namespaces follow the stage, and so do default-deny and quotas, which
		// have their own Kustomization: the workloads wait for it.
		layer, _, _ := strings.Cut(strings.TrimPrefix(path, "environments/"+environment+"/"), "/")
		inLayer := slices.Contains([]string{"policies", "namespaces", "network", "limits"}, layer)
		begins := strings.HasPrefix(path, "clusters/") && slices.Contains([]string{"apps.yaml", "gatehouse-limits.yaml", "kustomization.yaml"}, filepath.Base(path))
		if applied := strings.HasPrefix(path, "environments/") || strings.HasPrefix(path, "clusters/"); applied && !inLayer && !begins {
			t.Errorf("the bump of a stage changes %s", path)
		}
	}
	f.waitFor(t, "gatehouse-policies", f.push(t))
	f.eventuallyJudged(t, app, badPodPolicy)
	f.eventuallyLimited(t, true)

	f.git(t, "revert", "--no-edit", "HEAD")
	f.waitFor(t, "gatehouse-policies", f.push(t))
	f.eventuallyJudged(t, app, "")
	f.eventuallyLimited(t, false)
	stop(t)
	f.setStage(t, "enforce", "enforce-platform")
}

// eventuallyLimited waits until the namespace with a quota and a limit range has both, or neither.
func (f *fleet) eventuallyLimited(t *testing.T, limited bool) {
	t.Helper()
	eventually(t, time.Minute, "the limits of the namespace batch", func() error {
		for _, kind := range []string{"ResourceQuota", "LimitRange"} {
			_, err := f.Client().Get(t.Context(), "v1", kind, "batch", "gatehouse")
			if err != nil && !apierrors.IsNotFound(err) {
				return err
			}
			if (err == nil) != limited {
				return fmt.Errorf("%s: %w", kind, cmp.Or(err, errors.New("is there")))
			}
		}
		return nil
	})
}

// setStage changes the line of the stage in the profile.
func (f *fleet) setStage(t *testing.T, from, to string) {
	t.Helper()
	replaceIn(t, filepath.Join(f.source, "environments", environment+".yaml"), "stage: "+from+"\n", "stage: "+to+"\n")
}

// eventuallyJudged waits until a policy refuses an object; without a policy, until
// it is admitted. A Kustomization is ready when the policies are in the webhook;
// Kyverno's cache follows.
func (f *fleet) eventuallyJudged(t *testing.T, o manifest.Object, policy string) {
	t.Helper()
	eventually(t, time.Minute, "the new verdict", func() error {
		err := judge(t, f.Client(), o)
		if policy == "" {
			return err
		}
		if err == nil {
			return errors.New("admitted")
		}
		return nil
	})
	if policy != "" {
		wantRefused(t, judge(t, f.Client(), o), policy)
	}
}
