//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const (
	waivers = 1000
	asked   = 200 // requests per measurement
	// settling is how long Kyverno's other controllers get to look at what is new.
	settling = 15 * time.Second
)

// sourceRestricted is the profile restricted, enforced, and nothing else but
// the namespaces of the exceptions.
const sourceRestricted = `apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: bench}
spec:
  extends: [restricted]
  flux: {source: {kind: GitRepository, name: flux-system}, path: ./}
  tiers: [apps]
  namespaces: [%s]
---
apiVersion: gatehouse.dev/v1alpha1
kind: Environment
metadata: {name: prod}
spec: {ring: 1, clusters: [prod-1], stage: enforce, allowSkip: true}
`

// waiver returns an exception for a workload other than the measured one.
const waiver = `---
apiVersion: gatehouse.dev/v1alpha1
kind: Exception
metadata: {name: agent-%[1]d}
spec:
  controls: [disallow-host-path, restrict-volume-types]
  match: {namespaces: [team-%[1]d], kinds: [DaemonSet], names: [agent-%[1]d]}
  reason: reads the logs of the node
  owner: team-%[1]d
  expires: 2028-06-01
`

// bundle is a set of objects whose cost is measured, and what it cost.
type bundle struct {
	what     string
	objects  []manifest.Object
	overhead []time.Duration
}

// admission measures what a bundle adds to the creation of a good Pod, on a real
// API server with a real Kyverno: the Pod is created in a namespace that policies
// judge and, in turns, in one that the webhooks leave out.
func (b *bench) admission(ctx context.Context) (err error) {
	b.say("starting a control plane")
	root, err := controlplane.Root(ctx)
	if err != nil {
		return err
	}
	c, err := controlplane.Start(ctx, controlplane.Options{Root: root, Dir: b.path("cluster"), WithoutFlux: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.InstallKyverno(ctx, controlplane.DefaultRelease()); err != nil {
		return err
	}
	chart, err := b.chartPolicies(ctx)
	if err != nil {
		return err
	}
	ours, err := b.restricted(ctx, 0)
	if err != nil {
		return err
	}
	waived, err := b.restricted(ctx, waivers)
	if err != nil {
		return err
	}
	bundles := []*bundle{
		{what: fmt.Sprintf("the chart kyverno-policies, restricted, %d policies", len(chart)), objects: chart},
		{what: fmt.Sprintf("`gatehouse build`, restricted, %d policies", len(ours)), objects: ours},
		{what: fmt.Sprintf("the same with %d exceptions", waivers), objects: waived},
	}
	a, err := newAdmitter(ctx, c.Client())
	if err != nil {
		return err
	}
	for round := range b.rounds {
		for _, each := range bundles {
			b.say("asking the API server, round %d: %s", round+1, each.what)
			if err := a.measure(ctx, each); err != nil {
				return fmt.Errorf("%s: %w", each.what, err)
			}
		}
	}
	var figures []figure
	for _, each := range bundles {
		figures = append(figures, figure{what: each.what, value: "+" + duration(median(each.overhead))})
	}
	// There are no limits: the goal is half the cost of the chart, which ClusterPolicies do not reach (docs/adr/0012).
	figures = append(figures,
		ratio("gatehouse against the chart", median(bundles[1].overhead), median(bundles[0].overhead), 0),
		ratio(fmt.Sprintf("%d exceptions against none", waivers), median(bundles[2].overhead), median(bundles[1].overhead), 0))
	b.report.add("Admission", fmt.Sprintf(`What the policies, all at Enforce, add to the creation of a good Pod (server-side dry run, median of %d in turns with Pods that no webhook is asked about); median of %d.
There is no limit: the goal is half of the chart, and no difference by exceptions, which ClusterPolicies do not reach ([ADR 12](adr/0012-what-cluster-policies-cost.md)).`, asked, b.rounds), figures...)
	return nil
}

// chartPolicies are the policies of Kyverno's chart for the same level.
func (b *bench) chartPolicies(ctx context.Context) ([]manifest.Object, error) {
	dir, err := b.kyvernoModule(ctx)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if _, err := measure(ctx, &out, b.path("helm"), "template", "p", filepath.Join(dir, "charts", "kyverno-policies"),
		"--set", "policyType=ClusterPolicy", "--set", "podSecurityStandard=restricted", "--set", "validationFailureAction=Enforce", "--kube-version", "1.36.0"); err != nil {
		return nil, err
	}
	return manifest.Parse(out.Bytes())
}

// restricted are gatehouse's, with so many exceptions.
func (b *bench) restricted(ctx context.Context, exceptions int) ([]manifest.Object, error) {
	var namespaces []string
	var all strings.Builder
	for i := range exceptions {
		namespaces = append(namespaces, fmt.Sprintf("{name: team-%d, tier: apps}", i))
		fmt.Fprintf(&all, waiver, i)
	}
	source, repository := b.path(fmt.Sprintf("restricted-%d.yaml", exceptions)), b.path(fmt.Sprintf("out-restricted-%d", exceptions))
	text := fmt.Sprintf(sourceRestricted, strings.Join(namespaces, ", ")) + all.String()
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		return nil, err
	}
	if _, err := measure(ctx, io.Discard, b.path("gatehouse"), "build", source, "-o", repository); err != nil {
		return nil, err
	}
	var objects []manifest.Object
	for _, layer := range []string{"exceptions", "policies"} {
		files, err := filepath.Glob(filepath.Join(repository, "environments", "prod", layer, "*.yaml"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			parsed, err := manifest.Parse(data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			objects = append(objects, parsed...)
		}
	}
	return slices.DeleteFunc(objects, func(o manifest.Object) bool { return o.Kind() != "ClusterPolicy" && o.Kind() != "PolicyException" }), nil
}

func object(apiVersion, kind, namespace, name string, spec map[string]any) manifest.Object {
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	o := manifest.Object{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
	if spec != nil {
		o["spec"] = spec
	}
	return o
}

// Namespaces of the Pods.
const (
	judged = "shop"
	exempt = "kube-system"
)

// deployer applies the policies.
const deployer = "system:serviceaccount:flux-system:kustomize-controller"

// admitter asks an API server.
type admitter struct {
	// client asks, deployer applies.
	client, deployer *kube.Client
}

func newAdmitter(ctx context.Context, client *kube.Client) (*admitter, error) {
	as, err := client.As(deployer, "system:masters") // who may change what is guarded
	if err != nil {
		return nil, err
	}
	a := &admitter{client: client.DryRun(), deployer: as}
	binding := object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "bench", nil)
	binding["roleRef"] = map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
	binding["subjects"] = []any{map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": deployer}}
	objects := []manifest.Object{binding}
	for _, name := range []string{judged, "policy-exceptions"} {
		namespace := object("v1", "Namespace", "", name, nil)
		namespace.Metadata()["labels"] = map[string]any{"gatehouse.dev/tier": "apps"}
		objects = append(objects, namespace)
	}
	for _, o := range objects {
		if _, err := client.Apply(ctx, o, "bench"); err != nil {
			return nil, err
		}
	}
	return a, until(ctx, "the service accounts", func() error {
		_, err := a.ask(ctx, exempt, false)
		return errors.Join(err, ignore(a.ask(ctx, judged, false)))
	})
}

func ignore(_ time.Duration, err error) error { return err }

// measure applies a bundle, measures requests, and removes it again.
func (a *admitter) measure(ctx context.Context, b *bundle) (err error) {
	for _, o := range b.objects {
		if _, err := a.deployer.Apply(ctx, o, "bench"); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, a.remove(ctx, b.objects)) }()
	if err := until(ctx, "a bad Pod to be refused", func() error {
		_, err := a.ask(ctx, judged, true)
		if err == nil {
			return errors.New("it is admitted")
		}
		if strings.Contains(err.Error(), "denied the request") {
			return nil
		}
		return err
	}); err != nil {
		return err
	}
	if err := a.ready(ctx, b.objects); err != nil {
		return err
	}
	if err := pause(ctx, settling); err != nil {
		return err
	}
	var with, without []time.Duration
	for range asked {
		for namespace, walls := range map[string]*[]time.Duration{judged: &with, exempt: &without} {
			wall, err := a.ask(ctx, namespace, false)
			if err != nil {
				return err
			}
			*walls = append(*walls, wall)
		}
	}
	b.overhead = append(b.overhead, median(with)-median(without))
	return nil
}

// ready waits until Kyverno reports every policy as ready.
func (a *admitter) ready(ctx context.Context, objects []manifest.Object) error {
	return until(ctx, "the policies", func() error {
		for _, o := range objects {
			if o.Kind() != "ClusterPolicy" {
				continue
			}
			live, err := a.client.Get(ctx, o.APIVersion(), o.Kind(), "", o.Name())
			if err != nil {
				return err
			}
			if live.Condition("Ready").String("status") != "True" {
				return fmt.Errorf("%s is not ready", o.Name())
			}
		}
		return nil
	})
}

func (a *admitter) remove(ctx context.Context, objects []manifest.Object) error {
	for _, o := range objects {
		if err := a.deployer.Delete(ctx, o); err != nil {
			return err
		}
	}
	return until(ctx, "a bad Pod to be admitted", func() error { return ignore(a.ask(ctx, judged, true)) })
}

// ask creates a Pod, without storing it. A bad one is privileged.
func (a *admitter) ask(ctx context.Context, namespace string, bad bool) (time.Duration, error) {
	pod := object("v1", "Pod", namespace, "web", map[string]any{
		"automountServiceAccountToken": false,
		"securityContext":              map[string]any{"runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": map[string]any{"type": "RuntimeDefault"}},
		"containers": []any{map[string]any{
			"name": "web", "image": "registry.k8s.io/pause:3.10",
			"securityContext": map[string]any{"privileged": bad, "allowPrivilegeEscalation": bad, "capabilities": map[string]any{"drop": []any{"ALL"}}},
		}},
	})
	begin := time.Now()
	_, err := a.client.Create(ctx, pod)
	return time.Since(begin), err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// until polls for up to two minutes.
func until(ctx context.Context, what string, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return nil
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
}
