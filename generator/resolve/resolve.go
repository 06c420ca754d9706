// Package resolve makes the plan. It decides everything that follows from several
// documents together, such as derived parameters, what each control becomes in each
// environment, exceptions, shards, and whether an environment may reach a stage.
// Later stages decide nothing.
package resolve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// Options holds what the plan depends on besides the source.
type Options struct {
	// Now is the time to judge expiries by.
	Now time.Time
	// AllowSkip lets every environment enforce what was never audited.
	AllowSkip bool
	// Prior is the lock of the current output; nil if there is none.
	Prior *manifest.Lock
}

// Plan makes the plan of a parsed source that has no errors. The plan is complete if
// no problem is an error. It is nil if an error stops the work early.
func Plan(src *profile.Source, o Options) (*plan.Plan, diag.List) {
	r := &resolver{src: src, Reporter: source.Reporter{Positions: src.Positions}, defaults: map[string]bool{}}
	r.plan = &plan.Plan{
		Name: src.Name, Kyverno: src.Kyverno, Flux: src.Flux, Tiers: src.Tiers, Stages: src.Stages,
		ExceptionNamespace: src.ExceptionNamespace, SystemNamespaces: src.SystemNamespaces,
		Deployers: src.Deployers, Owners: src.Owners, KyvernoTests: src.KyvernoTests, Now: o.Now,
	}
	r.resolveControls()
	r.withoutEffect()
	for _, e := range src.Environments {
		r.plan.Environments = append(r.plan.Environments, r.environment(e))
	}
	r.openNamespaces()
	if r.Problems.HasErrors() {
		return nil, r.Problems.Sort()
	}
	assignShards(r.plan, o.Prior)
	r.exceptions()
	r.podSecurity()
	r.rings()
	r.skips(o)
	return r.plan, r.Problems.Sort()
}

// resolver turns a source into the plan. Both have their environments in the same order.
type resolver struct {
	source.Reporter
	src      *profile.Source
	plan     *plan.Plan
	controls []resolvedControl
	// defaults holds the controls whose parameters are the defaults of the catalogue.
	defaults map[string]bool
}

// resolvedControl is a rendered control that is on: its policy, still without stage
// and image rule, and the highest stage that it may reach.
type resolvedControl struct {
	policy   plan.Policy
	maxStage int
	field    string // of its settings in the profile
}

// derived returns the value of a parameter with x-gatehouse-from, and reports whether
// there is one.
func (r *resolver) derived(from string) (any, bool) {
	values := map[string]any{
		"registries.allowed":   r.src.Registries,
		"deployers":            r.plan.Deployers,
		"exceptions.namespace": r.plan.ExceptionNamespace,
		"flux.namespace":       r.plan.Flux.Namespace,
		"kyverno.namespace":    r.plan.Kyverno.Namespace,
		"systemNamespaces":     slices.Concat(r.plan.SystemNamespaces, []string{r.plan.ExceptionNamespace}), // gatehouse creates it without an owner
		"tiers":                r.plan.Tiers,
		"environments":         r.environmentNames(),
	}
	value, ok := values[from]
	if list, isList := value.([]string); isList && len(list) == 0 {
		return nil, false
	}
	return value, ok
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

// resolveControls renders every control that is on, once for all environments. One
// that does not judge has nothing to render.
func (r *resolver) resolveControls() {
	for _, c := range r.src.Controls {
		params, problems := c.ResolveParameters(c.Parameters, r.derived)
		for _, p := range problems {
			r.Report(joinPath(c.Field+".parameters", p.Path), "parameter-invalid", p.Hint, "%s", p.Summary)
		}
		if len(problems) > 0 {
			continue
		}
		policy := plan.Policy{Name: c.ID, Control: c.Control, Parameters: params, At: r.src.At(c.Field)}
		if c.Judges() {
			var err error
			if policy.Policy, err = c.Render(r.plan.Kyverno.PolicyType, params); err != nil {
				r.Report(c.Field, "control-render", "", "%v", err)
				continue
			}
		}
		r.controls = append(r.controls, resolvedControl{policy, c.MaxStage, c.Field})
		r.defaults[c.ID] = len(c.Parameters) == 0
	}
}

func joinPath(base, rest string) string {
	if rest == "" {
		return base
	}
	return base + "." + rest
}

func (r *resolver) environment(e profile.Environment) plan.Environment {
	env := plan.Environment{
		Name: e.Name, Ring: e.Ring, Clusters: e.Clusters, Stage: r.plan.Stages[e.Stage].Name,
		Owners: e.Owners, AllowSkip: e.AllowSkip, At: e.At("spec.stage"),
	}
	for _, n := range r.src.Namespaces {
		if n.In(e.Name) {
			env.Namespaces = append(env.Namespaces, namespace(n, e.Name))
		}
	}
	slices.SortFunc(env.Namespaces, func(a, b plan.Namespace) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range r.controls {
		env.Policies = append(env.Policies, r.policies(c, e)...)
	}
	slices.SortFunc(env.Policies, func(a, b plan.Policy) int { return strings.Compare(a.Name, b.Name) })
	env.Trust = r.trust(&env)
	r.namespaceLabels(env)
	return env
}

func namespace(n profile.Namespace, environment string) plan.Namespace {
	labels := maps.Clone(n.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelTier], labels[v1alpha1.LabelEnvironment], labels[v1alpha1.LabelManagedBy] = n.Tier, environment, v1alpha1.ManagedBy
	return plan.Namespace{Name: n.Name, Tier: n.Tier, Labels: labels, Network: n.Network, At: n.At}
}

// policies returns what a control becomes in an environment: one policy, or one for
// each image rule. It returns none if the control is off in every tier.
func (r *resolver) policies(c resolvedControl, e profile.Environment) []plan.Policy {
	policy := c.policy
	stage, _ := e.StageOf(policy.Control.ID)
	policy.Stage, policy.Actions = r.plan.Stages[stage].Name, r.actions(c, e)
	if followed := policy.Control.Follows; followed != "" {
		limit := r.actions(r.control(followed), e)
		for t := range policy.Actions {
			policy.Actions[t] = min(policy.Actions[t], limit[t])
		}
	}
	if policy.Control.Instances == "" {
		if policy.Strictest() == plan.Off {
			return nil
		}
		return []plan.Policy{policy}
	}
	var all []plan.Policy
	for _, rule := range r.src.Images {
		p := policy
		p.Name, p.Image, p.At, p.Actions = rule.Policy, &rule.Image, rule.At, map[string]plan.Action{}
		for _, t := range rule.Tiers {
			p.Actions[t] = policy.Actions[t]
		}
		if p.Strictest() != plan.Off {
			all = append(all, p)
		}
	}
	return all
}

// actions returns the action of a control in each tier of an environment: that of its
// stage, limited by its highest stage. A control that is off has none.
func (r *resolver) actions(c resolvedControl, e profile.Environment) map[string]plan.Action {
	actions := map[string]plan.Action{}
	if c.policy.Control == nil {
		return actions
	}
	stage, _ := e.StageOf(c.policy.Control.ID)
	at, limit := r.plan.Stages[stage], r.plan.Stages[c.maxStage]
	for _, t := range r.plan.Tiers {
		actions[t] = min(at.Actions[t], limit.Actions[t])
	}
	return actions
}

// control returns a control that is on; the zero value if it is off.
func (r *resolver) control(id string) resolvedControl {
	for _, c := range r.controls {
		if c.policy.Control.ID == id {
			return c
		}
	}
	return resolvedControl{}
}

// trust returns the ConfigMaps and Secrets that the image policies of an
// environment refer to, by kind and name.
func (r *resolver) trust(env *plan.Environment) []plan.TrustObject {
	objects := map[string]plan.TrustObject{}
	for _, rule := range r.src.Images {
		if _, on := env.Policy(rule.Policy); !on {
			continue
		}
		for _, key := range rule.Trust {
			id := key.Kind + "/" + key.Name
			o, ok := objects[id]
			if !ok {
				o = plan.TrustObject{Kind: key.Kind, Name: key.Name, Data: map[string]string{}, At: key.At}
			}
			maps.Copy(o.Data, key.Data)
			objects[id] = o
		}
	}
	var all []plan.TrustObject
	for _, id := range slices.Sorted(maps.Keys(objects)) {
		all = append(all, objects[id])
	}
	return all
}

// namespaceLabels refuses a namespace that a policy of the profile would refuse: the
// identity that applies the repository must never be blocked
// (docs/safety.md#deployer-and-system-namespaces).
func (r *resolver) namespaceLabels(env plan.Environment) {
	for _, p := range env.Policies {
		if p.Control.NamespaceLabels == "" {
			continue
		}
		required, _ := p.Parameters[p.Control.NamespaceLabels].([]any)
		for _, n := range env.Namespaces {
			for _, label := range required {
				if name, _ := label.(string); n.Labels[name] == "" {
					r.Problems.Add(diag.Diagnostic{Code: "namespace-label-missing", Position: n.At, Path: "spec.namespaces",
						Summary: fmt.Sprintf("namespace %s has no label %s, which %s requires", n.Name, name, p.Name), Hint: "add it to the namespace's labels"})
				}
			}
		}
	}
}
