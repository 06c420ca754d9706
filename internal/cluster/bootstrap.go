package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Log takes what happens.
type Log struct {
	// Line takes a line that stays.
	Line func(line string)
	// Status takes what is being done, for the last line of a terminal, where
	// each text replaces the one before; nil elsewhere.
	Status func(text string)
}

func (l Log) status(format string, args ...any) {
	if l.Status != nil {
		l.Status(fmt.Sprintf(format, args...))
	}
}

// Bootstrap brings a repository into a cluster.
type Bootstrap struct {
	Client *Client
	Target *Target
	// Flux is what installs Flux; empty where it is there already.
	Flux []manifest.Object
	// Objects are those of [Target.Objects].
	Objects []manifest.Object
	// DryRun asks the API server and stores nothing.
	DryRun bool
	// Every is how often the cluster is looked at while waiting.
	Every time.Duration
	Log   Log
}

// FluxInstance is what the Flux Operator installs Flux by: the components that the
// repository needs, in its namespace. The operator takes one, called flux.
func (t *Target) FluxInstance() manifest.Object {
	components := []any{"source-controller", "kustomize-controller", "helm-controller", "notification-controller"}
	o := identity(fluxInstanceAPI, "FluxInstance", t.Namespace, "flux")
	o["spec"] = map[string]any{
		"distribution": map[string]any{"version": "2.9.x", "registry": "ghcr.io/fluxcd"},
		"components":   components,
	}
	return o
}

const fluxInstanceAPI = "fluxcd.controlplane.io/v1"

// Apply applies Flux, where it is to be installed, and then what it begins with.
// It returns what changed, also up to an error.
func (b *Bootstrap) Apply(ctx context.Context) ([]Change, error) {
	definitions, rest := split(b.Flux)
	done, err := b.applyAll(ctx, definitions)
	if err != nil {
		return done, err
	}
	if !b.DryRun {
		if err := b.wait(ctx, definitions); err != nil {
			return done, err
		}
	}
	more, err := b.applyAll(ctx, rest)
	done = append(done, more...)
	if err != nil {
		return done, err
	}
	if !b.DryRun {
		if err := b.wait(ctx, slices.DeleteFunc(slices.Clone(rest), func(o manifest.Object) bool { return !hasReadiness(o.Kind()) })); err != nil {
			return done, err
		}
	}
	more, err = b.applyAll(ctx, b.Objects)
	return append(done, more...), err
}

// split takes the definitions and namespaces out, which the rest needs.
func split(objects []manifest.Object) (first, rest []manifest.Object) {
	for _, o := range objects {
		if o.Kind() == "CustomResourceDefinition" || o.Kind() == "Namespace" {
			first = append(first, o)
		} else {
			rest = append(rest, o)
		}
	}
	return first, rest
}

func (b *Bootstrap) applyAll(ctx context.Context, objects []manifest.Object) ([]Change, error) {
	var done []Change
	for _, o := range objects {
		b.Log.status("applying %s", display(o))
		change, err := b.apply(ctx, o)
		if err != nil {
			return done, err
		}
		b.Log.Line(change.String())
		for _, field := range change.Fields {
			b.Log.Line("  " + field)
		}
		done = append(done, change)
	}
	return done, nil
}

// apply applies one object. A dry run cannot ask about what needs a kind or a
// namespace that the same run would create before it: that is new for sure.
func (b *Bootstrap) apply(ctx context.Context, o manifest.Object) (Change, error) {
	if b.DryRun {
		_, err := b.Client.resource(ctx, o.APIVersion(), o.Kind())
		if isNotServed(err) {
			return Change{Object: o, Did: Created}, nil
		}
		if o.Namespace() != "" {
			if _, err := b.Client.Get(ctx, "v1", "Namespace", "", o.Namespace()); absent(err) {
				return Change{Object: o, Did: Created}, nil
			}
		}
	}
	return b.Client.Apply(ctx, o, b.DryRun)
}

// wait waits until the objects are ready.
func (b *Bootstrap) wait(ctx context.Context, objects []manifest.Object) error {
	if len(objects) == 0 {
		return nil
	}
	w := waiter{client: b.Client, objects: objects, every: b.Every, log: b.Log}
	return w.run(ctx)
}

// Wait waits until all that the target names is ready: the source, each
// Kustomization, release and policy. At the deadline of ctx it returns a
// [NotReadyError].
func (b *Bootstrap) Wait(ctx context.Context) error {
	w := waiter{client: b.Client, objects: b.Target.watched(), source: b.Target, every: b.Every, log: b.Log}
	return w.run(ctx)
}

// watched are apiVersion, kind, namespace and name of what must become ready, in
// the order in which it does.
func (t *Target) watched() []manifest.Object {
	all := []manifest.Object{
		identity(sourceAPI, t.SourceKind, t.Namespace, t.SourceName),
		identity(kustomizationAPI, "Kustomization", t.Namespace, RootName),
	}
	all = append(all, t.Releases...)
	for _, k := range t.Kustomizations {
		all = append(all, identity(kustomizationAPI, "Kustomization", k.Namespace(), k.Name()))
	}
	return append(all, t.Policies...)
}
