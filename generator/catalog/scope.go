package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
)

// scopes returns the scopes by their names in control.yaml.
func scopes() map[string]kinds.Scope {
	return map[string]kinds.Scope{"Namespaced": kinds.Namespaced, "Cluster": kinds.Cluster}
}

// ScopeOf returns the scope of the objects of a kind that a policy of the control
// judges. The kind has no group; ScopeOf finds it in matches. The scope is
// kinds.Unknown for custom resources that spec.customKinds does not declare, unless
// the control is cluster-scoped.
func (c *Control) ScopeOf(matches []kinds.Ref, kind string) kinds.Scope {
	found := map[kinds.Scope]bool{}
	for _, ref := range matches {
		if ref.Kind == kind {
			found[c.scopeOf(ref)] = true
		}
	}
	switch {
	case len(found) == 0: // of a derived rule
		return kinds.Named(kind).Scope()
	case len(found) == 1 && found[kinds.Namespaced]:
		return kinds.Namespaced
	case len(found) == 1 && found[kinds.Cluster]:
		return kinds.Cluster
	}
	return kinds.Unknown
}

func (c *Control) scopeOf(ref kinds.Ref) kinds.Scope {
	if scope := ref.Scope(); scope != kinds.Unknown {
		return scope
	}
	scope := c.CustomKinds[ref.Kind]
	if scope == kinds.Unknown && c.ClusterScoped {
		return kinds.Cluster
	}
	return scope
}

// checkScope refuses a control that is staged by namespace although its objects have
// no namespace, because overrides for namespaces would never apply; and a control
// that is staged as a whole although it matches no cluster-scoped object. It also
// refuses customKinds with a kind that is built in, or that is not matched.
func (c *Control) checkScope(matches []kinds.Ref) []string {
	var cluster, others, custom, wrong []string
	byName := func(a, b kinds.Ref) int { return strings.Compare(a.Name(), b.Name()) }
	for _, ref := range slices.SortedFunc(slices.Values(matches), byName) {
		if ref.Scope() == kinds.Unknown {
			custom = append(custom, ref.Kind)
		}
		if c.scopeOf(ref) == kinds.Cluster {
			cluster = append(cluster, ref.Name())
		} else {
			others = append(others, ref.Name())
		}
	}
	switch {
	case c.ClusterScoped && len(cluster) == 0:
		wrong = append(wrong, "scope is Cluster, but it matches only "+strings.Join(others, ", "))
	case !c.ClusterScoped && len(others) == 0:
		wrong = append(wrong, "scope is Namespaced, but it matches only "+strings.Join(cluster, ", "))
	}
	for _, kind := range sortedKeys(c.CustomKinds) {
		if !slices.Contains(custom, kind) {
			wrong = append(wrong, fmt.Sprintf("customKinds has %s, which is not a custom resource that it matches", kind))
		}
	}
	return wrong
}
