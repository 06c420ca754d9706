package generator

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"
)

// injectionSource sets every string of the language that a profile may choose
// freely. The control with parameters takes a list of strings.
var injectionSource = map[string]string{
	"profile.yaml": `
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec:
  extends: [base.yaml]
  kyverno: {version: "1.19", policyType: ClusterPolicy, install: helm, namespace: kyverno}
  flux:
    source: {kind: GitRepository, name: flux-system}
    namespace: flux-system
    path: ./policies
    interval: 10m
    retryInterval: 2m
    timeout: 5m
    serviceAccountName: flux
    decryption: {provider: sops, secretRef: {name: sops-age}}
    workloads: [{name: apps, path: "./apps/${env}/${cluster}"}]
  tiers: [platform, apps]
  rollout: {stages: [{name: audit, audit: [platform, apps]}, {name: enforce, enforce: [platform, apps]}]}
  systemNamespaces: [legacy-system]
  deployers: [jane@example.com]
  owners: ["@acme/platform"]
  exceptions: {namespace: policy-exceptions, maxDays: 2500}
  output: {kyvernoTests: true}
  namespaces:
    - name: payments
      tier: apps
      labels: {owner: team-payments}
      annotations: {linkerd.io/inject: ingress-mode}
      environments: [prod]
      network:
        ingress: [{from: {namespace: shop, pods: {app: web}}, pods: {app: api}, ports: [8080/TCP, http]}]
        egress: [{to: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}, ports: [5432/TCP]}]
  registries: {allowed: [ghcr.io/acme]}
  trust:
    attestors:
      - {name: release-key, keys: {configMap: {name: cosign-keys, key: release.pub, file: release.pub}, rekor: {url: https://rekor.example.com}}}
      - {name: kms, keys: {kms: "awskms:///alias/release"}}
      - {name: exact, keyless: {issuer: https://accounts.example.com, subject: release@example.com}}
      - {name: pattern, keyless: {issuerRegExp: ^https://accounts\.example\.com$, subjectRegExp: ^.+@example\.com$}}
    images:
      - {name: acme, references: [ghcr.io/acme/*], attestors: {count: 1, of: [release-key, kms, exact, pattern]}, tiers: [platform]}
  controls:
    require-labels: {maxStage: audit, parameters: {labels: [app.kubernetes.io/name]}}
    restrict-flux-sources: {parameters: {urls: [https://github.com/acme]}}
    restrict-image-registries: {maxStage: audit}
    disallow-host-path: {}
    disallow-capabilities: {}
    verify-images: {}
`,
	"base.yaml": `
apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: base}
spec: {controls: {restrict-nodeport: {}}}
`,
	"prod.yaml": `
apiVersion: gatehouse.dev/v1alpha1
kind: Environment
metadata: {name: prod}
spec: {ring: 1, stage: enforce, clusters: [prod-eu], owners: ["@acme/prod"], controls: {disallow-host-path: {stage: audit}},
  overrides: {flux: {interval: 5m}, registries: {allowed: [ghcr.io/prod]}, namespaces: [{name: web, annotations: {note: second-shift}}, {name: old, create: false}]}}
`,
	"x.yaml": `
apiVersion: gatehouse.dev/v1alpha1
kind: Exception
metadata: {name: agent}
spec:
  controls: [disallow-host-path]
  environments: [prod]
  match: {namespaces: [monitoring], kinds: [DaemonSet], names: [node-agent]}
  reason: reads node logs
  owner: team-observability
  ticket: SEC-1234
  expires: 2031-03-31
`,
	"y.yaml": `
apiVersion: gatehouse.dev/v1alpha1
kind: Exception
metadata: {name: mesh}
spec:
  controls: [disallow-capabilities]
  match: {namespaces: [monitoring], kinds: [CronJob], names: [report]}
  containers: [mesh-init]
  images: [ghcr.io/acme/agent*, "mesh:1"]
  reason: sets up the network
  owner: team-mesh
  expires: 2031-03-31
`,
	"release.pub": `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6RRIckrIFB3zJi0jjPWPC+ZJN5/W
ZzhV0wE+cuIpJsAKqo/+qhdKFG3peFy+IfrFzV6MD9J/9sHpnmR1lM3ULg==
-----END PUBLIC KEY-----
`,
}

// payloads would change a document if a value reached it as text.
var payloads = []string{
	"a: b", "a\nspec: {}", "x\n---\nkind: Evil", "- item", "&anchor *alias", "# comment", `"`, `'`, `\`, "a\\\" , evil: \"b",
	"{{ request.userInfo }}", "{{", "}}", "<< .labels >>", "<<", ">>", "$(x)", "${x}", "`", "|", "> 0", "!x", "*", "?", "a*", "a?",
	"../../etc", "/etc", "a/../../b", "null", "true", "0x10", "~", "", " ", "\t", "\x00", "\u2028", "é", "| cell |", "<!-- -->", "@org *", "[x](y)",
	"x', '2099-01-01T00:00:00Z') || time_now_utc() || ('", "^.*$|^x$",
}

// TestInjection replaces each string of the language with each payload, and also
// appends the payload to it. Compile must refuse it, or make objects of the same
// structure as without it.
func TestInjection(t *testing.T) {
	leaves := stringLeaves(t)
	if len(leaves) < 80 {
		t.Fatalf("only %d strings found", len(leaves))
	}
	bundle := compileLeaf(t, nil, "")
	accepted := 0
	for i, leaf := range leaves {
		for j, payload := range payloads {
			if (i+j)%4 != 0 { // the rest is for the fuzzer: each compilation costs milliseconds
				continue
			}
			for _, text := range []string{payload, leaf.value + payload} {
				if checkInjection(t, bundle, leaf, text) {
					accepted++
				}
			}
		}
	}
	if accepted < 50 {
		t.Errorf("only %d of the texts were accepted: the test proves too little", accepted)
	}
}

// FuzzInjection does the same with arbitrary texts.
func FuzzInjection(f *testing.F) {
	for i, payload := range payloads {
		f.Add(uint(i*7), payload)
	}
	leaves := stringLeaves(f)
	bundle := compileLeaf(f, nil, "")
	f.Fuzz(func(t *testing.T, index uint, text string) {
		checkInjection(t, bundle, leaves[index%uint(len(leaves))], text)
	})
}

// checkInjection compares structures, and reports whether the text was accepted.
func checkInjection(t testing.TB, original *Bundle, leaf stringLeaf, text string) bool {
	t.Helper()
	bundle := compileLeaf(t, &leaf, text)
	if bundle == nil || leaf.decides {
		return bundle != nil
	}
	want, got := structure(t, original, leaf.value), structure(t, bundle, text)
	if !slices.Equal(want, got) {
		for i := range min(len(want), len(got)) {
			if want[i] != got[i] {
				t.Errorf("%s %s = %q changes the structure:\n want %s\n got  %s", leaf.file, leaf.path, text, want[i], got[i])
				return true
			}
		}
		t.Errorf("%s %s = %q: %d objects, want %d", leaf.file, leaf.path, text, len(got), len(want))
	}
	return true
}

type stringLeaf struct {
	file, path, value string
	// decides is set if another valid value may change which objects there are or what they hold.
	decides bool
}

// deciding lists the strings whose valid values choose between structures.
var deciding = []string{
	"spec.extends", "spec.kyverno.install", "spec.flux.serviceAccountName", "].stage", ".maxStage", ".stage", "spec.match.kinds", "spec.match.names", "spec.controls[",
	"spec.environments", "].environments", ".ports[", ".references[", ".tiers", "spec.tiers", "audit[", "enforce[", ".of[", "spec.controls[0]", "spec.rollout",
	"spec.expires", "spec.ticket", "file", ".urls[", ".except[",
}

func stringLeaves(t testing.TB) []stringLeaf {
	t.Helper()
	var leaves []stringLeaf
	for _, file := range []string{"profile.yaml", "base.yaml", "prod.yaml", "x.yaml"} {
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(injectionSource[file]), &root); err != nil {
			t.Fatal(err)
		}
		walkStrings(root.Content[0], "", func(path string, n *yaml.Node) {
			decides := slices.ContainsFunc(deciding, func(s string) bool { return strings.Contains(path, s) })
			leaves = append(leaves, stringLeaf{file, path, n.Value, decides})
		})
	}
	return leaves
}

func walkStrings(n *yaml.Node, path string, visit func(string, *yaml.Node)) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			walkStrings(n.Content[i+1], path+"."+n.Content[i].Value, visit)
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			walkStrings(c, fmt.Sprintf("%s[%d]", path, i), visit)
		}
	case yaml.ScalarNode:
		if n.Tag == "!!str" || n.Tag == "!!timestamp" {
			visit(path, n)
		}
	}
}

// compileLeaf compiles the source with one string replaced and quoted as YAML
// quotes it. It returns nil if Compile refuses the source.
func compileLeaf(t testing.TB, leaf *stringLeaf, text string) *Bundle {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, content := range injectionSource {
		if leaf != nil && leaf.file == name {
			var root yaml.Node
			if err := yaml.Unmarshal([]byte(content), &root); err != nil {
				t.Fatal(err)
			}
			walkStrings(root.Content[0], "", func(path string, n *yaml.Node) {
				if path == leaf.path {
					n.SetString(text)
					n.Style = yaml.DoubleQuotedStyle
				}
			})
			out, err := yaml.Marshal(&root)
			if err != nil {
				return nil
			}
			content = string(out)
		}
		fsys[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
	}
	bundle, problems := Compile(fsys, ".", Options{Version: "test", Now: testNow, Unstaged: true})
	if leaf == nil && bundle == nil {
		t.Fatalf("the source does not build: %v", problems)
	}
	for _, d := range problems {
		if d.File == "" {
			t.Errorf("a diagnostic without a place: %v", d)
		}
	}
	return bundle
}

// structure returns the shape of every object that Flux applies: keys, list lengths
// and types, read back from the bytes that would be written. A key that is the
// replaced string itself (a label, a key of a ConfigMap) counts as the same.
func structure(t testing.TB, bundle *Bundle, replaced string) []string {
	t.Helper()
	var shapes []string
	for _, f := range bundle.Files {
		if !f.Folder.Applied() {
			continue
		}
		data, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		decoder := yaml.NewDecoder(bytes.NewReader(data))
		for {
			var doc any
			if err := decoder.Decode(&doc); err != nil {
				break
			}
			var b strings.Builder
			shape(&b, doc, replaced)
			shapes = append(shapes, b.String())
		}
	}
	slices.Sort(shapes)
	return shapes
}

func shape(b *strings.Builder, v any, replaced string) {
	switch v := v.(type) {
	case map[string]any:
		b.WriteByte('{')
		for _, key := range slices.Sorted(maps.Keys(v)) {
			name := key
			if key == replaced {
				name = "(replaced)"
			}
			b.WriteString(name + ":")
			shape(b, v[key], replaced)
			b.WriteByte(' ')
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for _, item := range v {
			shape(b, item, replaced)
			b.WriteByte(' ')
		}
		b.WriteByte(']')
	default:
		fmt.Fprintf(b, "%T", v)
	}
}
