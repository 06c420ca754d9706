package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/internal/exit"
	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Manager is the field manager of what gatehouse applies.
const Manager = v1alpha1.ManagedBy

// Change is what an apply did, or would do.
type Change struct {
	Object manifest.Object
	// Did is created, configured or unchanged.
	Did string
	// Fields that changed, such as `spec.url: "a" → "b"`; values of Secrets are left out.
	Fields []string
}

// The values of [Change.Did].
const (
	Created    = "created"
	Configured = "configured"
	Unchanged  = "unchanged"
)

// String is one line: Kustomization flux-system/gatehouse configured.
func (c Change) String() string { return display(c.Object) + " " + c.Did }

// ConflictError reports that other managers own fields that an apply would set.
type ConflictError struct {
	Object manifest.Object
	// Fields with their managers, as the API server names them.
	Fields []string
}

// ExitCode implements [exit.Coder]: what is in the cluster is wrong.
func (e *ConflictError) ExitCode() exit.Code { return exit.Wrong }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("other managers own fields of %s: %s; it was left unchanged: let them change it, or delete it first", display(e.Object), strings.Join(e.Fields, ", "))
}

// apply sends an object by server-side apply, never by force. With dryRun the API
// server does everything, admission included, except store it.
func apply(ctx context.Context, client *kube.Client, o manifest.Object, dryRun bool) (Change, error) {
	before, err := client.Get(ctx, o.APIVersion(), o.Kind(), o.Namespace(), o.Name())
	if err != nil && !apierrors.IsNotFound(err) {
		return Change{}, fmt.Errorf("reading %s: %w", display(o), err)
	}
	if dryRun {
		client = client.DryRun()
	}
	after, err := client.Apply(ctx, o, Manager)
	if err != nil {
		return Change{}, applyError(o, err)
	}
	if before == nil {
		return Change{Object: o, Did: Created}, nil
	}
	fields := changes("", content(before), content(after), o.Kind() != "Secret")
	if len(fields) == 0 {
		return Change{Object: o, Did: Unchanged}, nil
	}
	return Change{Object: o, Did: Configured, Fields: fields}, nil
}

func applyError(o manifest.Object, err error) error {
	var status *apierrors.StatusError
	if apierrors.IsConflict(err) && errors.As(err, &status) && status.ErrStatus.Details != nil {
		var fields []string
		for _, cause := range status.ErrStatus.Details.Causes {
			if cause.Type == metav1.CauseTypeFieldManagerConflict {
				fields = append(fields, cause.Field+" ("+cause.Message+")")
			}
		}
		if len(fields) > 0 {
			return &ConflictError{Object: o, Fields: fields}
		}
	}
	return fmt.Errorf("applying %s: %w", display(o), err)
}

// content returns the object without its status and the metadata that every write changes.
func content(o manifest.Object) map[string]any {
	all := maps.Clone(map[string]any(o))
	delete(all, "status")
	metadata := maps.Clone(o.Metadata())
	for _, key := range []string{"managedFields", "resourceVersion", "generation"} {
		delete(metadata, key)
	}
	all["metadata"] = metadata
	return all
}

// changes lists the paths at which two values differ, with both values if values is set.
func changes(path string, before, after any, values bool) []string {
	if reflect.DeepEqual(before, after) {
		return nil
	}
	was, wasMap := before.(map[string]any)
	is, isMap := after.(map[string]any)
	if !wasMap || !isMap {
		if !values {
			return []string{path}
		}
		return []string{fmt.Sprintf("%s: %s → %s", path, short(before), short(after))}
	}
	all := maps.Clone(was)
	maps.Copy(all, is)
	var found []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		found = append(found, changes(strings.TrimPrefix(path+"."+key, "."), was[key], is[key], values)...)
	}
	return found
}

// short returns a value on one line; it cuts a long one.
func short(v any) string {
	const most = 80
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		v = fmt.Sprintf("%q", v)
		if len(v) > most {
			return v[:most] + "…"
		}
		return v
	case map[string]any, []any:
		return "…"
	}
	return fmt.Sprint(v)
}

// display returns what people call an object: Kustomization flux-system/gatehouse.
func display(o manifest.Object) string { return called(o.Kind(), o.Namespace(), o.Name()) }

func called(kind, namespace, name string) string {
	if namespace != "" {
		name = namespace + "/" + name
	}
	return kind + " " + name
}
