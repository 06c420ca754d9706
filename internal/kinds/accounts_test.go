package kinds

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAccounts(t *testing.T) {
	for user, want := range map[string][2]string{
		ServiceAccount("flux-system", "kustomize-controller"): {"flux-system", "kustomize-controller"},
		"system:serviceaccounts:flux-system":                  {},
		"jane":                                                {},
		"flux-system:kustomize-controller":                    {},
	} {
		namespace, name, ok := ParseServiceAccount(user)
		if ok != (want[0] != "") || ok && (namespace != want[0] || name != want[1]) {
			t.Errorf("%s is %s in %s, %t", user, name, namespace, ok)
		}
	}
	want := []string{"system:kube-controller-manager", "system:serviceaccount:kube-system:namespace-controller"}
	if diff := cmp.Diff(want, ControllerAccounts("namespace-controller")); diff != "" {
		t.Error(diff)
	}
}
