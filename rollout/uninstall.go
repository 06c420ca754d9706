package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/exit"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// The webhooks of Kyverno, by the label that it gives them.
const (
	webhooksAPI     = "admissionregistration.k8s.io/v1"
	kyvernoWebhooks = "webhook.kyverno.io/managed-by=kyverno"
)

// Uninstall removes what [Bootstrap] brought in. Namespaces and Flux stay.
//
// The order matters. The root goes first, without pruning, so that nothing comes
// back and nothing goes by itself. Then the Kustomizations go, each after those
// that depend on it: policies while Kyverno still answers for them, exceptions
// after the policies. Then Kyverno goes, with every webhook that it left, which
// would block the API server. The source goes last.
type Uninstall struct {
	Client *kube.Client
	Target *Target
	// KeepKyverno leaves a Kyverno that the repository installed.
	KeepKyverno bool
	// DryRun logs what would be done and does nothing.
	DryRun bool
	// Every is the interval at which the cluster is polled while waiting.
	Every time.Duration
	Log   Log
}

// Run removes everything. It can be run again after an interruption.
func (u *Uninstall) Run(ctx context.Context) error {
	all, err := kustomizations(ctx, u.Client)
	if err != nil {
		return err
	}
	layers := slices.DeleteFunc(slices.Clone(all), func(k manifest.Object) bool { return !u.Target.ofRoot(k) })
	if err := u.checkOthers(all, layers); err != nil {
		return err
	}
	c := &checks{client: u.Client}
	if c.permissions(ctx, u.needs()); Failed(c.found) {
		return fmt.Errorf("nothing was done: %s", c.found[0].Text)
	}
	root := identity(kustomizationAPI, "Kustomization", u.Target.Namespace, layout.Root)
	if err := u.removeRoot(ctx, root); err != nil {
		return err
	}
	for _, together := range reverse(layers) {
		if err := u.removeLayers(ctx, together); err != nil {
			return err
		}
	}
	if err := u.removeKyverno(ctx); err != nil {
		return err
	}
	return u.removeSource(ctx)
}

// needs lists the permissions that Run uses to change something. A read that is
// refused fails before anything is deleted.
func (u *Uninstall) needs() []need {
	t := u.Target
	kustomization := identity(kustomizationAPI, "Kustomization", t.Namespace, "")
	secret := identity("v1", "Secret", t.Namespace, t.secretName())
	needs := []need{
		{"patch", kustomization}, {"delete", kustomization}, {"get", secret}, {"delete", secret},
		{"delete", identity(sourceAPI, t.SourceKind, t.Namespace, t.SourceName)},
	}
	if t.Kyverno.Release == nil || u.KeepKyverno {
		return needs
	}
	for _, kind := range []string{"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"} {
		needs = append(needs, need{"list", identity(webhooksAPI, kind, "", "")}, need{"delete", identity(webhooksAPI, kind, "", "")})
	}
	return append(needs, need{"delete", t.Kyverno.Release})
}

// checkOthers refuses to start where others would bring back what goes, or wait for it
// forever. layers are the Kustomizations that the root applied; they keep its label when
// it is gone, so that an interrupted run can be resumed.
func (u *Uninstall) checkOthers(all, layers []manifest.Object) error {
	for _, k := range all {
		if k.Name() == layout.Root && k.Namespace() == u.Target.Namespace && owner(k) != nil {
			return exit.Wrongf("nothing was done: %s applies %s and would bring it back; remove its file from the repository first, which changes nothing else if its deletionPolicy is Orphan",
				display(owner(k)), display(k))
		}
		if u.Target.ofRoot(k) {
			continue
		}
		if names := dependencies(k, layers); len(names) > 0 {
			return exit.Wrongf("nothing was done: %s waits for %s; remove that from its spec.dependsOn first", display(k), strings.Join(names, ", "))
		}
	}
	return nil
}

// dependencies returns the names of the Kustomizations that k waits for directly.
func dependencies(k manifest.Object, among []manifest.Object) []string {
	var names []string
	for _, d := range k.Maps("spec", "dependsOn") {
		namespace := d.String("namespace")
		if namespace == "" {
			namespace = k.Namespace()
		}
		if slices.ContainsFunc(among, func(o manifest.Object) bool { return o.Name() == d.String("name") && o.Namespace() == namespace }) {
			names = append(names, d.String("name"))
		}
	}
	return names
}

// reverse groups Kustomizations: each group after those that depend on it.
func reverse(layers []manifest.Object) [][]manifest.Object {
	var groups [][]manifest.Object
	left := slices.Clone(layers)
	for len(left) > 0 {
		needed := map[string]bool{}
		for _, k := range left {
			for _, d := range k.Maps("spec", "dependsOn") {
				needed[d.String("name")] = true
			}
		}
		var group, rest []manifest.Object
		for _, k := range left {
			if needed[k.Name()] {
				rest = append(rest, k)
			} else {
				group = append(group, k)
			}
		}
		if len(group) == 0 { // a cycle, which Flux never applied
			group, rest = rest, nil
		}
		groups = append(groups, group)
		left = rest
	}
	return groups
}

// removeRoot suspends the root before it deletes it: Flux does not prune what a
// suspended Kustomization applied.
func (u *Uninstall) removeRoot(ctx context.Context, root manifest.Object) error {
	live, err := u.Client.Get(ctx, root.APIVersion(), root.Kind(), root.Namespace(), root.Name())
	if kube.IsAbsent(err) {
		u.Log.Line(display(root) + " is not there")
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", display(root), err)
	}
	if !u.DryRun {
		if _, err := u.Client.Patch(ctx, root, "", map[string]any{"spec": map[string]any{"suspend": true}}); err != nil {
			return fmt.Errorf("suspending %s: %w", display(root), err)
		}
	}
	return u.remove(ctx, []manifest.Object{live})
}

// removeLayers deletes Kustomizations that nothing depends on any more. Flux deletes
// what those with prune applied; removeLayers waits until their policies are gone.
func (u *Uninstall) removeLayers(ctx context.Context, layers []manifest.Object) error {
	for _, k := range layers {
		if k.Value("spec", "suspend") == true && prunes(k) && !u.DryRun { // a suspended one would leave its policies behind
			if _, err := u.Client.Patch(ctx, k, "", map[string]any{"spec": map[string]any{"suspend": false}}); err != nil {
				return fmt.Errorf("resuming %s: %w", display(k), err)
			}
		}
	}
	if err := u.remove(ctx, layers); err != nil {
		return err
	}
	if u.DryRun {
		return nil
	}
	for _, k := range layers {
		if !prunes(k) {
			continue
		}
		err := u.until(ctx, "the policies of "+k.Name(), func() ([]manifest.Object, error) {
			return u.policies(ctx, ownerName+"="+k.Name()+","+ownerNamespace+"="+k.Namespace())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// prunes reports whether what a Kustomization applied goes with it.
func prunes(k manifest.Object) bool {
	policy := k.String("spec", "deletionPolicy")
	return k.Value("spec", "prune") == true && policy != "Orphan"
}

// policies with some labels, of all kinds.
func (u *Uninstall) policies(ctx context.Context, selector string) ([]manifest.Object, error) {
	var all []manifest.Object
	for _, k := range kinds.Policies() {
		found, err := u.Client.List(ctx, k.APIVersion(), k.Kind, "", selector)
		if err != nil && !kube.IsNotServed(err) {
			return nil, fmt.Errorf("listing %s: %w", k.Kind, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// removeKyverno deletes the release that installs Kyverno, if the repository has
// one. Kyverno stays as long as there are policies of others, which need it. Every
// other release goes or stays with its Kustomization.
func (u *Uninstall) removeKyverno(ctx context.Context) error {
	release := u.Target.Kyverno.Release
	if release == nil || u.KeepKyverno {
		return nil
	}
	others, err := u.otherPolicies(ctx)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		u.Log.Line(fmt.Sprintf("Kyverno stays: %d policies are not from this repository (%s)", len(others), display(others[0])))
		return nil
	}
	if err := u.removeRelease(ctx, release); err != nil {
		return err
	}
	if u.DryRun {
		return nil
	}
	return u.removeWebhooks(ctx)
}

// removeRelease deletes a HelmRelease and the chart repository that it names.
func (u *Uninstall) removeRelease(ctx context.Context, release manifest.Object) error {
	live, err := u.Client.Get(ctx, release.APIVersion(), release.Kind(), release.Namespace(), release.Name())
	if kube.IsAbsent(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", display(release), err)
	}
	all := []manifest.Object{live}
	if chart := live.String("spec", "chart", "spec", "sourceRef", "name"); chart != "" {
		all = append(all, identity(sourceAPI, "HelmRepository", release.Namespace(), chart))
	}
	return u.remove(ctx, all)
}

// otherPolicies returns the Kyverno policies that this repository did not bring. In
// a dry run its own still exist.
func (u *Uninstall) otherPolicies(ctx context.Context) ([]manifest.Object, error) {
	all, err := u.policies(ctx, "")
	return slices.DeleteFunc(all, func(o manifest.Object) bool {
		return !strings.Contains(o.APIVersion(), "kyverno.io/") ||
			strings.HasPrefix(o.String("metadata", "labels", ownerName), layout.Root+"-") &&
				o.String("metadata", "labels", ownerNamespace) == u.Target.Namespace
	}), err
}

// removeWebhooks waits until Kyverno is gone and deletes the webhooks that it left.
// The chart deletes them, too, but in a Job that can fail.
func (u *Uninstall) removeWebhooks(ctx context.Context) error {
	err := u.until(ctx, "Kyverno", func() ([]manifest.Object, error) {
		deployment, err := findKyverno(ctx, u.Client)
		if deployment == nil {
			return nil, err
		}
		return []manifest.Object{deployment}, nil
	})
	if err != nil {
		return err
	}
	for _, kind := range []string{"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"} {
		left, err := u.Client.List(ctx, webhooksAPI, kind, "", kyvernoWebhooks)
		if err != nil {
			return fmt.Errorf("listing %s: %w", kind, err)
		}
		if err := u.remove(ctx, left); err != nil {
			return err
		}
	}
	return nil
}

// removeSource deletes the source and its Secrets if bootstrap created them, and no
// Kustomization has taken them over.
func (u *Uninstall) removeSource(ctx context.Context) error {
	t := u.Target
	var made []manifest.Object
	for _, o := range []manifest.Object{
		identity(sourceAPI, t.SourceKind, t.Namespace, t.SourceName),
		identity("v1", "Secret", t.Namespace, t.secretName()),
		identity("v1", "Secret", t.Namespace, t.caName()),
	} {
		live, err := u.Client.Get(ctx, o.APIVersion(), o.Kind(), o.Namespace(), o.Name())
		if kube.IsAbsent(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", display(o), err)
		}
		if !applied(live) || owner(live) != nil {
			u.Log.Line(display(o) + " stays: others manage it")
			continue
		}
		made = append(made, live)
	}
	return u.remove(ctx, made)
}

// applied reports whether gatehouse applied the object.
func applied(o manifest.Object) bool {
	return slices.ContainsFunc(o.Maps("metadata", "managedFields"), func(m manifest.Object) bool {
		return m["manager"] == Manager && m["operation"] == "Apply"
	})
}

// remove deletes objects and waits until they are gone.
func (u *Uninstall) remove(ctx context.Context, objects []manifest.Object) error {
	for _, o := range objects {
		if u.DryRun {
			u.Log.Line(display(o) + " would be deleted" + along(o))
			continue
		}
		if err := u.Client.Delete(ctx, o); err != nil && !kube.IsAbsent(err) {
			return fmt.Errorf("deleting %s: %w", display(o), err)
		}
	}
	if u.DryRun {
		return nil
	}
	for _, o := range objects {
		err := u.until(ctx, display(o), func() ([]manifest.Object, error) {
			live, err := u.Client.Get(ctx, o.APIVersion(), o.Kind(), o.Namespace(), o.Name())
			if kube.IsAbsent(err) {
				return nil, nil
			}
			return []manifest.Object{live}, err
		})
		if err != nil {
			return err
		}
		u.Log.Line(display(o) + " deleted" + along(o))
	}
	return nil
}

// along says whether the objects that a Kustomization applied go with it.
func along(o manifest.Object) string {
	if o.Kind() != "Kustomization" || o.Name() == layout.Root {
		return ""
	}
	entries := o.List("status", "inventory", "entries")
	if prunes(o) {
		return fmt.Sprintf(", with the %d objects that it applied", len(entries))
	}
	return fmt.Sprintf("; the %d objects that it applied stay", len(entries))
}

// until polls until left returns nothing. At the deadline it returns a
// [NotReadyError] with what is left and why.
func (u *Uninstall) until(ctx context.Context, what string, left func() ([]manifest.Object, error)) error {
	ticker := time.NewTicker(u.Every)
	defer ticker.Stop()
	for {
		objects, err := left()
		if err == nil && len(objects) == 0 {
			return nil
		}
		u.Log.status("waiting for the deletion of %s", what)
		select {
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("waiting for the deletion of %s: %w", what, ctx.Err())
			}
			e := &NotReadyError{Summary: "not in time: the deletion of " + what}
			for _, o := range objects {
				e.Reasons = append(e.Reasons, strings.TrimSpace(display(o)+" still exists: "+judge(o).why))
			}
			if err != nil {
				e.Reasons = append(e.Reasons, err.Error())
			}
			return e
		case <-ticker.C:
		}
	}
}
