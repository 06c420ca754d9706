package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
	"github.com/gatehouse-dev/gatehouse/judge/impact"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// fluxKustomization is a Kustomization of Flux; spec is more of its spec.
func fluxKustomization(name, path, spec string) string {
	return fmt.Sprintf(`---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: %s, namespace: flux-system}
spec: {path: ./%s, interval: 10m, prune: true, sourceRef: {kind: GitRepository, name: flux-system}%s}
`, name, path, spec)
}

// TestImpactFlux reads a repository as Flux does, and asks the engine: of the bad workloads in
// it, each is found where Flux applies it, and nothing else is.
func TestImpactFlux(t *testing.T) {
	bad := func(name string) string {
		return strings.Replace(controller("Deployment", "x", name, "      hostNetwork: true\n"), ", namespace: x", "", 1)
	}
	good := func(name string) string {
		return strings.Replace(controller("Deployment", "x", name, ""), ", namespace: x", "", 1)
	}
	files := map[string]string{
		"clusters/prod/flux-system/gotk-sync.yaml": fluxKustomization("flux-system", "clusters/prod", ""),
		"clusters/prod/apps.yaml": fluxKustomization("tree", "apps/tree", "") +
			fluxKustomization("overlay", "apps/overlay", "") +
			fluxKustomization("generated", "apps/generated", ", targetNamespace: shop") +
			fluxKustomization("patched", "apps/patched", `, targetNamespace: shop, patches: [{patch: "- {op: add, path: /spec/template/spec/hostNetwork, value: true}", target: {kind: Deployment}}]`) +
			fluxKustomization("mended", "apps/mended", `, targetNamespace: shop, patches: [{patch: "- {op: remove, path: /spec/template/spec/hostNetwork}", target: {kind: Deployment}}]`) +
			fluxKustomization("variables", "apps/variables", `, postBuild: {substitute: {NS: shop, HOST: "true"}, substituteFrom: [{kind: Secret, name: elsewhere}]}`) +
			fluxKustomization("broken", "apps/broken", ""),
		"apps/tree/kustomization.yaml":         "resources: [web/ks.yaml]\n",
		"apps/tree/web/ks.yaml":                fluxKustomization("web", "apps/tree/web/app", ", targetNamespace: shop"),
		"apps/tree/web/app/kustomization.yaml": "resources: [web.yaml]\n",
		"apps/tree/web/app/web.yaml":           bad("tree"),
		"apps/base/kustomization.yaml":         "resources: [../../shared/base.yaml]\n",
		"shared/base.yaml":                     bad("base"),
		"apps/overlay/kustomization.yaml":      "resources: [../base]\nnamespace: shop\nnamePrefix: over-\n",
		"apps/generated/a/one.yaml":            bad("generated") + good("fine"),
		"apps/patched/web.yaml":                good("patched"),
		"apps/mended/web.yaml":                 bad("mended"),
		"apps/variables/web.yaml":              strings.Replace(strings.Replace(bad("variables"), "{name: variables}", "{name: variables, namespace: \"${NS}\"}", 1), "hostNetwork: true", "hostNetwork: ${HOST}", 1),
		"apps/variables/other.yaml":            strings.Replace(strings.Replace(bad("unknown"), "{name: unknown}", "{name: unknown, namespace: shop}", 1), "hostNetwork: true", "hostNetwork: ${SECRET}", 1),
		"apps/broken/kustomization.yaml":       "resources: [made-by-ci.yaml]\n",
		"apps/old/web.yaml":                    bad("old"),
		"ansible/site.yaml":                    "- hosts: all\n",
	}
	report, problems := impactOf(t, files, &fluxtree.Helm{})
	var got []string
	for _, f := range report.Findings {
		got = append(got, fmt.Sprintf("%s %s %s %s %s", f.Environment, f.Status, f.Control, f.Workload(), f.Position))
	}
	want := []string{
		"prod unknown disallow-host-namespaces Deployment shop/unknown apps/variables/other.yaml:2",
		"prod would-block disallow-host-namespaces Deployment shop/generated apps/generated/a/one.yaml:2",
		"prod would-block disallow-host-namespaces Deployment shop/over-base shared/base.yaml:2",
		"prod would-block disallow-host-namespaces Deployment shop/patched apps/patched/web.yaml:2",
		"prod would-block disallow-host-namespaces Deployment shop/tree apps/tree/web/app/web.yaml:2",
		"prod would-block disallow-host-namespaces Deployment shop/variables apps/variables/web.yaml:2",
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(problems) > 0 || len(report.Unread) != 1 || !strings.Contains(report.Unread[0].Summary, "Kustomization flux-system/broken: ") || len(report.Unreached) != 1 || report.Unreached[0].File != "apps/old" {
		t.Errorf("problems %v\nunread %v\nunreached %v", problems, report.Unread, report.Unreached)
	}
}

// impactOf reads a repository as Flux does, and asks the engine about the stage enforce. Charts
// are rendered in another engine.
func impactOf(t *testing.T, files map[string]string, helm *fluxtree.Helm) (*impact.Report, diag.List) {
	t.Helper()
	dir := t.TempDir()
	for file, text := range files {
		name := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	renderer := &protocol.Renderer{Start: func(ctx context.Context) (*protocol.Client, error) {
		return protocol.Start(ctx, exec.Command(program, "serve"), "")
	}}
	t.Cleanup(func() {
		if err := renderer.Close(); err != nil {
			t.Error(err)
		}
	})
	helm.Renderer = renderer
	repository, err := fluxtree.Open(os.DirFS(dir), filesys.MakeFsOnDisk(), dir, ".", ".", fluxtree.Options{Helm: helm})
	if err != nil {
		t.Fatal(err)
	}
	now, next, steps := example(t, nil, "enforce")
	source := workload.NewFiles([]workload.Input{{Name: ".", Flux: repository}}, nil, "default")
	report, problems, err := impact.Run(t.Context(), start(t), now, next, steps, source, impact.Options{Now: now.Plan.Now})
	if err != nil {
		t.Fatal(err)
	}
	return report, problems
}
