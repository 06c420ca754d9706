package plan

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// Deployers are those whose writes count as those of the repository. The lists are
// sorted.
type Deployers struct {
	// Users are whole user names, and Groups whole names of groups.
	Users, Groups []string
	// Appliers are accounts that also write for others.
	Appliers []Applier
}

// Applier is the account of a Flux controller. It writes what any Kustomization or
// HelmRelease of the cluster says, so only what it labels with its own namespace is the
// word of a deployer (docs/adr/0015-who-is-a-deployer.md).
type Applier struct {
	User string `json:"user"`
	// Label is where the controller writes the namespace of the Kustomization or
	// HelmRelease that an object comes from.
	Label     string `json:"label"`
	Namespace string `json:"namespace"`
}

// The controllers of Flux that apply objects.
const (
	kustomizeController = "kustomize-controller"
	helmController      = "helm-controller"
)

// FluxApplier returns what counts of the account of a Flux controller. It reports false
// for another user.
func FluxApplier(user string) (Applier, bool) {
	labels := map[string]string{
		kustomizeController: "kustomize.toolkit.fluxcd.io/namespace",
		helmController:      "helm.toolkit.fluxcd.io/namespace",
	}
	namespace, name, ok := kinds.ParseServiceAccount(user)
	return Applier{User: user, Label: labels[name], Namespace: namespace}, ok && labels[name] != ""
}

// Value returns the applier as a parameter of a control.
func (a Applier) Value() map[string]any {
	return map[string]any{"user": a.User, "label": a.Label, "namespace": a.Namespace}
}

// Appliers returns the accounts with which Flux applies the repository: the one that it
// impersonates, or those of its controllers.
func (f Flux) Appliers() []string {
	if f.ServiceAccountName != "" {
		return []string{kinds.ServiceAccount(f.Namespace, f.ServiceAccountName)}
	}
	return []string{kinds.ServiceAccount(f.Namespace, helmController), kinds.ServiceAccount(f.Namespace, kustomizeController)}
}

// Applier returns the user that applies the repository: the account that Flux
// impersonates, or that of its kustomize-controller.
func (f Flux) Applier() string {
	all := f.Appliers()
	return all[len(all)-1]
}

// Accepts reports whether a user is one of the deployers, be it only for some of what it
// writes. A service account is in the groups of all service accounts.
func (d Deployers) Accepts(user string) bool {
	if slices.Contains(d.Users, user) || slices.ContainsFunc(d.Appliers, func(a Applier) bool { return a.User == user }) {
		return true
	}
	namespace, _, ok := kinds.ParseServiceAccount(user)
	return ok && slices.ContainsFunc(kinds.GroupsOf(namespace), func(g string) bool { return slices.Contains(d.Groups, g) })
}

// CleanupAccount returns the account of Kyverno's cleanup controller, which deletes what
// has a time to live.
func (k Kyverno) CleanupAccount() string {
	return kinds.ServiceAccount(k.Namespace, "kyverno-cleanup-controller")
}
