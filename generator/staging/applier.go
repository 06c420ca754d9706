package staging

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Applier notes for the next build whom everything accepts that the environment
// enforces. It refuses to let another account apply the repository than what is enforced
// now accepts: that account could apply nothing, this build included. policies are those
// of this build.
func (e *Environment) Applier(flux plan.Flux, policies []plan.Policy) {
	var guards []plan.Deployers
	for _, p := range policies {
		if accepted, asks := deployersOf(p.Control, p.Parameters, p.Deployers); asks && p.Strictest() == plan.Enforce {
			guards = append(guards, accepted)
		}
	}
	e.Locked.Deployers = acceptedByAll(guards)
	e.movedClusters(flux)
	if !e.prior.exists {
		return
	}
	applier, before := flux.Applier(), e.prior.Deployers
	if before == nil {
		if e.priorApplier() == applier {
			return
		}
		before = e.acceptedBefore()
	}
	if before == nil || !accepts(before, applier) {
		e.applierChange(flux, applier, before != nil)
	}
	if before != nil {
		e.removedDeployers(before)
	}
}

// deployersOf returns whom a policy takes for a deployer, and reports whether it asks.
func deployersOf(control *catalog.Control, parameters map[string]any, exempt plan.Deployers) (d plan.Deployers, asks bool) {
	if control.ExemptDeployers {
		return exempt, true
	}
	named, asks := control.Deployers(parameters)
	d = plan.Deployers{Users: named.Users, Groups: named.Groups}
	for _, user := range named.Appliers {
		d.Appliers = append(d.Appliers, plan.Applier{User: user})
	}
	return d, asks
}

// asks reports whether a control asks who writes.
func asks(control *catalog.Control) bool {
	_, asks := deployersOf(control, nil, plan.Deployers{})
	return asks
}

// acceptedByAll returns whom every guard accepts.
func acceptedByAll(guards []plan.Deployers) *manifest.LockedDeployers {
	out := &manifest.LockedDeployers{Anyone: len(guards) == 0}
	var users, groups []string
	for _, g := range guards {
		users, groups = append(users, g.Users...), append(groups, g.Groups...)
		for _, a := range g.Appliers {
			users = append(users, a.User)
		}
	}
	all := func(accepts func(plan.Deployers) bool) bool {
		return !slices.ContainsFunc(guards, func(g plan.Deployers) bool { return !accepts(g) })
	}
	for _, user := range distinct(users) {
		if all(func(g plan.Deployers) bool { return g.Accepts(user) }) {
			out.Users = append(out.Users, user)
		}
	}
	for _, group := range distinct(groups) {
		if all(func(g plan.Deployers) bool { return slices.Contains(g.Groups, group) }) {
			out.Groups = append(out.Groups, group)
		}
	}
	return out
}

// distinct returns the names sorted, each once.
func distinct(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

func accepts(l *manifest.LockedDeployers, user string) bool {
	return l.Anyone || plan.Deployers{Users: l.Users, Groups: l.Groups}.Accepts(user)
}

// acceptedBefore reads whom the contents accept that the last build enforced, for a lock
// that does not say it. It returns nil if it cannot know.
func (e *Environment) acceptedBefore() *manifest.LockedDeployers {
	var guards []plan.Deployers
	for _, p := range e.prior.Policies {
		if control, known := e.options.Catalog.Control(p.Name); p.Action != plan.Enforce.String() || known && !asks(control) {
			continue
		}
		content, err := e.content(p.Content)
		if err != nil {
			return nil
		}
		control, known := e.options.Catalog.Control(content.Control)
		if !known {
			return nil
		}
		if accepted, asks := deployersOf(control, content.Parameters, content.exempt()); asks {
			guards = append(guards, accepted)
		}
	}
	return acceptedByAll(guards)
}

// priorApplier returns the account that applies the policies of the current output; empty
// if the output does not say it, or not in the same way for all clusters.
func (e *Environment) priorApplier() string {
	var appliers []string
	folder := layout.Folder{Environment: e.source.Name, Kind: layout.Policies}
	for _, cluster := range e.source.Clusters {
		user, err := e.applierIn(layout.Of(cluster).String() + "/" + folder.Kustomization() + ".yaml")
		if errors.Is(err, fs.ErrNotExist) {
			continue // a new cluster
		}
		appliers = append(appliers, user)
	}
	if appliers = distinct(appliers); len(appliers) != 1 {
		return ""
	}
	return appliers[0]
}

// applierIn returns the account that applies the Kustomization in a file of the current
// output.
func (e *Environment) applierIn(file string) (string, error) {
	if e.options.Output == nil {
		return "", fs.ErrNotExist
	}
	data, err := fs.ReadFile(e.options.Output, file)
	if err != nil {
		return "", err
	}
	objects, err := manifest.Parse(data)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", file, err)
	}
	if len(objects) != 1 {
		return "", fmt.Errorf("reading %s: it does not hold one Kustomization", file)
	}
	account, _ := objects[0].Value("spec", "serviceAccountName").(string)
	return plan.Flux{Namespace: objects[0].Namespace(), ServiceAccountName: account}.Applier(), nil
}

func (e *Environment) applierChange(flux plan.Flux, applier string, proven bool) {
	field := e.applierField(flux)
	why := "what it enforces does not accept that account"
	if !proven {
		why = "the last build does not show that what it enforces accepts that account"
	}
	e.Problems.Add(diag.Diagnostic{Code: "applier-change", Position: e.source.Spec.At(field), Path: e.source.Spec.Positions.Path(field),
		Summary: fmt.Sprintf("would let %s apply %s, but %s: Flux could apply nothing there, this change included", applier, e.source.Name, why),
		Hint:    fmt.Sprintf("in two steps: first add %s to spec.deployers, build, accept the change where one waits, and let Flux apply it; then make this change in a build of its own", applier)})
}

// applierField returns the field whose change lets another account apply: that of the account,
// also if it is gone, or that of Flux's namespace.
func (e *Environment) applierField(flux plan.Flux) string {
	namespace, _, known := kinds.ParseServiceAccount(e.priorApplier())
	switch {
	case known && namespace != flux.Namespace:
		return "spec.flux.namespace"
	case known || flux.ServiceAccountName != "":
		return "spec.flux.serviceAccountName"
	}
	return "spec.flux"
}

// movedClusters refuses a cluster of another environment, or of one that was renamed, if
// what is enforced in it does not accept the account that would apply this environment.
func (e *Environment) movedClusters(flux plan.Flux) {
	applier := flux.Applier()
	for _, name := range slices.Sorted(maps.Keys(e.options.All)) {
		before := e.options.All[name]
		for _, cluster := range before.Clusters {
			if name == e.source.Name || !slices.Contains(e.source.Clusters, cluster) || e.lets(name, cluster, applier, before.Deployers) {
				continue
			}
			e.Problems.Add(diag.Diagnostic{Code: "applier-change", Position: e.source.At("spec.clusters"), Path: "spec.clusters",
				Summary: fmt.Sprintf("would let %s apply the cluster %s, but what %s enforces in it does not accept that account: Flux could apply nothing there, this change included", applier, cluster, name),
				Hint:    fmt.Sprintf("in two steps: first add %s to spec.deployers, build, accept the change in %s where one waits, and let Flux apply it; then move the cluster in a build of its own", applier, name)})
		}
	}
}

// lets reports whether a cluster of another environment lets an account apply it. If the
// lock does not say whom that accepts, only the account that applied the cluster is let.
func (e *Environment) lets(environment, cluster, applier string, accepted *manifest.LockedDeployers) bool {
	if accepted != nil {
		return accepts(accepted, applier)
	}
	folder := layout.Folder{Environment: environment, Kind: layout.Policies}
	user, err := e.applierIn(layout.Of(cluster).String() + "/" + folder.Kustomization() + ".yaml")
	return err == nil && user == applier
}

// beyond returns the users and groups that one list accepts and another one does not.
func beyond(these, others *manifest.LockedDeployers) (users, groups []string) {
	if others.Anyone {
		return nil, nil
	}
	users = slices.DeleteFunc(slices.Clone(these.Users), func(user string) bool { return accepts(others, user) })
	for _, group := range these.Groups {
		if !slices.Contains(others.Groups, group) {
			groups = append(groups, "the group "+group)
		}
	}
	return users, groups
}

// removedDeployers warns of users and groups that the build no longer accepts.
func (e *Environment) removedDeployers(before *manifest.LockedDeployers) {
	users, groups := beyond(before, e.Locked.Deployers)
	if len(users)+len(groups) == 0 || e.Problems.HasErrors() {
		return
	}
	var hints []string
	if len(users) > 0 {
		hints = append(hints, "make sure that Flux does not apply it as one of them, by flux.serviceAccountName or --default-service-account; a build that lets one apply again needs two steps")
	}
	if len(groups) > 0 {
		hints = append(hints, "make sure that others can repair what is guarded: members of a group that is gone can no longer change it, nor let themselves in again")
	}
	e.Problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: "deployer-removed", Position: e.source.At("spec.stage"), Path: "spec.stage",
		Summary: fmt.Sprintf("%s no longer accepts as deployers: %s", e.source.Name, Some(slices.Concat(users, groups))),
		Hint:    strings.Join(hints, "; ")})
}
