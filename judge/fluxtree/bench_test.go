package fluxtree_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// large returns an archive of a repository with n Kustomizations of seven Deployments each;
// filler is more text in each.
func large(n int, filler string) string {
	var b strings.Builder
	b.WriteString(sync)
	for i := range n {
		fmt.Fprintf(&b, `-- clusters/prod/app-%[1]d.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: app-%[1]d, namespace: flux-system}
spec:
  path: ./apps/%[1]d
  targetNamespace: ns-%[1]d
  interval: 10m
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild: {substitute: {TAG: "1"}}
-- apps/%[1]d/kustomization.yaml --
resources: [d-0.yaml, d-1.yaml, d-2.yaml, d-3.yaml, d-4.yaml, d-5.yaml, d-6.yaml]
`, i)
		for j := range 7 {
			fmt.Fprintf(&b, `-- apps/%[1]d/d-%[2]d.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-%[2]d, annotations: {filler: "%[3]s"}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web-%[2]d}}
  template:
    metadata: {labels: {app: web-%[2]d}}
    spec:
      containers:
        - name: web
          image: ghcr.io/acme/web:${TAG}
          ports: [{name: http, containerPort: 8080}]
          env: [{name: A, value: a}, {name: B, valueFrom: {secretKeyRef: {name: s, key: b}}}]
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`, i, j, filler)
		}
	}
	return b.String()
}

// BenchmarkFlux reads 2,100 workloads through 300 Kustomizations, and builds the same folders
// as `kustomize build` does.
func BenchmarkFlux(b *testing.B) {
	const n = 300
	dir := write(b, large(n, ""))
	b.Run("gatehouse", func(b *testing.B) {
		for b.Loop() {
			r, err := fluxtree.Open(os.DirFS(dir), filesys.MakeFsOnDisk(), dir, "", ".", fluxtree.Options{})
			if err != nil {
				b.Fatal(err)
			}
			objects := 0
			problems, err := r.Each(b.Context(), func(fluxtree.Object) error { objects++; return nil })
			if err != nil || len(problems) > 0 || objects != 8*n+2 {
				b.Fatal(objects, problems, err)
			}
		}
	})
	b.Run("kustomize", func(b *testing.B) {
		for b.Loop() {
			for i := range n {
				built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(dir, "apps", fmt.Sprint(i)))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := built.AsYaml(); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// TestMemory: what is held does not grow with the number of Kustomizations.
func TestMemory(t *testing.T) {
	held := func(n int) uint64 {
		dir := write(t, large(n, strings.Repeat("x", 20<<10)))
		r, err := fluxtree.Open(os.DirFS(dir), filesys.MakeFsOnDisk(), dir, "", ".", fluxtree.Options{})
		if err != nil {
			t.Fatal(err)
		}
		objects, peak := 0, uint64(0)
		if _, err := r.Each(t.Context(), func(fluxtree.Object) error {
			if objects++; objects%50 == 0 {
				var stats runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&stats)
				peak = max(peak, stats.HeapAlloc)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return peak
	}
	few, many := held(10), held(80)
	if many > few+8<<20 { // all of it is 11 MB of text
		t.Errorf("%d MiB were held for 10 Kustomizations, %d MiB for 80", few>>20, many>>20)
	}
}
