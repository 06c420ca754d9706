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

// EnvironmentSpec says where an environment runs and which stage it has reached.
type EnvironmentSpec struct {
	// Ring orders the environments: a change reaches ring 1 first. At least 1.
	Ring int `json:"ring"`
	// Clusters of this environment. Default: one cluster with the name of the environment.
	Clusters []string `json:"clusters,omitempty"`
	// Stage of the ladder. This is the line that teams bump.
	Stage string `json:"stage"`
	// Changes accepts what the environment was audited for on this day or before, such as
	// 2026-11-20: it is then enforced. The day must not be in the future, and each day can
	// be used once. Default: nothing is accepted.
	Changes *string `json:"changes,omitempty"`
	// Controls that are ahead of or behind the stage of the environment, by id.
	Controls map[string]EnvironmentControl `json:"controls,omitempty"`
	// AllowAhead allows this environment to be stricter than one in an earlier ring. Default: false.
	AllowAhead *bool `json:"allowAhead,omitempty"`
	// AllowSkip allows this environment to enforce what was never audited in it.
	// Use it for a new environment in which nothing runs yet. Default: false.
	AllowSkip *bool `json:"allowSkip,omitempty"`
	// Owners are the CODEOWNERS of this environment, such as @acme/prod.
	Owners []string `json:"owners,omitempty"`
	// Overrides are fields of the profile that are different in this environment.
	Overrides *Overrides `json:"overrides,omitempty"`
}

// Overrides are fields of the profile that are different in one environment. They are
// merged as extends does: maps key by key, lists and scalars are replaced. All other
// fields of the profile are the same in all environments.
type Overrides struct {
	// Kyverno says what runs in the clusters of this environment.
	Kyverno *Kyverno `json:"kyverno,omitempty"`
	// Flux says how the output reaches the clusters of this environment.
	Flux *Flux `json:"flux,omitempty"`
	// Deployers are the users and groups that apply the repository in this environment.
	Deployers []Deployer `json:"deployers,omitempty"`
	// BreakGlass says who may change what only deployers may in this environment.
	BreakGlass *BreakGlass `json:"breakGlass,omitempty"`
	// Namespaces are merged by name: an entry changes the fields that it sets of the
	// namespace of the profile. A new name is a namespace of this environment only.
	Namespaces []Namespace `json:"namespaces,omitempty"`
	// Network says where the API server and DNS are in the clusters of this environment.
	Network *ClusterNetwork `json:"network,omitempty"`
	// Registries says where images may come from in this environment.
	Registries *Registries `json:"registries,omitempty"`
	// Trust says whose signatures images must carry in this environment.
	Trust *Trust `json:"trust,omitempty"`
	// Controls switches controls of the catalogue on or off in this environment and
	// adjusts them, by id. The stage of a control is in spec.controls.
	Controls map[string]Control `json:"controls,omitempty"`
}

// EnvironmentControl adjusts one control in one environment.
type EnvironmentControl struct {
	// Stage of this control, instead of that of the environment.
	Stage string `json:"stage"`
}
