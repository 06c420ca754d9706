package generator

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/network"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// Validate checks what each field says and that every name that is used is
// defined. It reports all that is wrong. What follows from several documents
// together (rings, exceptions, stages that skip) is decided by Plan.
func Validate(in *Input, now time.Time) diag.List {
	v := &validator{in: in, now: now, spec: in.Profile.Value.Spec, reporter: reporter{positions: in.Profile.Positions}}
	v.name("metadata.name", in.Profile.Value.Metadata.Name, 40)
	v.kyverno()
	v.flux()
	v.ladder()
	v.controls()
	v.registries()
	v.trust()
	v.owners("spec.owners", v.spec.Owners)
	v.deployers()
	environments := make([]string, 0, len(in.Environments))
	for _, e := range in.Environments {
		environments = append(environments, e.Value.Metadata.Name)
	}
	if len(environments) == 0 {
		v.report("", "environment-missing", "write one document with kind: Environment", "the source holds no Environment")
	}
	v.namespaces(environments)
	clusters := map[string]string{}
	for _, e := range in.Environments {
		v.problems = append(v.problems, v.environment(e, clusters)...)
	}
	for _, e := range in.Exceptions {
		v.problems = append(v.problems, v.exception(e, environments)...)
	}
	return in.withoutFollowUps(v.problems.Sort())
}

// reporter collects the problems of one document.
type reporter struct {
	positions source.Positions
	problems  diag.List
}

func (r *reporter) report(field, code, hint, format string, args ...any) {
	r.problems.Add(diag.Diagnostic{Code: code, Position: r.positions.At(field), Path: field, Summary: fmt.Sprintf(format, args...), Hint: hint})
}

// name checks a DNS label (RFC 1123) of at most limit characters.
func (r *reporter) name(field, name string, limit int) {
	if errs := validation.IsDNS1123Label(name); len(errs) > 0 {
		r.report(field, "name-invalid", "lower-case letters, digits and dashes, beginning and ending with a letter or digit", "%q is not a name", name)
	} else if len(name) > limit {
		r.report(field, "name-invalid", "", "%q is longer than %d characters", name, limit)
	}
}

// oneOf checks a value against a set.
func (r *reporter) oneOf(field, code, value string, allowed []string) bool {
	if slices.Contains(allowed, value) {
		return true
	}
	r.report(field, code, diag.OneOf(value, allowed), "unsupported value %q", value)
	return false
}

// known checks that a name is defined.
func (r *reporter) known(field, code, what, name string, defined []string) {
	if !slices.Contains(defined, name) {
		r.report(field, code, diag.OneOf(name, defined), "%s %q is not defined", what, name)
	}
}

// control checks that a control is defined.
func (r *reporter) control(field, id string, defined []string) bool {
	if slices.Contains(defined, id) {
		return true
	}
	r.report(field, "control-unknown", diag.OneOfMany(id, defined, "gatehouse catalog list shows them"), "control %q is not defined", id)
	return false
}

// distinct checks that no value is there twice.
func (r *reporter) distinct(field string, values []string) {
	seen := map[string]bool{}
	for i, s := range values {
		if seen[s] {
			r.report(fmt.Sprintf("%s[%d]", field, i), "duplicate-name", "", "%q is listed twice", s)
		}
		seen[s] = true
	}
}

type validator struct {
	reporter
	in   *Input
	now  time.Time
	spec v1alpha1.ProfileSpec
}

func (v *validator) kyverno() {
	k := v.spec.Kyverno
	v.oneOf("spec.kyverno.version", "kyverno-version", *k.Version, []string{v1alpha1.KyvernoVersion})
	known := v.oneOf("spec.kyverno.policyType", "policy-type", *k.PolicyType, []string{"ClusterPolicy", "ValidatingPolicy", "ValidatingAdmissionPolicy"})
	if targets := catalog.Targets(); known && !slices.Contains(targets, *k.PolicyType) {
		v.report("spec.kyverno.policyType", "policy-type", "use "+strings.Join(targets, " or "), "%s cannot be emitted yet by this version of gatehouse", *k.PolicyType)
	}
	v.oneOf("spec.kyverno.install", "kyverno-install", *k.Install, []string{"helm", "none"})
	v.name("spec.kyverno.namespace", *k.Namespace, 63)
	if *k.Replicas < 1 || *k.Replicas > 15 {
		v.report("spec.kyverno.replicas", "out-of-range", "3 survives the loss of two", "%d is not between 1 and 15", *k.Replicas)
	}
	v.name("spec.exceptions.namespace", *v.spec.Exceptions.Namespace, 63)
	for i, n := range v.spec.SystemNamespaces {
		v.name(fmt.Sprintf("spec.systemNamespaces[%d]", i), n, 63)
	}
	if system := v.systemNamespaces(); slices.Contains(system, *v.spec.Exceptions.Namespace) {
		v.report("spec.exceptions.namespace", "namespace-system", "", "%s is a system namespace: whoever may write there could waive every control", *v.spec.Exceptions.Namespace)
	}
	for _, n := range v.spec.Namespaces {
		if n.Name == *v.spec.Exceptions.Namespace {
			v.report("spec.exceptions.namespace", "namespace-system", "", "%s is also a namespace of spec.namespaces: PolicyExceptions need one of their own", n.Name)
		}
	}
}

// systemNamespaces are those that nothing may ever be enforced on, sorted.
func (v *validator) systemNamespaces() []string {
	all := slices.Concat(systemNamespaces, v.spec.SystemNamespaces, []string{*v.spec.Flux.Namespace, *v.spec.Kyverno.Namespace})
	slices.Sort(all)
	return slices.Compact(all)
}

// fluxDuration is the pattern of the Kustomization CRD.
var fluxDuration = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`)

func (v *validator) flux() {
	f := v.spec.Flux
	v.oneOf("spec.flux.install", "flux-install", *f.Install, []string{"cli", "operator", "none"})
	v.oneOf("spec.flux.source.kind", "flux-source", *f.Source.Kind, []string{"GitRepository", "OCIRepository"})
	v.name("spec.flux.source.name", *f.Source.Name, 63)
	v.name("spec.flux.namespace", *f.Namespace, 63)
	v.path("spec.flux.path", *f.Path)
	v.duration("spec.flux.interval", *f.Interval, time.Minute)
	v.duration("spec.flux.retryInterval", *f.RetryInterval, 10*time.Second)
	v.duration("spec.flux.timeout", *f.Timeout, 30*time.Second)
	if *f.ServiceAccountName != "" {
		v.name("spec.flux.serviceAccountName", *f.ServiceAccountName, 63)
	}
	if d := f.Decryption; d != nil {
		v.oneOf("spec.flux.decryption.provider", "flux-decryption", d.Provider, []string{"sops"})
		if d.SecretRef != nil {
			v.name("spec.flux.decryption.secretRef.name", d.SecretRef.Name, 63)
		}
	}
	names := make([]string, len(f.Workloads))
	for i, w := range f.Workloads {
		field := fmt.Sprintf("spec.flux.workloads[%d]", i)
		names[i] = w.Name
		v.name(field+".name", w.Name, 63)
		plainPath := strings.NewReplacer("${env}", "env", "${cluster}", "cluster").Replace(w.Path)
		if strings.Contains(plainPath, "${") || strings.Contains(plainPath, "$(") {
			v.report(field+".path", "text-variable", "only ${env} and ${cluster} are replaced", "unknown variable in %q", w.Path)
		} else {
			v.path(field+".path", plainPath)
		}
	}
	v.distinct("spec.flux.workloads", names)
}

func (v *validator) path(field, p string) {
	if p == "" || path.IsAbs(p) || strings.Contains(p, `\`) || !fs.ValidPath(path.Clean(p)) {
		v.report(field, "path-invalid", "a path relative to the root of the source, such as ./policies", "%q is not a path inside the source", p)
	}
}

func (v *validator) duration(field, s string, least time.Duration) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil || !fluxDuration.MatchString(s):
		v.report(field, "duration-invalid", "such as 10m; units ms, s, m, h", "%q is not a duration", s)
	case d < least:
		v.report(field, "out-of-range", "", "%s is shorter than %s", s, least)
	case d > 24*time.Hour:
		v.report(field, "out-of-range", "", "%s is longer than a day", s)
	}
}

func (v *validator) ladder() {
	if len(v.spec.Tiers) == 0 {
		v.report("spec.tiers", "required", "", "at least one tier is needed")
	}
	for i, t := range v.spec.Tiers {
		v.name(fmt.Sprintf("spec.tiers[%d]", i), t, 40)
	}
	v.distinct("spec.tiers", v.spec.Tiers)
	stages := v.spec.Rollout.Stages
	if len(stages) == 0 {
		v.report("spec.rollout.stages", "required", "", "at least one stage is needed")
	}
	v.distinct("spec.rollout.stages", stageNames(stages))
	for i, s := range stages {
		field := fmt.Sprintf("spec.rollout.stages[%d]", i)
		v.name(field+".name", s.Name, 63)
		for list, tiers := range map[string][]string{".audit": s.Audit, ".enforce": s.Enforce} {
			v.distinct(field+list, tiers)
			for j, t := range tiers {
				v.known(fmt.Sprintf("%s%s[%d]", field, list, j), "tier-unknown", "tier", t, v.spec.Tiers)
			}
		}
		for _, t := range s.Enforce {
			if slices.Contains(s.Audit, t) {
				v.report(field, "ladder-conflict", "", "tier %q is in audit and in enforce", t)
			}
		}
		if i == 0 {
			continue
		}
		for _, t := range v.spec.Tiers {
			if before, now := stageAction(stages[i-1], t), stageAction(s, t); now < before {
				v.report(field, "ladder-order", "stages go from the loosest to the strictest", "tier %q is %s here but %s at the stage before", t, now, before)
			}
		}
	}
}

func stageNames(stages []v1alpha1.Stage) []string {
	names := make([]string, len(stages))
	for i, s := range stages {
		names[i] = s.Name
	}
	return names
}

func (v *validator) controls() {
	ids := v.in.Catalog.Defined()
	for _, id := range sortedKeys(v.spec.Controls) {
		field := fmt.Sprintf("spec.controls[%s]", id)
		if !v.control(field, id, ids) {
			continue
		}
		if stage := v.spec.Controls[id].MaxStage; stage != nil {
			v.known(field+".maxStage", "stage-unknown", "stage", *stage, stageNames(v.spec.Rollout.Stages))
		}
	}
}

// registry is a registry or a repository in it: lower case, no scheme, no tag, no wildcard.
var registry = regexp.MustCompile(`^[a-z0-9]+([.-][a-z0-9]+)*(:[0-9]{1,5})?(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*$`)

func (v *validator) registries() {
	v.distinct("spec.registries.allowed", v.spec.Registries.Allowed)
	for i, r := range v.spec.Registries.Allowed {
		if !registry.MatchString(r) {
			v.report(fmt.Sprintf("spec.registries.allowed[%d]", i), "registry-invalid", "such as ghcr.io/acme: lower case, no scheme, tag or wildcard", "%q is not a registry or repository", r)
		}
	}
}

// codeOwner is @user, @org/team or an e-mail address.
var codeOwner = regexp.MustCompile(`^(@[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*|[^\s@#]+@[A-Za-z0-9.-]+)$`)

func (r *reporter) owners(field string, owners []string) {
	for i, o := range owners {
		if !codeOwner.MatchString(o) {
			r.report(fmt.Sprintf("%s[%d]", field, i), "owner-invalid", "@user, @org/team or an e-mail address", "%q is not an owner", o)
		}
	}
}

var userName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9@:._/-]*$`)

func (v *validator) deployers() {
	for i, d := range v.spec.Deployers {
		if !userName.MatchString(d) {
			v.report(fmt.Sprintf("spec.deployers[%d]", i), "deployer-invalid", "such as system:serviceaccount:NAMESPACE:NAME", "%q is not a user name", d)
		}
	}
}

// reservedLabels are set by gatehouse, Flux or Pod Security Admission, or by Kubernetes itself.
var reservedLabels = []string{v1alpha1.Group + "/", "pod-security.kubernetes.io/", "kustomize.toolkit.fluxcd.io/", "kubernetes.io/metadata.name", v1alpha1.LabelManagedBy}

func (v *validator) namespaces(environments []string) {
	names := make([]string, len(v.spec.Namespaces))
	system := v.systemNamespaces()
	for i, n := range v.spec.Namespaces {
		field := fmt.Sprintf("spec.namespaces[%d]", i)
		names[i] = n.Name
		v.name(field+".name", n.Name, 63)
		if slices.Contains(system, n.Name) {
			v.report(field+".name", "namespace-system", "remove it: gatehouse never enforces there and creates what it needs itself", "%s is a system namespace", n.Name)
		}
		if len(v.spec.Tiers) > 0 {
			v.known(field+".tier", "tier-unknown", "tier", *n.Tier, v.spec.Tiers)
		}
		v.distinct(field+".environments", n.Environments)
		for j, e := range n.Environments {
			v.known(fmt.Sprintf("%s.environments[%d]", field, j), "environment-unknown", "environment", e, environments)
		}
		for _, key := range sortedKeys(n.Labels) {
			v.label(fmt.Sprintf("%s.labels[%s]", field, key), key, n.Labels[key])
			for _, reserved := range reservedLabels {
				if strings.HasPrefix(key, reserved) {
					v.report(fmt.Sprintf("%s.labels[%s]", field, key), "label-reserved", "", "gatehouse or Kubernetes sets this label itself")
				}
			}
		}
		v.network(field+".network", n)
	}
	v.distinct("spec.namespaces", names)
}

func (r *reporter) label(field, key, value string) {
	for _, e := range validation.IsQualifiedName(key) {
		r.report(field, "label-invalid", "", "%q is not a label: %s", key, e)
	}
	for _, e := range validation.IsValidLabelValue(value) {
		r.report(field, "label-invalid", "", "%q is not a label value: %s", value, e)
	}
}

func (v *validator) network(field string, n v1alpha1.Namespace) {
	if !*n.Network.DefaultDeny && (len(n.Network.Ingress) > 0 || len(n.Network.Egress) > 0) {
		v.report(field+".defaultDeny", "network-open", "remove the rules, or the line", "rules allow nothing more where nothing is denied")
	}
	for i, rule := range n.Network.Ingress {
		at := fmt.Sprintf("%s.ingress[%d]", field, i)
		v.networkRule(at, at+".from", rule.From, rule.Pods, rule.Ports)
	}
	for i, rule := range n.Network.Egress {
		at := fmt.Sprintf("%s.egress[%d]", field, i)
		v.networkRule(at, at+".to", rule.To, rule.Pods, rule.Ports)
	}
}

func (v *validator) networkRule(field, peerField string, peer v1alpha1.Peer, pods map[string]string, ports []string) {
	for _, selector := range []struct {
		field  string
		labels map[string]string
	}{{field + ".pods", pods}, {peerField + ".pods", peer.Pods}} {
		for _, key := range sortedKeys(selector.labels) {
			v.label(fmt.Sprintf("%s[%s]", selector.field, key), key, selector.labels[key])
		}
	}
	if peer.Namespace != nil {
		v.name(peerField+".namespace", *peer.Namespace, 63)
	}
	switch {
	case peer.CIDR != nil && (peer.Namespace != nil || peer.Pods != nil):
		v.report(peerField, "network-peer", "", "a peer is a CIDR or Pods in a namespace, not both")
	case peer.CIDR == nil && peer.Namespace == nil && peer.Pods == nil:
		v.report(peerField, "network-peer", "set namespace, pods or cidr", "a peer without anything would allow everybody")
	case peer.CIDR == nil && len(peer.Except) > 0:
		v.report(peerField+".except", "network-peer", "", "except needs a cidr")
	}
	if peer.CIDR != nil {
		for _, err := range network.CheckCIDR(*peer.CIDR, peer.Except) {
			v.report(peerField, "network-cidr", "", "%v", err)
		}
	}
	v.distinct(field+".ports", ports)
	for i, p := range ports {
		if _, err := network.ParsePort(p); err != nil {
			v.report(fmt.Sprintf("%s.ports[%d]", field, i), "network-port", "", "%v", err)
		}
	}
}

func (v *validator) environment(e Loaded[v1alpha1.Environment], clusters map[string]string) diag.List {
	r := &reporter{positions: e.Positions}
	r.name("metadata.name", e.Value.Metadata.Name, 40)
	spec := e.Value.Spec
	if spec.Ring < 1 {
		r.report("spec.ring", "out-of-range", "1 is the first", "ring %d is less than 1", spec.Ring)
	}
	stages := stageNames(v.spec.Rollout.Stages)
	r.known("spec.stage", "stage-unknown", "stage", spec.Stage, stages)
	if len(spec.Clusters) == 0 {
		r.report("spec.clusters", "required", "leave the field out for one cluster with the environment's name", "at least one cluster is needed")
	}
	for i, c := range spec.Clusters {
		field := fmt.Sprintf("spec.clusters[%d]", i)
		r.name(field, c, 63)
		if other, ok := clusters[c]; ok {
			r.report(field, "duplicate-name", "", "cluster %q is also in environment %q", c, other)
		}
		clusters[c] = e.Value.Metadata.Name
	}
	for _, id := range sortedKeys(spec.Controls) {
		field := fmt.Sprintf("spec.controls[%s]", id)
		if r.control(field, id, v.in.Catalog.Defined()) && !v.enabled(id) {
			r.report(field, "control-off", "switch it on in the profile's spec.controls", "control %q is not on in the profile", id)
		}
		r.known(field+".stage", "stage-unknown", "stage", spec.Controls[id].Stage, stages)
	}
	r.owners("spec.owners", spec.Owners)
	return r.problems
}

// enabled tells whether the profile switches a control on.
func (v *validator) enabled(id string) bool { return enabled(v.spec, id) }

func enabled(spec v1alpha1.ProfileSpec, id string) bool {
	c, ok := spec.Controls[id]
	return ok && (c.Enabled == nil || *c.Enabled)
}
