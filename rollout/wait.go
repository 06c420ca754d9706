package rollout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/exit"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// state says whether an object is ready, and if not, why.
type state struct {
	ready bool
	// waits is set if nothing is wrong with the object, but another one comes first.
	waits bool
	why   string // what is missing, if not ready
}

// NotReadyError reports what was not ready, or not gone, in time, and why.
type NotReadyError struct {
	Summary string
	Reasons []string // one per object
}

// ExitCode implements [exit.Coder]: what is in the cluster is wrong.
func (e *NotReadyError) ExitCode() exit.Code { return exit.Wrong }

func (e *NotReadyError) Error() string {
	return strings.Join(append([]string{e.Summary}, e.Reasons...), "\n  ")
}

// waiter polls until all objects are ready. A few lists every second or two are
// cheap, and a watch would break whenever the API server does.
type waiter struct {
	client  *kube.Client
	objects []manifest.Object
	source  *Target // if not nil: its Kustomizations must have applied the source's revision
	every   time.Duration
	log     Log

	said map[string]string // by object, what was last logged about it
}

func (w *waiter) run(ctx context.Context) error {
	w.said = map[string]string{}
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	var last []state
	for {
		states, err := w.look(ctx)
		switch {
		case err == nil:
			last = states
			if ready := w.tell(states); ready == len(states) {
				return nil
			}
		case ctx.Err() == nil: // the API server may be on its way back
			w.log.status("%v", err)
		}
		select {
		case <-ctx.Done():
			return w.end(ctx, last, err)
		case <-ticker.C:
		}
	}
}

// end returns the error that the wait ends with.
func (w *waiter) end(ctx context.Context, states []state, err error) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("waiting: %w", ctx.Err())
	}
	if states == nil {
		return fmt.Errorf("waiting: %w", err)
	}
	var ready int
	var reasons, waiting []string
	for i, s := range states {
		line := display(w.objects[i]) + ": " + s.why
		switch {
		case s.ready:
			ready++
		case s.waits:
			waiting = append(waiting, line)
		default:
			reasons = append(reasons, line)
		}
	}
	e := &NotReadyError{Summary: fmt.Sprintf("not ready in time: %d of %d", len(states)-ready, len(states)), Reasons: reasons}
	switch {
	case len(reasons) == 0: // no object says what is wrong
		e.Reasons = waiting
	case len(waiting) > 0:
		e.Reasons = append(e.Reasons, fmt.Sprintf("and %d that wait for others", len(waiting)))
	}
	return e
}

// tell logs what has changed and returns how many objects are ready.
func (w *waiter) tell(states []state) (ready int) {
	var next string
	for i, s := range states {
		name := display(w.objects[i])
		text := "ready"
		if s.ready {
			ready++
		} else {
			text = s.why
			if next == "" && !s.waits {
				next = "; " + name + ": " + s.why
			}
		}
		if w.said[name] == text {
			continue
		}
		w.said[name] = text
		if s.ready {
			w.log.Line("ready    " + name)
		} else if !s.waits {
			w.log.Line("waiting  " + name + ": " + s.why)
		}
	}
	w.log.status("%d of %d ready%s", ready, len(states), next)
	return ready
}

// look reads all objects, one list per kind and namespace, and judges them.
func (w *waiter) look(ctx context.Context) ([]state, error) {
	live := map[string]map[string]manifest.Object{}
	states := make([]state, len(w.objects))
	for i, o := range w.objects {
		key := strings.Join([]string{o.APIVersion(), o.Kind(), o.Namespace()}, " ")
		if _, listed := live[key]; !listed {
			found, err := w.client.List(ctx, o.APIVersion(), o.Kind(), o.Namespace(), "")
			if err != nil && !kube.IsNotServed(err) {
				return nil, fmt.Errorf("listing %s: %w", o.Kind(), err)
			}
			live[key] = map[string]manifest.Object{}
			for _, f := range found {
				live[key][f.Name()] = f
			}
		}
		found, ok := live[key][o.Name()]
		if !ok {
			states[i] = state{waits: w.source != nil && o.Name() != layout.Root, why: "does not exist"}
			continue
		}
		states[i] = judge(found)
	}
	w.judgeRevisions(live, states)
	return states, nil
}

// judgeRevisions corrects the states of Kustomizations: one that has not applied the
// source's current revision is not ready, and one that the root should have
// applied by now does not wait but is missing.
func (w *waiter) judgeRevisions(live map[string]map[string]manifest.Object, states []state) {
	if w.source == nil {
		return
	}
	t := w.source
	source := live[sourceAPI+" "+t.SourceKind+" "+t.Namespace][t.SourceName]
	revision := source.String("status", "artifact", "revision")
	rootReady := false
	for i, o := range w.objects {
		if o.Kind() != "Kustomization" {
			continue
		}
		k := live[kustomizationAPI+" Kustomization "+o.Namespace()][o.Name()]
		if states[i].ready && k.String("status", "lastAppliedRevision") != revision {
			states[i] = state{waits: true, why: "has not applied " + revision + " yet"}
		}
		if o.Name() == layout.Root {
			rootReady = states[i].ready
		}
		if len(k) == 0 && rootReady { // the root has applied all that the source holds
			states[i] = state{why: fmt.Sprintf("is not in what %s serves at %s: was the repository pushed?", t.SourceName, revision)}
		}
	}
}

// judge reads what the status of an object says about its readiness.
func judge(o manifest.Object) state {
	group := o.Group()
	kind, _ := kinds.Find(group, o.Kind())
	switch {
	case o.Kind() == "CustomResourceDefinition":
		return judgeCondition(o, "Established")
	case o.Kind() == "Deployment":
		if number(o.Value("status", "observedGeneration")) < number(o.Value("metadata", "generation")) || number(o.Value("status", "availableReplicas")) < number(o.Value("spec", "replicas")) {
			return state{why: fmt.Sprintf("%v of %v replicas are available", number(o.Value("status", "availableReplicas")), number(o.Value("spec", "replicas")))}
		}
		return state{ready: true}
	case kind.InForce == kinds.ReadyStatus:
		if o.Value("status", "conditionStatus", "ready") == true {
			return state{ready: true}
		}
		return state{why: "is not ready: " + o.String("status", "conditionStatus", "message")}
	case kind.InForce == kinds.ReadyCondition:
		return judgeCondition(o, "Ready")
	case kind.InForce == kinds.ObservedGeneration:
		return judgeTypes(o)
	case strings.HasSuffix(group, ".fluxcd.io"), group == "fluxcd.controlplane.io":
		return judgeFlux(o)
	}
	return state{ready: true} // a kind without a status of its own
}

// judgeTypes reads what the API server's controllers say of the expressions of a policy.
func judgeTypes(o manifest.Object) state {
	if number(o.Value("status", "observedGeneration")) < number(o.Value("metadata", "generation")) {
		return state{waits: true, why: "is not checked yet"}
	}
	if warnings, _ := o.Value("status", "typeChecking", "expressionWarnings").([]any); len(warnings) > 0 {
		first, _ := warnings[0].(map[string]any)
		return state{why: "has an expression that may fail: " + manifest.Object(first).String("warning")}
	}
	return state{ready: true}
}

func judgeFlux(o manifest.Object) state {
	if o.Value("spec", "suspend") == true {
		return state{why: "is suspended: run flux resume"}
	}
	ready := o.Condition("Ready")
	observed := o.Value("status", "observedGeneration")
	if observed == nil { // as in a FluxInstance
		observed = ready["observedGeneration"]
	}
	if number(observed) < number(o.Value("metadata", "generation")) && ready.String("status") != "False" {
		return state{waits: true, why: "is not reconciled yet"}
	}
	return judgeCondition(o, "Ready")
}

// judgeCondition reads a condition. Flux reports as a reason that it waits.
func judgeCondition(o manifest.Object, name string) state {
	c := o.Condition(name)
	if c == nil {
		return state{waits: true, why: "has no status yet"}
	}
	if c.String("status") == "True" {
		return state{ready: true}
	}
	reason := c.String("reason")
	why := strings.Join(strings.Fields(c.String("message")), " ")
	if why == "" {
		why = reason
	}
	return state{waits: reason == "DependencyNotReady" || c.String("status") == "Unknown" && reason == "Progressing", why: why}
}
