package v1alpha1_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/source"
	"github.com/gatehouse-dev/gatehouse/profiles"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(v1alpha1.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// complete holds every field of the language.
const complete = `
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  gatehouse: ">=0.4"
  extends: [restricted, ./base.yaml]
  kyverno: {version: "1.19", policyType: ClusterPolicy, install: helm, namespace: kyverno, replicas: 3, values: {grafana: {enabled: true}}}
  flux:
    install: operator
    source: {kind: GitRepository, name: flux-system}
    namespace: flux-system
    path: ./
    interval: 10m
    retryInterval: 1m30s
    timeout: 5m
    serviceAccountName: ""
    decryption: {provider: sops, secretRef: {name: sops-age}}
    workloads: [{name: apps, path: "./apps/${env}", spec: {wait: true}}, {name: theirs, create: false}]
  tiers: [platform, apps]
  rollout: {soak: 7d, changes: staged, stages: [{name: "off"}, {name: mixed, audit: [apps], enforce: [platform]}]}
  namespaces:
  - name: payments
    tier: apps
    labels: {owner: team-payments}
    annotations: {linkerd.io/inject: enabled}
    create: true
    podSecurity: restricted
    resourceQuota: {hard: {pods: 20, requests.memory: 8Gi}}
    limitRange: {limits: [{type: Container, max: {cpu: 2}, min: {cpu: 10m}, default: {cpu: 1}, defaultRequest: {cpu: 100m}, maxLimitRequestRatio: {cpu: 10}}]}
    environments: [prod]
    network:
      defaultDeny: true
      dns: true
      ingress: [{from: {namespace: ingress-nginx, pods: {a: b}}, pods: {c: d}, ports: [8080/TCP]}]
      egress: [{to: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}, pods: {c: d}, ports: ["5432"]}, {to: {apiServer: true}}, {to: {anywhere: true}}, {to: {anyNamespace: true}}, {to: {namespaceLabels: {a: b}}}]
      webhooks: [10250/TCP]
  network: {apiServer: {addresses: [10.0.0.10/32], ports: [6443/TCP], callers: [10.0.0.0/24]}, dns: {namespace: kube-system, pods: {k8s-app: kube-dns}, addresses: [169.254.20.10/32], ports: [53/UDP]}}
  systemNamespaces: [linkerd]
  output: {kyvernoTests: true}
  registries: {allowed: [ghcr.io/acme]}
  trust:
    attestors:
    - {name: a, keys: {publicKeys: PEM, rekor: {url: "https://rekor.sigstore.dev"}}}
    - {name: b, keys: {configMap: {name: keys, key: release.pub, file: keys/release.pub}}}
    - {name: c, keys: {secret: {name: keys, file: keys/release.pub}}}
    - {name: d, keys: {kms: "awskms:///alias/x"}}
    - {name: e, certificates: {file: a.pem}}
    - {name: f, keyless: {issuer: a, issuerRegExp: b, subject: c, subjectRegExp: d, rekor: {url: f}}}
    - {name: g, notary: {file: a.pem}}
    images:
    - {name: one, references: [ghcr.io/acme/*], attestors: [a, b], tiers: [apps], mutateDigest: true, requireDigest: false,
       attestations: [{type: "https://slsa.dev/provenance/v1", attestors: {count: 1, of: [a, b]}, conditions: [{path: a.b, equals: x}, {path: c, in: [1, true]}, {path: d, matches: "^x$"}, {path: e, atLeast: 1, atMost: 2}]}]}
    - {name: two, references: [ghcr.io/acme/*], attestors: {count: 1, of: [a, b]}}
  controls: {require-labels: {enabled: true, maxStage: audit, parameters: {labels: [a], deep: {n: 1, f: 1.5, z: null}}, tiers: [apps], namespaces: {include: [a, {name: b}, {labels: {c: d}}]}},
    require-probes: {namespaces: {exclude: [a]}}}
  catalogs: [controls]
  exceptions: {namespace: policy-exceptions, allowPermanent: false, maxDays: 365, warnDays: 7}
  deployers: [system:serviceaccount:ci:deploy, {user: jane}, {group: platform-team}]
  breakGlass: {groups: [system:masters]}
  owners: ["@acme/platform", platform@example.com]
---
apiVersion: gatehouse.dev/v1alpha1
kind: Environment
metadata: {name: prod}
spec:
  ring: 3
  clusters: [prod-eu]
  stage: audit
  changes: 2026-11-20
  controls: {disallow-latest-tag: {stage: enforce}}
  allowAhead: false
  overrides:
    kyverno: {install: none}
    flux: {path: ./policies}
    registries: {allowed: [ghcr.io/acme]}
    trust: {images: []}
    controls: {disallow-host-path: {enabled: false}}
    namespaces: [{name: payments, create: false}]
    network: {apiServer: {addresses: [10.8.0.10/32]}}
    deployers: [{group: prod-admins}]
    breakGlass: {groups: []}
  allowSkip: true
  owners: ["@acme/prod"]
---
apiVersion: gatehouse.dev/v1alpha1
kind: Exception
metadata: {name: node-agent}
spec:
  controls: [disallow-host-path]
  environments: [prod]
  match: {namespaces: [monitoring], kinds: [DaemonSet], names: ["node-agent-*"]}
  containers: [agent]
  images: [ghcr.io/acme/*]
  reason: reads node logs
  owner: team-observability
  ticket: SEC-1
  expires: 2027-03-31
`

func newOf(t *testing.T, kind string) any {
	t.Helper()
	switch kind {
	case "Profile":
		return &v1alpha1.Profile{}
	case "Environment":
		return &v1alpha1.Environment{}
	case "Exception":
		return &v1alpha1.Exception{}
	}
	t.Fatalf("kind %q", kind)
	return nil
}

func documents(t *testing.T, text string) []*source.Document {
	t.Helper()
	docs, problems := source.Parse("test.yaml", []byte(text))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return docs
}

// structural are the findings of the decoder that a schema can express. Whether
// apiVersion is needed depends on the document before.
func structural(t *testing.T, doc *source.Document) []string {
	t.Helper()
	_, problems := source.Decode(doc, newOf(t, doc.Kind))
	var found []string
	for _, p := range problems {
		if slices.Contains([]string{"unknown-field", "yaml-type", "required"}, p.Code) && p.Path != "apiVersion" {
			found = append(found, p.String())
		}
	}
	return found
}

// value is what an editor makes of a document.
func value(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = value(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		l := []any{}
		for _, c := range n.Content {
			l = append(l, value(c))
		}
		return l
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int", "!!float":
		return json.Number(n.Value)
	}
	return n.Value
}

// TestSchemaKnowsEveryField fails if the example lacks a field of the language,
// or if it is refused.
func TestSchemaKnowsEveryField(t *testing.T) {
	schema := compileSchema(t)
	given := map[string]bool{}
	for _, doc := range documents(t, complete) {
		if err := schema.Validate(value(doc.Node)); err != nil {
			t.Errorf("%s: %v", doc.Kind, err)
		}
		if found := structural(t, doc); len(found) > 0 {
			t.Errorf("%s: %v", doc.Kind, found)
		}
		v := newOf(t, doc.Kind)
		source.Decode(doc, v)
		collect(reflect.ValueOf(v), given)
	}
	for name, set := range given {
		if !set {
			t.Errorf("the example does not set %s", name)
		}
	}
}

// collect notes for every field that is met whether it is ever set.
func collect(v reflect.Value, given map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		collect(v.Elem(), given)
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), given)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			collect(v.MapIndex(k), given)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Name() + "." + v.Type().Field(i).Name
			given[name] = given[name] || !v.Field(i).IsZero()
			if !v.Field(i).IsZero() {
				collect(v.Field(i), given)
			}
		}
	}
}

// TestSchemaAgreesWithTheDecoder breaks valid documents in one place and asks both.
func TestSchemaAgreesWithTheDecoder(t *testing.T) {
	schema := compileSchema(t)
	random := rand.New(rand.NewPCG(1, 2))
	refused, accepted := 0, 0
	for range 1000 {
		docs := documents(t, complete)
		doc := docs[random.IntN(len(docs))]
		what := mutate(random, doc.Node)
		problems := structural(t, doc)
		err := schema.Validate(value(doc.Node))
		if (err != nil) != (len(problems) > 0) {
			t.Fatalf("after %s in the %s:\nschema: %v\ndecoder: %v", what, doc.Kind, err, problems)
		}
		if err != nil {
			refused++
		} else {
			accepted++
		}
	}
	if refused < 500 || accepted < 50 {
		t.Errorf("%d refused, %d accepted: the mutations do not tell anything", refused, accepted)
	}
}

// mutate changes one value below n, which is not kind: that decides what is decoded.
func mutate(random *rand.Rand, n *yaml.Node) string {
	type place struct {
		path string
		node *yaml.Node
	}
	var places []place
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		for i, c := range n.Content {
			switch {
			case n.Kind == yaml.SequenceNode:
				places = append(places, place{fmt.Sprintf("%s[%d]", path, i), c})
				walk(c, fmt.Sprintf("%s[%d]", path, i))
			case i%2 == 1 && n.Content[i-1].Value != "kind" && n.Content[i-1].Value != "apiVersion":
				places = append(places, place{path + "." + n.Content[i-1].Value, c})
				walk(c, path+"."+n.Content[i-1].Value)
			}
		}
	}
	walk(n, "")
	at := places[random.IntN(len(places))]
	scalar := func(tag, text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text} }
	old := *at.node
	for {
		*at.node = old
		switch random.IntN(9) {
		case 0:
			*at.node = *scalar("!!null", "null")
			return at.path + " made null"
		case 1:
			*at.node = *scalar("!!int", "2")
			return at.path + " made a number"
		case 2:
			*at.node = *scalar("!!bool", "true")
			return at.path + " made a boolean"
		case 3:
			*at.node = *scalar("!!float", "1.5")
			return at.path + " made a fraction"
		case 4:
			*at.node = yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{&old}}
			return at.path + " put into a list"
		case 5:
			*at.node = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{scalar("!!str", "name"), &old}}
			return at.path + " put into a mapping"
		case 6:
			if at.node.Kind == yaml.MappingNode {
				at.node.Content = append(slices.Clone(at.node.Content), scalar("!!str", "nmae"), scalar("!!null", "null"))
				return at.path + " with one more key"
			}
		case 7:
			if at.node.Kind == yaml.MappingNode && len(at.node.Content) > 0 {
				i := 2 * random.IntN(len(at.node.Content)/2)
				at.node.Content = slices.Delete(slices.Clone(at.node.Content), i, i+2)
				return at.path + " with one key less"
			}
		case 8:
			if at.node.Kind == yaml.SequenceNode {
				at.node.Content = append(slices.Clone(at.node.Content), scalar("!!null", "null"))
				return at.path + " with null at the end"
			}
		}
	}
}

// TestSchemaAcceptsWhatIsShipped: the built-in profiles and the examples are
// written in the language.
func TestSchemaAcceptsWhatIsShipped(t *testing.T) {
	schema := compileSchema(t)
	for _, fsys := range []fs.FS{profiles.FS(), os.DirFS("../../examples")} {
		checked := 0
		err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || path.Ext(name) != ".yaml" {
				return err
			}
			data, err := fs.ReadFile(fsys, name)
			if err != nil || !bytes.Contains(data, []byte("apiVersion: "+v1alpha1.APIVersion)) {
				return err
			}
			for _, doc := range documents(t, string(data)) {
				checked++
				if err := schema.Validate(value(doc.Node)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			return nil
		})
		if err != nil || checked == 0 {
			t.Errorf("%d documents, %v", checked, err)
		}
	}
}

// TestSchemaDefaults compares the defaults that an editor shows with those that are set.
func TestSchemaDefaults(t *testing.T) {
	var schema struct {
		Defs map[string]struct {
			Properties map[string]struct{ Default any }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(v1alpha1.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	var in profile.Input
	in.Profile.Value.Spec.Namespaces = []v1alpha1.Namespace{{Name: "a"}}
	in.Profile.Value.Spec.Flux = &v1alpha1.Flux{Workloads: []v1alpha1.Workload{{Name: "a"}}}
	in.Profile.Value.Spec.Trust = &v1alpha1.Trust{Images: []v1alpha1.ImageRule{{Name: "a"}}}
	in.Environments = []profile.Loaded[v1alpha1.Environment]{{}}
	set := profile.Default(in)
	actual := map[string]map[string]any{}
	for _, v := range []any{set.Profile.Value, set.Environments[0].Value} {
		scalars(reflect.ValueOf(v), actual)
	}
	actual["Control"] = map[string]any{"enabled": true} // a control that is named is on: generator's enabled
	shown := 0
	for name, def := range schema.Defs {
		for property, p := range def.Properties {
			if p.Default == nil {
				continue
			}
			shown++
			if got := fmt.Sprint(actual[name][property]); got != fmt.Sprint(p.Default) {
				t.Errorf("%s.%s: the schema says %v, the generator %v", name, property, p.Default, got)
			}
		}
	}
	if shown < 20 {
		t.Errorf("only %d defaults in the schema", shown)
	}
}

// scalars collects the optional scalars of all structs below v by type and name in YAML.
func scalars(v reflect.Value, into map[string]map[string]any) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			scalars(v.Index(i), into)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			scalars(v.Elem(), into)
		}
	case reflect.Struct:
		fields := map[string]any{}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if f := v.Field(i); f.Kind() == reflect.Pointer && !f.IsNil() && f.Elem().Kind() != reflect.Struct {
				fields[name] = f.Elem().Interface()
			}
			scalars(v.Field(i), into)
		}
		into[v.Type().Name()] = fields
	}
}
