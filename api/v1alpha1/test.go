package v1alpha1

// KindTest is the kind of a [Test].
const KindTest = "Test"

// What a test expects.
const (
	ExpectAdmit  = "admit"
	ExpectAudit  = "audit"
	ExpectRefuse = "refuse"
)

// Test is one request and what the policies must answer. Tests lie in the folder
// tests/ of a source; `gatehouse test` runs them with the real Kyverno engine.
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

// TestSpec says what is asked, and what is expected.
type TestSpec struct {
	// Environments in which it holds. Default: all.
	Environments []string `json:"environments,omitempty"`
	// Expect is admit (no rule finds anything), audit (admitted, and each policy
	// reports it) or refuse (each policy refuses it). Without policies: at least
	// one of them reports or refuses it.
	Expect string `json:"expect"`
	// Policies that are asked, by the name of the control, an image rule as
	// verify-images-<name>. Default: all but those of image signatures, which need a registry.
	Policies []string `json:"policies,omitempty"`
	// Operation is CREATE (default), UPDATE or DELETE.
	Operation *string `json:"operation,omitempty"`
	// Namespace of the request. Default: that of the resource.
	Namespace *string `json:"namespace,omitempty"`
	// User who asks. Default: developer@example.com, in system:authenticated.
	User *TestUser `json:"user,omitempty"`
	// Resource is the object; for DELETE the one that goes. Exactly one of resource and file is needed.
	Resource map[string]any `json:"resource,omitempty"`
	// File holds the object, or several each of which is expected to get the same answer; relative to this one.
	File *string `json:"file,omitempty"`
	// OldResource is the object before an UPDATE.
	OldResource map[string]any `json:"oldResource,omitempty"`
	// OldFile holds the object before an UPDATE; relative to this file.
	OldFile *string `json:"oldFile,omitempty"`
}

// TestUser is who makes a request.
type TestUser struct {
	// Name, for a service account system:serviceaccount:<namespace>:<name>.
	Name string `json:"name"`
	// Groups of the user. Default: system:authenticated.
	Groups []string `json:"groups,omitempty"`
}
