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
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const (
	many  = 1000 // exceptions, or namespaces
	asked = 200  // requests per measurement
	// settling is how long Kyverno's other controllers get to look at what is new.
	settling = 15 * time.Second
)

// sourceRestricted is the profile restricted, enforced, and nothing else but
// the namespaces.
const sourceRestricted = `apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: bench}
spec:
  extends: [restricted]
  kyverno: {policyType: %s}
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

// floor is the least that Kyverno can be asked: one policy with one check.
const floor = `apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: floor}
spec:
  autogen: {podControllers: {controllers: []}}
  matchConstraints:
    namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [%s]}]}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}]
  validationActions: [Deny]
  validations:
    - expression: object.spec.containers.all(c, c.?securityContext.?privileged.orValue(false) == false)
      message: denied
`

// bundle is a set of objects whose cost is measured, and what it cost.
type bundle struct {
	what    string
	objects []manifest.Object
	// overhead is what they add to a request, unjudged a request in the same turns that they do
	// not judge; ready is how long it takes from the first one until all are in force.
	overhead, unjudged, ready []time.Duration
}

// cost returns what the bundle adds to a request, if one that it does not judge takes as
// long as normal. One bundle is measured after the other, and a machine may change its speed
// meanwhile.
func (b *bundle) cost(normal time.Duration) time.Duration {
	costs := make([]time.Duration, len(b.overhead))
	for i := range costs {
		costs[i] = time.Duration(float64(b.overhead[i]) * float64(normal) / float64(b.unjudged[i]))
	}
	return median(costs)
}

// target is a kind of policies, and the limits for it; 0 is no limit.
type target struct {
	policyType string
	// ofChart is its cost against that of the chart as ClusterPolicies, growth the cost of
	// many exceptions or namespaces against that of few.
	ofChart, growth float64
	ready           time.Duration

	few, namespaces, exceptions *bundle
}

// admission measures what a bundle adds to the creation of a good Pod, on a real
// API server with a real Kyverno: the Pod is created in a namespace that policies
// judge and, in turns, in one that they leave out.
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
	a, err := newAdmitter(ctx, c.Client())
	if err != nil {
		return err
	}
	// ClusterPolicies have no limits: they do not reach the goals (docs/adr/0012).
	targets := []*target{
		{policyType: "ClusterPolicy"},
		{policyType: "ValidatingPolicy", ofChart: 0.5, growth: 1.25, ready: 5 * time.Second},
		{policyType: "ValidatingAdmissionPolicy", ofChart: 0.2, growth: 1.25, ready: 5 * time.Second},
	}
	peers, bundles, err := b.bundles(ctx, targets)
	if err != nil {
		return err
	}
	for round := range b.rounds {
		for _, each := range slices.Concat(peers, bundles) {
			b.say("asking the API server, round %d: %s", round+1, each.what)
			if err := a.measure(ctx, each); err != nil {
				return fmt.Errorf("%s: %w", each.what, err)
			}
		}
	}
	b.report.add("Admission", fmt.Sprintf(`What the policies, all at Enforce, add to the creation of a good Pod (server-side dry run, median of %d in turns with Pods that no policy judges, by whose time the speed of the machine is corrected); median of %d. Ready: from the first object that is applied until all policies are in force.
ClusterPolicies have no limit: they do not reach the goals ([ADR 12](adr/0012-what-cluster-policies-cost.md)).`, asked, b.rounds), admissionFigures(peers, targets)...)
	return nil
}

// bundles builds what is measured: the chart in both kinds that it has, the floor, and each target
// with few namespaces, with many that are selected by name, and with many exceptions.
func (b *bench) bundles(ctx context.Context, targets []*target) (peers, all []*bundle, err error) {
	for _, policyType := range []string{"ClusterPolicy", "ValidatingPolicy"} {
		objects, err := b.chartPolicies(ctx, policyType)
		if err != nil {
			return nil, nil, err
		}
		peers = append(peers, &bundle{what: fmt.Sprintf("the chart kyverno-policies, restricted, %s: %d policies", policyType, len(objects)), objects: objects})
	}
	least, err := manifest.Parse(fmt.Appendf(nil, floor, exempt))
	if err != nil {
		return nil, nil, err
	}
	peers = append(peers, &bundle{what: "one ValidatingPolicy with one check", objects: least})
	for _, t := range targets {
		for _, variant := range []struct {
			into                   **bundle
			what                   string
			namespaces, exceptions int
		}{
			{&t.few, "10 namespaces", 10, 0},
			{&t.namespaces, fmt.Sprintf("%d namespaces", many), many, 0},
			{&t.exceptions, fmt.Sprintf("%d exceptions", many), many, many},
		} {
			objects, err := b.restricted(ctx, t.policyType, variant.namespaces, variant.exceptions)
			if err != nil {
				return nil, nil, err
			}
			*variant.into = &bundle{what: fmt.Sprintf("gatehouse, restricted, %s, %s: %d objects", t.policyType, variant.what, len(objects)), objects: objects}
			all = append(all, *variant.into)
		}
	}
	return peers, all, nil
}

func admissionFigures(peers []*bundle, targets []*target) []figure {
	var figures []figure
	normal := median(peers[0].unjudged)
	cost := func(b *bundle) {
		figures = append(figures, figure{what: b.what, value: "+" + duration(b.cost(normal))})
	}
	for _, peer := range peers {
		cost(peer)
		figures = append(figures, figure{what: "the same, ready", value: duration(median(peer.ready))})
	}
	for _, t := range targets {
		for _, b := range []*bundle{t.few, t.namespaces, t.exceptions} {
			cost(b)
		}
		figures = append(figures,
			ratio(t.policyType+" against the chart as ClusterPolicies", t.few.cost(normal), peers[0].cost(normal), t.ofChart),
			ratio(fmt.Sprintf("%s, %d namespaces against 10", t.policyType, many), t.namespaces.cost(normal), t.few.cost(normal), t.growth),
			ratio(fmt.Sprintf("%s, %d exceptions against none", t.policyType, many), t.exceptions.cost(normal), t.namespaces.cost(normal), t.growth),
			within(t.policyType+", ready", median(t.few.ready), t.ready))
	}
	return figures
}

// chartPolicies are the policies of Kyverno's chart for the same level, in one of the kinds
// that it has.
func (b *bench) chartPolicies(ctx context.Context, policyType string) ([]manifest.Object, error) {
	dir, err := b.kyvernoModule(ctx)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if _, err := measure(ctx, &out, b.path("helm"), "template", "p", filepath.Join(dir, "charts", "kyverno-policies"),
		"--set", "policyType="+policyType, "--set", "podSecurityStandard=restricted", "--set", "validationFailureAction=Enforce", "--kube-version", "1.36.0"); err != nil {
		return nil, err
	}
	return manifest.Parse(out.Bytes())
}

// restricted are the policies and exceptions of gatehouse and the rights that Kyverno needs for them, with so many namespaces that it
// does not create, and so many exceptions.
func (b *bench) restricted(ctx context.Context, policyType string, namespaces, exceptions int) ([]manifest.Object, error) {
	var names []string
	var waivers strings.Builder
	for i := range namespaces {
		names = append(names, fmt.Sprintf("{name: team-%d, tier: apps, create: false}", i))
	}
	for i := range exceptions {
		fmt.Fprintf(&waivers, waiver, i)
	}
	name := fmt.Sprintf("restricted-%s-%d-%d", policyType, namespaces, exceptions)
	source, repository := b.path(name+".yaml"), b.path(name)
	if err := os.WriteFile(source, []byte(fmt.Sprintf(sourceRestricted, policyType, strings.Join(names, ", "))+waivers.String()), 0o644); err != nil {
		return nil, err
	}
	if _, err := measure(ctx, io.Discard, b.path("gatehouse"), "build", source, "-o", repository); err != nil {
		return nil, err
	}
	var objects []manifest.Object
	for _, layer := range []string{"kyverno-rbac", "exceptions", "policies"} {
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
	return slices.DeleteFunc(objects, func(o manifest.Object) bool { return strings.HasPrefix(o.APIVersion(), "kustomize.config.k8s.io/") }), nil
}
