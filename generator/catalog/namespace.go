package catalog

import "strings"

// CaseNamespace is the namespace of objects in cases for which the namespace does not matter.
const CaseNamespace = "apps"

const testNamespacePrefix = "gatehouse-test-"

// TestNamespace returns the name of a namespace of a tier that no profile has,
// for tests that place objects of cases in each tier.
func TestNamespace(tier string) string { return testNamespacePrefix + tier }

// CutTestNamespace returns the tier of a TestNamespace, and reports whether the
// namespace is one.
func CutTestNamespace(namespace string) (tier string, ok bool) {
	return strings.CutPrefix(namespace, testNamespacePrefix)
}
