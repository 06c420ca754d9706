package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// render renders the sample's policy with old replaced by new.
func render(t *testing.T, old, new string) (map[string]any, error) {
	t.Helper()
	c := sample(t, "clusterpolicy.yaml", old, new)
	params, problems := c.Examples()
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	policy, err := c.Render(ClusterPolicy, params)
	return policy.Body, err
}

func TestRender(t *testing.T) {
	got, err := render(t, "apiVersion", "metadata:\n  annotations: {pod-policies.kyverno.io/autogen-controllers: CronJob}\napiVersion")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"apiVersion": "kyverno.io/v1",
		"kind":       "ClusterPolicy",
		"metadata":   map[string]any{"annotations": map[string]any{autogenAnnotation: "CronJob"}},
		"spec": map[string]any{"rules": []any{map[string]any{
			"name":  "names",
			"match": map[string]any{"any": []any{map[string]any{"resources": map[string]any{"kinds": []any{"Pod"}, "operations": []any{"CREATE", "UPDATE"}}}}},
			"validate": map[string]any{
				"message": "Not one of bad, but {{ request.object.metadata.name }}.",
				"deny": map[string]any{"conditions": map[string]any{"any": []any{map[string]any{
					"key": "{{ request.object.metadata.name }}", "operator": "AnyIn", "value": []any{"bad"},
				}}}},
			},
		}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A selector in exclude, which the label of Flux needs, keeps Kyverno from deriving rules.
func TestExemptDeployersIsNotForPods(t *testing.T) {
	c := sample(t, "control.yaml", "scope: Namespaced", "scope: Namespaced\n  exemptDeployers: true")
	params, _ := c.Examples()
	if _, err := c.Render(ClusterPolicy, params); err == nil || !strings.Contains(err.Error(), "Pod is not for a control with exemptDeployers") {
		t.Errorf("got %v", err)
	}
}

func TestRenderRefuses(t *testing.T) {
	const rule = "    - name: names\n"
	const pods = "kinds: [Pod]"
	tests := map[string]struct{ old, new, want string }{
		"a broken template":        {".names)", ".name)", `no entry for key "name"`},
		"another object":           {"ClusterPolicy", "Policy", "must be a kyverno.io/v1 ClusterPolicy, not kyverno.io/v1 Policy"},
		"two documents":            {"apiVersion", "a: 1\n---\napiVersion", "has 2 documents"},
		"a name":                   {"spec:", "metadata: {name: x}\nspec:", "metadata.name: is not allowed"},
		"another annotation":       {"spec:", "metadata: {annotations: {a: b}}\nspec:", "metadata.annotations.a: is not allowed"},
		"background":               {"spec:\n", "spec:\n  background: true\n", "spec.background: is not allowed"},
		"no rules":                 {policyText[strings.Index(policyText, "  rules:"):], "  rules: []\n", "spec.rules: must be a non-empty list"},
		"a typo":                   {"      validate:", "      validat:", "spec.rules[0].validat: is not allowed"},
		"exclude":                  {rule, rule + "      exclude: {any: []}\n", "spec.rules[0].exclude: is not allowed"},
		"generate":                 {rule, rule + "      generate: {}\n", "spec.rules[0].generate: is not allowed"},
		"a rule twice":             {"  rules:\n", "  rules:\n    - {name: names, match: {any: [{resources: {kinds: [Pod]}}]}, validate: {message: m, pattern: {}}}\n", `"names" is the name of another rule`},
		"a long rule name":         {"name: names", "name: " + strings.Repeat("a", 48), "at most 47"},
		"an autogen name":          {"name: names", "name: autogen-names", "does not begin with autogen-"},
		"no kinds":                 {pods, "kinds: []", "match.any[0].resources.kinds: must be a non-empty list"},
		"every kind":               {pods, `kinds: ["*"]`, "a pattern must have letters"},
		"a pattern for Pods":       {pods, `kinds: ["P*"]`, "matches Pods"},
		"every group":              {pods, `kinds: ["*/*"]`, "a pattern must have letters"},
		"every kind of any group":  {pods, `kinds: ["*/*/?*"]`, "a pattern must have letters"},
		"match all":                {"        any:", "        all:", "match.all: is not allowed"},
		"Pod with others":          {pods, "kinds: [Pod, Service]", "Pod must be the only kind"},
		"Pod by name":              {pods, pods + "\n              names: [a]", "resources.names: is not allowed with Pod"},
		"Pod by selector":          {pods, pods + "\n              selector: {matchLabels: {a: b}}", "resources.selector: is not allowed with Pod"},
		"namespaces":               {pods, pods + "\n              namespaces: [a]", "resources.namespaces: is not allowed"},
		"users":                    {"          - resources:", "          - subjects: []\n            resources:", "subjects: is not allowed"},
		"an unknown operation":     {"[CREATE, UPDATE]", "[create]", "create is not an operation"},
		"deny without operations":  {"              operations: [CREATE, UPDATE]\n", "", "validate.deny: needs operations"},
		"a subresource":            {pods, "kinds: [Pod/exec]", "spec.background of the control must be false"},
		"no message":               {`<< printf "Not one of %s, but {{ request.object.metadata.name }}." (join ", " .names) >>`, `""`, "validate.message: must tell the user"},
		"two checks":               {"        deny:", "        pattern: {}\n        deny:", "needs exactly one check, has [pattern deny]"},
		"no check":                 {policyText[strings.Index(policyText, "        deny:"):], "", "needs exactly one check, has []"},
		"failureAction":            {"        deny:", "        failureAction: Audit\n        deny:", "validate.failureAction: is not allowed"},
		"the user in background":   {"{{ request.object.metadata.name }}\"", "{{ request.userInfo.username }}\"", "uses request.userInfo"},
		"the account, background":  {"{{ request.object.metadata.name }}\"", "{{serviceAccountName}}\"", "uses serviceAccountName"},
		"an image rule with trust": {policyText[strings.Index(policyText, "      validate:"):], "      verifyImages: [{attestors: []}]\n", "verifyImages[0].attestors: is not allowed"},
		"two image entries":        {policyText[strings.Index(policyText, "      validate:"):], "      verifyImages: [{type: Cosign}, {type: Notary}]\n", "must have one entry"},
		"no validate":              {policyText[strings.Index(policyText, "      validate:"):], "", "needs exactly one of validate and verifyImages"},
		"an anchor":                {"kind: ClusterPolicy", "kind: &a ClusterPolicy", "anchors and aliases are not allowed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := render(t, tt.old, tt.new)
			if err == nil {
				t.Fatal("rendered")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "cat/sample/clusterpolicy.yaml") {
				t.Errorf("error does not contain the file and %q:\n%v", tt.want, err)
			}
		})
	}
}

func TestRenderAllows(t *testing.T) {
	tests := map[string]struct{ old, new string }{
		"an image rule":           {policyText[strings.Index(policyText, "      validate:"):], "      verifyImages: [{type: Cosign}]\n"},
		"a pattern on every verb": {policyText[strings.Index(policyText, "              operations:"):], "      validate: {message: m, pattern: {spec: {a: << .count >>}}}\n"},
		"the object's user info":  {"{{ request.object.metadata.name }}\"", "{{ request.object.spec.serviceAccountName }}\""},
		"existing violations":     {"        deny:", "        allowExistingViolations: false\n        deny:"},
		"others by name":          {"kinds: [Pod]", "kinds: [v1/Service, Secret]\n              names: [a]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := render(t, tt.old, tt.new); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRenderInBackground(t *testing.T) {
	c := sample(t, "clusterpolicy.yaml", "{{ request.object.metadata.name }}\"", "{{ request.userInfo.username }}\"")
	c.Background = false
	params, _ := c.Examples()
	if _, err := c.Render(ClusterPolicy, params); err != nil {
		t.Errorf("without background: %v", err)
	}
}

func TestDocumentsRefuses(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"duplicate key":     {"a: 1\na: 2", "is set twice"},
		"number as key":     {"1: a", "the key 1 is not a string"},
		"boolean as key":    {"true: a", "is not a string"},
		"YAML 1.1 key":      {"on: a", "on is a boolean to some readers"},
		"YAML 1.1 boolean":  {"a: yes", "f.yaml:1:4: yes is a boolean to some readers"},
		"octal":             {"a: 0644", "not a decimal number"},
		"octal of YAML 1.2": {"a: 0o644", "not a decimal number"},
		"infinity":          {"a: .inf", "not a JSON number"},
		"tag":               {"a: !!str 1", "the tag !!str is not allowed"},
		"alias":             {"a: &x 1\nb: *x", "anchors and aliases"},
		"a list":            {"- a", "must be a mapping"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			docs, err := documents("f.yaml", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want an error with %q, got %v and %v", tt.want, docs, err)
			}
		})
	}
}

func TestDocuments(t *testing.T) {
	got, err := documents("f.yaml", []byte("a: [1, -2, 1.5, 0, true, null, ~, \"yes\", 2027-01-31, \"1\", 1e3]\nb: |\n  1\n---\n---\nc: {d: ''}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"a": []any{int64(1), int64(-2), 1.5, int64(0), true, nil, nil, "yes", "2027-01-31", "1", 1000.0}, "b": "1\n"},
		{"c": map[string]any{"d": ""}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
