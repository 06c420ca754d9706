//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

const (
	minEvaluations = 2000.0 // per second, of one resource against one policy
	impacted       = 10_000 // workloads that one impact judges
	applied        = 1000   // of them that `kyverno apply` judges
)

// onePolicy checks one field.
const onePolicy = `{"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "one"}, "spec": {"rules": [
  {"name": "rule", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
   "validate": {"failureAction": "Enforce", "message": "refused", "pattern": {"spec": {"=(hostNetwork)": "false"}}}}]}}`

const onePod = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"},
  "spec": {"hostNetwork": true, "containers": [{"name": "c", "image": "ghcr.io/bench/app:v1"}]}}`

// evaluations sends the engine the same request many times, as `gatehouse test` does.
func (b *bench) evaluations(ctx context.Context) (err error) {
	b.say("evaluating one policy")
	client, err := engine.Start(ctx, exec.CommandContext(ctx, b.path("gatehouse-engine")), "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	loaded, err := client.Load(ctx, engine.LoadParams{Policies: []json.RawMessage{json.RawMessage(onePolicy)}})
	if err := errors.Join(err, loaded.Err()); err != nil {
		return err
	}
	requests := make([]engine.EvaluateParams, 10_000)
	for i := range requests {
		requests[i].Resource = json.RawMessage(onePod)
	}
	var walls []time.Duration
	for range b.rounds {
		start := time.Now()
		answers, err := client.EvaluateMany(ctx, requests)
		if err != nil {
			return err
		}
		walls = append(walls, time.Since(start))
		for _, a := range answers {
			if a.Result == nil || !a.Result.Blocked {
				return fmt.Errorf("a bad Pod was not refused: %+v", a)
			}
		}
	}
	perSecond := float64(len(requests)) / median(walls).Seconds()
	b.report.add("Engine", fmt.Sprintf("One resource against one policy, %d times over the protocol; median of %d.", len(requests), b.rounds),
		figure{what: "evaluations per second", value: fmt.Sprintf("%.0f", perSecond), limit: fmt.Sprintf("at least %.0f", minEvaluations), over: perSecond < minEvaluations})
	return nil
}

// impact judges workloads, of which every tenth would be blocked, by the policies
// of the profile hardened; Kyverno's own command judges the first of them.
func (b *bench) impact(ctx context.Context) error {
	b.say("judging %d workloads", impacted)
	source, repository := b.path("source-impact"), b.path("out-impact")
	if err := writeSource(source, "hardened", 10); err != nil {
		return err
	}
	if _, err := measure(ctx, io.Discard, b.path("gatehouse"), "build", source, "-o", repository); err != nil {
		return err
	}
	if err := writeValues(b.path("values.yaml")); err != nil {
		return err
	}
	files := map[int]string{}
	for _, n := range []int{applied, impacted} {
		files[n] = b.path(fmt.Sprintf("workloads-%d.yaml", n))
		if err := writeWorkloads(files[n], n); err != nil {
			return err
		}
	}
	u, err := b.judge(ctx, source, files[impacted], impacted, impacted/10)
	if err != nil {
		return err
	}
	// It exits 1 where a policy is violated, which is what these workloads are for.
	peer, err := measure(ctx, io.Discard, "sh", "-c", `"$0" "$@" || test $? = 1`, b.path("kyverno"), "apply", filepath.Join(repository, "environments", "prod", "policies"),
		"--resource", files[applied], "--values-file", b.path("values.yaml"))
	if err != nil {
		return err
	}
	b.report.add("Impact", "Deployments against the profile `hardened`, start included; once.",
		figure{what: fmt.Sprintf("`gatehouse impact`, %d workloads, each at two stages", impacted), value: fmt.Sprintf("%s: %s each", duration(u.wall), duration(u.wall/impacted))},
		figure{what: fmt.Sprintf("`kyverno apply`, %d of them at one stage", applied), value: fmt.Sprintf("%s: %s each", duration(peer.wall), duration(peer.wall/applied))},
		atMost("peak memory of `gatehouse impact`", float64(u.peak), maxMemory, 1<<20, "MiB"))
	return nil
}

// wantBlocked checks a report, because a run that judges nothing would be quick.
func wantBlocked(report []byte, objects, blocked int) error {
	var got struct {
		Objects  int
		Findings []struct{ Status string }
	}
	if err := json.Unmarshal(report, &got); err != nil {
		return fmt.Errorf("reading the report of gatehouse impact: %w", err)
	}
	found := map[string]int{}
	for _, f := range got.Findings {
		found[f.Status]++
	}
	if got.Objects != objects || found["would-block"] != blocked || len(found) != 1 {
		return fmt.Errorf("gatehouse impact judged %d workloads and found %v, not %d and %d that would be blocked", got.Objects, found, objects, blocked)
	}
	return nil
}

// workload returns a workload that passes every control of the profile, except for what is inserted.
const workload = `---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-%d
  namespace: team-%05d
  labels: {app.kubernetes.io/name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app.kubernetes.io/name: web}}
  template:
    metadata: {labels: {app.kubernetes.io/name: web}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: web
          image: registry.k8s.io/web@sha256:7031c1b283388d2c2e09b57badb803c05ebed362dc88d84b480cc47f72a21097
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 10m, memory: 16Mi}}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: %t, capabilities: {drop: [ALL]}}
          livenessProbe: {httpGet: {path: /, port: 8080}}
          readinessProbe: {httpGet: {path: /, port: 8080}}
`

func writeWorkloads(path string, n int) error {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, workload, i, i%10, i%10 != 0)
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// writeValues writes the labels of the namespaces for `kyverno apply`.
func writeValues(path string) error {
	var b bytes.Buffer
	b.WriteString("apiVersion: cli.kyverno.io/v1alpha1\nkind: Values\nmetadata: {name: bench}\nnamespaceSelector:\n")
	for i := range 10 {
		fmt.Fprintf(&b, "  - {name: team-%05d, labels: {gatehouse.dev/tier: %s}}\n", i, tierOf(i))
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
