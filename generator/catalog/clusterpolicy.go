package catalog

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/tmpl"
)

// autogenAnnotation narrows the Pod controllers that Kyverno derives rules for.
const autogenAnnotation = "pod-policies.kyverno.io/autogen-controllers"

// maxRuleName leaves room for the prefix autogen-cronjob- in the 63 characters of a rule's name.
const maxRuleName = 47

// renderClusterPolicy renders a ClusterPolicy from a template with apiVersion, kind,
// spec.rules and, optionally, the autogen annotation.
func renderClusterPolicy(c *Control, file string, text []byte, params, more map[string]any) (Policy, error) {
	body, err := renderOne(file, text, params, more)
	if err != nil {
		return Policy{}, err
	}
	p := policyCheck{background: c.Background, exempts: c.ExemptDeployers}
	p.expandOffenders(body)
	p.policy(body)
	if err := p.err(); err != nil {
		return Policy{}, fmt.Errorf("%s: %w", file, err)
	}
	return Policy{Target: ClusterPolicy, Body: body, Rules: Rules(body), Matches: Matches(body), LookUps: LookUps(body)}, nil
}

// renderOne renders a template to its only document.
func renderOne(file string, text []byte, params, more map[string]any) (map[string]any, error) {
	rendered, err := tmpl.Render(file, text, params, more)
	if err != nil {
		return nil, err
	}
	docs, err := documents(file, rendered)
	if err != nil {
		return nil, fmt.Errorf("reading the rendered template: %w", err)
	}
	if len(docs) != 1 {
		return nil, fmt.Errorf("%s: has %d documents, must have exactly one", file, len(docs))
	}
	return docs[0], nil
}

// policyCheck collects what is wrong with a rendered ClusterPolicy or with checks in CEL.
type policyCheck struct {
	background bool
	exempts    bool // the deployers
	errs       []error
}

// err returns everything that is wrong.
func (p *policyCheck) err() error { return errors.Join(p.errs...) }

func (p *policyCheck) errorf(at, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s: "+format, append([]any{at}, args...)...))
}

// fields returns v as a mapping, and refuses fields that are not allowed.
func (p *policyCheck) fields(at string, v any, allowed ...string) map[string]any {
	m, ok := v.(map[string]any)
	if !ok {
		p.errorf(at, "must be a mapping")
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(allowed, key) {
			p.errorf(at+"."+key, "is not allowed in a template (allowed: %s)", strings.Join(allowed, ", "))
		}
	}
	return m
}

func (p *policyCheck) list(at string, v any) []any {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		p.errorf(at, "must be a non-empty list")
	}
	return list
}

func (p *policyCheck) policy(policy map[string]any) {
	p.fields("policy", policy, "apiVersion", "kind", "metadata", "spec")
	if policy["apiVersion"] != "kyverno.io/v1" || policy["kind"] != "ClusterPolicy" {
		p.errorf("policy", "must be a kyverno.io/v1 ClusterPolicy, not %v %v", policy["apiVersion"], policy["kind"])
	}
	if policy["metadata"] != nil {
		metadata := p.fields("metadata", policy["metadata"], "annotations")
		annotations := p.fields("metadata.annotations", metadata["annotations"], autogenAnnotation)
		if _, ok := annotations[autogenAnnotation].(string); !ok {
			p.errorf("metadata.annotations", "%s must be a string", autogenAnnotation)
		}
	}
	spec := p.fields("spec", policy["spec"], "rules")
	names := map[string]bool{}
	for i, rule := range p.list("spec.rules", spec["rules"]) {
		at := fmt.Sprintf("spec.rules[%d]", i)
		r := p.fields(at, rule, "name", "match", "context", "preconditions", "validate", "verifyImages", "imageExtractors")
		name, _ := r["name"].(string)
		switch {
		case len(name) > maxRuleName || !idPattern.MatchString(name) || strings.HasPrefix(name, "autogen-"):
			p.errorf(at+".name", "%q is not a name of at most %d lower-case letters, digits and dashes that does not begin with autogen-", name, maxRuleName)
		case names[name]:
			p.errorf(at+".name", "%q is the name of another rule", name)
		}
		names[name] = true
		p.rule(at, r)
	}
}

func (p *policyCheck) rule(at string, r map[string]any) {
	resources := p.match(at+".match", r["match"])
	switch {
	case r["validate"] != nil && r["verifyImages"] != nil || r["validate"] == nil && r["verifyImages"] == nil:
		p.errorf(at, "needs exactly one of validate and verifyImages")
	case r["validate"] != nil:
		p.validate(at+".validate", r["validate"], resources)
	default:
		p.verifyImages(at+".verifyImages", r["verifyImages"])
	}
	if p.background {
		p.noRequest(at, r)
	}
}

// match returns the resource filters of the rule.
func (p *policyCheck) match(at string, v any) []map[string]any {
	var out []map[string]any
	match := p.fields(at, v, "any")
	for i, filter := range p.list(at+".any", match["any"]) {
		here := fmt.Sprintf("%s.any[%d]", at, i)
		f := p.fields(here, filter, "resources")
		resources := p.fields(here+".resources", f["resources"], "kinds", "operations", "names", "selector", "annotations")
		out = append(out, resources)
		for _, kind := range p.list(here+".resources.kinds", resources["kinds"]) {
			p.kind(here+".resources", kind, resources)
		}
		operations, _ := resources["operations"].([]any)
		for _, operation := range operations {
			if !slices.Contains([]any{"CREATE", "UPDATE", "DELETE", "CONNECT"}, operation) {
				p.errorf(here+".resources.operations", "%v is not an operation", operation)
			}
		}
	}
	return out
}

func (p *policyCheck) kind(at string, v any, resources map[string]any) {
	kind, ok := v.(string)
	// Not every kind of every group: what narrows neither would judge all requests.
	if ref := kinds.Parse(kind); !ok || kind == "" || strings.Trim(ref.Group+ref.Kind, "*?") == "" {
		p.errorf(at+".kinds", "%v is not a kind; a pattern must have letters in the group or the kind", v)
		return
	}
	if kinds.Parse(kind).Subresource != "" && p.background {
		p.errorf(at+".kinds", "%s is a subresource: spec.background of the control must be false", kind)
	}
	if ref := kinds.Parse(kind); strings.ContainsAny(ref.Kind, "*?") && ref.Matches("", "Pod") {
		p.errorf(at+".kinds", "the pattern %s matches Pods: name Pod, and nothing else", kind)
	}
	if kind != "Pod" {
		return
	}
	if p.exempts {
		p.errorf(at+".kinds", "Pod is not for a control with exemptDeployers: the label of what Flux applies for a deployer would keep Kyverno from deriving rules for Deployments and other controllers")
	}
	if len(resources["kinds"].([]any)) > 1 {
		p.errorf(at+".kinds", "Pod must be the only kind: with others, Kyverno does not derive rules for Deployments and other controllers")
	}
	for _, field := range []string{"names", "selector", "annotations"} {
		if resources[field] != nil {
			p.errorf(at+"."+field, "is not allowed with Pod: Kyverno would not derive rules for Deployments and other controllers")
		}
	}
}

// validate checks that there is one check and a message, and that a condition on the
// object is not evaluated on DELETE, which has no object.
func (p *policyCheck) validate(at string, v any, resources []map[string]any) {
	checks := []string{"pattern", "anyPattern", "deny", "foreach", "podSecurity", "cel"}
	validate := p.fields(at, v, append([]string{"message", "allowExistingViolations"}, checks...)...)
	if message, _ := validate["message"].(string); strings.TrimSpace(message) == "" {
		p.errorf(at+".message", "must tell the user what to change")
	}
	used := slices.DeleteFunc(checks, func(check string) bool { return validate[check] == nil })
	if len(used) != 1 {
		p.errorf(at, "needs exactly one check, has %v", used)
		return
	}
	if used[0] != "deny" && used[0] != "foreach" {
		return
	}
	for _, r := range resources {
		if operations, _ := r["operations"].([]any); len(operations) == 0 {
			p.errorf(at+"."+used[0], "needs operations in every match.any[].resources: on DELETE there is no request.object")
		}
	}
}

// verifyImages checks the part of an image rule that comes from the template.
// References, attestors and strictness come from the profile.
func (p *policyCheck) verifyImages(at string, v any) {
	entries := p.list(at, v)
	if len(entries) > 1 {
		p.errorf(at, "must have one entry: Kyverno lets the mutateDigest of one entry act on what the others match")
	}
	for i, entry := range entries {
		p.fields(fmt.Sprintf("%s[%d]", at, i), entry, "type")
	}
}

// userVariable matches variables that Kyverno refuses in a policy that also runs in the background.
var userVariable = regexp.MustCompile(`(^|[^.\w])(request\.(userInfo|roles|clusterRoles)|serviceAccountName|serviceAccountNamespace)\b`)

// noRequest refuses variables that only an admission request has.
func (p *policyCheck) noRequest(at string, v any) {
	switch v := v.(type) {
	case string:
		if found := userVariable.FindStringSubmatch(v); found != nil {
			p.errorf(at, "uses %s, which only an admission request has: spec.background of the control must be false", found[2])
		}
	case []any:
		for i := range v {
			p.noRequest(fmt.Sprintf("%s[%d]", at, i), v[i])
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			p.noRequest(at+"."+key, v[key])
		}
	}
}
