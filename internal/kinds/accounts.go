package kinds

import "strings"

const serviceAccountPrefix = "system:serviceaccount:"

// ServiceAccount returns the user name of a service account.
func ServiceAccount(namespace, name string) string {
	return serviceAccountPrefix + namespace + ":" + name
}

// ParseServiceAccount returns the namespace and the name of a service account. It
// reports false for another user.
func ParseServiceAccount(user string) (namespace, name string, ok bool) {
	rest, isAccount := strings.CutPrefix(user, serviceAccountPrefix)
	namespace, name, ok = strings.Cut(rest, ":")
	return namespace, name, isAccount && ok
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
