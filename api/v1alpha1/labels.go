package v1alpha1

// Labels of what a build emits.
const (
	// LabelTier is the tier of a namespace. It decides how strictly policies judge
	// what is in it, so only deployers may set it.
	LabelTier = Group + "/tier"
	// LabelEnvironment is the environment of a namespace. Only deployers may set it.
	LabelEnvironment = Group + "/environment"
	// LabelManagedBy has the value ManagedBy on every emitted object that has labels.
	LabelManagedBy = "app.kubernetes.io/managed-by"
)

// AnnotationChecks lists, separated by commas, what a policy in CEL checks: CONTROL/CHECK,
// or the name of an image rule or of an audited change in the place of the control.
const AnnotationChecks = Group + "/checks"

// ManagedBy is the value of LabelManagedBy, and the field manager of what
// bootstrap applies.
const ManagedBy = "gatehouse"

// The values of spec.kyverno.version: minor versions of Kyverno.
const (
	// KyvernoVersion is the default, and the one that the policies are tested with.
	KyvernoVersion = "1.19"
	// KyvernoNext does not execute what KyvernoVersion is the last one to execute: see
	// Legacy in internal/kinds. It is not released, so there is no chart to install it with.
	KyvernoNext = "1.20"
)

// KyvernoVersions returns the values of spec.kyverno.version, the default first.
func KyvernoVersions() []string { return []string{KyvernoVersion, KyvernoNext} }

// KyvernoInstalls returns the values of spec.kyverno.install, the default first.
func KyvernoInstalls() []string { return []string{KyvernoByHelm, KyvernoByOthers, KyvernoAbsent} }

// The values of spec.kyverno.install.
const (
	KyvernoByHelm   = "helm"
	KyvernoByOthers = "none"
	KyvernoAbsent   = "absent"
)
