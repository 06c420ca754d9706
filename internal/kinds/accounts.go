package kinds

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

const serviceAccountPrefix = "system:serviceaccount:"

// ServiceAccount returns the user name of a service account.
func ServiceAccount(namespace, name string) string {
	return serviceAccountPrefix + namespace + ":" + name
}

// ParseServiceAccount returns the namespace and the name of a service account, as
// Kubernetes splits its user name. It reports false for another user.
func ParseServiceAccount(user string) (namespace, name string, ok bool) {
	rest, isAccount := strings.CutPrefix(user, serviceAccountPrefix)
	namespace, name, _ = strings.Cut(rest, ":")
	if !isAccount || len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return "", "", false
	}
	return namespace, name, true
}

// ControllerAccounts returns the users as which controllers of Kubernetes act: each has
// a service account of its own, or all share the user of kube-controller-manager, where
// it runs without --use-service-account-credentials.
func ControllerAccounts(names ...string) []string {
	users := []string{"system:kube-controller-manager"}
	for _, name := range names {
		users = append(users, ServiceAccount("kube-system", name))
	}
	return users
}

// GroupsOf returns the groups that every service account of a namespace is in.
func GroupsOf(namespace string) []string {
	return []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"}
}
