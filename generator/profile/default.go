package profile

import (
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
)

// Defaults of a profile.
const (
	defaultKyvernoNamespace = "kyverno"
	defaultReplicas         = 3 // two can fail; a webhook that fails closed needs more than one
	defaultFluxInstall      = "none"
	defaultFluxNamespace    = "flux-system"
	defaultSourceKind       = "GitRepository"
	defaultSourceName       = "flux-system"
	defaultInterval         = "10m"
	defaultRetryInterval    = "2m" // Flux's own default is the interval, which is too long after a failed gate
	defaultTimeout          = "5m"
	defaultExceptions       = "policy-exceptions"
	defaultMaxDays          = 730
	defaultWarnDays         = 14
	defaultDNSNamespace     = "kube-system"
	defaultSoak             = "0d"
	defaultBreakGlass       = "system:masters" // passes authorization everywhere, so it loses nothing of a lock
	defaultRekorURL         = "https://rekor.sigstore.dev"
)

// systemNamespaces are never enforced on. The same is true for the namespaces of
// Flux, Kyverno and the exceptions.
var systemNamespaces = []string{"kube-node-lease", "kube-public", "kube-system"}

// Default returns the input with every default applied: no optional scalar is nil.
// It does not change its argument.
func Default(in Input) *Input {
	in.Profile.Value.Spec = defaultProfile(in.Profile.Value.Spec)
	in.Overridden = maps.Clone(in.Overridden)
	for name, overridden := range in.Overridden {
		overridden.Value.Spec = defaultProfile(overridden.Value.Spec)
		in.Overridden[name] = overridden
	}
	in.Environments = slices.Clone(in.Environments)
	for i := range in.Environments {
		e := &in.Environments[i].Value
		if e.Spec.Clusters == nil {
			e.Spec.Clusters = []string{e.Metadata.Name}
		}
		e.Spec.Changes = or(e.Spec.Changes, "")
		e.Spec.AllowAhead = or(e.Spec.AllowAhead, false)
		e.Spec.AllowSkip = or(e.Spec.AllowSkip, false)
	}
	in.Exceptions = slices.Clone(in.Exceptions)
	for i := range in.Exceptions {
		e := &in.Exceptions[i].Value.Spec
		e.Ticket, e.Expires = or(e.Ticket, ""), or(e.Expires, "")
	}
	return &in
}

func defaultProfile(s v1alpha1.ProfileSpec) v1alpha1.ProfileSpec {
	k := orZero(s.Kyverno)
	k.Version = or(k.Version, v1alpha1.KyvernoVersion)
	k.Install = or(k.Install, v1alpha1.KyvernoByHelm)
	k.PolicyType = or(k.PolicyType, defaultPolicyType(*k.Version, *k.Install))
	k.Namespace = or(k.Namespace, defaultKyvernoNamespace)
	k.Replicas = or(k.Replicas, defaultReplicas)
	s.Kyverno = &k

	s.Flux = defaultFlux(s.Flux)
	if s.Tiers == nil {
		s.Tiers = []string{"platform", "apps"}
	}
	rollout := orZero(s.Rollout)
	if rollout.Stages == nil {
		rollout.Stages = defaultStages(s.Tiers)
	}
	rollout.Soak, rollout.Changes = or(rollout.Soak, defaultSoak), or(rollout.Changes, stagedChanges)
	s.Rollout = &rollout
	s.Namespaces = slices.Clone(s.Namespaces)
	for i := range s.Namespaces {
		n := &s.Namespaces[i]
		if len(s.Tiers) > 0 {
			n.Tier = or(n.Tier, s.Tiers[len(s.Tiers)-1])
		}
		n.Create = or(n.Create, true)
		n.PodSecurity = or(n.PodSecurity, "")
		network := orZero(n.Network)
		network.DefaultDeny, network.DNS = or(network.DefaultDeny, true), or(network.DNS, true)
		n.Network = &network
	}
	registries, trust, exceptions, output := orZero(s.Registries), orZero(s.Trust), orZero(s.Exceptions), orZero(s.Output)
	output.KyvernoTests = or(output.KyvernoTests, false)
	exceptions.Namespace = or(exceptions.Namespace, defaultExceptions)
	exceptions.AllowPermanent = or(exceptions.AllowPermanent, false)
	exceptions.MaxDays = or(exceptions.MaxDays, defaultMaxDays)
	exceptions.WarnDays = or(exceptions.WarnDays, defaultWarnDays)
	trust.Images = slices.Clone(trust.Images)
	for i := range trust.Images {
		image := &trust.Images[i]
		image.Attestors.Count = or(image.Attestors.Count, len(image.Attestors.Of))
		image.MutateDigest = or(image.MutateDigest, true)
		image.RequireDigest = or(image.RequireDigest, false)
		image.Attestations = slices.Clone(image.Attestations)
		for j := range image.Attestations {
			if of := image.Attestations[j].Attestors; of != nil {
				image.Attestations[j].Attestors = &v1alpha1.AttestorSet{Count: or(of.Count, len(of.Of)), Of: of.Of}
			}
		}
		if image.Tiers == nil {
			image.Tiers = s.Tiers
		}
	}
	breakGlass := orZero(s.BreakGlass)
	if breakGlass.Groups == nil {
		breakGlass.Groups = []string{defaultBreakGlass}
	}
	s.BreakGlass = &breakGlass
	s.Controls, s.Network = defaultControls(s.Controls), defaultNetwork(s.Network)
	s.Registries, s.Trust, s.Exceptions, s.Output = &registries, &trust, &exceptions, &output
	return s
}

// defaultPolicyType returns the kind of policies that is executed with a version and an
// installation of Kyverno, and that most clusters have.
func defaultPolicyType(version, install string) string {
	switch {
	case install == v1alpha1.KyvernoAbsent:
		return catalog.ValidatingAdmissionPolicy
	case version == v1alpha1.KyvernoNext:
		return catalog.ValidatingPolicy
	}
	return catalog.ClusterPolicy
}

// defaultControls switches default-deny on unless the profile says something of it.
func defaultControls(given map[string]v1alpha1.Control) map[string]v1alpha1.Control {
	if _, ok := given[catalog.DefaultDeny]; ok {
		return given
	}
	controls := map[string]v1alpha1.Control{catalog.DefaultDeny: {}}
	maps.Copy(controls, given)
	return controls
}

func defaultNetwork(given *v1alpha1.ClusterNetwork) *v1alpha1.ClusterNetwork {
	n := orZero(given)
	api, dns := orZero(n.APIServer), orZero(n.DNS)
	if api.Ports == nil {
		api.Ports = []string{"443/TCP", "6443/TCP"} // of its Service, and of kubeadm
	}
	if dns.Namespace == nil && dns.Pods == nil {
		dns.Pods = map[string]string{"k8s-app": "kube-dns"} // CoreDNS has it too
	}
	dns.Namespace = or(dns.Namespace, defaultDNSNamespace)
	if dns.Ports == nil {
		dns.Ports = []string{"53/UDP", "53/TCP"}
	}
	n.APIServer, n.DNS = &api, &dns
	return &n
}

func defaultFlux(given *v1alpha1.Flux) *v1alpha1.Flux {
	f := orZero(given)
	ref := orZero(f.Source)
	ref.Kind, ref.Name = or(ref.Kind, defaultSourceKind), or(ref.Name, defaultSourceName)
	f.Source = &ref
	f.Install = or(f.Install, defaultFluxInstall)
	f.Namespace = or(f.Namespace, defaultFluxNamespace)
	f.Path = or(f.Path, "./")
	f.Interval = or(f.Interval, defaultInterval)
	f.RetryInterval = or(f.RetryInterval, defaultRetryInterval)
	f.Timeout = or(f.Timeout, defaultTimeout)
	f.ServiceAccountName = or(f.ServiceAccountName, "")
	f.Workloads = slices.Clone(f.Workloads)
	for i := range f.Workloads {
		f.Workloads[i].Create = or(f.Workloads[i].Create, true)
	}
	return &f
}

// defaultStages returns the default ladder: off, audit, then one tier after another.
func defaultStages(tiers []string) []v1alpha1.Stage {
	stages := []v1alpha1.Stage{{Name: "off"}, {Name: "audit", Audit: tiers}}
	for i := 1; i < len(tiers); i++ {
		stages = append(stages, v1alpha1.Stage{Name: "enforce-" + tiers[i-1], Enforce: tiers[:i], Audit: tiers[i:]})
	}
	return append(stages, v1alpha1.Stage{Name: "enforce", Enforce: tiers})
}

func or[T any](p *T, value T) *T {
	if p != nil {
		return p
	}
	return &value
}

func orZero[T any](p *T) T {
	if p != nil {
		return *p
	}
	var zero T
	return zero
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
