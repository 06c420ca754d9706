package v1alpha1

// Exception is one waiver. It ends by itself.
type Exception struct {
	// APIVersion is gatehouse.dev/v1alpha1.
	APIVersion string `json:"apiVersion"`
	// Kind is Exception.
	Kind string `json:"kind"`
	// Metadata names the exception.
	Metadata Metadata `json:"metadata"`
	// Spec of the exception.
	Spec ExceptionSpec `json:"spec"`
}

// ExceptionSpec says what is waived for whom, why, and until when.
type ExceptionSpec struct {
	// Controls that are waived, by id; an image rule as verify-images-<name>.
	Controls []string `json:"controls"`
	// Environments in which it holds. Default: all in which the controls are on.
	Environments []string `json:"environments,omitempty"`
	// Match is the workloads that are exempt.
	Match ExceptionMatch `json:"match"`
	// Images narrows the exception to workloads all of whose images match one of these globs.
	Images []string `json:"images,omitempty"`
	// Reason in one sentence.
	Reason string `json:"reason"`
	// Owner is the team that answers for it.
	Owner string `json:"owner"`
	// Ticket in which it was decided.
	Ticket *string `json:"ticket,omitempty"`
	// Expires is the day at whose beginning (00:00 UTC) it stops to apply: 2027-03-31.
	Expires *string `json:"expires,omitempty"`
}

// ExceptionMatch names workloads.
type ExceptionMatch struct {
	// Namespaces by exact name. Empty only for cluster-scoped kinds.
	Namespaces []string `json:"namespaces,omitempty"`
	// Kinds such as Deployment, DaemonSet, Pod or Service.
	Kinds []string `json:"kinds"`
	// Names of the objects. A * stands for any characters.
	Names []string `json:"names"`
}
