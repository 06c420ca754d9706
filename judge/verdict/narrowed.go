package verdict

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// narrowed reports whether the exception is for some containers or images only.
func (t trial) narrowed() bool { return len(t.exception.Images)+len(t.exception.Containers) > 0 }

// named returns a copy of an object in which the exception names the container: a narrowed
// exception is tried with objects that have one. It returns nil for others.
func (t trial) named(object map[string]any) map[string]any {
	if !t.narrowed() {
		return object
	}
	if len(containersOf(object)) != 1 {
		return nil
	}
	if len(t.exception.Images) > 0 {
		object = withImages(object, t.namedImage())
	}
	if len(t.exception.Containers) > 0 {
		object = withNames(object, concrete(t.exception.Containers[0]))
	}
	return object
}

// namedImage returns an image that a narrowed exception names: one that the image rule
// refuses, if the stand-in has any.
func (t trial) namedImage() string {
	if t.image != nil {
		for _, repository := range t.image.repositories {
			if image := t.image.unsigned(repository); matchesAny(t.exception.Images, image) {
				return image
			}
		}
	}
	return concrete(t.exception.Images[0])
}

// repositoryOf returns an image without its tag and digest.
func repositoryOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") {
		return image[:i]
	}
	return image
}

// exemptable returns the objects of which a narrowed exception can exempt the container:
// what is left of them without it is no violation.
func (r *run) exemptable(t trial, s subject, objects []map[string]any, bad verdict) ([]map[string]any, error) {
	if !t.narrowed() || t.image != nil {
		return objects, nil
	}
	requests := make([]engine.EvaluateParams, len(objects))
	for i, object := range objects {
		requests[i] = t.check(s, "", withoutContainers(object), t.cluster.plan.Now, want{}).request
	}
	answers, err := r.engine.EvaluateMany(r.ctx, requests)
	if err != nil {
		return nil, fmt.Errorf("evaluating: %w", err)
	}
	var out []map[string]any
	for i, answer := range answers {
		if answer.Result != nil && !(want{verdict: bad}).met(read(*answer.Result)) {
			out = append(out, objects[i])
		}
	}
	return out, nil
}

// injected returns a check of a Pod to which an injector has added a container like the
// first one. An exception for whole Pods exempts it, and one for some containers does
// not.
func (t trial) injected(s subject, object map[string]any, bad verdict) check {
	sidecar := "istio-proxy"
	if name := t.otherContainer(); name != "" {
		sidecar = name
	}
	const what = "with an injected container"
	image := t.otherImage()
	if image != "" || t.otherContainer() != "" {
		return t.rest(s, what, injected(object, sidecar, image), bad)
	}
	return t.check(s, what, injected(object, sidecar, image), t.before(), want{exempted, t.exception.Name})
}

// unexempt returns what a narrowed exception leaves of a violation. It exempts the whole
// workload from an image rule, and another policy judges what it does not name.
func (t trial) unexempt(bad verdict) want {
	if t.image != nil {
		return want{verdict: bad}
	}
	return want{bad, t.exception.Name}
}

// rest returns a check of what a narrowed exception does not name. It waives each rule for
// itself, so it may hold for one that finds nothing.
func (t trial) rest(s subject, what string, object map[string]any, bad verdict) check {
	c := t.check(s, what, object, t.before(), t.unexempt(bad))
	c.partly, c.tried = true, t.exception.Name
	return c
}

// otherContainer returns the name of a container that the exception does not name. It is
// empty if the exception names all containers.
func (t trial) otherContainer() string {
	const name = "another-container"
	if len(t.exception.Containers) == 0 || matchesAny(t.exception.Containers, name) {
		return ""
	}
	return name
}

// podSpecOf returns the spec of a Pod, or of the Pods of a workload.
func podSpecOf(object manifest.Object) manifest.Object {
	spec := object.Map("spec")
	for _, field := range []string{"jobTemplate", "template"} {
		if inner := spec.Map(field); inner != nil {
			spec = inner.Map("spec")
		}
	}
	return spec
}

// containerLists returns the lists of containers that a Pod has.
func containerLists() []string {
	return []string{"containers", "initContainers", "ephemeralContainers"}
}

func containersOf(object manifest.Object) []manifest.Object {
	var out []manifest.Object
	for _, list := range containerLists() {
		out = append(out, podSpecOf(object).Maps(list)...)
	}
	return out
}

// withImages returns a copy of a Pod or workload in which every container has the image.
func withImages(object map[string]any, image string) map[string]any {
	return withField(object, "image", image)
}

// withNames returns a copy of a Pod or workload in which every container has the name.
func withNames(object map[string]any, name string) map[string]any {
	return withField(object, "name", name)
}

func withField(object map[string]any, field, value string) map[string]any {
	out := runtime.DeepCopyJSON(object)
	for _, container := range containersOf(out) {
		container[field] = value
	}
	return out
}

// withoutContainers returns a copy of a Pod or workload that has none.
func withoutContainers(object map[string]any) map[string]any {
	out := runtime.DeepCopyJSON(object)
	spec := podSpecOf(out)
	for _, list := range containerLists() {
		delete(spec, list)
	}
	spec["containers"] = []any{}
	return out
}

// injected returns a copy of a Pod with one more container, as an injector adds it: like
// the first one, with another name, and with the image if it is not empty.
func injected(pod map[string]any, name, image string) map[string]any {
	out := runtime.DeepCopyJSON(pod)
	all := containersOf(out)
	if len(all) == 0 {
		return out
	}
	sidecar := runtime.DeepCopyJSON(all[0])
	sidecar["name"] = name
	if image != "" {
		sidecar["image"] = image
	}
	spec := podSpecOf(out)
	list, _ := spec["containers"].([]any)
	spec["containers"] = append(list, sidecar)
	return out
}
