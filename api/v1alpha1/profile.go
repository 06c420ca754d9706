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
	// Extends lists the profiles that this one builds on: built-in profiles
	// (baseline, restricted, supply-chain, hardened, multi-tenant) or files
	// relative to this one, inside the source. Later profiles win. Maps are merged
	// key by key; lists and scalars are replaced.
	Extends []string `json:"extends,omitempty"`
	// Gatehouse limits the versions of gatehouse that may read the source, such as
	// ">=0.4". Default: all. Development builds always may.
	Gatehouse *string `json:"gatehouse,omitempty"`
	// Kyverno says what runs in the clusters.
	Kyverno *Kyverno `json:"kyverno,omitempty"`
	// Flux says how the output reaches the clusters.
	Flux *Flux `json:"flux,omitempty"`
	// Tiers are groups of namespaces, in the order in which enforcement reaches
	// them. The last one includes all namespaces that the profile does not list.
	// Default: platform, apps.
	Tiers []string `json:"tiers,omitempty"`
	// Rollout is the ladder that an environment climbs.
	Rollout *Rollout `json:"rollout,omitempty"`
	// Namespaces are created and labelled, and their network is closed by default.
	Namespaces []Namespace `json:"namespaces,omitempty"`
	// Network says where the API server and DNS are, for the network rules of all
	// namespaces.
	Network *ClusterNetwork `json:"network,omitempty"`
	// SystemNamespaces are namespaces in which nothing is ever enforced, in addition
	// to kube-system, kube-public, kube-node-lease and the namespaces of Flux and
	// Kyverno.
	SystemNamespaces []string `json:"systemNamespaces,omitempty"`
	// Registries says where images may come from.
	Registries *Registries `json:"registries,omitempty"`
	// Trust says whose signatures images must carry.
	Trust *Trust `json:"trust,omitempty"`
	// Controls switches controls of the catalogue on and adjusts them, by id.
	// `gatehouse catalog list` lists them.
	Controls map[string]Control `json:"controls,omitempty"`
	// Catalogs are folders with controls of your own, relative to the source.
	Catalogs []string `json:"catalogs,omitempty"`
	// Exceptions are the rules for exceptions.
	Exceptions *ExceptionRules `json:"exceptions,omitempty"`
	// Output says what the output holds beside what Flux applies.
	Output *Output `json:"output,omitempty"`
	// Deployers are the users and groups that apply the repository, in addition to the
	// account that Flux impersonates (flux.serviceAccountName). Without one, what
	// kustomize-controller and helm-controller apply for Flux's namespace counts too.
	// Only deployers may set the labels that decide the tier of a namespace, and write
	// policies and PolicyExceptions.
	Deployers []Deployer `json:"deployers,omitempty"`
	// BreakGlass says who may change what only deployers may, when Flux cannot.
	BreakGlass *BreakGlass `json:"breakGlass,omitempty"`
	// Owners are the CODEOWNERS of everything that no environment owns, such as @acme/platform.
	Owners []string `json:"owners,omitempty"`
}

// Deployer is a user or a group that applies the repository. A bare name is a user.
type Deployer struct {
	// User is a whole user name, such as system:serviceaccount:NAMESPACE:NAME.
	User *string `json:"user,omitempty"`
	// Group is the whole name of a group.
	Group *string `json:"group,omitempty"`
}

// TextField names the field that a bare string stands for.
func (Deployer) TextField() string { return "user" }

// BreakGlass says who may change and delete everything of gatehouse, beside the deployers.
type BreakGlass struct {
	// Groups are whole names of groups. A list replaces the default, system:masters.
	// With an empty list, only the deployers remain.
	Groups []string `json:"groups,omitempty"`
}

// Kyverno says what runs in the clusters.
type Kyverno struct {
	// Version is the minor version that the clusters run, "1.19" (default) or "1.20". It
	// decides what can be emitted: 1.20 executes no ClusterPolicy. It is not released yet,
	// so it builds with install: none or absent only.
	Version *string `json:"version,omitempty"`
	// PolicyType is the kind of policy that controls are compiled to: ClusterPolicy (the
	// default with version 1.19), ValidatingPolicy (Kyverno's policies in CEL; the default
	// with version 1.20) or ValidatingAdmissionPolicy (those of the API server; the only
	// one with install: absent). Image rules are Kyverno's with each. What CEL
	// cannot say, such as a look-up of other objects, stays a ClusterPolicy, and
	// is an error where nothing executes one. See docs/policy-types.md, also for the way
	// from one to another.
	PolicyType *string `json:"policyType,omitempty"`
	// Install is helm (default: the repository installs Kyverno by a Flux
	// HelmRelease), none (Kyverno is installed in another way) or absent (the clusters
	// need no Kyverno: everything is a ValidatingAdmissionPolicy).
	Install *string `json:"install,omitempty"`
	// Namespace is where Kyverno runs. Default: kyverno.
	Namespace *string `json:"namespace,omitempty"`
	// Replicas of the admission controller. Default: 3.
	Replicas *int `json:"replicas,omitempty"`
	// Values of Kyverno's chart, such as resources, scheduling, image registries or a
	// ServiceMonitor, where the repository installs it. Those on which safety or the meaning
	// of a policy rests are refused. See docs/kyverno-values.md.
	Values map[string]any `json:"values,omitempty"`
}

// Flux says how the output reaches the clusters.
type Flux struct {
	// Install says what `gatehouse bootstrap` does if a cluster has no Flux: none
	// (default: it ends with an error), cli (it applies the output of `flux install
	// --export`) or operator (it creates a FluxInstance for the Flux Operator). The
	// output of a build is the same.
	Install *string `json:"install,omitempty"`
	// Source is the Flux source that serves the output.
	Source *SourceRef `json:"source,omitempty"`
	// Namespace holds the generated Kustomizations. Default: flux-system.
	Namespace *string `json:"namespace,omitempty"`
	// Path of the output in the source. Default: ./
	Path *string `json:"path,omitempty"`
	// Interval at which Flux reconciles each layer, such as 10m (default). Units: ms, s, m, h.
	Interval *string `json:"interval,omitempty"`
	// RetryInterval after a failure. Default: 2m.
	RetryInterval *string `json:"retryInterval,omitempty"`
	// Timeout for applying a layer, including its health checks. Default: 5m.
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

// Workload is one of your own Flux Kustomizations, which waits for the policies.
type Workload struct {
	// Name of the Kustomization.
	Name string `json:"name"`
	// Create is false for a Kustomization that your repository has already, in Flux's
	// namespace: gatehouse does not write it. README.md of the output says what it must
	// wait for, and `gatehouse bootstrap` checks that it does. Default: true.
	Create *bool `json:"create,omitempty"`
	// Path in the source; ${env} and ${cluster} are replaced. Required, unless create is
	// false.
	Path *string `json:"path,omitempty"`
	// Spec holds further fields of Flux's KustomizationSpec, such as dependsOn,
	// serviceAccountName, targetNamespace, postBuild or wait. They win over those of
	// spec.flux. The names in dependsOn are those of other workloads; a workload waits for
	// the policies all the same. An empty serviceAccountName is that of the repository.
	// path and sourceRef have no place here.
	Spec map[string]any `json:"spec,omitempty"`
}

// Rollout is the ladder that an environment climbs.
type Rollout struct {
	// Stages, from the loosest to the strictest. Default: "off", audit,
	// enforce-<tier> for each tier except the last, enforce.
	Stages []Stage `json:"stages,omitempty"`
	// Soak is how long an environment must have audited a policy, or a change of it,
	// before it enforces it, in days, such as 7d. Default: 0d.
	Soak *string `json:"soak,omitempty"`
	// Changes is staged (default: an environment goes on enforcing what it enforces, and
	// audits a change, until its own file accepts it) or immediate (a change is enforced
	// at once where the policy was enforced before).
	Changes *string `json:"changes,omitempty"`
}

// Stage is one step of the ladder. A tier in neither list is off.
type Stage struct {
	// Name of the stage.
	Name string `json:"name"`
	// Audit lists the tiers in which violations are reported.
	Audit []string `json:"audit,omitempty"`
	// Enforce lists the tiers in which violations are refused.
	Enforce []string `json:"enforce,omitempty"`
}

// Namespace is one namespace of the fleet.
type Namespace struct {
	// Name of the namespace.
	Name string `json:"name"`
	// Tier of the namespace. Default: the last one.
	Tier *string `json:"tier,omitempty"`
	// Labels in addition to the derived ones (gatehouse.dev/environment, gatehouse.dev/tier).
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations of the namespace.
	Annotations map[string]string `json:"annotations,omitempty"`
	// Environments that have this namespace. Default: all.
	Environments []string `json:"environments,omitempty"`
	// Create is false for a namespace that belongs to another Kustomization, or that
	// exists already: gatehouse does not write it and sets no labels. Policies then
	// select it by its name, whatever its labels say. Default: true.
	Create *bool `json:"create,omitempty"`
	// PodSecurity is the Pod Security level of the namespace: privileged, baseline or
	// restricted. Where the stage of the environment audits the tier, the level is
	// audited and warned about; where the stage enforces the tier, it is enforced,
	// unless an exception waives a control of the level in the namespace. privileged is
	// set at every stage. Default: the level that the controls amount to.
	PodSecurity *string `json:"podSecurity,omitempty"`
	// Network lists the connections that are allowed; all others are denied.
	Network *Network `json:"network,omitempty"`
	// ResourceQuota limits what the namespace may use in total. It holds where the stage
	// of the environment enforces the tier.
	ResourceQuota *ResourceQuota `json:"resourceQuota,omitempty"`
	// LimitRange limits each container, Pod or claim of the namespace, and sets what
	// containers request by default. It holds where the stage of the environment enforces
	// the tier.
	LimitRange *LimitRange `json:"limitRange,omitempty"`
}

// ResourceQuota limits what a namespace may use in total. Its field is that of the spec of
// a ResourceQuota of Kubernetes. docs/quotas.md says what a change does.
type ResourceQuota struct {
	// Hard is the limit of each resource, such as requests.cpu, pods, requests.storage or
	// count/deployments.apps. Limits are quantities of Kubernetes, such as 4, 500m or 16Gi.
	Hard map[string]any `json:"hard"`
}

// LimitRange limits each container, Pod or claim of a namespace. Its field is that of the
// spec of a LimitRange of Kubernetes. docs/quotas.md says what a change does.
type LimitRange struct {
	// Limits has at most one entry for each type.
	Limits []LimitRangeItem `json:"limits"`
}

// LimitRangeItem limits objects of one type. Absent fields get the values that the API
// server gives them: default is max, and defaultRequest is default, or else min.
type LimitRangeItem struct {
	// Type of what is limited: Container, Pod or PersistentVolumeClaim.
	Type string `json:"type"`
	// Max is the most that may be requested or be the limit, by resource.
	Max map[string]any `json:"max,omitempty"`
	// Min is the least that may be requested or be the limit, by resource.
	Min map[string]any `json:"min,omitempty"`
	// Default is the limit of containers that set none, by resource.
	Default map[string]any `json:"default,omitempty"`
	// DefaultRequest is the request of containers that set neither it nor a limit, by
	// resource.
	DefaultRequest map[string]any `json:"defaultRequest,omitempty"`
	// MaxLimitRequestRatio is how many times its request a limit may be, by resource.
	MaxLimitRequestRatio map[string]any `json:"maxLimitRequestRatio,omitempty"`
}

// ClusterNetwork says where a cluster has what every namespace may need to reach.
// docs/network.md says what to put in.
type ClusterNetwork struct {
	// APIServer is where Pods reach the API server, and where its calls of webhooks
	// come from. What is not known is not limited: rules then name ports only.
	APIServer *APIServer `json:"apiServer,omitempty"`
	// DNS is where Pods look names up. Default: kube-dns in kube-system.
	DNS *DNS `json:"dns,omitempty"`
}

// APIServer is where the API server is, as the CNI of the cluster sees it.
type APIServer struct {
	// Addresses that Pods reach, such as 10.0.0.10/32: for most CNIs those behind the
	// Service kubernetes. Default: any.
	Addresses []string `json:"addresses,omitempty"`
	// Ports on which it listens. Default: 443/TCP and 6443/TCP.
	Ports []string `json:"ports,omitempty"`
	// Callers are the addresses from which its calls of webhooks arrive. These can be
	// those of nodes or of konnectivity agents. Default: any.
	Callers []string `json:"callers,omitempty"`
}

// DNS is where Pods look names up.
type DNS struct {
	// Namespace of the DNS Pods. Default: kube-system.
	Namespace *string `json:"namespace,omitempty"`
	// Pods in the namespace, by their labels. Default: those with k8s-app: kube-dns,
	// or all of a namespace that is set.
	Pods map[string]string `json:"pods,omitempty"`
	// Addresses in addition to the Pods, such as 169.254.20.10/32 for NodeLocal DNSCache.
	Addresses []string `json:"addresses,omitempty"`
	// Ports of both. Default: 53/UDP and 53/TCP.
	Ports []string `json:"ports,omitempty"`
}

// Network lists the connections that are allowed; all others are denied.
type Network struct {
	// DefaultDeny denies all connections that no rule allows. Default: true.
	DefaultDeny *bool `json:"defaultDeny,omitempty"`
	// DNS allows lookups where spec.network.dns says. Default: true.
	DNS *bool `json:"dns,omitempty"`
	// Ingress lists the peers that may connect to Pods of the namespace.
	Ingress []IngressRule `json:"ingress,omitempty"`
	// Egress lists the peers to which Pods of the namespace may connect.
	Egress []EgressRule `json:"egress,omitempty"`
	// Webhooks are the ports on which the API server calls Pods of the namespace, such
	// as 10250/TCP: admission and conversion webhooks, and aggregated APIs. A port is
	// that of the container, not that of the Service.
	Webhooks []string `json:"webhooks,omitempty"`
}

// IngressRule allows connections from one peer.
type IngressRule struct {
	// From is the peer.
	From Peer `json:"from"`
	// Pods narrows the rule to Pods with these labels. Default: all Pods of the namespace.
	Pods map[string]string `json:"pods,omitempty"`
	// Ports, such as 8080, 8080/TCP, 53/UDP, 8000-8100/TCP or the named port http. Default: all.
	Ports []string `json:"ports,omitempty"`
}

// EgressRule allows connections to one peer.
type EgressRule struct {
	// To is the peer.
	To Peer `json:"to"`
	// Pods narrows the rule to Pods with these labels. Default: all Pods of the namespace.
	Pods map[string]string `json:"pods,omitempty"`
	// Ports such as 5432/TCP. Default: all, or those of spec.network.apiServer.
	Ports []string `json:"ports,omitempty"`
}

// Peer is the other end of a connection. Set exactly one of namespace, namespaceLabels,
// anyNamespace, cidr, apiServer and anywhere, or pods alone.
type Peer struct {
	// Namespace by name. Default if only pods is set: the same namespace.
	Namespace *string `json:"namespace,omitempty"`
	// NamespaceLabels selects namespaces by their labels.
	NamespaceLabels map[string]string `json:"namespaceLabels,omitempty"`
	// AnyNamespace is every Pod in the cluster. Only true is allowed.
	AnyNamespace *bool `json:"anyNamespace,omitempty"`
	// Pods narrows namespace, namespaceLabels or anyNamespace to Pods with these labels.
	Pods map[string]string `json:"pods,omitempty"`
	// APIServer is the API server, where spec.network.apiServer says. Only true is allowed.
	APIServer *bool `json:"apiServer,omitempty"`
	// Anywhere is everyone, inside and outside the cluster. Only true is allowed.
	Anywhere *bool `json:"anywhere,omitempty"`
	// CIDR such as 10.0.0.0/8.
	CIDR *string `json:"cidr,omitempty"`
	// Except lists blocks inside the CIDR that are left out.
	Except []string `json:"except,omitempty"`
}

// Registries says where images may come from.
type Registries struct {
	// Allowed registries or repositories, such as ghcr.io/acme or registry.k8s.io.
	Allowed []string `json:"allowed,omitempty"`
}

// Control adjusts one control of the catalogue.
type Control struct {
	// Enabled switches the control on or off. Default: true.
	Enabled *bool `json:"enabled,omitempty"`
	// MaxStage is the highest stage that the control can reach, whatever the environment says.
	MaxStage *string `json:"maxStage,omitempty"`
	// Parameters of the control. `gatehouse catalog show ID` lists them.
	Parameters map[string]any `json:"parameters,omitempty"`
	// Tiers to which the control applies; in others it is off. Default: all.
	Tiers []string `json:"tiers,omitempty"`
	// Namespaces to which the control applies; in others it is off. Default: all.
	// docs/scopes.md says what this means for each kind of control. What extends a profile,
	// or overrides it, replaces the field as a whole: {} is all namespaces.
	Namespaces *ControlNamespaces `json:"namespaces,omitempty"`
}

// ControlNamespaces are the namespaces to which a control applies. Set include or exclude,
// not both.
type ControlNamespaces struct {
	// Include lists the only namespaces to which the control applies. Objects without a
	// namespace are then not judged.
	Include []NamespaceChoice `json:"include,omitempty"`
	// Exclude lists namespaces to which the control does not apply.
	Exclude []NamespaceChoice `json:"exclude,omitempty"`
}

// NamespaceChoice is a namespace, or those with some labels. A bare text is a name.
type NamespaceChoice struct {
	// Name of a namespace, as it is: there are no wildcards.
	Name *string `json:"name,omitempty"`
	// Labels that a namespace must have in spec.namespaces. What labels are in the cluster
	// does not matter: who may set them there would decide where the control applies.
	Labels map[string]string `json:"labels,omitempty"`
}

// TextField names the field that a bare string stands for.
func (NamespaceChoice) TextField() string { return "name" }

// ExceptionRules are the rules for exceptions.
type ExceptionRules struct {
	// Namespace of the PolicyExceptions. Kyverno ignores exceptions elsewhere. Default: policy-exceptions.
	Namespace *string `json:"namespace,omitempty"`
	// AllowPermanent allows exceptions without an expiry date. Default: false.
	AllowPermanent *bool `json:"allowPermanent,omitempty"`
	// MaxDays is how many days ahead an exception may end, counted from the day of the build.
	// It does not hold with allowPermanent. Default: 730.
	MaxDays *int `json:"maxDays,omitempty"`
	// WarnDays is how many days before its end a build begins to warn of an exception;
	// 0 for no warning. Default: 14.
	WarnDays *int `json:"warnDays,omitempty"`
}

// Output says what the output holds beside what Flux applies.
type Output struct {
	// KyvernoTests adds the folder tests/, which runs with the upstream `kyverno
	// test`. `gatehouse test` does not need it. Default: false.
	KyvernoTests *bool `json:"kyvernoTests,omitempty"`
}
