package v1alpha1

// KindTest is the kind of a [Test].
const KindTest = "Test"

// What a test expects.
const (
	ExpectAdmit  = "admit"
	ExpectAudit  = "audit"
	ExpectRefuse = "refuse"
)

// Test is one request and the expected answer of the policies. Tests belong in the
// folder tests/ of a source; `gatehouse test` runs them with the real Kyverno engine.
type Test struct {
	// APIVersion is gatehouse.dev/v1alpha1.
	APIVersion string `json:"apiVersion"`
	// Kind is Test.
	Kind string `json:"kind"`
	// Metadata names the test.
	Metadata Metadata `json:"metadata"`
	// Spec of the test.
	Spec TestSpec `json:"spec"`
}

// TestSpec is a request and its expected answer.
type TestSpec struct {
	// Environments in which the test runs. Default: all.
	Environments []string `json:"environments,omitempty"`
	// Expect is admit (no rule reports a violation), audit (admitted, and each policy
	// reports a violation) or refuse (each policy refuses it). Without policies, one
	// policy that reports or refuses it is enough.
	Expect string `json:"expect"`
	// Policies that are asked, by the id of the control. An image rule is
	// verify-images-<name>. Default: all except image rules, which need a registry.
	Policies []string `json:"policies,omitempty"`
	// Operation is CREATE (default), UPDATE or DELETE.
	Operation *string `json:"operation,omitempty"`
	// Namespace of the request. Default: that of the resource.
	Namespace *string `json:"namespace,omitempty"`
	// User that sends the request. Default: developer@example.com, in system:authenticated.
	User *TestUser `json:"user,omitempty"`
	// Resource is the object; for DELETE, the one that is deleted. Set exactly one of resource and file.
	Resource map[string]any `json:"resource,omitempty"`
	// File with the object, or with several that must all get the same answer, relative to this file.
	File *string `json:"file,omitempty"`
	// OldResource is the object before an UPDATE.
	OldResource map[string]any `json:"oldResource,omitempty"`
	// OldFile with the object before an UPDATE, relative to this file.
	OldFile *string `json:"oldFile,omitempty"`
}

// TestUser is the user that sends a request.
type TestUser struct {
	// Name of the user. A service account is system:serviceaccount:<namespace>:<name>.
	Name string `json:"name"`
	// Groups of the user. Default: system:authenticated.
	Groups []string `json:"groups,omitempty"`
}
