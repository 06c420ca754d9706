//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sigs.k8s.io/yaml"
)

// profiles draws random sources: profiles with environments and exceptions that
// use the whole language. Most of them are valid; one in a few asks for what the
// compiler refuses, such as an exception of a control that is not on.
type profiles struct {
	*rand.Rand
	// controls of the catalogue, with the parameters that they show as an example.
	controls map[string]any
	ids      []string
	// key is a public key.
	key string
}

func newProfiles(t *testing.T, seed uint64) *profiles {
	t.Helper()
	p := &profiles{Rand: rand.New(rand.NewPCG(seed, seed)), controls: map[string]any{}}
	root := repositoryRoot(t)
	p.ids = folders(t, filepath.Join(root, "templates", "controls"))
	for _, id := range p.ids {
		var control struct {
			Spec struct{ ExampleParameters any }
		}
		data, err := os.ReadFile(filepath.Join(root, "templates", "controls", id, "control.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(data, &control); err != nil {
			t.Fatal(err)
		}
		p.controls[id] = control.Spec.ExampleParameters
	}
	key, err := os.ReadFile(filepath.Join(root, "examples", "acme", "keys", "release.pub"))
	if err != nil {
		t.Fatal(err)
	}
	p.key = string(key)
	return p
}

// object is a piece of a source.
type object = map[string]any

// pick draws one of several.
func pick[T any](p *profiles, from ...T) T { return from[p.IntN(len(from))] }

// some draws a part of several, in order.
func some[T any](p *profiles, from ...T) []T {
	var part []T
	for _, v := range from {
		if p.IntN(2) == 0 {
			part = append(part, v)
		}
	}
	return part
}

// maybe sets a field in half of the cases.
func maybe(p *profiles, o object, key string, value any) {
	if p.IntN(2) == 0 {
		o[key] = value
	}
}

// text returns a string for people, with text that YAML or a template could take for
// syntax. The compiler refuses text that Kyverno and Flux would evaluate.
func (p *profiles) text() string {
	return pick(p, "plain words", "yes", "0123", "null", "$1 {x}", "a: b # c", "it's \"quoted\"", "- list", "ünïcödé ✓",
		"`backtick`", "<< .x >>", strings.Repeat("long ", 40), "%", "*", "#")
}

// value returns the value of a label.
func (p *profiles) value() string {
	return pick(p, "team-a", "yes", "NO", "null", "1e3", "0x1F", "012", "true", "a.b_c-D", strings.Repeat("v", 63), "1.20")
}

// source draws the files of a source.
func (p *profiles) source(t *testing.T) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{"keys/key.pub": {Data: []byte(p.key)}}
	add := func(kind, name string, spec object) {
		raw, err := json.Marshal(object{"apiVersion": "gatehouse.dev/v1alpha1", "kind": kind, "metadata": object{"name": name}, "spec": spec})
		if err != nil {
			t.Fatal(err)
		}
		fsys[strings.ToLower(kind)+"-"+name+".yaml"] = &fstest.MapFile{Data: raw}
	}
	tiers := pick(p, []string{"platform", "apps"}, []string{"all"}, []string{"core", "shared", "tenants", "zoo"}, []string{"yes", "no"}, []string{"a1", "b-2", "c3"})
	environments := []string{"dev", "staging", strings.Repeat("p", 40)}[:1+p.IntN(3)]
	add("Profile", pick(p, "acme", "a-b-c", "x1"), p.profile(tiers, environments))
	stages := []string{"off", "audit"}
	for _, tier := range tiers[:len(tiers)-1] {
		stages = append(stages, "enforce-"+tier)
	}
	stages = append(stages, "enforce")
	stage := len(stages) - 1
	for ring, name := range environments {
		stage = p.IntN(stage + 1) // not stricter than the ring before
		if ring == 0 {
			stage = max(stage, 1) // or no exception would be valid
		}
		spec := object{"ring": ring + 1, "stage": stages[stage], "allowSkip": true}
		maybe(p, spec, "clusters", some(p, name+"-eu", name+"-us", "edge-"+name))
		maybe(p, spec, "owners", []string{"@acme/" + name})
		add("Environment", name, spec)
	}
	for i := range p.IntN(4) {
		add("Exception", fmt.Sprintf("waiver-%d", i), p.exception())
	}
	return fsys
}

func (p *profiles) profile(tiers, environments []string) object {
	spec := object{
		"extends": append([]string{pick(p, "baseline", "restricted", "hardened", "multi-tenant")}, some(p, "supply-chain")...),
		"tiers":   tiers, "namespaces": p.namespaces(tiers, environments),
		"trust": p.trust(tiers), "controls": p.adjusted(),
	}
	if len(spec["trust"].(object)) > 1 {
		spec["controls"].(object)["verify-images"] = object{"enabled": true} // nothing else verifies the images
	}
	if slices.ContainsFunc(spec["namespaces"].([]object), leftOpen) {
		spec["controls"].(object)["require-network-policy"] = object{"enabled": false} // it does not go with an open namespace
	}
	maybe(p, spec, "network", object{
		"apiServer": object{"addresses": []string{"10.0.0.10/32"}, "callers": some(p, "10.0.0.0/24", "2001:db8::/64")},
		"dns":       object{"namespace": pick(p, "kube-system", "openshift-dns"), "addresses": some(p, "169.254.20.10/32")},
	})
	maybe(p, spec, "systemNamespaces", some(p, "rook", "istio-system", "calico"))
	maybe(p, spec, "owners", []string{"@acme/platform", "someone@example.com"})
	maybe(p, spec, "deployers", []string{pick(p, "system:serviceaccount:argo:deployer", "alice@example.com", "system:node:worker-1", "CN")})
	// Those of the image rules too: a rule for images that are refused is a contradiction.
	spec["registries"] = object{"allowed": append(some(p, "ghcr.io/acme", "docker.io", "localhost:5000/x"), "ghcr.io", "quay.io", "registry.example.com:5000")}
	maybe(p, spec, "exceptions", object{"namespace": pick(p, "policy-exceptions", "waivers"), "allowPermanent": true})
	flux := object{"workloads": []object{{"name": "apps", "path": "./apps/${env}"}}}
	maybe(p, flux, "interval", pick(p, "30m", "1h30m", "90s"))
	maybe(p, flux, "source", object{"kind": pick(p, "GitRepository", "OCIRepository"), "name": pick(p, "flux-system", "fleet")})
	maybe(p, flux, "serviceAccountName", "kustomize-controller")
	maybe(p, flux, "decryption", object{"provider": "sops", "secretRef": object{"name": "sops-age"}})
	spec["flux"] = flux
	kyverno := object{"policyType": pick(p, "ClusterPolicy", "ValidatingPolicy", "ValidatingAdmissionPolicy")}
	maybe(p, kyverno, "install", pick(p, "helm", "none"))
	maybe(p, kyverno, "replicas", 1+p.IntN(5))
	spec["kyverno"] = kyverno
	return spec
}

// adjusted switches controls of the catalogue on, off, and to other parameters.
func (p *profiles) adjusted() object {
	controls := object{}
	for _, id := range p.ids {
		if p.IntN(3) > 0 {
			continue
		}
		c := object{"enabled": p.IntN(4) > 0}
		if parameters := p.controls[id]; parameters != nil {
			maybe(p, c, "parameters", parameters)
		}
		if p.IntN(4) == 0 {
			c["maxStage"] = pick(p, "audit", "enforce")
		}
		controls[id] = c
	}
	return controls
}

// pool returns the namespaces that a profile can have.
func pool() []string {
	return []string{"shop", "payments", "monitoring", "n1", strings.Repeat("n", 63), "true", "a-b-c", "9-lives"}
}

func (p *profiles) namespaces(tiers, environments []string) []object {
	var all []object
	for _, name := range some(p, pool()...) {
		ns := object{"name": name}
		maybe(p, ns, "tier", pick(p, tiers...))
		ns["labels"] = object{"owner": p.value(), "example.com/" + pick(p, "y", "n", "Cost.Centre"): p.value()}
		maybe(p, ns, "environments", environments[:1])
		if p.IntN(3) > 0 {
			ns["network"] = p.network()
		}
		all = append(all, ns)
	}
	return all
}

// leftOpen reports whether a namespace has no default deny.
func leftOpen(namespace object) bool {
	network, _ := namespace["network"].(object)
	return network["defaultDeny"] == false
}

func (p *profiles) network() object {
	peer := func() object {
		return pick(p,
			object{"namespace": "kube-system"},
			object{"namespace": "kube-system", "pods": object{"app": p.value()}},
			object{"pods": object{"app.kubernetes.io/name": p.value()}},
			object{"cidr": "10.0.0.0/8", "except": []string{"10.1.0.0/16"}},
			object{"cidr": "2001:db8::/32"}, object{"cidr": "0.0.0.0/0"},
			object{"namespaceLabels": object{"team": p.value()}}, object{"anyNamespace": true}, object{"anywhere": true})
	}
	ports := func() []string { return some(p, "8080", "53/UDP", "8000-8100/TCP", "http", "9000/SCTP") }
	n := object{}
	for range p.IntN(3) {
		rules, _ := n["ingress"].([]object)
		n["ingress"] = append(rules, object{"from": peer(), "ports": ports()})
	}
	for range p.IntN(3) {
		rules, _ := n["egress"].([]object)
		n["egress"] = append(rules, object{"to": peer(), "ports": ports(), "pods": object{"role": p.value()}})
	}
	if p.IntN(3) == 0 {
		rules, _ := n["egress"].([]object)
		n["egress"], n["webhooks"] = append(rules, object{"to": object{"apiServer": true}}), []string{"9443/TCP"}
	}
	if len(n) == 0 {
		maybe(p, n, "defaultDeny", false)
	}
	maybe(p, n, "dns", p.IntN(2) == 0)
	return n
}

func (p *profiles) trust(tiers []string) object {
	attestors := []object{
		{"name": "inline", "keys": object{"publicKeys": p.key}},
		{"name": "in-configmap", "keys": object{"configMap": object{"name": "cosign-keys", "key": "key.pub", "file": "keys/key.pub"}}},
		{"name": "in-secret", "keys": object{"secret": object{"name": "cosign", "key": "cosign.pub", "file": "keys/key.pub"}}},
		{"name": "kms", "keys": object{"kms": "awskms:///arn:aws:kms:eu-central-1:111122223333:alias/cosign"}},
		{"name": "github", "keyless": object{"issuer": "https://token.actions.githubusercontent.com", "subjectRegExp": `^https://github\.com/acme/.+$`}},
	}
	var images []object
	for i := range p.IntN(3) {
		image := object{
			"name":       fmt.Sprintf("rule-%d", i),
			"references": []string{fmt.Sprintf("ghcr.io/acme%d/*", i), pick(p, "registry.example.com:5000/team/app", "ghcr.io/other/app*", "quay.io/x/y")},
			"attestors":  pick[any](p, []string{"inline"}, []string{"in-configmap", "github"}, object{"count": 1, "of": []string{"in-secret", "kms", "inline"}}),
		}
		maybe(p, image, "tiers", tiers[:1])
		maybe(p, image, "mutateDigest", p.IntN(2) == 0)
		maybe(p, image, "requireDigest", p.IntN(2) == 0)
		images = append(images, image)
	}
	trust := object{"attestors": attestors}
	if images != nil {
		trust["images"] = images
	}
	return trust
}

func (p *profiles) exception() object {
	kind := pick(p, "DaemonSet", "Deployment", "CronJob", "Pod", "StatefulSet", "Job")
	spec := object{
		"controls": []string{pick(p, "disallow-host-path", "disallow-privileged-containers", "disallow-capabilities", "disallow-host-ports", "disallow-host-namespaces")},
		"match":    object{"namespaces": []string{pick(p, pool()...)}, "kinds": []string{kind}, "names": []string{pick(p, "agent", "agent-*", strings.Repeat("a", 50))}},
		"reason":   p.text(), "owner": pick(p, "team-a", p.text()), "expires": pick(p, "2031-05-31", "2040-01-01"),
	}
	maybe(p, spec, "ticket", p.text())
	maybe(p, spec, "images", []string{"ghcr.io/acme/agent*"})
	return spec
}
