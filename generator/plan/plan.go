// Package plan is the resolved model of a profile: every default is applied, every
// reference is resolved, and every decision is made. It is plain, sorted data.
// Emitters and judges share it, and decide nothing themselves.
package plan

import (
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Plan is everything that the output depends on.
type Plan struct {
	// Name of the profile.
	Name string
	// Tiers in the order in which enforcement reaches them; the last also holds unknown namespaces.
	Tiers []string
	// Stages of the ladder from the loosest to the strictest.
	Stages []Stage
	// ExceptionNamespace is the only namespace whose PolicyExceptions count.
	ExceptionNamespace string
	// Owners are the CODEOWNERS of everything outside the environments.
	Owners []string
	// Environments by ring, then name.
	Environments []Environment
	// KyvernoTests asks for tests for the kyverno CLI.
	KyvernoTests bool
	// Contents are the files that keep what policies check for the builds to come.
	Contents []manifest.File
	// Now is the time of the build, to judge expiries by.
	Now time.Time
}

// Kyverno is the Kyverno that the clusters of an environment run.
type Kyverno struct {
	Version    string // minor version, such as 1.19
	PolicyType string // the kind of policies that are emitted, one of catalog.Targets
	Namespace  string
	Install    bool // by a HelmRelease of this repository
	Absent     bool // there is none, and nothing that is emitted needs one
	Replicas   int
	// Values of the chart, besides those that gatehouse decides; none of them are the same.
	Values map[string]any
}

// Flux says how the layers reach the clusters of an environment.
type Flux struct {
	Install            string // how bootstrap installs it where it is missing: cli or operator; empty: not at all
	Namespace          string
	SourceKind         string
	SourceName         string
	Path               string // cleaned, relative, "." for the root of the source
	Interval           time.Duration
	RetryInterval      time.Duration
	Timeout            time.Duration
	ServiceAccountName string
	DecryptionProvider string // empty: none
	DecryptionSecret   string
	Workloads          []Workload
}

// Workload is a Kustomization of the user that waits for the policies. Its path may
// hold ${env} and ${cluster}.
type Workload struct {
	Name, Path string
	// Existing is set if the repository of the user has it. The path is empty then.
	Existing bool
	// Spec holds fields of a KustomizationSpec that win over those of all workloads. It
	// has no path and no sourceRef, and its dependsOn names no other namespace.
	Spec map[string]any
	At   diag.Position
	// Waits says where the profile has the entries of dependsOn, by the name in them.
	Waits map[string]diag.Position
}

// Stage is one step of the ladder: the action of each tier that it names.
type Stage struct {
	Name    string
	Actions map[string]Action
}

// Action is what happens to a violation. The order is the order of strictness.
type Action int

// The actions, from the loosest to the strictest.
const (
	Off Action = iota
	Audit
	Enforce
)

// String returns Kyverno's spelling, and off for Off.
func (a Action) String() string { return [...]string{"off", "Audit", "Enforce"}[a] }

// Environment is one environment with all that is on in it.
type Environment struct {
	Name      string
	Ring      int
	Clusters  []string // sorted
	Stage     string
	Owners    []string
	AllowSkip bool
	// AllowAhead is set if it may be ahead of earlier rings.
	AllowAhead bool
	At         diag.Position
	Kyverno    Kyverno
	Flux       Flux
	// FluxPathAt is where the source says spec.flux.path for the environment.
	FluxPathAt diag.Position
	// SystemNamespaces are never enforced on; sorted.
	SystemNamespaces []string
	// Deployers apply the repository, or may change what it applied.
	Deployers Deployers
	// Network says where its clusters have the API server and DNS.
	Network ClusterNetwork
	// Namespaces of the profile in this environment, by name.
	Namespaces []Namespace
	// Policies that are on for at least one tier, by name. See also [Environment.Judges].
	Policies []Policy
	// Exceptions that hold here, by name.
	Exceptions []Exception
	// Trust is the public material that the policies refer to, by name.
	Trust []TrustObject
	// Pending lists what the source asks for and the environment has not accepted yet.
	Pending []Pending
	// Locked is the environment's part of the lock.
	Locked manifest.LockedEnvironment
}

// Pending is a change that waits for the environment's own file.
type Pending struct {
	// What would change, such as "policy require-labels" or "namespace shop".
	What string
	// Effect says what happens until then, and what happens then.
	Effect string
	// Since is the day of the first build that has the change, such as 2026-11-20.
	Since string
}

// PodSecurity is the Pod Security Admission level of one namespace: privileged,
// baseline, restricted, or empty for none. Audit (also used for warn) is set where the
// profile sets the level and the stage audits the tier, or where every control of the
// level is on. Enforce is set only where the stage enforces the tier, or every control
// of that level is enforced with its default parameters, and no exception waives one of
// them in the namespace: Pod Security Admission knows no exceptions.
type PodSecurity struct{ Enforce, Audit string }

// Namespace is one namespace in one environment.
type Namespace struct {
	Name string
	Tier string
	// Existing is set if gatehouse does not create the namespace. It has no labels
	// here, and policies select it by its name.
	Existing    bool
	Labels      map[string]string // complete, with the derived ones, without Pod Security's
	Annotations map[string]string // as written
	// Shard of the layers that hold the namespace and its network (layout.Folder).
	Shard int
	// PodSecurity becomes the pod-security.kubernetes.io labels.
	PodSecurity PodSecurity
	// Open is set if the network is not closed yet, although default-deny is enforced in
	// the tier.
	Open bool
	// Network is nil where the profile leaves the namespace open. It is applied only
	// where [Environment.Closes] is Enforce. The environments share it.
	Network *Network
	// Quota and LimitRange are what holds in the environment; nil for none.
	Quota      Quota
	LimitRange []LimitRange
	// Unlimited is set if the profile has a quota or limits that do not hold yet.
	Unlimited bool
	At        diag.Position
}

// ClusterNetwork says where a cluster has what rules name without an address.
type ClusterNetwork struct {
	APIServer APIServer
	DNS       DNS
	// FormerDNS is where Pods also look names up until the environment accepts another DNS.
	FormerDNS []DNS `json:",omitempty"`
}

// APIServer is where the API server is.
type APIServer struct {
	CIDRs   []string // of what Pods reach; empty if they are not known
	Callers []string // of what calls Pods; empty if they are not known
	Ports   []Port
}

// DNS is where Pods look names up: at Pods of a namespace, and at addresses.
type DNS struct {
	Namespace string
	Pods      map[string]string // empty means all
	CIDRs     []string
	Ports     []Port
}

// Network is what may pass; everything else is denied.
type Network struct {
	DNS     bool
	Ingress []NetworkRule
	Egress  []NetworkRule
}

// NetworkRule allows one peer on some ports.
type NetworkRule struct {
	Pods  map[string]string // of the namespace; nil means all
	Peer  Peer
	Ports []Port // none means all, or those of the API server
}

// Peer is the other end. Exactly one of Namespace, NamespaceLabels, AnyNamespace, CIDR,
// APIServer and Anywhere is set.
//
// The names of emitted policies hold a hash of the encoding, so a new field needs
// omitempty.
type Peer struct {
	Namespace       string
	Pods            map[string]string // of the namespaces; nil means all
	CIDR            string
	Except          []string
	NamespaceLabels map[string]string `json:",omitempty"`
	AnyNamespace    bool              `json:",omitempty"`
	APIServer       bool              `json:",omitempty"` // where ClusterNetwork says
	Anywhere        bool              `json:",omitempty"`
}

// Port is a named port, a number or a range.
type Port struct {
	Name     string // of a named port; else empty
	Number   int32
	End      int32 // of a range; else 0
	Protocol string
}

// Policy is one control in one environment, or one image rule. One whose control does
// not judge is made as NetworkPolicies: it has actions, and no rendered template.
type Policy struct {
	// Name of the policy. It is Base, except for a second content of the same policy.
	Name string
	// Object is the name of its object; Name, but for one in CEL beside a ClusterPolicy.
	// Controls in CEL share objects that have names of their own.
	Object string
	// Base is the name that the profile knows: the control's id, or verify-images-<rule>.
	Base string
	// Content is the hash of what the policy checks (generator/staging). Held is set if
	// the source has another content, and the environment goes on enforcing this one.
	Content string
	Held    bool
	// Unscoped is the hash that the content would have without its scope.
	Unscoped string
	// Control is the control of the catalogue that the policy is made from.
	Control *catalog.Control
	// Policy is the rendered template, without strictness, and what its rules say.
	catalog.Policy
	// Actions by tier; a tier without an entry is off.
	Actions map[string]Action
	// Scope says in which namespaces of these tiers the policy judges.
	Scope Scope
	// Stage is the control's effective stage here.
	Stage string
	// Parameters that the template was rendered with.
	Parameters map[string]any
	// Image is set for an image rule.
	Image *Image
	// Deployers are those whom the policy does not judge; only for a control that
	// exempts them.
	Deployers Deployers
	// At is where the profile asks for the control.
	At diag.Position
}

// Image is an image rule: the images, and the signatures that they need.
type Image struct {
	References []string // globs; each repository both as repo:* and repo@*
	// Count is how many of the Attestors must have signed.
	Count         int
	Attestors     []Attestor
	MutateDigest  bool
	RequireDigest bool
	// Attestations that are demanded, too. Contents of rules without any do not have the field.
	Attestations []Attestation `json:",omitempty"`
}

// Notary reports whether the signatures are those of the Notary Project. Its attestors are all
// of that kind, or none is.
func (i Image) Notary() bool { return len(i.Attestors) > 0 && i.Attestors[0].Notary != "" }

// Attestation is a demand for attestations of a type: enough attestors must have made at
// least one, and all that they made must satisfy the conditions.
type Attestation struct {
	Type       string
	Count      int
	Attestors  []Attestor
	Conditions []Condition
}

// Condition is about one field of a predicate. It says one of these things about the value.
type Condition struct {
	Path []string
	// In are the values that it may have: texts, booleans, and numbers as float64.
	In []any `json:",omitempty"`
	// Matches is an anchored regular expression for a text.
	Matches string `json:",omitempty"`
	// AtLeast and AtMost are bounds of a number.
	AtLeast, AtMost *int `json:",omitempty"`
}

// Conditional reports whether the rule has conditions on attestations.
func (i Image) Conditional() bool {
	return slices.ContainsFunc(i.Attestations, func(a Attestation) bool { return len(a.Conditions) > 0 })
}

// Attestor is one identity that signs: a key, a keyless identity, or those whom certificates
// of the Notary Project trust.
type Attestor struct {
	Name string
	// Exactly one of the six is set: a PEM public key, the URI of a key in a
	// KMS, a Secret with the key, a ConfigMap with the key, a keyless identity, PEM
	// certificates of the Notary Project.
	PublicKeys              string
	KMS                     string
	Secret                  string
	ConfigMap, ConfigMapKey string
	Keyless                 *Keyless
	// Notary, like what is newer, is not in the contents of rules without it.
	Notary string `json:",omitempty"`
	// RekorURL of the transparency log; empty: not consulted.
	RekorURL string
}

// Keyless is an identity in a Fulcio certificate.
type Keyless struct {
	Issuer, IssuerRegExp, Subject, SubjectRegExp string
}

// TrustObject is a ConfigMap or Secret with public keys.
type TrustObject struct {
	Kind string // ConfigMap or Secret
	Name string
	Data map[string]string
	At   diag.Position
}

// Exception is one exception in one environment.
type Exception struct {
	Name       string
	Policies   []ExceptionPolicy
	Namespaces []string
	Kinds      []string // as the author wrote them
	// ClusterKinds are those of Kinds whose objects have no namespace: Namespaces
	// do not limit them.
	ClusterKinds []string
	Names        []string
	// Containers and Images narrow the exception to some containers and image volumes;
	// without them it holds for whole Pods. Globs.
	Containers []string
	Images     []string
	Reason     string
	Owner      string
	Ticket     string
	// Expires is when it stops applying; zero if it is permanent.
	Expires time.Time
	At      diag.Position
}

// ExceptionPolicy is a policy and the rules of it that are waived.
type ExceptionPolicy struct {
	Name  string
	Rules []string
	// Rest has, for each of Rules, the conditions under which it finds nothing wrong with
	// what a narrowed exception does not name: alternatives, each a list of conditions that
	// must all hold. Empty: the rule is waived for the whole Pod.
	Rest [][][]map[string]any
}
