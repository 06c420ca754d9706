package staging

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Kyverno compares how Kyverno is installed with what the last build did in the clusters
// of the environment, also in those of another environment that it takes over. It
// refuses what takes Kyverno away from a cluster while policies are enforced there.
func (e *Environment) Kyverno(now plan.Kyverno) {
	for _, name := range slices.Sorted(maps.Keys(e.options.All)) {
		before := e.options.All[name]
		if before.Kyverno == nil || !e.takes(name) {
			continue
		}
		namespace := e.kyvernoNamespace(name, before.Kyverno)
		switch was := before.Kyverno.Release; {
		case was != nil && now.Absent:
			e.kyvernoNeedless(*was)
		case was != nil && !now.Install:
			e.kyvernoLeft(*was)
		case was != nil && namespace != "" && namespace != now.Namespace:
			e.kyvernoMoved(name, namespace, now.Namespace, enforcesAny(before))
		case was == nil && now.Install:
			e.kyvernoTaken(name, now.Namespace, before.Kyverno.Absent)
		}
	}
}

// takes reports whether the environment has a cluster that the last build of one had.
func (e *Environment) takes(environment string) bool {
	before := e.options.All[environment]
	own := environment == e.source.Name && before.Clusters == nil // by an older gatehouse, which did not note clusters
	return own || slices.ContainsFunc(before.Clusters, e.has)
}

// has reports whether the environment has a cluster.
func (e *Environment) has(cluster string) bool { return slices.Contains(e.source.Clusters, cluster) }

// enforcesAny reports whether Kyverno enforces anything in an environment.
func enforcesAny(l manifest.LockedEnvironment) bool {
	return slices.ContainsFunc(l.Policies, func(f manifest.LockedPolicy) bool { return f.Action == plan.Enforce.String() })
}

// kyvernoNamespace returns the namespace into which the last build of an environment
// installs Kyverno; empty if it is not known.
func (e *Environment) kyvernoNamespace(environment string, before *manifest.LockedKyverno) string {
	if before.Namespace != "" || e.options.Output == nil {
		return before.Namespace
	}
	// The lock is of an older gatehouse.
	data, err := fs.ReadFile(e.options.Output, layout.Folder{Environment: environment, Kind: layout.Kyverno}.File("helmrelease"))
	if err != nil {
		return ""
	}
	objects, err := manifest.Parse(data)
	if err != nil || len(objects) != 1 {
		return ""
	}
	return objects[0].String("spec", "targetNamespace")
}

// kyvernoMoved says what another namespace does: helm-controller uninstalls the release
// and installs another one.
func (e *Environment) kyvernoMoved(environment, from, to string, enforces bool) {
	d := diag.Diagnostic{Severity: diag.Warning, Code: "kyverno-moved",
		Summary: fmt.Sprintf("moves Kyverno from the namespace %s to %s: Flux uninstalls it, with its CRDs and all policies, before it installs it again, and nothing is checked in %s until then", from, to, environment),
		Hint:    "the policies and their reports are gone until Flux has applied them again; or keep the namespace"}
	if enforces {
		d.Severity = diag.Error
		d.Hint = "keep the namespace; to move Kyverno, first lower " + environment + " to a stage that enforces nothing, build, and let Flux apply it"
	}
	e.kyverno("namespace", d)
}

// kyvernoLeft says what install: none leaves behind. The layer of Kyverno is never pruned.
func (e *Environment) kyvernoLeft(was manifest.LockedRelease) {
	e.kyverno("install", diag.Diagnostic{Severity: diag.Warning, Code: "kyverno-left",
		Summary: fmt.Sprintf("no longer installs Kyverno in %s: Flux leaves the HelmRelease %s/%s as it is, and no build configures Kyverno any more", e.source.Name, was.Namespace, was.Name),
		Hint:    fmt.Sprintf("adopt the Helm release; to delete the HelmRelease, first suspend it (flux suspend helmrelease %s -n %s): else Flux uninstalls Kyverno, with its CRDs and all policies", was.Name, was.Namespace)})
}

// kyvernoNeedless says what install: absent leaves behind, and how it goes.
func (e *Environment) kyvernoNeedless(was manifest.LockedRelease) {
	e.kyverno("install", diag.Diagnostic{Severity: diag.Warning, Code: "kyverno-left",
		Summary: fmt.Sprintf("no longer needs Kyverno in %s: Flux leaves the HelmRelease %s/%s as it is, and no build configures Kyverno any more", e.source.Name, was.Namespace, was.Name),
		Hint:    fmt.Sprintf("if no policy of others needs it, remove it (kubectl delete helmrelease %s -n %s, then the webhooks that it left: docs/policy-types.md#without-kyverno)", was.Name, was.Namespace)})
}

// kyvernoTaken says what it takes to install Kyverno where another way has installed it,
// or where none was needed.
func (e *Environment) kyvernoTaken(environment, namespace string, absent bool) {
	built, hint := "for a Kyverno that is there already", "keep install: none"
	if absent {
		built, hint = "for a cluster that needs none, and may have one all the same", "remove that one first"
	}
	e.kyverno("install", diag.Diagnostic{Severity: diag.Warning, Code: "kyverno-taken",
		Summary: fmt.Sprintf("installs Kyverno in %s as the Helm release kyverno in the namespace %s, where %s was built %s: unless that is the same release, Flux cannot install it, and applies nothing that waits for it", e.source.Name, namespace, environment, built),
		Hint:    hint + ", or make sure that Kyverno runs there as that release; gatehouse bootstrap checks it"})
}

func (e *Environment) kyverno(field string, d diag.Diagnostic) {
	field = "spec.kyverno." + field
	d.Position, d.Path = e.source.Spec.At(field), e.source.Spec.Positions.Path(field)
	e.Problems.Add(d)
}
