// Package resolve makes the plan. It decides everything that follows from several
// documents together, such as derived parameters, what each control becomes in each
// environment, exceptions, shards, and whether an environment may reach a stage.
// Later stages decide nothing.
package resolve

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/generator/staging"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Options holds what the plan depends on besides the source.
type Options struct {
	// Now is the time to judge expiries by.
	Now time.Time
	// Day is the day to note for what is new; zero for that of Now.
	Day time.Time
	// Unstaged shows every environment as if it had audited and accepted everything.
	// Such a plan is for inspection.
	Unstaged bool
	// Prior is the lock of the current output; nil if there is none.
	Prior *manifest.Lock
	// Output is the current output, for the contents that it keeps; nil if there is none.
	Output fs.FS
}

// Plan makes the plan of a parsed source that has no errors. The plan is complete if
// no problem is an error. It is nil if an error stops the work early.
func Plan(src *profile.Source, o Options) (*plan.Plan, diag.List) {
	r := &resolver{Options: o, src: src, controls: map[*profile.Spec][]resolvedControl{}, rendered: map[string]rendering{}, written: staging.WrittenIn(o.Prior, o.Output), before: objectsOf(o.Prior)}
	r.plan = &plan.Plan{
		Name: src.Name, Tiers: src.Tiers, Stages: src.Stages, ExceptionNamespace: src.ExceptionNamespace, Owners: src.Owners,
		KyvernoTests: src.KyvernoTests, Now: o.Now,
	}
	for _, e := range src.Environments {
		r.resolveControls(e.Spec)
		r.plan.Environments = append(r.plan.Environments, r.environment(e))
	}
	r.contradictions()
	if r.Problems.HasErrors() {
		r.close()
		return nil, r.Problems.Sort()
	}
	assignShards(r.plan, o.Prior)
	r.exceptions()
	r.podSecurity()
	for i, staged := range r.staged {
		staged.PodSecurity(r.plan.Environments[i].Namespaces, r.plan.Environments[i].Policies)
	}
	r.rings()
	r.close()
	return r.plan, r.Problems.Sort()
}

// objectsOf returns the ids of the objects in the layers of a lock, by environment.
func objectsOf(lock *manifest.Lock) map[string][]string {
	ids := map[string][]string{}
	if lock == nil {
		return ids
	}
	for _, f := range lock.Files {
		if folder, ok := layout.Parse(f.Layer); ok && folder.Environment != "" {
			ids[folder.Environment] = append(ids[folder.Environment], f.Objects...)
		}
	}
	return ids
}

// distinct returns one file for each path, sorted.
func distinct(files []manifest.File) []manifest.File {
	byPath := map[string]manifest.File{}
	for _, f := range files {
		byPath[f.Path] = f
	}
	var all []manifest.File
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		all = append(all, byPath[path])
	}
	return all
}

// resolver turns a source into the plan. Both have their environments in the same order.
type resolver struct {
	Options
	Problems diag.List
	src      *profile.Source
	plan     *plan.Plan
	// controls that are on, by what the profile says for an environment.
	controls map[*profile.Spec][]resolvedControl
	// rendered holds each template with each set of parameters once.
	rendered map[string]rendering
	// written says what gatehouse wrote into the current output.
	written staging.Written
	// before holds the ids of the objects in each environment's layers in the last build.
	before map[string][]string
	// listed are the namespaces of the profile in all environments; see lists.
	listed map[string]bool
	// staged holds the comparison of each environment with the last build.
	staged []*staging.Environment
}

// environment resolves one environment. The controls of its spec must be resolved.
func (r *resolver) environment(e profile.Environment) plan.Environment {
	env := plan.Environment{
		Name: e.Name, Ring: e.Ring, Clusters: e.Clusters, Stage: r.plan.Stages[e.Stage].Name,
		Owners: e.Owners, AllowSkip: e.AllowSkip, AllowAhead: e.AllowAhead, At: e.At("spec.stage"),
		Kyverno: e.Spec.Kyverno, Flux: e.Spec.Flux, SystemNamespaces: e.Spec.SystemNamespaces, Deployers: e.Spec.Deployers,
		Network: e.Spec.Network, FluxPathAt: e.Spec.At("spec.flux.path"),
	}
	for _, n := range e.Spec.Namespaces {
		if n.In(e.Name) {
			env.Namespaces = append(env.Namespaces, namespace(n, e.Name))
		}
	}
	slices.SortFunc(env.Namespaces, func(a, b plan.Namespace) int { return strings.Compare(a.Name, b.Name) })
	var desired []staging.Desired
	for _, c := range r.controls[e.Spec] {
		for _, p := range r.policies(c, e) {
			desired = append(desired, staging.Desired{Policy: p, Content: staging.ContentOf(p, env.Deployers, keys(p.Name, e.Spec.Images))})
		}
	}
	slices.SortFunc(desired, func(a, b staging.Desired) int { return strings.Compare(a.Name, b.Name) })
	r.reservedNames(desired)
	staged := r.stage(e)
	env.SystemNamespaces, env.Network = staged.SystemNamespaces(env.SystemNamespaces), staged.ClusterNetwork(env.Network)
	env.Policies = staged.Policies(desired)
	staged.Applier(env.Flux, env.Policies)
	staged.Kyverno(env.Kyverno)
	if !r.Unstaged {
		staged.Leftovers(env.Kyverno, r.before, env.Policies)
	}
	env.Namespaces = staged.Namespaces(env.Namespaces, env.Policies)
	r.staged = append(r.staged, staged)
	env.Trust = trust(env, e.Spec.Images)
	return env
}

func namespace(n profile.Namespace, environment string) plan.Namespace {
	out := plan.Namespace{Name: n.Name, Tier: n.Tier, Existing: n.Existing, Network: n.Network, Quota: n.Quota, LimitRange: n.LimitRange, At: n.At}
	if n.Existing {
		return out
	}
	labels := maps.Clone(n.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelTier], labels[v1alpha1.LabelEnvironment], labels[v1alpha1.LabelManagedBy] = n.Tier, environment, v1alpha1.ManagedBy
	out.Labels, out.Annotations = labels, n.Annotations
	return out
}

// policies returns what a control becomes in an environment: one policy, or one for
// each image rule. It returns none if the control is off in every tier.
func (r *resolver) policies(c resolvedControl, e profile.Environment) []plan.Policy {
	policy := c.policy
	stage, _ := e.StageOf(policy.Control.ID)
	policy.Stage, policy.Actions = r.plan.Stages[stage].Name, r.actions(c, e)
	scope, some := r.scope(c, e)
	if !some {
		return nil
	}
	policy.Scope = scope
	if followed := policy.Control.Follows; followed != "" {
		limit := r.actions(r.control(e.Spec, followed), e)
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
	for _, rule := range e.Spec.Images {
		p := policy
		p.Name, p.Base, p.Image, p.At, p.Actions = rule.Policy, rule.Policy, &rule.Image, rule.At, map[string]plan.Action{}
		if rule.Conditional() {
			p.Policy = c.conditional
		}
		for _, t := range rule.Tiers {
			p.Actions[t] = policy.Actions[t]
		}
		if p.Strictest() != plan.Off {
			all = append(all, p)
		}
	}
	return all
}

// scope returns where a control judges in an environment. It reports false if that is
// nowhere: the environment has none of the namespaces.
func (r *resolver) scope(c resolvedControl, e profile.Environment) (plan.Scope, bool) {
	if len(c.scope.Choices) == 0 {
		return plan.Scope{}, true
	}
	return c.scope.Among(r.namespacesOf(e), r.lists)
}

// lists reports whether the profile, or the overrides of an environment, list a namespace.
func (r *resolver) lists(namespace string) bool {
	if r.listed == nil {
		r.listed = map[string]bool{}
		for _, e := range r.src.Environments {
			for _, n := range e.Spec.Namespaces {
				r.listed[n.Name] = true
			}
		}
	}
	return r.listed[namespace]
}

// namespacesOf returns the namespaces of the profile that an environment has.
func (r *resolver) namespacesOf(e profile.Environment) []profile.Namespace {
	return slices.DeleteFunc(slices.Clone(e.Spec.Namespaces), func(n profile.Namespace) bool { return !n.In(e.Name) })
}

// actions returns the action of a control in each tier of an environment: that of its
// stage, limited by its highest stage. A control that is off has none, and neither has a
// tier outside of its scope.
func (r *resolver) actions(c resolvedControl, e profile.Environment) map[string]plan.Action {
	actions := map[string]plan.Action{}
	if c.policy.Control == nil {
		return actions
	}
	stage, _ := e.StageOf(c.policy.Control.ID)
	at, limit := r.plan.Stages[stage], r.plan.Stages[c.maxStage]
	for _, t := range r.plan.Tiers {
		if c.scope.In(t) {
			actions[t] = min(at.Actions[t], limit.Actions[t])
		}
	}
	return actions
}

// control returns a control that is on; the zero value if it is off.
func (r *resolver) control(spec *profile.Spec, id string) resolvedControl {
	for _, c := range r.controls[spec] {
		if c.policy.Control.ID == id {
			return c
		}
	}
	return resolvedControl{}
}

// keys returns the objects that the attestors of an image rule refer to; none for
// another policy.
func keys(policy string, images []profile.Image) []plan.TrustObject {
	for _, rule := range images {
		if rule.Policy == policy {
			return rule.Trust
		}
	}
	return nil
}

// stage begins to compare what the source asks of an environment with the last build.
func (r *resolver) stage(e profile.Environment) *staging.Environment {
	o := staging.Options{
		Now: r.Now, Day: r.Day, Soak: r.src.Soak, Immediate: r.src.ImmediateChanges, Stages: r.plan.Stages, Tiers: r.plan.Tiers,
		Output: r.Output, Written: r.written, Catalog: r.src.Catalog, Clusters: map[string]string{},
	}
	for _, other := range r.src.Environments {
		for _, cluster := range other.Clusters {
			o.Clusters[cluster] = other.Name
		}
	}
	if r.Unstaged {
		e.AllowSkip, e.Changes = true, ""
	} else if r.Prior != nil {
		o.All = r.Prior.Environments
		if locked, built := r.Prior.Environments[e.Name]; built {
			o.Prior = &locked
		}
	}
	return staging.New(e, o)
}

// close takes over what staging decided.
func (r *resolver) close() {
	for i, staged := range r.staged {
		staged.Close()
		env := &r.plan.Environments[i]
		env.Pending, env.Locked = staged.Pending, staged.Locked
		r.plan.Contents = append(r.plan.Contents, staged.Files...)
		r.Problems = append(r.Problems, staged.Problems...)
	}
	r.plan.Contents = distinct(r.plan.Contents)
	r.goneEnvironments()
	r.exceptionNamespace()
}

// exceptionNamespace refuses another namespace of the exceptions in an environment that
// enforces: the policies that are enforced there admit exceptions in the old one only.
func (r *resolver) exceptionNamespace() {
	if r.Prior == nil || r.Unstaged {
		return
	}
	for i, e := range r.src.Environments {
		before := r.Prior.Environments[e.Name].Kyverno
		if e.Spec.Kyverno.Absent {
			continue
		}
		enforces := slices.ContainsFunc(r.plan.Environments[i].Policies, func(p plan.Policy) bool { return p.Strictest() == plan.Enforce })
		if before != nil && enforces && before.ExceptionNamespace != r.plan.ExceptionNamespace {
			r.Problems.Add(diag.Diagnostic{Code: "exceptions-namespace", Position: e.Spec.At("spec.exceptions.namespace"), Path: "spec.exceptions.namespace",
				Summary: fmt.Sprintf("is %s in %s, which enforces: no exception could be written in %s", before.ExceptionNamespace, e.Name, r.plan.ExceptionNamespace),
				Hint:    "keep it, or lower the environment to audit first"})
		}
	}
}

// reservedNames refuses two policies of which one has the name that the other one would
// give to a second content, or to the half of an image rule that is audited.
func (r *resolver) reservedNames(desired []staging.Desired) {
	for _, d := range desired {
		for _, other := range desired {
			if other.Name == d.Name+staging.Next || d.Image != nil && other.Name == d.AuditName() {
				r.Problems.Add(diag.Diagnostic{Code: "name-reserved", Position: other.At, Path: "spec",
					Summary: fmt.Sprintf("%s is the name of an object of %s (%s)", other.Name, d.Name, d.At), Hint: "rename one of them"})
			}
		}
	}
}

// goneEnvironments says which environments of the last build the source no longer has.
func (r *resolver) goneEnvironments() {
	if r.Prior == nil || r.Unstaged {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(r.Prior.Environments)) {
		if _, has := r.plan.Environment(name); has {
			continue
		}
		clusters := slices.DeleteFunc(slices.Clone(r.Prior.Environments[name].Clusters), r.hasCluster)
		if len(clusters) == 0 && len(r.Prior.Environments[name].Clusters) > 0 {
			r.Problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "environment-removed",
				Summary: fmt.Sprintf("the source no longer has the environment %s: its clusters are in others now, which decide what is enforced there", name),
				Hint:    "if it only has a new name, what was audited under the old one does not count"})
			continue
		}
		r.Problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "environment-removed",
			Summary: fmt.Sprintf("the source no longer has the environment %s: Flux finds nothing at the paths of its clusters any more (%s), and leaves what it applied there as it is", name, strings.Join(clusters, ", ")),
			Hint:    "if the file is there, it is not read as an Environment; if the environment leaves gatehouse, uninstall first"})
	}
}

// hasCluster reports whether an environment of the source has a cluster.
func (r *resolver) hasCluster(name string) bool {
	return slices.ContainsFunc(r.plan.Environments, func(e plan.Environment) bool { return slices.Contains(e.Clusters, name) })
}

// trust returns the ConfigMaps and Secrets that the image policies of an
// environment refer to, by kind and name.
func trust(env plan.Environment, images []profile.Image) []plan.TrustObject {
	objects := map[string]plan.TrustObject{}
	for _, rule := range images {
		if !slices.ContainsFunc(env.Policies, func(p plan.Policy) bool { return p.Base == rule.Policy }) {
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
