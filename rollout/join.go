package rollout

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/reach"
)

// checkOthers checks the Kustomizations of the cluster that the repository does not
// bring: none applies what it brings, and its workloads wait for the policies.
func (b *Bootstrap) checkOthers(ctx context.Context, c *checks) {
	all, err := kustomizations(ctx, c.client)
	if err != nil {
		c.wrong("", "%v", err)
		return
	}
	for _, k := range all {
		if b.Target.ofRoot(k) || k.Name() == layout.Root && k.Namespace() == b.Target.Namespace {
			continue
		}
		_, layer := layout.ParseKustomization(k.Name())
		if by := owner(k); by != nil && !layer && b.Target.writes(k) {
			c.wrong("set create: false for it in spec.flux.workloads, and build again", "%s applies %s, which the repository has, too: each would undo what the other does", display(by), display(k))
		}
		b.checkApplies(c, k)
	}
	for _, w := range b.Target.Workloads {
		b.checkWaits(c, w, all)
	}
}

// checkApplies refuses another Kustomization that applies what the root and the layers
// apply: by what it has applied, and by what it would apply from its path.
func (b *Bootstrap) checkApplies(c *checks, k manifest.Object) {
	const hint = "set spec.flux.path to a folder outside its path, or list in a kustomization.yaml at its path what it applies"
	if id := b.Target.inInventory(k); id != "" {
		c.wrong(hint, "%s has applied %s of the repository: everything would be applied twice, and in no order", display(k), id)
		return
	}
	if !b.Target.sameSource(k) {
		return
	}
	for _, folder := range []string{layout.Of(b.Target.Cluster).String(), path.Join(layout.Environments, b.Target.Environment)} {
		folder = path.Join(b.Target.Path, folder)
		reached, err := b.reaches(k, folder)
		switch {
		case err != nil:
			c.warn("", "%s: %v", display(k), err)
		case reached:
			c.wrong(hint, "%s applies %s, and with it %s of the repository: everything would be applied twice, and in no order", display(k), k.String("spec", "path"), folder)
			return
		}
	}
}

// reaches reports whether a Kustomization applies something in a folder of the source.
// If the repository is not known, its indexes are not either, and the path decides.
func (b *Bootstrap) reaches(k manifest.Object, folder string) (bool, error) {
	from := k.String("spec", "path")
	if b.Repository == nil {
		return reach.Within(from, folder) || reach.Within(folder, from), nil
	}
	return reach.Reaches(b.Repository, from, folder)
}

// sameSource reports whether a Kustomization has the source of the repository.
func (t *Target) sameSource(k manifest.Object) bool {
	ref := manifest.Object(k.Map("spec", "sourceRef"))
	namespace := ref.String("namespace")
	if namespace == "" {
		namespace = k.Namespace()
	}
	return ref.String("kind") == t.SourceKind && ref.String("name") == t.SourceName && namespace == t.Namespace
}

// inInventory returns the first layer or policy of the target that a Kustomization has
// applied; empty if there is none. Flux's ids are NAMESPACE_NAME_GROUP_KIND.
func (t *Target) inInventory(k manifest.Object) string {
	ours := map[string]string{}
	for _, o := range slices.Concat(t.Kustomizations, t.Policies) {
		if _, layer := layout.ParseKustomization(o.Name()); layer || o.Kind() != "Kustomization" {
			ours[strings.Join([]string{o.Namespace(), o.Name(), o.Group(), o.Kind()}, "_")] = display(o)
		}
	}
	for _, entry := range k.Maps("status", "inventory", "entries") {
		if name := ours[entry.String("id")]; name != "" {
			return name
		}
	}
	return ""
}

// writes reports whether the repository has a Kustomization of this name.
func (t *Target) writes(k manifest.Object) bool {
	return slices.ContainsFunc(t.Kustomizations, func(o manifest.Object) bool { return o.ID() == k.ID() })
}

// checkWaits checks that a workload that gatehouse does not write waits for the policies.
func (b *Bootstrap) checkWaits(c *checks, w manifest.LockedWorkload, all []manifest.Object) {
	wanted := identity(kustomizationAPI, "Kustomization", b.Target.Namespace, w.Name)
	i := slices.IndexFunc(all, func(k manifest.Object) bool { return k.ID() == wanted.ID() })
	if i < 0 {
		c.warn("without create: false, gatehouse writes it", "%s does not exist, although the profile says so", display(wanted))
		return
	}
	var missing []string
	for _, name := range w.DependsOn {
		before := identity(kustomizationAPI, "Kustomization", b.Target.Namespace, name)
		if len(dependencies(all[i], []manifest.Object{before})) == 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		c.warn("add that to its spec.dependsOn", "%s does not wait for %s: what it applies can come before the policies", display(wanted), strings.Join(missing, ", "))
		return
	}
	c.ok("%s waits for %s", display(wanted), strings.Join(w.DependsOn, ", "))
}
