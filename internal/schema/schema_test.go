package schema

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

func parse(t testing.TB, text string) manifest.Object {
	t.Helper()
	var o manifest.Object
	if err := yaml.UnmarshalStrict([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// valid is one object of each kind.
var valid = map[string]string{
	"ClusterPolicy": `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: disallow-x, annotations: {a: b}}
spec:
  background: true
  webhookTimeoutSeconds: 10
  rules:
  - name: one
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      failureAction: Enforce
      failureActionOverrides: [{action: Audit, namespaces: [a], namespaceSelector: {matchExpressions: [{key: k, operator: In, values: [v]}]}}]
      message: refused
      pattern: {spec: {anything: {goes: "here"}}}
`,
	"PolicyException": `
apiVersion: kyverno.io/v2
kind: PolicyException
metadata: {name: waiver, namespace: policy-exceptions}
spec:
  exceptions: [{policyName: disallow-x, ruleNames: [one]}]
  match: {any: [{resources: {kinds: [Pod], namespaces: [a], names: ["b-*"]}}]}
`,
	"Flux Kustomization": `
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: policies, namespace: flux-system}
spec:
  interval: 10m
  path: ./x
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
  healthCheckExprs: [{apiVersion: kyverno.io/v1, kind: ClusterPolicy, current: "true"}]
`,
	"GitRepository": `
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: a, namespace: flux-system}
spec: {interval: 10m, url: "https://example.com/a"}
`,
	"HelmRepository": `
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: a, namespace: flux-system}
spec: {interval: 10m, url: "https://example.com/a"}
`,
	"OCIRepository": `
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: a, namespace: flux-system}
spec: {interval: 10m, url: "oci://example.com/a", ref: {tag: "1"}, verify: {secretRef: {name: key}}}
`,
	"HelmRelease": `
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: kyverno, namespace: flux-system}
spec:
  interval: 10m
  chartRef: {kind: OCIRepository, name: kyverno}
  values: {any: {depth: [1, 2.5, null]}}
`,
	"ValidatingPolicy": `
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: a}
spec:
  validationActions: [Deny]
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  validations: [{expression: "true", messageExpression: "'a'"}]
`,
	"ImageValidatingPolicy": `
apiVersion: policies.kyverno.io/v1
kind: ImageValidatingPolicy
metadata: {name: a}
spec:
  validationActions: [Deny]
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  matchImageReferences: [{expression: "true"}]
  attestors: [{name: a, cosign: {key: {data: a}, annotations: {a: ""}}}]
  attestations: [{name: a, intoto: {type: a}}]
  validations: [{expression: "true"}]
`,
	"MutatingPolicy": `
apiVersion: policies.kyverno.io/v1
kind: MutatingPolicy
metadata: {name: a}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  mutations: [{patchType: JSONPatch, jsonPatch: {expression: "[]"}}]
`,
	"ValidatingAdmissionPolicy": `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: a}
spec:
  failurePolicy: Fail
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods], scope: Namespaced}]}
  variables: [{name: a, expression: "1"}]
  validations: [{expression: "true", message: a}]
  auditAnnotations: [{key: a, valueExpression: "'a'"}]
`,
	"ValidatingAdmissionPolicyBinding": `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: a}
spec: {policyName: a, validationActions: [Deny], matchResources: {namespaceSelector: {matchLabels: {a: b}}}}
`,
	"ConfigMap":     `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b}, data: {k: v}}`,
	"Namespace":     `{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {a/b: c}}}`,
	"Secret":        `{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: b}, stringData: {k: v}}`,
	"ResourceQuota": `{apiVersion: v1, kind: ResourceQuota, metadata: {name: a, namespace: b}, spec: {hard: {pods: "1", requests.memory: 1Gi}}}`,
	"LimitRange":    `{apiVersion: v1, kind: LimitRange, metadata: {name: a, namespace: b}, spec: {limits: [{type: Pod, max: {cpu: "1"}}]}}`,
	"NetworkPolicy": `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, namespace: b}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 80, protocol: TCP}]}]}}`,
	"ClusterRole":   `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: "gatehouse:view"}, rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}`,
	"kustomization": `{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization, resources: [a.yaml]}`,
}

// Scope comes from the table, which must have what is checked, in that version.
func TestKindsAreInTheTable(t *testing.T) {
	for typ, check := range checks {
		known, _ := kinds.Find(kinds.Group(typ.apiVersion), typ.kind)
		if check.name != nil && (known.Scope == kinds.Unknown || known.APIVersion() != typ.apiVersion) {
			t.Errorf("%v is in the table as %+v", typ, known)
		}
	}
}

func TestCheckAcceptsEveryKind(t *testing.T) {
	if len(valid) != len(checks) {
		t.Errorf("%d kinds, %d examples", len(checks), len(valid))
	}
	for name, text := range valid {
		t.Run(name, func(t *testing.T) {
			o := parse(t, text)
			before := parse(t, text)
			if errs := Check(o); errs != nil {
				t.Error(errs)
			}
			if diff := cmp.Diff(before, o); diff != "" {
				t.Errorf("Check changed the object: %s", diff)
			}
			o["spce"] = map[string]any{}
			if errs := Check(o); len(errs) != 1 || errs[0].Error() != "spce: unknown field" {
				t.Errorf("an unknown field: %v", errs)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, kind, old, new string
		want                 []string
	}{
		{"unknown field deep in a list", "ClusterPolicy", "message: refused", "mesage: refused", []string{"spec.rules[0].validate.mesage: unknown field"}},
		{"field in another case", "ClusterPolicy", "background:", "Background:", []string{"spec.Background: unknown field"}},
		{"enum", "ClusterPolicy", "Enforce", "Enfroce", []string{`spec.rules[0].validate.failureAction: should be one of [Audit Enforce]`}},
		{"maximum", "ClusterPolicy", "name: one", "name: " + strings.Repeat("x", 64), []string{"spec.rules[0].name: should be at most 63 chars long"}},
		{"string for a number", "ClusterPolicy", "webhookTimeoutSeconds: 10", `webhookTimeoutSeconds: "10"`, []string{`spec.webhookTimeoutSeconds: must be of type integer: "string"`}},
		{"null for a list", "ClusterPolicy", "kinds: [Pod]", "kinds: null", []string{`spec.rules[0].match.any[0].resources.kinds: must be of type array: "null"`}},
		{"unknown field of the metadata", "ClusterPolicy", "annotations: {a: b}", "anotations: {a: b}", []string{"metadata.anotations: unknown field"}},
		{"number as annotation", "ClusterPolicy", "a: b", "a: 1", []string{"metadata: cannot unmarshal number into Go struct field ObjectMeta.annotations of type string"}},
		{"name", "ClusterPolicy", "name: disallow-x", "name: Disallow", []string{`metadata.name: Invalid value: "Disallow": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`}},
		{"no namespace", "PolicyException", ", namespace: policy-exceptions", "", []string{"metadata.namespace: Required value"}},
		{"a namespace where none is", "Namespace", "name: a", "name: a, namespace: b", []string{"metadata.namespace: Forbidden: not allowed on this type"}},
		{"required", "PolicyException", "ruleNames: [one]", "", []string{"spec.exceptions[0].ruleNames: is required"}},
		{"pattern", "Flux Kustomization", "interval: 10m", "interval: 1d", []string{`spec.interval: should match '^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$'`}},
		{"two errors, in order", "Flux Kustomization", "prune: true", "wiat: true", []string{"spec.prune: is required", "spec.wiat: unknown field"}},
		{"status", "Flux Kustomization", "spec:", "status: {}\nspec:", []string{"status: unknown field"}},
		{"unknown field of a built-in kind", "NetworkPolicy", "protocol: TCP", "protocl: TCP", []string{"spec.ingress[0].ports[0].protocl: unknown field"}},
		{"a quantity that is none", "ResourceQuota", "1Gi", "1GB", []string{"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"}},
		{"unknown field of a limit", "LimitRange", "max:", "maximum:", []string{"spec.limits[0].maximum: unknown field"}},
		{"wrong type in a built-in kind", "NetworkPolicy", "policyTypes: [Ingress]", "policyTypes: Ingress", []string{"cannot unmarshal string into Go struct field .spec.policyTypes of type []string"}},
		{"Secret that is not base64", "Secret", "stringData", "data", []string{"illegal base64 data at input byte 0"}},
		{"label value", "Namespace", "a/b: c", "a/b: c d", []string{`metadata.labels: Invalid value: "c d": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`}},
		{"too long to be stored", "ConfigMap", "k: v", "k: " + strings.Repeat("x", 1<<20), []string{"takes 1048670 bytes, and at most 1048576 are safe to store: many exceptions, or namespaces by name, make it long"}},
		{"expression that the API server does not parse", "ValidatingAdmissionPolicy", `"1"`, `"'` + strings.Repeat("é", 100_000) + `'"`, []string{"spec.variables[0].expression: is 100002 long, and at most 100000 are read"}},
		{"expression that Kyverno does not parse", "ValidatingPolicy", `"'a'"`, `"'` + strings.Repeat("x", 100_000) + `'"`, []string{"spec.validations[0].messageExpression: is 100002 long, and at most 100000 are read"}},
		{"annotation that the API server does not take", "ValidatingAdmissionPolicy", `"'a'"`, `"'` + strings.Repeat("é", 2560) + `'"`, []string{"spec.auditAnnotations[0].valueExpression: is 5122 long, and at most 5120 are read"}},
		{"other version", "ClusterPolicy", "kyverno.io/v1", "kyverno.io/v2beta1", []string{"no schema for kyverno.io/v2beta1 ClusterPolicy"}},
		{"other kind", "Namespace", "kind: Namespace", "kind: Pod", []string{"no schema for v1 Pod"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := strings.Replace(valid[tc.kind], tc.old, tc.new, 1)
			if text == valid[tc.kind] {
				t.Fatalf("%q is not in the example", tc.old)
			}
			var got []string
			for _, err := range Check(parse(t, text)) {
				got = append(got, err.Error())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCheckConcurrently is for the race detector.
func TestCheckConcurrently(t *testing.T) {
	var group sync.WaitGroup
	for _, text := range valid {
		o := parse(t, text)
		for range 4 {
			group.Go(func() {
				if errs := Check(o); errs != nil {
					t.Error(errs)
				}
			})
		}
	}
	group.Wait()
}

// TestSchemas reads every generated file, and refuses what Check does not know.
func TestSchemas(t *testing.T) {
	files, err := crds.ReadDir("crds")
	if err != nil || len(files) != 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if _, err := structure(f.Name()); err != nil {
			t.Errorf("%s: %v", f.Name(), err)
		}
		data, _ := crds.ReadFile("crds/" + f.Name())
		if strings.Contains(string(data), `"$ref"`) {
			t.Errorf("%s holds a $ref, which Check does not look at", f.Name())
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for b.Loop() {
		newCustomResource("clusterpolicy.kyverno.io.v1.json")
	}
}

func BenchmarkCheck(b *testing.B) {
	for name, text := range valid {
		b.Run(name, func(b *testing.B) {
			o := parse(b, text)
			for b.Loop() {
				Check(o)
			}
		})
	}
}

func TestFields(t *testing.T) {
	const api, kind = "kustomize.toolkit.fluxcd.io/v1", "Kustomization"
	for path, want := range map[string]string{
		"spec.intervall":                     "interval",
		"spec.dependsOn[2].nam":              "readyExpr",
		"spec.patches[0].target.knd":         "labelSelector",
		"spec.postBuild.substituteFrom[0].x": "optional",
		"spec.nothing.like.it":               "",
		"spec.postBuild.substitute.a":        "",
	} {
		if fields := Fields(api, kind, path); want == "" && fields != nil || want != "" && !slices.Contains(fields, want) {
			t.Errorf("beside %s: %v", path, fields)
		}
	}
	if fields := Fields("v1", "Nothing", "spec.x"); fields != nil {
		t.Errorf("a kind without a schema has %v", fields)
	}
}

// TestListTypes refuses what an API server would take for one element of a list.
func TestListTypes(t *testing.T) {
	o := parse(t, strings.Replace(valid["ValidatingPolicy"], "  validations:", "  variables: [{name: a, expression: '1'}, {name: a, expression: '2'}]\n  validations:", 1))
	if errs := Check(o); len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), "spec.variables[1]: Duplicate value") {
		t.Errorf("two variables of one name: %v", errs)
	}
}
