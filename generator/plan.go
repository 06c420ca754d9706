package generator

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/network"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// Plan resolves a validated input with defaults into what is emitted, and
// checks what follows from several documents together: parameters, rings,
// stages that skip, exceptions.
func Plan(in *Input, o Options) (*plan.Plan, diag.List) {
	spec := in.Profile.Value.Spec
	r := &resolver{in: in, spec: spec, reporter: reporter{positions: in.Profile.Positions}}
	for _, n := range spec.Namespaces {
		r.networks = append(r.networks, networkOf(n))
	}
	r.plan = &plan.Plan{
		Name:               in.Profile.Value.Metadata.Name,
		Kyverno:            plan.Kyverno{Version: *spec.Kyverno.Version, Namespace: *spec.Kyverno.Namespace, Install: *spec.Kyverno.Install == "helm", Replicas: *spec.Kyverno.Replicas},
		Flux:               r.flux(),
		Tiers:              spec.Tiers,
		Stages:             stages(spec),
		ExceptionNamespace: *spec.Exceptions.Namespace,
		SystemNamespaces:   (&validator{spec: spec}).systemNamespaces(),
		Deployers:          deployers(spec),
		Owners:             spec.Owners,
		Now:                o.Now,
	}
	r.resolveControls()
	environments := slices.Clone(in.Environments)
	slices.SortStableFunc(environments, func(a, b Loaded[v1alpha1.Environment]) int { return a.Value.Spec.Ring - b.Value.Spec.Ring })
	for _, e := range environments {
		r.plan.Environments = append(r.plan.Environments, r.environment(e))
	}
	if r.problems.HasErrors() {
		return nil, r.problems.Sort()
	}
	assignShards(r.plan, o.Prior)
	r.exceptions()
	r.podSecurity()
	r.rings(environments)
	r.skips(environments, o)
	return r.plan, r.problems.Sort()
}

// resolver turns the input into the plan.
type resolver struct {
	reporter
	in       *Input
	spec     v1alpha1.ProfileSpec
	plan     *plan.Plan
	controls []resolvedControl
	// networks of spec.Namespaces, by index: the same in every environment.
	networks []*plan.Network
	// defaults are the controls whose parameters are those of the catalogue.
	defaults map[string]bool
}

// resolvedControl is a control that is on, rendered.
type resolvedControl struct {
	control  *catalog.Control
	maxStage int // index in the ladder
	params   map[string]any
	body     map[string]any
	rules    []plan.Rule
	at       diag.Position
}

func (r *resolver) flux() plan.Flux {
	f := r.spec.Flux
	out := plan.Flux{
		Namespace: *f.Namespace, SourceKind: *f.Source.Kind, SourceName: *f.Source.Name, Path: sourcePath(*f.Path),
		Interval: duration(*f.Interval), RetryInterval: duration(*f.RetryInterval), Timeout: duration(*f.Timeout),
		ServiceAccountName: *f.ServiceAccountName,
	}
	if *f.Install != defaultFluxInstall {
		out.Install = *f.Install
	}
	if d := f.Decryption; d != nil {
		out.DecryptionProvider = d.Provider
		if d.SecretRef != nil {
			out.DecryptionSecret = d.SecretRef.Name
		}
	}
	for i, w := range f.Workloads {
		at := r.positions.At(fmt.Sprintf("spec.flux.workloads[%d]", i))
		out.Workloads = append(out.Workloads, plan.Workload{Name: w.Name, Path: sourcePath(w.Path), At: at})
	}
	return out
}

// duration is for what Validate accepted.
func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic("not validated: " + s)
	}
	return d
}

func stages(spec v1alpha1.ProfileSpec) []plan.Stage {
	out := make([]plan.Stage, len(spec.Rollout.Stages))
	for i, s := range spec.Rollout.Stages {
		out[i] = plan.Stage{Name: s.Name, Actions: map[string]plan.Action{}}
		for _, t := range spec.Tiers {
			out[i].Actions[t] = stageAction(s, t)
		}
	}
	return out
}

// deployers are the service accounts of the Flux controllers that apply the
// repository, and those that the profile names.
func deployers(spec v1alpha1.ProfileSpec) []string {
	all := slices.Clone(spec.Deployers)
	accounts := []string{"helm-controller", "kustomize-controller"}
	if *spec.Flux.ServiceAccountName != "" {
		accounts = append(accounts, *spec.Flux.ServiceAccountName)
	}
	for _, account := range accounts {
		all = append(all, "system:serviceaccount:"+*spec.Flux.Namespace+":"+account)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// derived is what parameters with x-gatehouse-from are set from.
func (r *resolver) derived(source string) (any, bool) {
	values := map[string]any{
		"registries.allowed":   r.spec.Registries.Allowed,
		"deployers":            r.plan.Deployers,
		"exceptions.namespace": r.plan.ExceptionNamespace,
		"flux.namespace":       r.plan.Flux.Namespace,
		"kyverno.namespace":    r.plan.Kyverno.Namespace,
		"systemNamespaces":     slices.Concat(r.plan.SystemNamespaces, []string{r.plan.ExceptionNamespace}), // gatehouse creates it without an owner
		"tiers":                r.spec.Tiers,
		"environments":         r.environmentNames(),
	}
	value, ok := values[source]
	if list, isList := value.([]string); isList && len(list) == 0 {
		return nil, false
	}
	return value, ok
}

func (r *resolver) environmentNames() []string {
	names := make([]string, len(r.in.Environments))
	for i, e := range r.in.Environments {
		names[i] = e.Value.Metadata.Name
	}
	return names
}

// resolveControls renders every control that is on, once for all environments.
func (r *resolver) resolveControls() {
	r.defaults = map[string]bool{}
	for _, id := range sortedKeys(r.spec.Controls) {
		if !enabled(r.spec, id) {
			continue
		}
		settings := r.spec.Controls[id]
		field := fmt.Sprintf("spec.controls[%s]", id)
		control, ok := r.in.Catalog.Control(id)
		if !ok {
			panic("not validated: control " + id)
		}
		params, problems := control.ResolveParameters(settings.Parameters, r.derived)
		for _, p := range problems {
			r.report(joinPath(field+".parameters", p.Path), "parameter-invalid", p.Hint, "%s", p.Summary)
		}
		if len(problems) > 0 {
			continue
		}
		policy, err := control.Render(*r.spec.Kyverno.PolicyType, params)
		if err != nil {
			r.report(field, "control-render", "", "%v", err)
			continue
		}
		resolved := resolvedControl{control: control, maxStage: len(r.spec.Rollout.Stages) - 1, params: params, body: policy.Body, at: r.positions.At(field)}
		if settings.MaxStage != nil {
			resolved.maxStage = r.stageIndex(*settings.MaxStage)
		}
		for _, rule := range policy.Rules {
			resolved.rules = append(resolved.rules, plan.Rule{Name: rule.Name, Kinds: rule.Kinds})
		}
		r.controls = append(r.controls, resolved)
		r.defaults[id] = len(settings.Parameters) == 0
	}
}

func joinPath(base, rest string) string {
	if rest == "" {
		return base
	}
	return base + "." + rest
}

func (r *resolver) stageIndex(name string) int {
	return slices.IndexFunc(r.spec.Rollout.Stages, func(s v1alpha1.Stage) bool { return s.Name == name })
}

func (r *resolver) environment(e Loaded[v1alpha1.Environment]) plan.Environment {
	name := e.Value.Metadata.Name
	env := plan.Environment{
		Name: name, Ring: e.Value.Spec.Ring, Clusters: slices.Sorted(slices.Values(e.Value.Spec.Clusters)), Stage: e.Value.Spec.Stage,
		Owners: e.Value.Spec.Owners, AllowSkip: *e.Value.Spec.AllowSkip, At: e.Positions.At("spec.stage"),
	}
	for i, n := range r.spec.Namespaces {
		if n.Environments == nil || slices.Contains(n.Environments, name) {
			env.Namespaces = append(env.Namespaces, r.namespace(i, name))
		}
	}
	slices.SortFunc(env.Namespaces, func(a, b plan.Namespace) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range r.controls {
		stage := env.Stage
		if own, ok := e.Value.Spec.Controls[c.control.ID]; ok {
			stage = own.Stage
		}
		env.Policies = append(env.Policies, r.policies(c, stage)...)
	}
	slices.SortFunc(env.Policies, func(a, b plan.Policy) int { return strings.Compare(a.Name, b.Name) })
	env.Trust = r.trustObjects(env.Policies)
	r.namespaceLabels(env)
	return env
}

func (r *resolver) namespace(i int, environment string) plan.Namespace {
	n := r.spec.Namespaces[i]
	labels := maps.Clone(n.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelTier], labels[v1alpha1.LabelEnvironment], labels[v1alpha1.LabelManagedBy] = *n.Tier, environment, v1alpha1.ManagedBy
	return plan.Namespace{Name: n.Name, Tier: *n.Tier, Labels: labels, Network: r.networks[i], At: r.positions.At(fmt.Sprintf("spec.namespaces[%d]", i))}
}

// networkOf is nil where the profile leaves the namespace open.
func networkOf(n v1alpha1.Namespace) *plan.Network {
	if !*n.Network.DefaultDeny {
		return nil
	}
	out := &plan.Network{DNS: *n.Network.DNS}
	for _, rule := range n.Network.Ingress {
		out.Ingress = append(out.Ingress, networkRule(n.Name, rule.From, rule.Pods, rule.Ports))
	}
	for _, rule := range n.Network.Egress {
		out.Egress = append(out.Egress, networkRule(n.Name, rule.To, rule.Pods, rule.Ports))
	}
	return out
}

func networkRule(namespace string, peer v1alpha1.Peer, pods map[string]string, ports []string) plan.NetworkRule {
	rule := plan.NetworkRule{Pods: pods, Peer: plan.Peer{Pods: peer.Pods, Except: peer.Except}}
	switch {
	case peer.CIDR != nil:
		rule.Peer.CIDR = *peer.CIDR
	case peer.Namespace != nil:
		rule.Peer.Namespace = *peer.Namespace
	default:
		rule.Peer.Namespace = namespace
	}
	for _, s := range ports {
		port, err := network.ParsePort(s)
		if err != nil {
			panic("not validated: " + s)
		}
		rule.Ports = append(rule.Ports, port)
	}
	return rule
}

// policies are what a control becomes at a stage: one policy, or one for each
// image rule; none where it is off for every tier.
func (r *resolver) policies(c resolvedControl, stage string) []plan.Policy {
	policy := plan.Policy{
		Name: c.control.ID, Control: c.control.ID, Title: c.control.Title, Description: c.control.Description, Category: c.control.Category, Severity: c.control.Severity,
		ClusterScoped: c.control.ClusterScoped, Background: c.control.Background, ExemptDeployers: c.control.ExemptDeployers, PodSecurity: c.control.PodSecurity,
		Actions: map[string]plan.Action{}, Stage: stage, Body: c.body, Parameters: c.params, Rules: c.rules, At: c.at,
	}
	at, limit := r.plan.Stages[r.stageIndex(stage)], r.plan.Stages[c.maxStage]
	for _, t := range r.plan.Tiers {
		policy.Actions[t] = min(at.Actions[t], limit.Actions[t])
	}
	if c.control.Instances == "" {
		if policy.Strictest() == plan.Off {
			return nil
		}
		return []plan.Policy{policy}
	}
	var all []plan.Policy
	for i, rule := range r.spec.Trust.Images {
		p := policy
		p.Name, p.At = imagePolicy(rule.Name), r.positions.At(fmt.Sprintf("spec.trust.images[%d]", i))
		p.Actions = map[string]plan.Action{}
		for _, t := range r.plan.Tiers {
			if slices.Contains(rule.Tiers, t) {
				p.Actions[t] = policy.Actions[t]
			}
		}
		p.Image = r.image(rule)
		if p.Strictest() != plan.Off {
			all = append(all, p)
		}
	}
	return all
}

func (r *resolver) image(rule v1alpha1.ImageRule) *plan.Image {
	image := &plan.Image{Count: *rule.Attestors.Count, MutateDigest: *rule.MutateDigest, RequireDigest: *rule.RequireDigest}
	for _, ref := range rule.References {
		globs, err := expandReference(ref)
		if err != nil {
			panic("not validated: " + err.Error())
		}
		image.References = append(image.References, globs...)
	}
	slices.Sort(image.References)
	image.References = slices.Compact(image.References)
	for _, name := range rule.Attestors.Of {
		for _, a := range r.spec.Trust.Attestors {
			if a.Name == name {
				image.Attestors = append(image.Attestors, r.attestor(a))
			}
		}
	}
	return image
}

func (r *resolver) attestor(a v1alpha1.Attestor) plan.Attestor {
	out := plan.Attestor{Name: a.Name}
	if k := a.Keyless; k != nil {
		out.Keyless = &plan.Keyless{Issuer: *or(k.Issuer, ""), IssuerRegExp: *or(k.IssuerRegExp, ""), Subject: *or(k.Subject, ""), SubjectRegExp: *or(k.SubjectRegExp, "")}
		out.RekorURL = defaultRekorURL
		if k.Rekor != nil {
			out.RekorURL = k.Rekor.URL
		}
		return out
	}
	if a.Keys.Rekor != nil {
		out.RekorURL = a.Keys.Rekor.URL
	}
	switch kind, object := keyObject(a); {
	case kind == "ConfigMap":
		out.ConfigMap, out.ConfigMapKey = object.Name, configMapKey(object)
	case kind == "Secret":
		out.Secret = object.Name
	case a.Keys.KMS != nil:
		out.KMS = *a.Keys.KMS
	default:
		out.PublicKeys = *a.Keys.PublicKeys
	}
	return out
}

func configMapKey(object *v1alpha1.KeyObject) string {
	return *or(object.Key, path.Base(object.File))
}

// text is a file that Validate could read.
func (r *resolver) text(file string) string {
	data, err := r.in.ReadFile(file)
	if err != nil {
		panic("not validated: " + err.Error())
	}
	return string(data)
}

// trustObjects are the ConfigMaps and Secrets that the image policies of an
// environment refer to.
func (r *resolver) trustObjects(policies []plan.Policy) []plan.TrustObject {
	used := map[string]bool{}
	for _, p := range policies {
		if p.Image != nil {
			for _, a := range p.Image.Attestors {
				used[a.Name] = true
			}
		}
	}
	objects := map[string]plan.TrustObject{}
	for i, a := range r.spec.Trust.Attestors {
		kind, object := keyObject(a)
		if object == nil || !used[a.Name] {
			continue
		}
		key := secretDataKey
		if kind == "ConfigMap" {
			key = configMapKey(object)
		}
		o, ok := objects[kind+"/"+object.Name]
		if !ok {
			o = plan.TrustObject{Kind: kind, Name: object.Name, Data: map[string]string{}, At: r.positions.At(fmt.Sprintf("spec.trust.attestors[%d]", i))}
		}
		o.Data[key] = r.text(object.File)
		objects[kind+"/"+object.Name] = o
	}
	var all []plan.TrustObject
	for _, id := range sortedKeys(objects) {
		all = append(all, objects[id])
	}
	return all
}

// namespaceLabels refuses a namespace that the profile's own policy would
// refuse: the identity that applies the repository must never be blocked
// (docs/safety.md#deployer-and-system-namespaces).
func (r *resolver) namespaceLabels(env plan.Environment) {
	const id = "require-namespace-labels"
	if !slices.ContainsFunc(env.Policies, func(p plan.Policy) bool { return p.Name == id }) {
		return
	}
	i := slices.IndexFunc(r.controls, func(c resolvedControl) bool { return c.control.ID == id })
	required, _ := r.controls[i].params["labels"].([]any)
	for _, n := range env.Namespaces {
		for _, label := range required {
			if name, _ := label.(string); n.Labels[name] == "" {
				r.problems.Add(diag.Diagnostic{Code: "namespace-label-missing", Position: n.At, Path: "spec.namespaces",
					Summary: fmt.Sprintf("namespace %s has no label %s, which require-namespace-labels asks for", n.Name, name), Hint: "add it to the namespace's labels"})
			}
		}
	}
}
