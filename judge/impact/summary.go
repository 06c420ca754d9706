package impact

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ControlCounts says how many objects one control has which findings about.
type ControlCounts struct {
	// Control is its id; empty for objects without a verdict.
	Control string `json:"control"`
	Counts  `json:"counts"`
	// Namespaces that it hits most, at most three, those with the most objects first. What is
	// exempt is not counted.
	Namespaces []NamespaceCount `json:"namespaces"`
}

// NamespaceCount is a number of objects in a namespace.
type NamespaceCount struct {
	// Namespace is its name; empty for objects without one.
	Namespace string `json:"namespace"`
	Objects   int    `json:"objects"`
}

// mostNamespaces is the number of namespaces that are named for a control.
const mostNamespaces = 3

// countControls counts the findings of an environment by control.
func countControls(findings []Finding) []ControlCounts {
	counts := map[string]*ControlCounts{}
	namespaces := map[string]map[string]int{}
	for _, f := range findings {
		if counts[f.Control] == nil {
			counts[f.Control], namespaces[f.Control] = &ControlCounts{Control: f.Control}, map[string]int{}
		}
		counts[f.Control].count([]Finding{f})
		if f.Status != Exempt && f.Status != Unneeded {
			namespaces[f.Control][f.Namespace]++
		}
	}
	all := make([]ControlCounts, 0, len(counts))
	for control, c := range counts {
		c.Namespaces = []NamespaceCount{}
		for name, objects := range namespaces[control] {
			c.Namespaces = append(c.Namespaces, NamespaceCount{name, objects})
		}
		slices.SortFunc(c.Namespaces, func(a, b NamespaceCount) int {
			return cmp.Or(cmp.Compare(b.Objects, a.Objects), cmp.Compare(a.Namespace, b.Namespace))
		})
		c.Namespaces = c.Namespaces[:min(len(c.Namespaces), mostNamespaces)]
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b ControlCounts) int {
		order := 0
		for _, status := range statuses() {
			order = cmp.Or(order, cmp.Compare(*b.of(status), *a.of(status)))
		}
		return cmp.Or(order, cmp.Compare(a.Control, b.Control))
	})
	return all
}

// hit says which namespaces a control hits most.
func (c ControlCounts) hit() string {
	var texts []string
	for _, n := range c.Namespaces {
		texts = append(texts, fmt.Sprintf("%s %d", cmp.Or(n.Namespace, "(cluster)"), n.Objects))
	}
	return strings.Join(texts, ", ")
}

// group is the findings about one workload, and all places that have the same ones.
type group struct {
	workload string
	// places are files, and what applies the workload from them.
	places   []string
	findings []Finding
}

// groups puts together the findings of an owner in an environment, but for warnings. The same
// workload in several places with the same findings, such as that of several overlays, is one
// group. Those with the worst findings come first.
func groups(findings []Finding) []group {
	type key struct{ kind, namespace, name, where string }
	by := map[key][]Finding{}
	for _, f := range findings {
		if f.Status != Warns {
			k := key{f.Kind, f.Namespace, f.Name, f.where()}
			by[k] = append(by[k], f)
		}
	}
	merged := map[string]*group{}
	for _, k := range slices.SortedFunc(maps.Keys(by), func(a, b key) int { return cmp.Compare(a.where, b.where) }) {
		said := []string{by[k][0].Workload()}
		for _, f := range by[k] {
			said = append(said, string(f.Status), f.Control, f.why())
		}
		same := strings.Join(said, "\n")
		if merged[same] == nil {
			merged[same] = &group{workload: by[k][0].Workload(), findings: by[k]}
		}
		if k.where != "" {
			merged[same].places = append(merged[same].places, k.where)
		}
	}
	return slices.SortedFunc(func(yield func(group) bool) {
		for _, g := range merged {
			if !yield(*g) {
				return
			}
		}
	}, func(a, b group) int {
		return cmp.Or(cmp.Compare(rank(a.findings[0].Status), rank(b.findings[0].Status)), cmp.Compare(a.workload, b.workload), slices.Compare(a.places, b.places))
	})
}
