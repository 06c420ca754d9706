//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// head is what every generated profile begins with. The identity is keyless, so
// that the source needs no file of keys.
const head = `apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: bench}
spec:
  extends: [%s]
  flux:
    source: {kind: GitRepository, name: flux-system}
    path: ./
  tiers: [platform, apps]
  registries: {allowed: [ghcr.io/bench, registry.k8s.io]}
  trust:
    attestors:
      - name: github-actions
        keyless:
          issuer: https://token.actions.githubusercontent.com
          subjectRegExp: ^https://github\.com/bench/[^/]+/\.github/workflows/release\.yml@refs/tags/v.+$
    images:
      - name: bench
        references: [ghcr.io/bench/*]
        attestors: [github-actions]
  controls:
    require-labels: {parameters: {labels: [app.kubernetes.io/name]}}
    restrict-flux-sources: {parameters: {urls: [https://github.com/bench]}}
`

// namespace is one of many: it lets in the one before it, and out to a database.
const namespace = `    - name: team-%05d
      tier: %s
      labels: {owner: team-%03d}
      network:
        ingress: [{from: {namespace: team-%05d}, ports: [8080/TCP]}]
        egress: [{to: {cidr: 10.%d.0.0/16}, ports: [5432/TCP]}]
`

const environment = `apiVersion: gatehouse.dev/v1alpha1
kind: Environment
metadata: {name: %s}
spec: {ring: %d, clusters: [%s-1], stage: %s, allowSkip: true}
`

var environments = []struct{ name, stage string }{{"dev", "enforce"}, {"staging", "enforce-platform"}, {"prod", "audit"}}

// tierOf the namespace of a number.
func tierOf(i int) string {
	if i%10 == 0 {
		return "platform"
	}
	return "apps"
}

// writeSource writes a profile with so many namespaces in three environments.
func writeSource(dir, extends string, namespaces int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, head, extends)
	if namespaces > 0 {
		b.WriteString("  namespaces:\n")
	}
	for i := range namespaces {
		fmt.Fprintf(&b, namespace, i, tierOf(i), i/20, max(i-1, 0), i%256)
	}
	if err := os.WriteFile(filepath.Join(dir, "profile.yaml"), b.Bytes(), 0o644); err != nil {
		return err
	}
	for i, e := range environments {
		text := fmt.Sprintf(environment, e.name, i+1, e.name, e.stage)
		if err := os.WriteFile(filepath.Join(dir, e.name+".yaml"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
