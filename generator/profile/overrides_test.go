package profile

import (
	"testing"
	"testing/fstest"
	"time"
)

// What environments have in common is there once: a fleet has thousands of namespaces.
func TestOverridesShare(t *testing.T) {
	in, problems := Load(fstest.MapFS{"profile.yaml": {Data: []byte(`apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  namespaces:
    - {name: shop, network: {ingress: [{from: {namespace: web}}]}}
    - {name: web, network: {egress: [{to: {namespace: shop}}]}}
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: audit}
---
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: audit, overrides: {namespaces: [{name: web, network: {dns: false}}]}}
---
kind: Environment
metadata: {name: test}
spec: {ring: 1, stage: audit, overrides: }
`)}}, ".", "")
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	src, problems := Parse(Default(*in), time.Time{})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	dev, prod, test := src.Environments[0].Spec, src.Environments[1].Spec, src.Environments[2].Spec
	if dev != test || dev == prod {
		t.Error("environments without overrides do not share what the profile says, or one with overrides does")
	}
	if dev.Namespaces[0].Network != prod.Namespaces[0].Network {
		t.Error("a network that is the same is there twice")
	}
	if web := prod.Namespaces[1].Network; web == dev.Namespaces[1].Network || web.DNS || len(web.Egress) != 1 {
		t.Errorf("the network that prod overrides is %+v", web)
	}
}
