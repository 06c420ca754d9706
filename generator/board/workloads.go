package board

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// workloads shows the lines that belong into the Kustomizations of workloads that
// gatehouse does not write.
func workloads(b *strings.Builder, waits map[string][]string) {
	if len(waits) == 0 {
		return
	}
	b.WriteString("\nThese Kustomizations are in the repository already. Each must wait for the policies, with these lines in its `spec`:\n\n```yaml\n")
	for _, name := range slices.Sorted(maps.Keys(waits)) {
		fmt.Fprintf(b, "# Kustomization %s\ndependsOn:\n", name)
		for _, before := range waits[name] {
			fmt.Fprintf(b, "  - name: %s\n", before)
		}
	}
	b.WriteString("```\n")
}
