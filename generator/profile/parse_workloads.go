package profile

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/schema"
)

func (p *parser) workloads(workloads []v1alpha1.Workload) {
	names := make([]string, len(workloads))
	for i, w := range workloads {
		field := fmt.Sprintf("spec.flux.workloads[%d]", i)
		names[i] = w.Name
		p.name(field+".name", w.Name, 63)
		workload := plan.Workload{Name: w.Name, Existing: !*w.Create, Spec: w.Spec, At: p.Positions.At(field), Waits: p.waits(field+".spec", w.Spec)}
		switch {
		case workload.Existing && w.Path != nil:
			p.Report(field+".path", "workload-path", "remove path, or create: false", "gatehouse does not write %s, so its path is not used", w.Name)
		case workload.Existing:
		case w.Path == nil:
			p.Report(field, "required", "create: false if your repository has it already", "path is required")
		default:
			workload.Path = p.workloadPath(field+".path", *w.Path)
		}
		p.workloadSpec(field+".spec", workload)
		p.out.Flux.Workloads = append(p.out.Flux.Workloads, workload)
	}
	p.distinct("spec.flux.workloads", names)
}

// workloadPath parses a path with variables, which stay in it.
func (p *parser) workloadPath(field, given string) string {
	plain := strings.NewReplacer("${env}", "env", "${cluster}", "cluster").Replace(given)
	if strings.Contains(plain, "${") || strings.Contains(plain, "$(") {
		p.Report(field, "text-variable", "only ${env} and ${cluster} are replaced", "unknown variable in %q", given)
	} else {
		p.path(field, plain)
	}
	return path.Clean(given)
}

// Kustomizations of Flux.
const apiKustomization, kustomization = "kustomize.toolkit.fluxcd.io/v1", "Kustomization"

// codeWorkloadSpec is the code of what is wrong with spec of a workload.
const codeWorkloadSpec = "workload-spec"

// workloadSpec checks the fields of a KustomizationSpec that a workload has of its own.
// The proof of the graph checks the names that it waits for.
func (p *parser) workloadSpec(field string, w plan.Workload) {
	if w.Spec == nil {
		return
	}
	if w.Existing {
		p.Report(field, codeWorkloadSpec, "remove spec, or create: false", "gatehouse does not write %s, so its spec is not used", w.Name)
		return
	}
	for name, hint := range map[string]string{
		"path":      "write path beside spec",
		"sourceRef": "all Kustomizations of a cluster take spec.flux.source: with another source, a workload does not wait for the policies of the same commit",
	} {
		if _, given := w.Spec[name]; given {
			p.Report(field+"."+name, codeWorkloadSpec, hint, "gatehouse sets %s itself", name)
		}
	}
	p.workloadSchema(field, w.Spec)
	for i, entry := range dependencies(w.Spec) {
		if namespace, given := entry["namespace"]; given && namespace != p.out.Flux.Namespace {
			p.Report(fmt.Sprintf("%s.dependsOn[%d].namespace", field, i), codeWorkloadSpec, "remove namespace, and name a workload of this profile; create: false if your repository has it already",
				"the graph knows only what is in the namespace %s", p.out.Flux.Namespace)
		}
	}
}

// dependencies returns the entries of dependsOn; an entry that is none is nil.
func dependencies(spec map[string]any) []map[string]any {
	given, _ := spec["dependsOn"].([]any)
	entries := make([]map[string]any, len(given))
	for i, d := range given {
		entries[i], _ = d.(map[string]any)
	}
	return entries
}

// waits returns where the names of dependsOn are written.
func (p *parser) waits(field string, spec map[string]any) map[string]diag.Position {
	out := map[string]diag.Position{}
	for i, entry := range dependencies(spec) {
		if name, ok := entry["name"].(string); ok {
			out[name] = p.Positions.At(fmt.Sprintf("%s.dependsOn[%d].name", field, i))
		}
	}
	return out
}

// workloadSchema checks the fields against the schema of Flux.
func (p *parser) workloadSchema(field string, given map[string]any) {
	spec := map[string]any{"interval": "10m", "prune": true}
	maps.Copy(spec, given)
	spec["sourceRef"] = map[string]any{"kind": "GitRepository", "name": "source"} // a value of its own is reported already
	for _, err := range schema.Check(manifest.Object{
		"apiVersion": apiKustomization, "kind": kustomization,
		"metadata": map[string]any{"name": "workload", "namespace": "flux-system"}, "spec": spec,
	}) {
		at, hint, message := field, "", err.Error()
		if wrong, ok := errors.AsType[*schema.Error](err); ok {
			at, message = field+strings.TrimPrefix(wrong.Path, "spec"), wrong.Message
			if wrong.Unknown() {
				hint = diag.DidYouMean(wrong.Path[strings.LastIndex(wrong.Path, ".")+1:], schema.Fields(apiKustomization, kustomization, wrong.Path))
			}
		}
		p.Report(at, codeWorkloadSpec, hint, "Flux would refuse it: %s", message)
	}
}
