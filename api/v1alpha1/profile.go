package v1alpha1

// Profile says what a fleet must look like. There is one per source, and it
// belongs to the platform team.
type Profile struct {
	// APIVersion is gatehouse.dev/v1alpha1.
	APIVersion string `json:"apiVersion"`
	// Kind is Profile.
	Kind string `json:"kind"`
	// Metadata names the profile.
	Metadata Metadata `json:"metadata"`
	// Spec is what the profile asks for.
	Spec ProfileSpec `json:"spec"`
}

// ProfileSpec is what a profile asks for.
type ProfileSpec struct {
	// Extends lists what this profile builds on, later wins: built-in profiles
	// (baseline, restricted, supply-chain, hardened, multi-tenant) or files
	// relative to this one, inside the source. Maps are merged key by key; lists
	// and scalars are replaced.
	Extends []string `json:"extends,omitempty"`
	// Kyverno says what runs in the clusters.
	Kyverno *Kyverno `json:"kyverno,omitempty"`
	// Flux says how the output reaches the clusters.
	Flux *Flux `json:"flux,omitempty"`
	// Tiers are the groups of namespaces in the order in which enforcement
	// reaches them. The last one also holds the namespaces that the profile does
	// not know. Default: platform, apps.
	Tiers []string `json:"tiers,omitempty"`
	// Rollout is the ladder that an environment climbs.
	Rollout *Rollout `json:"rollout,omitempty"`
	// Namespaces are created, labelled and closed by default on the network.
	Namespaces []Namespace `json:"namespaces,omitempty"`
	// SystemNamespaces are never enforced on, in addition to kube-system,
	// kube-public, kube-node-lease and the namespaces of Flux and Kyverno.
	SystemNamespaces []string `json:"systemNamespaces,omitempty"`
	// Registries are where images may come from.
	Registries *Registries `json:"registries,omitempty"`
	// Trust says whose signatures images must carry.
	Trust *Trust `json:"trust,omitempty"`
	// Controls switches controls of the catalogue on and adjusts them, by id.
	// `gatehouse catalog list` shows what there is.
	Controls map[string]Control `json:"controls,omitempty"`
	// Catalogs are folders with controls of your own, relative to the source.
	Catalogs []string `json:"catalogs,omitempty"`
	// Exceptions are the rules for exceptions.
	Exceptions *ExceptionRules `json:"exceptions,omitempty"`
	// Deployers are the user names that apply the repository, in addition to the
	// service accounts of Flux's kustomize-controller and helm-controller. Only
	// they may set the labels that decide a namespace's tier, and change
	// PolicyExceptions.
	Deployers []string `json:"deployers,omitempty"`
	// Owners are the CODEOWNERS of all that no environment owns, such as @acme/platform.
	Owners []string `json:"owners,omitempty"`
}

// Kyverno says what runs in the clusters.
type Kyverno struct {
	// Version is the minor version that the clusters run. It decides what may be
	// emitted. Default and only value today: "1.19".
	Version *string `json:"version,omitempty"`
	// PolicyType is the kind that controls are compiled into: ClusterPolicy
	// (default), ValidatingPolicy or ValidatingAdmissionPolicy.
	PolicyType *string `json:"policyType,omitempty"`
	// Install is helm (default: the repository brings Kyverno as a Flux
	// HelmRelease) or none (Kyverno is there already).
	Install *string `json:"install,omitempty"`
	// Namespace is where Kyverno runs. Default: kyverno.
	Namespace *string `json:"namespace,omitempty"`
	// Replicas of the admission controller. Default: 3.
	Replicas *int `json:"replicas,omitempty"`
}

// Flux says how the output reaches the clusters.
type Flux struct {
	// Install is what `gatehouse bootstrap` does where a cluster has no Flux: none
	// (default: Flux must be there already), cli (it takes what `flux install
	// --export` prints) or operator (it creates a FluxInstance for the Flux
	// Operator). What is built is the same.
	Install *string `json:"install,omitempty"`
	// Source is the Flux source that serves the output.
	Source *SourceRef `json:"source,omitempty"`
	// Namespace holds the generated Kustomizations. Default: flux-system.
	Namespace *string `json:"namespace,omitempty"`
	// Path is where in the source the output lies. Default: ./
	Path *string `json:"path,omitempty"`
	// Interval at which Flux reconciles each layer, such as 10m (default). Units: ms, s, m, h.
	Interval *string `json:"interval,omitempty"`
	// RetryInterval after a failure. Default: 2m.
	RetryInterval *string `json:"retryInterval,omitempty"`
	// Timeout of one apply and its health checks. Default: 5m.
	Timeout *string `json:"timeout,omitempty"`
	// ServiceAccountName that Flux impersonates. Default: none.
	ServiceAccountName *string `json:"serviceAccountName,omitempty"`
	// Decryption of Secrets in the source.
	Decryption *Decryption `json:"decryption,omitempty"`
	// Workloads are Kustomizations that must wait for the policies.
	Workloads []Workload `json:"workloads,omitempty"`
}

// SourceRef names a Flux source.
type SourceRef struct {
	// Kind is GitRepository (default) or OCIRepository.
	Kind *string `json:"kind,omitempty"`
	// Name of the source. Default: flux-system.
	Name *string `json:"name,omitempty"`
}

// Decryption is Flux's decryption of Secrets.
type Decryption struct {
	// Provider is sops.
	Provider string `json:"provider"`
	// SecretRef names the Secret with the keys, in Flux's namespace.
	SecretRef *SecretRef `json:"secretRef,omitempty"`
}

// SecretRef names a Secret.
type SecretRef struct {
	// Name of the Secret.
	Name string `json:"name"`
}

// Workload is a Flux Kustomization of the users' own that waits for the policies.
type Workload struct {
	// Name of the Kustomization.
	Name string `json:"name"`
	// Path in the source; ${env} and ${cluster} are replaced.
	Path string `json:"path"`
}

// Rollout is the ladder that an environment climbs.
type Rollout struct {
	// Stages from the loosest to the strictest. Default: "off", audit,
	// enforce-<tier> for each tier but the last, enforce.
	Stages []Stage `json:"stages,omitempty"`
}

// Stage is one step of the ladder. A tier in neither list is off.
type Stage struct {
	// Name of the stage.
	Name string `json:"name"`
	// Audit lists the tiers where violations are reported.
	Audit []string `json:"audit,omitempty"`
	// Enforce lists the tiers where violations are refused.
	Enforce []string `json:"enforce,omitempty"`
}

// Namespace is one namespace of the fleet.
type Namespace struct {
	// Name of the namespace.
	Name string `json:"name"`
	// Tier that the namespace belongs to. Default: the last one.
	Tier *string `json:"tier,omitempty"`
	// Labels beside the derived ones (gatehouse.dev/environment, gatehouse.dev/tier).
	Labels map[string]string `json:"labels,omitempty"`
	// Environments that have this namespace. Default: all.
	Environments []string `json:"environments,omitempty"`
	// Network is what may pass; everything else is denied.
	Network *Network `json:"network,omitempty"`
}

// Network lists what may pass; everything else is denied.
type Network struct {
	// DefaultDeny closes the namespace. Default: true.
	DefaultDeny *bool `json:"defaultDeny,omitempty"`
	// DNS allows look-ups at kube-dns. Default: true.
	DNS *bool `json:"dns,omitempty"`
	// Ingress lists who may connect to Pods of the namespace.
	Ingress []IngressRule `json:"ingress,omitempty"`
	// Egress lists where Pods of the namespace may connect to.
	Egress []EgressRule `json:"egress,omitempty"`
}

// IngressRule allows one peer in.
type IngressRule struct {
	// From is the peer.
	From Peer `json:"from"`
	// Pods narrows the rule to the Pods with these labels. Default: all Pods of the namespace.
	Pods map[string]string `json:"pods,omitempty"`
	// Ports such as 8080, 8080/TCP, 53/UDP, 8000-8100/TCP or a named port http. Default: all.
	Ports []string `json:"ports,omitempty"`
}

// EgressRule allows one peer out.
type EgressRule struct {
	// To is the peer.
	To Peer `json:"to"`
	// Pods narrows the rule to the Pods with these labels. Default: all Pods of the namespace.
	Pods map[string]string `json:"pods,omitempty"`
	// Ports such as 5432/TCP. Default: all.
	Ports []string `json:"ports,omitempty"`
}

// Peer is the other end of a connection: a namespace and Pods in it, or a CIDR.
type Peer struct {
	// Namespace by name. Default with pods: the same namespace.
	Namespace *string `json:"namespace,omitempty"`
	// Pods by labels, in the namespace.
	Pods map[string]string `json:"pods,omitempty"`
	// CIDR such as 10.0.0.0/8.
	CIDR *string `json:"cidr,omitempty"`
	// Except are blocks inside the CIDR that are not meant.
	Except []string `json:"except,omitempty"`
}

// Registries are where images may come from.
type Registries struct {
	// Allowed registries or repositories, such as ghcr.io/acme or registry.k8s.io.
	Allowed []string `json:"allowed,omitempty"`
}

// Control adjusts one control of the catalogue.
type Control struct {
	// Enabled switches the control on (default where it is named) or off.
	Enabled *bool `json:"enabled,omitempty"`
	// MaxStage is the highest stage that the control ever reaches, whatever the environment says.
	MaxStage *string `json:"maxStage,omitempty"`
	// Parameters of the control; `gatehouse catalog show ID` lists them.
	Parameters map[string]any `json:"parameters,omitempty"`
}

// ExceptionRules are the rules for exceptions.
type ExceptionRules struct {
	// Namespace of the PolicyExceptions, the only one that Kyverno honours. Default: policy-exceptions.
	Namespace *string `json:"namespace,omitempty"`
	// AllowPermanent permits exceptions without an expiry. Default: false.
	AllowPermanent *bool `json:"allowPermanent,omitempty"`
}
