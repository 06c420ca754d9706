package workload

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// maxDocument bounds one JSON object in memory as manifest.Documents bounds a document of YAML.
const maxDocument = manifest.MaxDocument

const helmHint = "render it first: helm template … | gatehouse impact SOURCE -"

// errNoType is the error for documents that are not objects, such as values of a chart.
var errNoType = errors.New("not a Kubernetes object: it has no apiVersion or no kind")

// errStopped ends the reading after yield has failed. The error of yield is kept
// separately, because it might look like an error of the input.
var errStopped = errors.New("stopped")

// problem is an error in an input, which ends its reading. It does not name the file yet.
type problem struct{ diag.Diagnostic }

// Error implements error.
func (p *problem) Error() string { return p.Summary }

func problemAt(line int, code, hint, format string, args ...any) *problem {
	return &problem{diag.Diagnostic{Code: code, Position: diag.Position{Line: line}, Summary: fmt.Sprintf(format, args...), Hint: hint}}
}

func tooLarge(line int) *problem {
	const hint = "write large lists as JSON, which is read object by object"
	return problemAt(line, "workload-large", hint, "%v", manifest.ErrTooLarge)
}

// sink takes the objects of one input.
type sink struct {
	file      string
	namespace string // of objects that do not name one
	problems  *fluxtree.Problems
	yield     func(Workload) error
	stopped   *error // set by yield
	// applied is the object that Flux applies, if one does: its text is resolved already.
	applied *fluxtree.Object
	// place gets what matters for HelmReleases; nil if who applies the objects sees to it.
	place *fluxtree.Place
}

// CodeChart is the code of a warning about a Helm chart that is not rendered.
const CodeChart = "workload-chart"

// problem notes a problem, of the cluster that the object is applied to.
func (s sink) problem(d diag.Diagnostic) {
	if s.applied == nil {
		s.problems.Add(d)
		return
	}
	s.problems.Add(d, s.applied.Roots()...)
}

// add yields an object, or the items of a list. lineOf returns the line of an item by
// its index.
func (s sink) add(object json.RawMessage, line int, list header, lineOf func(i int) int) error {
	at := diag.Position{File: s.file, Line: line}
	if what := foreign(object); what != "" {
		s.problem(diag.Diagnostic{Severity: diag.Warning, Code: "workload-kind", Position: at, Summary: "not a Kubernetes object: " + what})
		return nil
	}
	w, err := s.read(object, at, list)
	switch {
	case errors.Is(err, errNoType):
		s.problem(diag.Diagnostic{Severity: diag.Warning, Code: "workload-kind", Position: at, Summary: err.Error()})
		return nil
	case err != nil:
		s.problem(diag.Diagnostic{Code: "workload-kind", Position: at, Summary: err.Error()})
		return nil
	}
	h := header{APIVersion: w.APIVersion, Kind: w.Kind}
	if h.isList() {
		var content struct {
			Items []json.RawMessage `json:"items"`
		}
		err := json.Unmarshal(object, &content)
		if err != nil && h.isListOfKnown() {
			s.problem(diag.Diagnostic{Code: "workload-kind", Position: at, Summary: plain.JSONError(err).Error()})
			return nil
		}
		if err == nil && content.Items != nil {
			for i, item := range content.Items {
				if err := s.add(item, lineOf(i), h, func(int) int { return lineOf(i) }); err != nil {
					return err
				}
			}
			return nil
		}
	}
	switch _, known := kinds.Find(kinds.Group(w.APIVersion), w.Kind); {
	case w.Namespace != "":
	case namespaced(w.APIVersion, w.Kind):
		w.Namespace = s.namespace
	case !known:
		w.Usual = s.namespace
	}
	if s.place != nil {
		s.place.Note(fluxtree.Object{JSON: w.Object, At: w.At, Namespace: s.namespace, Unknown: w.Unknown, Renderings: w.Others})
	}
	if *s.stopped = s.yield(w); *s.stopped != nil {
		return errStopped
	}
	return nil
}

// read returns the workload of an object, with what of it is not known.
func (s sink) read(object json.RawMessage, at diag.Position, list header) (Workload, error) {
	if s.applied != nil {
		w, err := resolved(object, s.applied.Renderings, s.applied.Unknown, at, list)
		w.Root, w.By, w.Template = s.applied.Root, s.applied.By, s.applied.Template
		w.Elsewhere, w.IfMissing = s.applied.Elsewhere, s.applied.IfMissing
		return w, err
	}
	object, unknown := fluxtree.Decrypt(object)
	object, renderings, unresolved := fluxtree.Unresolved(object)
	return resolved(object, renderings, append(unknown, unresolved...), at, list)
}
