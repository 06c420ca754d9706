package rollout

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Log receives the progress of a run.
type Log struct {
	// Line receives a line that stays.
	Line func(line string)
	// Status receives what is being done, for the last line of a terminal, where
	// each text replaces the one before. It is nil elsewhere.
	Status func(text string)
}

func (l Log) status(format string, args ...any) {
	if l.Status != nil {
		l.Status(fmt.Sprintf(format, args...))
	}
}

// Bootstrap brings a repository into a cluster.
type Bootstrap struct {
	Client *kube.Client
	Target *Target
	// Flux holds what installs Flux: [Target.FluxInstance], or the output of `flux
	// install --export`. It is empty if the cluster must have Flux already. Check
	// empties it if the Flux in the cluster must stay as it is.
	Flux []manifest.Object
	// Objects are those of [Target.Objects]. Check drops those that a Kustomization
	// applies already.
	Objects []manifest.Object
	// Repository is the repository that holds the output at the path of the target; nil
	// if it is not known.
	Repository fs.FS
	// DryRun asks the API server and stores nothing.
	DryRun bool
	// Every is the interval at which the cluster is polled while waiting.
	Every time.Duration
	Log   Log
}

// Stages returns all objects in the order in which they are applied. Each stage
// must be ready before the next one is applied.
func (b *Bootstrap) Stages() [][]manifest.Object {
	first, flux := split(b.Flux)
	namespaces, objects := split(b.Objects)
	for _, n := range namespaces {
		if !slices.ContainsFunc(first, func(o manifest.Object) bool { return o.ID() == n.ID() }) {
			first = append([]manifest.Object{n}, first...)
		}
	}
	return [][]manifest.Object{first, flux, objects}
}

// split returns definitions and namespaces first, because the rest needs them.
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

// Apply applies Flux, if it is to be installed, and then what Flux starts from.
// It returns what has changed, also together with an error.
func (b *Bootstrap) Apply(ctx context.Context) ([]Change, error) {
	var done []Change
	for _, stage := range b.Stages() {
		more, err := b.applyAll(ctx, stage)
		done = append(done, more...)
		if err != nil {
			return done, err
		}
		if b.DryRun {
			continue
		}
		if err := b.waitFor(ctx, slices.DeleteFunc(stage, func(o manifest.Object) bool { return !gatesFlux(o.Kind()) })); err != nil {
			return done, err
		}
	}
	return done, nil
}

// gatesFlux reports whether objects of a kind must be ready before Flux can be used.
func gatesFlux(kind string) bool {
	return kind == "CustomResourceDefinition" || kind == "Deployment" || kind == "FluxInstance"
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

// apply applies one object. A dry run cannot ask the API server about an object
// whose kind or namespace the same run would create first; such an object is
// certainly new. A namespace that exists stays as it is, with its labels.
func (b *Bootstrap) apply(ctx context.Context, o manifest.Object) (Change, error) {
	if b.DryRun && b.comesWith(ctx, o) {
		return Change{Object: o, Did: Created}, nil
	}
	if o.Kind() == "Namespace" && len(o.Metadata()) == 1 {
		if _, err := b.Client.Get(ctx, "v1", "Namespace", "", o.Name()); err == nil {
			return Change{Object: o, Did: Unchanged}, nil
		}
	}
	return apply(ctx, b.Client, o, b.DryRun)
}

// comesWith reports whether the kind or the namespace of o does not exist yet.
func (b *Bootstrap) comesWith(ctx context.Context, o manifest.Object) bool {
	if _, err := b.Client.Resource(ctx, o.APIVersion(), o.Kind()); kube.IsNotServed(err) {
		return true
	}
	if o.Namespace() == "" {
		return false
	}
	_, err := b.Client.Get(ctx, "v1", "Namespace", "", o.Namespace())
	return kube.IsAbsent(err)
}

// waitFor waits until the objects are ready.
func (b *Bootstrap) waitFor(ctx context.Context, objects []manifest.Object) error {
	if len(objects) == 0 {
		return nil
	}
	w := waiter{client: b.Client, objects: objects, every: b.Every, log: b.Log}
	return w.run(ctx)
}

// Wait waits until everything that the target names is ready: the source, each
// Kustomization, release and policy. At the deadline of ctx it returns a
// [NotReadyError].
func (b *Bootstrap) Wait(ctx context.Context) error {
	w := waiter{client: b.Client, objects: b.Target.watched(), source: b.Target, every: b.Every, log: b.Log}
	return w.run(ctx)
}

// watched returns apiVersion, kind, namespace and name of everything that must
// become ready, in the order in which it does.
func (t *Target) watched() []manifest.Object {
	all := []manifest.Object{
		identity(sourceAPI, t.SourceKind, t.Namespace, t.SourceName),
		identity(kustomizationAPI, "Kustomization", t.Namespace, layout.Root),
	}
	all = append(all, t.Releases...)
	for _, k := range t.Kustomizations {
		all = append(all, identity(kustomizationAPI, "Kustomization", k.Namespace(), k.Name()))
	}
	return append(all, t.Policies...)
}
