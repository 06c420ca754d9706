// Package staging decides what an environment audits and enforces of what the source
// asks for. It compares the source with the lock of the last build, and keeps two
// promises (docs/staging.md):
//
//   - What can stop, cut off or change something gets stricter in an environment only
//     by a line in that environment's own file.
//   - Nothing is enforced in an environment that was not audited there first.
//
// What only loosens takes effect at once.
package staging

import (
	"encoding/json"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// dateLayout is the form of the days in the lock and in spec.changes.
const dateLayout = time.DateOnly

// Options say what an environment is compared with.
type Options struct {
	// Now is the time of the build.
	Now time.Time
	// Day is the day to note for what is new; zero for that of Now.
	Day time.Time
	// Soak is how long a content must have been audited before it is enforced.
	Soak time.Duration
	// Immediate lets changes take effect without an audit.
	Immediate bool
	// Stages of the ladder, and Tiers in order.
	Stages []plan.Stage
	Tiers  []string
	// Prior is what the last build did in the environment; nil if it did not exist.
	Prior *manifest.LockedEnvironment
	// All is what the last build did in every environment, by name.
	All map[string]manifest.LockedEnvironment
	// Clusters of the source, and the environment that has each.
	Clusters map[string]string
	// Output is the current output, from which kept contents are read; nil without one.
	Output fs.FS
	// Written says what gatehouse wrote into the current output; nil if it is not known.
	Written Written
	// Catalog holds the controls that contents are of.
	Catalog *catalog.Catalog
}

// Environment is an environment on its way from what the last build did to what the
// source asks for. Its methods decide what it does, each for one kind of thing. They
// must be called in this order: SystemNamespaces, ClusterNetwork, Policies, Applier,
// Kyverno, Leftovers, Namespaces, Exceptions, PodSecurity, Close.
type Environment struct {
	// Locked is the environment's part of the new lock.
	Locked manifest.LockedEnvironment
	// Files keep the contents of the policies.
	Files []manifest.File
	// Pending lists what the environment has not accepted yet.
	Pending  []plan.Pending
	Problems diag.List

	options Options
	source  profile.Environment
	prior   prior
	// asked lists, for each field of the environment that enforces more than before,
	// what it asks for and whether it gets it.
	asked map[string]*request
	// networks holds each network of a namespace as the lock has it.
	networks map[*plan.Network]json.RawMessage
	// scopes holds those of contents of the last build, by hash.
	scopes map[string]plan.Scope
	// both holds the pending policies that are of two kinds for a time, beside those of which
	// the new kind only audits.
	both, beside []string
	// moving holds the pending policies whose checks move from one object to another.
	moving []string
	// bothChange holds those of beside that demand other signatures, too.
	bothChange []string
	// acts is set if a line of the environment's own file asks for more than before,
	// and gets some of it; climbed holds the policies that it makes stricter in a tier.
	acts    bool
	climbed map[[2]string]bool
}

// New begins the work on an environment.
func New(source profile.Environment, o Options) *Environment {
	e := &Environment{options: o, source: source, prior: newPrior(o.Prior, o.Tiers), asked: map[string]*request{}, climbed: map[[2]string]bool{}, networks: map[*plan.Network]json.RawMessage{}, scopes: map[string]plan.Scope{}}
	e.Locked = manifest.LockedEnvironment{
		Clusters: source.Clusters, Stages: []string{o.Stages[source.Stage].Name}, Changes: max(source.Changes, e.prior.Changes), Controls: map[string][]string{},
	}
	for id, stage := range source.Controls {
		e.Locked.Controls[id] = []string{o.Stages[stage].Name}
	}
	e.checkChanges()
	e.jumps()
	return e
}

// Policies decides what the environment does with the policies that the source asks for,
// sorted by name. It returns those that are on, by name. A policy with two contents is
// there twice.
func (e *Environment) Policies(desired []Desired) []plan.Policy {
	var all []plan.Policy
	for _, d := range desired {
		all = append(all, e.policy(d)...)
	}
	e.gone(desired)
	slices.SortFunc(all, func(a, b plan.Policy) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Close says what the build does in the environment that its people should know.
func (e *Environment) Close() {
	for _, field := range slices.Sorted(maps.Keys(e.asked)) {
		e.answer(field, e.asked[field])
	}
	e.clusters()
	e.oldLock()
	e.sayAccepted()
	e.sayPending()
	e.sayKinds()
}
