package flux

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// Formats lists the formats of Render.
func Formats() []string { return []string{"text", "mermaid", "dot", "json"} }

// Render draws the graph, cluster by cluster, in one of the Formats. The same
// graph gives the same bytes.
func Render(g *Graph, format string) ([]byte, error) {
	clusters := draw(g)
	switch format {
	case "text":
		return renderText(clusters)
	case "mermaid":
		return renderMermaid(clusters), nil
	case "dot":
		return renderDot(clusters), nil
	case "json":
		out, err := json.MarshalIndent(map[string]any{"clusters": clusters}, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("encoding the graph: %w", err)
		}
		return append(plain.JSON(out), '\n'), nil
	}
	return nil, fmt.Errorf("unknown format %q (%s)", format, diag.OneOf(format, Formats()))
}

// drawing is one cluster of a graph as it is drawn.
type drawing struct {
	Cluster     string       `json:"cluster"`
	Environment string       `json:"environment"`
	Nodes       []drawnBlock `json:"kustomizations"`
}

// drawnBlock is one Kustomization.
type drawnBlock struct {
	Name      string   `json:"name"`
	Namespace string   `json:"namespace"`
	Path      string   `json:"path"`
	Workload  bool     `json:"workload"`
	Existing  bool     `json:"existing"` // in the repository of the user; its path is not known
	Prune     bool     `json:"prune"`
	Waits     bool     `json:"waits"` // for the health of what it applies
	DependsOn []string `json:"dependsOn"`
}

// draw groups the nodes by cluster, in the order of the graph.
func draw(g *Graph) []drawing {
	clusters := []drawing{}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		at := slices.IndexFunc(clusters, func(d drawing) bool { return d.Cluster == n.Cluster })
		if at < 0 {
			at = len(clusters)
			clusters = append(clusters, drawing{Cluster: n.Cluster, Environment: n.Environment})
		}
		spec := n.Kustomization.Spec
		block := drawnBlock{
			Name: n.Name(), Namespace: n.Kustomization.Namespace, Path: spec.Path, Workload: !n.Folder.Applied(), Existing: n.Existing,
			Prune: spec.Prune, Waits: spec.Wait || len(spec.HealthChecks) > 0, DependsOn: n.WaitsFor(),
		}
		slices.Sort(block.DependsOn)
		clusters[at].Nodes = append(clusters[at].Nodes, block)
	}
	slices.SortStableFunc(clusters, func(a, b drawing) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return clusters
}

func renderText(clusters []drawing) ([]byte, error) {
	var b bytes.Buffer
	for i, c := range clusters {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "cluster %s (environment %s)\n", c.Cluster, c.Environment)
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, n := range c.Nodes {
			path, ready := n.Path, "ready when applied"
			switch {
			case n.Waits:
				ready = "ready when healthy"
			case n.Existing:
				path, ready = "(create: false)", ""
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", n.Name, path, ready, after(n.DependsOn))
		}
		if err := w.Flush(); err != nil {
			return nil, fmt.Errorf("drawing the graph: %w", err)
		}
	}
	return []byte(plain.Lines(b.String())), nil
}

func after(names []string) string {
	if len(names) == 0 {
		return "first"
	}
	return "after " + strings.Join(names, ", ")
}

// renderMermaid numbers the nodes, because a name with a dot or the name "end" would
// be syntax to mermaid.
func renderMermaid(clusters []drawing) []byte {
	var b bytes.Buffer
	b.WriteString("flowchart LR\n")
	for i, c := range clusters {
		ids := c.ids(i)
		fmt.Fprintf(&b, "  subgraph c%d[\"%s (%s)\"]\n", i, c.Cluster, c.Environment)
		for _, n := range c.Nodes {
			left, right := "[", "]"
			if n.Workload {
				left, right = "([", "])"
			}
			fmt.Fprintf(&b, "    %s%s\"%s\"%s\n", ids[n.Name], left, n.Name, right)
		}
		for _, n := range c.Nodes {
			for _, d := range n.DependsOn {
				if id, ok := ids[d]; ok {
					fmt.Fprintf(&b, "    %s --> %s\n", id, ids[n.Name])
				}
			}
		}
		b.WriteString("  end\n")
	}
	return b.Bytes()
}

func renderDot(clusters []drawing) []byte {
	var b bytes.Buffer
	b.WriteString("digraph gatehouse {\n  rankdir=LR;\n  node [shape=box];\n")
	for i, c := range clusters {
		ids := c.ids(i)
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%q;\n", i, c.Cluster+" ("+c.Environment+")")
		for _, n := range c.Nodes {
			style := ""
			if n.Workload {
				style = ", style=rounded"
			}
			fmt.Fprintf(&b, "    %s [label=%q%s];\n", ids[n.Name], n.Name, style)
		}
		for _, n := range c.Nodes {
			for _, d := range n.DependsOn {
				if id, ok := ids[d]; ok {
					fmt.Fprintf(&b, "    %s -> %s;\n", id, ids[n.Name])
				}
			}
		}
		b.WriteString("  }\n")
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// ids numbers the nodes of the i-th cluster.
func (c drawing) ids(i int) map[string]string {
	ids := map[string]string{}
	for j, n := range c.Nodes {
		ids[n.Name] = fmt.Sprintf("c%dn%d", i, j)
	}
	return ids
}
