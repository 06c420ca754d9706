package catalog

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Narrowing says which containers and image volumes of a Pod a policy looks at. The
// zero value is all of them.
type Narrowing struct {
	// Container is a JMESPath predicate on a container, such as name != 'agent'. A
	// policy does not see containers for which it is false.
	Container string
	// Image is the same for the reference of an image volume, a string.
	Image string
}

// Narrowed renders the control as Render does, but for some containers and image
// volumes only. What the Pod says of itself, and what lies in its metadata, is judged
// as ever. ok is false if no rule of the template lists containers or images through
// the functions of the same names: it cannot be narrowed.
func (c *Control) Narrowed(target string, params map[string]any, only Narrowing) (policy Policy, ok bool, err error) {
	lists := podLists{only: only}
	policy, err = c.render(target, params, &lists)
	return policy, lists.used, err
}

// podLists holds the functions with which templates list parts of a Pod, and others
// that write JMESPath.
type podLists struct {
	only Narrowing
	used bool
}

func (l *podLists) functions() map[string]any {
	return map[string]any{
		"containers": l.containers, "images": l.images, "each": each, "cross": cross,
	}
}

// podList is one of the lists of containers, perhaps with a filter, or the Pod itself.
var podList = regexp.MustCompile(`^(?:(containers|initContainers|ephemeralContainers)(?:\[\?(.+)\])?|@|\[@\])$`)

// containers returns a JMESPath multi-select of lists of containers, to be used on the
// spec of a Pod. Each list is one of containers, initContainers and
// ephemeralContainers, with a filter if need be, or @ or [@], the spec itself. Without
// arguments it returns these three.
func (l *podLists) containers(lists ...string) (string, error) {
	l.used = true
	out := slices.Clone(lists)
	if len(lists) == 0 {
		out = []string{"containers", "initContainers", "ephemeralContainers"}
	}
	for i, list := range out {
		found := podList.FindStringSubmatch(list)
		if found == nil {
			return "", fmt.Errorf("containers: %q is neither containers, initContainers, ephemeralContainers (with [?FILTER] or without), @ nor [@]", list)
		}
		if name, filter := found[1], found[2]; name != "" && l.only.Container != "" {
			out[i] = name + "[?" + both(filter, l.only.Container) + "]"
		}
	}
	return "[" + strings.Join(out, ", ") + "]", nil
}

// images returns a JMESPath expression for the images of a Pod, those of image volumes
// included, each with the name of the container or volume: a list of {name, image}. It
// is to be used on the spec of a Pod.
func (l *podLists) images() (string, error) {
	lists, err := l.containers()
	volumes := "volumes[?image.reference != `null`].{name: name, image: image.reference}"
	if l.only.Image != "" {
		volumes = "(" + volumes + " | [?(image | " + l.only.Image + ")])"
	}
	return "[" + lists + "[] | [?@ != `null`].{name: not_null(name, 'unnamed'), image: not_null(image, '')}, " + volumes + "][]", err
}

// both joins two predicates; the first may be empty.
func both(filter, predicate string) string {
	if filter == "" {
		return predicate
	}
	return "(" + filter + ") && (" + predicate + ")"
}

// render is Render with the functions that list parts of a Pod.
func (c *Control) render(target string, params map[string]any, lists *podLists) (Policy, error) {
	if text := c.templates[target]; text != nil {
		for _, d := range dialects() {
			if d.target == target {
				return d.render(c, path.Join(c.Dir, d.file), text, params, lists.functions())
			}
		}
	}
	return Policy{}, fmt.Errorf("%s: the control has no template for %s, only for %s", c.Dir, target, strings.Join(c.Targets(), ", "))
}
