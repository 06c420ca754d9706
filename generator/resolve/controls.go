package resolve

import (
	"encoding/json"
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// resolvedControl is a rendered control that is on: its policy, still without stage
// and image rule, and the highest stage that it may reach.
type resolvedControl struct {
	policy   plan.Policy
	maxStage int
	scope    profile.Scope
	field    string // of its settings in the profile
	// conditional is what image rules with conditions on attestations are made from.
	conditional catalog.Policy
}

// resolveControls renders every control that is on, once for all environments for which
// the profile says the same. One that does not judge has nothing to render.
func (r *resolver) resolveControls(spec *profile.Spec) {
	if _, done := r.controls[spec]; done {
		return
	}
	report := source.Reporter{Positions: spec.Positions}
	derived := r.derived(spec)
	r.controls[spec] = []resolvedControl{}
	for _, c := range spec.Controls {
		params, problems := c.ResolveParameters(c.Parameters, derived)
		for _, p := range problems {
			report.Report(joinPath(c.Field+".parameters", p.Path), "parameter-invalid", p.Hint, "%s", p.Summary)
		}
		if len(problems) > 0 {
			continue
		}
		rendered := rendering{parameters: params}
		target := ""
		if c.Judges() {
			target = r.target(&report, spec, c)
			rendered = r.render(c.Control, target, params)
		}
		if rendered.err != nil {
			report.Report(c.Field, "control-render", "", "%v", rendered.err)
			continue
		}
		policy := plan.Policy{Name: c.ID, Base: c.ID, Control: c.Control, Policy: rendered.policy, Parameters: rendered.parameters, At: spec.At(c.Field)}
		resolved := resolvedControl{policy: policy, maxStage: c.MaxStage, scope: c.Scope, field: c.Field}
		if c.Instances != "" {
			resolved.conditional = r.conditional(&report, spec, c, target, rendered)
		}
		r.controls[spec] = append(r.controls[spec], resolved)
	}
	r.Problems = append(r.Problems, report.Problems...)
}

// conditional returns what image rules with conditions on attestations become: in CEL,
// Kyverno shows only the last attestation of a type (docs/image-traps.md#attestations-in-cel).
func (r *resolver) conditional(report *source.Reporter, spec *profile.Spec, c profile.Control, target string, rendered rendering) catalog.Policy {
	if target == catalog.ClusterPolicy {
		return rendered.policy
	}
	for _, rule := range spec.Images {
		if rule.Conditional() {
			r.staysClusterPolicy(report, spec, rule.Field+".attestations", "a rule with conditions", "a "+target)
		}
	}
	again := r.render(c.Control, catalog.ClusterPolicy, rendered.parameters)
	if again.err != nil {
		report.Report(c.Field, "control-render", "", "%v", again.err)
	}
	return again.policy
}

// target returns the kind of policy that a control becomes. What CEL cannot say stays a
// ClusterPolicy, such as a look-up of other objects. That is an error where no
// ClusterPolicy is executed.
func (r *resolver) target(report *source.Reporter, spec *profile.Spec, c profile.Control) string {
	wanted := spec.Kyverno.PolicyType
	if !spec.Kyverno.Absent {
		wanted = c.TargetFor(wanted)
	}
	if targets := c.Targets(); slices.Contains(targets, wanted) || !slices.Contains(targets, catalog.ClusterPolicy) {
		return wanted
	}
	asked := places(spec, c)
	if spec.Kyverno.Runs(catalog.ClusterPolicy) {
		if len(asked) > 0 {
			r.staysClusterPolicy(report, spec, c.Field, c.ID, "a "+wanted)
		}
		return catalog.ClusterPolicy
	}
	for _, field := range asked {
		r.staysClusterPolicy(report, spec, field, c.ID, "a "+wanted)
	}
	return catalog.ClusterPolicy
}

// staysClusterPolicy reports what cannot become what is wanted: a warning, or an error
// where no ClusterPolicy is executed.
func (r *resolver) staysClusterPolicy(report *source.Reporter, spec *profile.Spec, field, what, wanted string) {
	if spec.Kyverno.Runs(catalog.ClusterPolicy) {
		report.Warn(field, "policy-type-other", "Kyverno "+v1alpha1.KyvernoNext+" runs no ClusterPolicy", "%s cannot be %s: it stays a ClusterPolicy", what, wanted)
		return
	}
	why, hint := "a ClusterPolicy, which Kyverno "+spec.Kyverno.Version+" does not execute", "switch it off (enabled: false), or keep Kyverno "+v1alpha1.KyvernoVersion
	if spec.Kyverno.Absent {
		why, hint = "a policy of Kyverno, and spec.kyverno.install is absent", "switch it off (enabled: false), or let Kyverno be installed"
	}
	report.Report(field, "policy-type-none", hint, "%s%s cannot be %s, only %s", r.where(spec), what, wanted, why)
}

// where begins what is said of one environment only, whose overrides make the difference.
func (r *resolver) where(spec *profile.Spec) string {
	var names []string
	for _, e := range r.src.Environments {
		if e.Spec == spec {
			names = append(names, e.Name)
		}
	}
	if len(names) != 1 || len(r.src.Environments) == 1 {
		return ""
	}
	return "in environment " + names[0] + ": "
}

// places returns the fields that ask for the policies of a control: its own, or those of
// the image rules.
func places(spec *profile.Spec, c profile.Control) []string {
	if c.Instances == "" {
		return []string{c.Field}
	}
	var fields []string
	for _, rule := range spec.Images {
		fields = append(fields, rule.Field)
	}
	return fields
}

// rendering is the result of a template for some parameters.
type rendering struct {
	policy     catalog.Policy
	parameters map[string]any
	err        error
}

// render renders a control for a type of policies, once for each set of parameters.
func (r *resolver) render(c *catalog.Control, policyType string, parameters map[string]any) rendering {
	encoded, err := json.Marshal(parameters)
	if err != nil {
		panic(err) // they were decoded from YAML
	}
	key := policyType + " " + c.ID + " " + string(encoded)
	if _, done := r.rendered[key]; !done {
		policy, err := c.Render(policyType, parameters)
		r.rendered[key] = rendering{policy, parameters, err}
	}
	return r.rendered[key]
}

// derived returns a function that returns the value of a parameter with
// x-gatehouse-from, and reports whether there is one.
func (r *resolver) derived(spec *profile.Spec) func(from string) (any, bool) {
	values := map[string]any{
		"registries.allowed":   spec.Registries,
		"deployers":            spec.Deployers.Users,
		"deployers.groups":     spec.Deployers.Groups,
		"deployers.appliers":   appliers(spec.Deployers),
		"exceptions.namespace": r.plan.ExceptionNamespace,
		"flux.namespace":       spec.Flux.Namespace,
		"kyverno.namespace":    spec.Kyverno.Namespace,
		"kyverno.cleanup":      spec.Kyverno.CleanupAccount(),
		"systemNamespaces":     slices.Concat(spec.SystemNamespaces, []string{r.plan.ExceptionNamespace}), // gatehouse creates it without an owner
		"tiers":                r.plan.Tiers,
		"environments":         r.environmentNames(),
	}
	return func(from string) (any, bool) {
		value, ok := values[from]
		if list, isList := value.([]string); isList && len(list) == 0 {
			return nil, false
		}
		return value, ok
	}
}

// appliers returns the accounts that also write for others, as a parameter.
func appliers(d plan.Deployers) []any {
	values := []any{}
	for _, a := range d.Appliers {
		values = append(values, a.Value())
	}
	return values
}

// environmentNames returns the names sorted, so that a change of a ring does not
// change a policy.
func (r *resolver) environmentNames() []string {
	names := make([]string, len(r.src.Environments))
	for i, e := range r.src.Environments {
		names[i] = e.Name
	}
	slices.Sort(names)
	return names
}

func joinPath(base, rest string) string {
	if rest == "" {
		return base
	}
	return base + "." + rest
}
