package rollout

import (
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/output"
)

// Kyverno is installed by the repository in dev, and is there already in prod, where it
// is checked.
func TestCheckKyvernoPerEnvironment(t *testing.T) {
	source := fstest.MapFS{"all.yaml": {Data: []byte(`apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec: {extends: [baseline]}
---
apiVersion: gatehouse.dev/v1alpha1
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: audit}
---
apiVersion: gatehouse.dev/v1alpha1
kind: Environment
metadata: {name: prod}
spec: {ring: 2, stage: audit, overrides: {kyverno: {install: none}}}
`)}}
	bundle, problems := generator.Compile(source, ".", generator.Options{Now: time.Date(2027, 1, 15, 0, 0, 0, 0, time.UTC)})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := output.Write(t.Context(), dir, bundle.Files, bundle.Lock, output.Options{}); err != nil {
		t.Fatal(err)
	}
	check := func(cluster string, kyverno bool) string {
		server, client := newFakeServer(t)
		server.runFlux(1)
		target, err := Open(os.DirFS(dir), cluster)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := target.Objects(Access{URL: repositoryURL, Branch: "main"})
		if err != nil {
			t.Fatal(err)
		}
		if deployment, config := goodKyverno(); kyverno {
			server.put(deployment)
			server.put(config)
		}
		return wrong(t, &Bootstrap{Client: client, Target: target, Objects: objects})
	}
	checkLines(t, check("dev", false), nil)
	checkLines(t, check("dev", true), []string{"error    Kyverno is there already (Deployment kyverno/kyverno-admission-controller), and the repository would install another - set spec.kyverno.install to none"})
	checkLines(t, check("prod", false), []string{"error    Kyverno: none is installed"})
	checkLines(t, check("prod", true), nil)
}
