package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/judge/impact"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// controller is a workload; spec is more of the Pod's spec.
func controller(kind, namespace, name, spec string) string {
	return fmt.Sprintf(`---
apiVersion: apps/v1
kind: %[1]s
metadata: {name: %[3]s, namespace: %[2]s}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: %[3]s}}
  template:
    metadata: {labels: {app.kubernetes.io/name: %[3]s}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: c
          image: ghcr.io/acme/%[3]s:v1@sha256:%[4]s
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}
          livenessProbe: {httpGet: {path: /, port: 8080}}
          readinessProbe: {httpGet: {path: /, port: 8080}}
%[5]s`, kind, namespace, name, strings.Repeat("a", 64), spec)
}

const hostPath = "      volumes: [{name: logs, hostPath: {path: /var/log}}]\n"

// example is examples/acme, which extends the profile hardened, as it is and bumped.
func example(t testing.TB, environments []string, stage string) (now, next *generator.Bundle, steps []impact.Step) {
	t.Helper()
	fsys := os.DirFS("../../../examples/acme")
	options := generator.Options{Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), Unstaged: true}
	now, problems := generator.Compile(fsys, ".", options)
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	steps = impact.Steps(now.Plan, environments, stage)
	if next, problems = now.WithStages(impact.Stages(steps)); problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	return now, next, steps
}

func workloads(text string) workload.Source {
	in := workload.Input{Name: "apps.yaml", Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
	return workload.NewFiles([]workload.Input{in}, nil, "default")
}

// guarded are the objects of a bundle that only the deployers may write.
func guarded(t *testing.T, b *generator.Bundle) string {
	t.Helper()
	var text strings.Builder
	for _, f := range b.Files {
		for _, o := range f.Objects {
			if !f.Folder.Applied() || o.Kind() != "PolicyException" && o.Kind() != "Namespace" && o.Kind() != "ClusterPolicy" {
				continue
			}
			data, err := yaml.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&text, "---\n%s", data)
		}
	}
	if text.Len() == 0 {
		t.Fatal("the bundle brings nothing that is guarded")
	}
	return text.String()
}

// TestImpact is `gatehouse impact examples/acme` with a good workload, bad ones of
// both tiers, one that is exempt in one namespace only, and what the bundle itself
// has brought into the cluster, which only the deployers may write.
func TestImpact(t *testing.T) {
	now, next, steps := example(t, nil, "")
	report, problems, err := impact.Run(t.Context(), start(t), now, next, steps, workloads(
		controller("Deployment", "shop", "good", "")+
			controller("Deployment", "shop", "bad", "      hostNetwork: true\n")+
			controller("Deployment", "logging", "bad", "      hostNetwork: true\n")+
			controller("DaemonSet", "monitoring", "node-agent", hostPath)+
			controller("DaemonSet", "logging", "node-agent", hostPath)+
			controller("Deployment", "kube-system", "bad", "      hostNetwork: true\n")+
			guarded(t, now)), impact.Options{Now: now.Plan.Now})
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	var got []string
	for _, f := range report.Findings {
		line := fmt.Sprintf("%s %s: %s %s %s", f.Environment, f.Owner, f.Workload(), f.Status, f.Control)
		for _, x := range f.Exceptions {
			line += " " + x.Name + " until " + x.Until.Format(time.DateOnly)
		}
		got = append(got, line)
	}
	each := func(environment, apps, platform string) []string {
		return []string{
			environment + " team-observability: DaemonSet logging/node-agent " + platform + " disallow-host-path",
			environment + " team-observability: DaemonSet logging/node-agent " + platform + " restrict-volume-types",
			environment + " team-observability: Deployment logging/bad " + platform + " disallow-host-namespaces",
			environment + " team-observability: DaemonSet monitoring/node-agent exempt disallow-host-path node-agent-hostpath until 2031-09-30",
			environment + " team-observability: DaemonSet monitoring/node-agent exempt restrict-volume-types node-agent-hostpath until 2031-09-30",
			environment + " team-shop: Deployment shop/bad " + apps + " disallow-host-namespaces",
		}
	}
	want := append(each("dev", "blocked", "blocked"), each("staging", "would-block", "blocked")...)
	want = append(want, each("prod", "warns", "would-block")...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, e := range report.Environments {
		var got []string
		for _, n := range e.NotEvaluated {
			got = append(got, n.Control)
		}
		want := []string{"protect-network-policies", "protect-tier-labels", "require-requests-limits-resize", "restrict-policy-exceptions", "verify-images-acme", "verify-images-acme-payments"}
		if e.Name != "dev" { // which is at the last stage: nothing more is closed
			want = append([]string{"default-deny"}, want...)
		}
		if e.Name == "staging" { // whose next stage enforces the tier with a quota
			want = slices.Insert(want, 1, "limits")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", e.Name, diff)
		}
	}
}
