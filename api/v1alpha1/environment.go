package v1alpha1

// Environment is one environment. Its file belongs to the team that runs it.
type Environment struct {
	// APIVersion is gatehouse.dev/v1alpha1.
	APIVersion string `json:"apiVersion"`
	// Kind is Environment.
	Kind string `json:"kind"`
	// Metadata names the environment.
	Metadata Metadata `json:"metadata"`
	// Spec of the environment.
	Spec EnvironmentSpec `json:"spec"`
}

// EnvironmentSpec says where an environment runs and how far it is.
type EnvironmentSpec struct {
	// Ring orders the environments: a change reaches ring 1 first. At least 1.
	Ring int `json:"ring"`
	// Clusters of this environment. Default: one, with the environment's name.
	Clusters []string `json:"clusters,omitempty"`
	// Stage of the ladder. This is the line that teams bump.
	Stage string `json:"stage"`
	// Controls that are ahead of the environment's stage or behind it, by id.
	Controls map[string]EnvironmentControl `json:"controls,omitempty"`
	// AllowAhead permits this environment to be stricter than one in an earlier ring. Default: false.
	AllowAhead *bool `json:"allowAhead,omitempty"`
	// AllowSkip permits this environment to enforce what was never audited in
	// it. For a new environment in which nothing runs yet. Default: false.
	AllowSkip *bool `json:"allowSkip,omitempty"`
	// Owners are the CODEOWNERS of this environment, such as @acme/prod.
	Owners []string `json:"owners,omitempty"`
}

// EnvironmentControl adjusts one control in one environment.
type EnvironmentControl struct {
	// Stage of this control, instead of the environment's.
	Stage string `json:"stage"`
}
