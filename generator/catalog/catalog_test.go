package catalog

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

const controlText = `apiVersion: gatehouse.dev/v1alpha1
kind: Control
metadata:
  name: sample
spec:
  title: A sample
  description: Refuses what the tests need.
  category: Hardening
  severity: low
  scope: Namespaced
  parameters:
    type: object
    additionalProperties: false
    properties:
      names:
        description: Names that are refused.
        type: array
        minItems: 1
        maxItems: 3
        items: {type: string, pattern: "^[a-z\\\\d]+|x:y$"}
        default: [bad]
      registries:
        description: Where images may come from.
        type: array
        minItems: 1
        items: {type: string, pattern: "^[a-z./]+$"}
        default: []
        x-gatehouse-from: registries.allowed
      mode:
        description: One of two.
        type: string
        enum: [strict, loose]
        default: strict
      count:
        description: A number.
        type: integer
        minimum: 1
        maximum: 5
        default: 2
      on:
        description: A switch.
        type: boolean
        default: true
      limits:
        description: Nested values.
        type: object
        additionalProperties: false
        required: [cpu]
        properties:
          cpu: {type: string, pattern: "^[0-9]+m?$", default: 100m}
          memory: {type: string, pattern: "^[0-9]+Mi$"}
        default: {memory: 64Mi}
      labels:
        description: Free keys.
        type: object
        additionalProperties: {type: string, pattern: "^[a-z]+$"}
        default: {team: ops}
  exampleParameters: {registries: [ghcr.io/acme]}
  references: [https://example.com/]
  compliance:
    soc2: ["CC6.1"]
`

const policyText = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
spec:
  rules:
    - name: names
      match:
        any:
          - resources:
              kinds: [Pod]
              operations: [CREATE, UPDATE]
      validate:
        message: << printf "Not one of %s, but {{ request.object.metadata.name }}." (join ", " .names) >>
        deny:
          conditions:
            any:
              - key: "{{ request.object.metadata.name }}"
                operator: AnyIn
                value: << .names >>
`

const goodText = `{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: apps}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: b}}
---
apiVersion: admission.k8s.io/v1
kind: AdmissionReview
request:
  uid: deleted
  operation: DELETE
  namespace: apps
  subResource: status
  userInfo: {username: jane, groups: [admins]}
  oldObject: {apiVersion: v1, kind: Pod, metadata: {name: bad}}
`

const badText = `{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {x: << .names >>, others: [<< .registries >>, << .mode >>, << .count >>, << .on >>, << .limits >>, << .labels >>]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b}}
---
{apiVersion: v1, kind: Pod, metadata: {name: c}}
---
{apiVersion: v1, kind: Pod, metadata: {name: d}}
---
{apiVersion: v1, kind: Pod, metadata: {name: e}}
`

// files returns a catalogue with one control, with old replaced by new in one of its files.
func files(t *testing.T, file, old, new string) fstest.MapFS {
	t.Helper()
	texts := map[string]string{"control.yaml": controlText, "clusterpolicy.yaml": policyText, "tests/good.yaml": goodText, "tests/bad.yaml": badText}
	if !strings.Contains(texts[file], old) {
		t.Fatalf("%s does not contain %q", file, old)
	}
	texts[file] = strings.Replace(texts[file], old, new, 1)
	out := fstest.MapFS{"cat/README.md": {Data: []byte("not a control")}, "cat/.git/x": {}}
	for name, text := range texts {
		out["cat/sample/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

// sample returns the control after the replacement, which must not make it invalid.
func sample(t *testing.T, file, old, new string) *Control {
	t.Helper()
	set, problems := Load(files(t, file, old, new), "cat")
	if len(problems) > 0 || len(set.Controls) != 1 {
		t.Fatalf("%d controls, problems: %v", len(set.Controls), problems)
	}
	return set.Controls[0]
}

func TestLoad(t *testing.T) {
	c := sample(t, "control.yaml", "", "")
	if c.ID != "sample" || c.Dir != "cat/sample" || !c.Background || c.ClusterScoped || c.Severity != "low" || c.Category != "Hardening" {
		t.Errorf("unexpected control %+v", c)
	}
	if problems := c.Verify(); len(problems) > 0 {
		t.Errorf("Verify: %v", problems)
	}
	c = sample(t, "control.yaml", "scope: Namespaced", "scope: Cluster\n  background: false\n  exemptDeployers: true\n  podSecurity: baseline")
	if c.Background || !c.ClusterScoped || !c.ExemptDeployers || c.PodSecurity != "baseline" {
		t.Errorf("unexpected control %+v", c)
	}
}

func TestLoadProblems(t *testing.T) {
	tests := map[string]struct{ old, new, want string }{
		"unknown field":       {"severity: low", "severity: low\n  severty: low", "cat/sample/control.yaml:10:3: spec.severty: unknown field (did you mean \"severity\"?)"},
		"missing field":       {"  title: A sample\n", "", "spec.title: is required"},
		"empty title":         {"A sample", `" "`, "spec.title: is empty"},
		"wrong type":          {"title: A sample", "title: 7", "cat/sample/control.yaml:6:10: spec.title: must be a string"},
		"api version":         {"v1alpha1", "v1", `apiVersion: unsupported value "gatehouse.dev/v1"`},
		"kind":                {"Control", "Policy", `kind: unsupported value "Policy"`},
		"category":            {"Hardening", "Hardenin", `did you mean "Hardening"?`},
		"severity":            {"severity: low", "severity: lo", `spec.severity: unsupported value "lo" (did you mean "low"?)`},
		"scope":               {"Namespaced", "Namespace", "spec.scope: unsupported value"},
		"folder name":         {"name: sample", "name: other", `"other" is not the name of the folder, "sample"`},
		"bad name":            {"name: sample", "name: Sample", "is not a name of at most 40"},
		"reference":           {"https://example.com/", "http://example.com", "spec.references[0]: \"http://example.com\" is not an https URL"},
		"no reference":        {"[https://example.com/]", "[]", "spec.references: needs at least one"},
		"framework":           {"soc2", "soc3", `did you mean "soc2"?`},
		"empty compliance":    {`["CC6.1"]`, "[]", "spec.compliance[soc2]: needs non-empty ids"},
		"instances":           {"scope: Namespaced", "scope: Namespaced\n  instances: namespaces", "spec.instances: unsupported value"},
		"claim of no list":    {"scope: Namespaced", "scope: Namespaced\n  refuses: {imagesOutside: mode}", "spec.refuses.imagesOutside: must name a parameter that is a list"},
		"unknown claim":       {"scope: Namespaced", "scope: Namespaced\n  refuses: {pods: [a]}", "spec.refuses.pods: unknown field"},
		"need of no source":   {"scope: Namespaced", "scope: Namespaced\n  needs: [registries, names]", "spec.needs[1]: must name a parameter with x-gatehouse-from"},
		"two documents":       {"apiVersion", "a: 1\n---\napiVersion", "has 2 documents"},
		"not YAML":            {"kind: Control", "kind: [", "yaml-syntax"},
		"duplicate key":       {"kind: Control", "kind: Control\nkind: Control", "kind: is set twice"},
		"open parameters":     {"additionalProperties: false\n    properties", "additionalProperties: {type: string}\n    properties", "spec.parameters: must be an object with additionalProperties: false"},
		"unknown keyword":     {"maxItems: 3", "maxItems: 3\n        uniqueItems: true", "spec.parameters.properties[names].uniqueItems: unknown field"},
		"keyword of a type":   {"default: strict", "default: strict\n        minimum: 1", "spec.parameters.properties[mode].minimum: has no meaning for the type string"},
		"unknown type":        {"type: boolean", "type: number", `type "number" is not one of`},
		"no description":      {"description: A switch.", `description: ""`, "spec.parameters.properties[on]: needs a description"},
		"no default":          {"        default: true\n", "", "spec.parameters.properties[on]: needs a default"},
		"unbounded string":    {"enum: [strict, loose]\n", "\n", "spec.parameters.properties[mode]: a string needs a pattern or an enum"},
		"open pattern":        {"^[a-z./]+$", "[a-z./]+", "pattern: must begin with ^ and end with $"},
		"broken pattern":      {"^[a-z./]+$", "^[a-z$", "missing closing ]"},
		"array without items": {`items: {type: string, pattern: "^[a-z./]+$"}`, "", "an array needs items"},
		"wrong default":       {"default: 2", "default: 9", "spec.parameters.properties[count].default: 9 is more than 5"},
		"wrong enum":          {"enum: [strict, loose]", "enum: [strict, 1]", "enum[1]: must be a string"},
		"unknown source":      {"registries.allowed", "registries", "x-gatehouse-from"},
		"open object":         {"additionalProperties: false\n        required", "required", "an object needs additionalProperties"},
		"free and named keys": {"additionalProperties: false\n        required", "additionalProperties: {type: boolean}\n        required", "properties or free keys, not both"},
		"free keys, any":      {`additionalProperties: {type: string, pattern: "^[a-z]+$"}`, "additionalProperties: true", "[labels].additionalProperties: "},
		"keyword of values":   {`additionalProperties: {type: string, pattern`, "additionalProperties: {typ: string, pattern", "[labels].additionalProperties: unknown field \"typ\""},
		"required":            {"required: [cpu]", "required: [gpu]", `there is no property "gpu"`},
		"wrong example":       {"{registries: [ghcr.io/acme]}", "{registries: [GHCR]}", `spec.exampleParameters[registries][0]: "GHCR" does not match`},
		"unknown example":     {"{registries: [ghcr.io/acme]}", "{registries: [a], x: 1}", "spec.exampleParameters[x]: unknown parameter"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			set, problems := Load(files(t, "control.yaml", tt.old, tt.new), "cat")
			if len(set.Controls) > 0 || !slices.Contains(set.Broken, "sample") || !problems.HasErrors() {
				t.Fatalf("loaded %+v, problems %v", set, problems)
			}
			if !slices.ContainsFunc(problems, func(d diag.Diagnostic) bool { return strings.Contains(d.String(), tt.want) && d.Line > 0 }) {
				t.Errorf("no problem with a line says %q:\n%v", tt.want, problems.Err())
			}
		})
	}
}

func TestLoadReportsEverything(t *testing.T) {
	fsys := files(t, "control.yaml", "severity: low", "severity: lo\n  scop: x")
	for name, file := range files(t, "control.yaml", "Hardening", "Nothing") {
		fsys[strings.Replace(name, "sample", "second", 1)] = file
	}
	delete(fsys, "cat/second/tests/bad.yaml")
	_, problems := Load(fsys, "cat")
	var all []string
	for _, p := range problems {
		all = append(all, p.File+" "+p.Path)
	}
	want := []string{"cat/sample/control.yaml spec.scop", "cat/second/tests/bad.yaml ",
		"cat/second/control.yaml spec.category", "cat/second/control.yaml metadata.name"}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, problems := Load(fsys, "nowhere"); !problems.HasErrors() {
		t.Error("no problem for a catalogue that does not exist")
	}
}

// TestLoadFolder checks that a control has all files that it needs, and no others.
func TestLoadFolder(t *testing.T) {
	tests := map[string]struct {
		add, remove string
		want        string // empty for a sound control
	}{
		"README":                   {add: "README.md"},
		"results":                  {add: "tests/results.yaml"},
		"names with a dot":         {add: ".idea/workspace.xml"},
		"a file with a dot":        {add: "tests/.good.yaml.swp"},
		"another policy":           {add: "validatingpolicy.yaml", want: "cat/sample/validatingpolicy.yaml: is not a file of a control (one of control.yaml, clusterpolicy.yaml, cel.yaml, tests/good.yaml, tests/bad.yaml, tests/results.yaml, README.md) [control-invalid]"},
		"a dialect of the future":  {add: "rego.yaml", want: `cat/sample/rego.yaml: is not a file of a control (did you mean "cel.yaml"?) [control-invalid]`},
		"a typo":                   {add: "tests/goood.yaml", want: `cat/sample/tests/goood.yaml: is not a file of a control (did you mean "tests/good.yaml"?) [control-invalid]`},
		"another folder":           {add: "examples/a.yaml", want: "cat/sample/examples/a.yaml: is not a file of a control"},
		"no template":              {remove: "clusterpolicy.yaml", want: "cat/sample/clusterpolicy.yaml: a control needs a template [control-invalid]"},
		"no bad documents":         {remove: "tests/bad.yaml", want: "cat/sample/tests/bad.yaml: a control needs this file: file does not exist [control-invalid]"},
		"no description of itself": {remove: "control.yaml", want: "cat/sample/control.yaml: a control needs this file"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fsys := files(t, "control.yaml", "", "")
			if tt.add != "" {
				fsys["cat/sample/"+tt.add] = &fstest.MapFile{Data: []byte("examples: {}\n")}
			}
			delete(fsys, "cat/sample/"+tt.remove)
			set, problems := Load(fsys, "cat")
			switch {
			case tt.want == "" && (len(problems) > 0 || len(set.Controls) != 1):
				t.Errorf("loaded %+v, problems %v", set, problems)
			case tt.want != "" && (len(problems) != 1 || !strings.HasPrefix(problems[0].String(), tt.want) || !slices.Equal(set.Broken, []string{"sample"})):
				t.Errorf("loaded %+v, problems %v, want %s", set, problems, tt.want)
			}
		})
	}
}

func TestTargets(t *testing.T) {
	c := sample(t, "control.yaml", "", "")
	if diff := cmp.Diff([]string{"ClusterPolicy"}, c.Targets()); diff != "" {
		t.Error(diff)
	}
	params, _ := c.Examples()
	_, err := c.Render("ValidatingPolicy", params)
	if want := "cat/sample: the control has no template for ValidatingPolicy, only for ClusterPolicy"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestNew(t *testing.T) {
	own := Set{Controls: []*Control{{ID: "b", Dir: "own/b", Title: "mine"}, {ID: "d", Dir: "own/d"}}, Broken: []string{"a"}}
	c, problems := New(Set{Controls: []*Control{{ID: "c"}, {ID: "b", Dir: "built-in/b"}}}, own)
	if diff := cmp.Diff([]string{"b", "c", "d"}, c.IDs()); diff != "" {
		t.Errorf("ids (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b", "c", "d", "a"}, c.Defined()); diff != "" {
		t.Errorf("defined ids (-want +got)\n%s", diff)
	}
	if len(problems) != 1 || !strings.Contains(problems[0].String(), "own/b/control.yaml:1: metadata.name: there is already a control b in built-in/b") {
		t.Errorf("problems: %v", problems)
	}
	if b, ok := c.Control("b"); !ok || b.Title != "" {
		t.Error("the first control of an id must stay")
	}
	if _, ok := c.Control("x"); ok {
		t.Error("found a control that is not there")
	}
}

const networkText = `apiVersion: gatehouse.dev/v1alpha1
kind: Control
metadata: {name: sample}
spec:
  title: A sample
  description: Closes what the tests need.
  category: Network
  severity: low
  scope: Namespaced
  emits: network
  references: [https://example.com/]
`

// A control that emits NetworkPolicies is its control.yaml, and has no policy.
func TestEmitsNetwork(t *testing.T) {
	for name, tt := range map[string]struct{ file, old, new, want string }{
		"sound":        {},
		"README":       {file: "README.md"},
		"a template":   {file: "clusterpolicy.yaml", want: "cat/sample/clusterpolicy.yaml: has no effect on a control that emits network (remove it) [control-invalid]"},
		"documents":    {file: "tests/bad.yaml", want: "cat/sample/tests/bad.yaml: has no effect on a control that emits network"},
		"parameters":   {old: "  emits", new: "  exemptDeployers: true\n  emits", want: "spec.exemptDeployers: has no effect on a control that emits network"},
		"another kind": {old: "emits: network", new: "emits: mesh", want: `spec.emits: unsupported value "mesh"`},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{"cat/sample/control.yaml": {Data: []byte(strings.Replace(networkText, tt.old, tt.new, 1))}}
			if tt.file != "" {
				fsys["cat/sample/"+tt.file] = &fstest.MapFile{Data: []byte("{}")}
			}
			set, problems := Load(fsys, "cat")
			if tt.want != "" {
				if !slices.ContainsFunc(problems, func(d diag.Diagnostic) bool { return strings.Contains(d.String(), tt.want) }) {
					t.Errorf("got %v, want %s", problems, tt.want)
				}
				return
			}
			if len(problems) > 0 || len(set.Controls) != 1 {
				t.Fatalf("loaded %+v, problems %v", set, problems)
			}
			c := set.Controls[0]
			if problems := c.Verify(); c.Judges() || len(problems) > 0 || !slices.Equal(c.Targets(), []string{"NetworkPolicy"}) {
				t.Errorf("judges: %v, targets %v, problems %v", c.Judges(), c.Targets(), problems)
			}
			if policy, err := c.Render(ClusterPolicy, nil); err == nil {
				t.Errorf("it renders %v", policy)
			}
		})
	}
}

func TestNewChecksWhatControlsNeed(t *testing.T) {
	deny := &Control{ID: DefaultDeny, Emits: EmitsNetwork}
	for name, tt := range map[string]struct {
		set  Set
		want string // empty for none
	}{
		"follows":          {set: Set{Controls: []*Control{deny, {ID: "a", Follows: DefaultDeny}}}},
		"follows a broken": {set: Set{Controls: []*Control{{ID: "a", Follows: DefaultDeny}}, Broken: []string{DefaultDeny}}},
		"follows nothing":  {set: Set{Controls: []*Control{deny, {ID: "a", Dir: "own/a", Follows: "default-den"}}}, want: `own/a/control.yaml:1: spec.follows: there is no control "default-den" (did you mean "default-deny"?) [control-invalid]`},
		"follows one that follows": {set: Set{Controls: []*Control{deny, {ID: "a", Follows: DefaultDeny}, {ID: "b", Dir: "own/b", Follows: "a"}}},
			want: "own/b/control.yaml:1: spec.follows: a follows another control itself [control-invalid]"},
		"a second one": {set: Set{Controls: []*Control{deny, {ID: "mine", Dir: "own/mine", Emits: EmitsNetwork}}},
			want: "own/mine/control.yaml:1: spec.emits: only the built-in control default-deny emits network [control-invalid]"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := New(tt.set)
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
			}
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
