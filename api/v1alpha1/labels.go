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

// KyvernoVersion is the only value of spec.kyverno.version, and its default: the
// minor version that the policies are written and tested for.
const KyvernoVersion = "1.19"
