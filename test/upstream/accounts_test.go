package upstream

import (
	"testing"

	"k8s.io/apiserver/pkg/authentication/serviceaccount"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// TestServiceAccounts splits user names as the API server does.
func TestServiceAccounts(t *testing.T) {
	for _, user := range []string{
		serviceaccount.MakeUsername("flux-system", "kustomize-controller"), serviceaccount.MakeUsername("a", "b.c"),
		"", "jane", "system:serviceaccount:", "system:serviceaccount:a", "system:serviceaccount:a:", "system:serviceaccount::b", "system:serviceaccount:a:b:c",
		"system:serviceaccount:a/b", "System:serviceaccount:a:b", "system:serviceaccount:A:b", "system:serviceaccount:a:B", "system:serviceaccount:a.b:c",
		"system:serviceaccount:a:*", "system:serviceaccounts:a:b", "system:serviceaccounts:a", "a:b", "a/b", "group:a", "system:masters",
	} {
		wantNamespace, wantName, err := serviceaccount.SplitUsername(user)
		namespace, name, ok := kinds.ParseServiceAccount(user)
		if ok != (err == nil) || namespace != wantNamespace || name != wantName {
			t.Errorf("%q is %q in %q (%t); the API server says %q in %q, %v", user, name, namespace, ok, wantName, wantNamespace, err)
		}
	}
}
