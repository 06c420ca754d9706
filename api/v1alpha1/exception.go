package v1alpha1

// Exception waives controls for some workloads. It ends by itself.
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
	// Controls that are waived, by id. An image rule is verify-images-<name>.
	Controls []string `json:"controls"`
	// Environments in which the exception holds. Default: all in which the controls are on.
	Environments []string `json:"environments,omitempty"`
	// Match selects the workloads that are exempt.
	Match ExceptionMatch `json:"match"`
	// Containers narrows the exception to the containers with these names. A * matches any
	// characters. The other containers of a Pod, injected ones too, are judged as ever.
	Containers []string `json:"containers,omitempty"`
	// Images narrows the exception to the containers and image volumes with these images. A *
	// matches any characters. Together with containers, it is for containers that both name.
	Images []string `json:"images,omitempty"`
	// Reason for the exception, in one sentence.
	Reason string `json:"reason"`
	// Owner is the team that is responsible for the exception.
	Owner string `json:"owner"`
	// Ticket in which the exception was decided.
	Ticket *string `json:"ticket,omitempty"`
	// Expires is the day on which the exception ends, at 00:00 UTC, such as 2027-03-31.
	Expires *string `json:"expires,omitempty"`
}

// ExceptionMatch selects workloads.
type ExceptionMatch struct {
	// Namespaces by exact name. Empty only for cluster-scoped kinds.
	Namespaces []string `json:"namespaces,omitempty"`
	// Kinds such as Deployment, DaemonSet, Pod or Service.
	Kinds []string `json:"kinds"`
	// Names of the objects. A * matches any characters.
	Names []string `json:"names"`
}
