package rollout

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
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
		by := owner(k)
		_, layer := layout.ParseKustomization(k.Name())
		if by != nil && !layer && !b.Target.ofRoot(k) && k.Name() != layout.Root && b.Target.writes(k) {
			c.wrong("set create: false for it in spec.flux.workloads, and build again", "%s applies %s, which the repository has, too: each would undo what the other does", display(by), display(k))
		}
	}
	for _, w := range b.Target.Workloads {
		b.checkWaits(c, w, all)
	}
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
