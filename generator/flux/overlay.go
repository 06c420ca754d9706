package flux

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
)

// overlay sets the fields of a workload's own. They replace what is there, as a whole.
// Only dependsOn is added to: an entry for a Kustomization that the workload waits for
// anyway changes nothing, and an empty account is that of the repository. The fields must
// fit the schema of Flux.
func overlay(spec *kustomizev1.KustomizationSpec, given map[string]any) {
	if given == nil {
		return
	}
	raw, err := json.Marshal(given)
	if err != nil {
		panic(fmt.Sprintf("encoding what was decoded: %v", err))
	}
	waits, account := spec.DependsOn, spec.ServiceAccountName
	spec.DependsOn = nil
	if given["decryption"] != nil {
		spec.Decryption = nil // else its fields would be merged
	}
	if err := json.Unmarshal(raw, spec); err != nil {
		panic(fmt.Sprintf("decoding fields that fit the schema: %v", err))
	}
	for _, d := range spec.DependsOn {
		if !slices.ContainsFunc(waits, func(w kustomizev1.DependencyReference) bool { return w.Name == d.Name }) {
			waits = append(waits, d)
		}
	}
	spec.DependsOn, spec.ServiceAccountName = waits, cmp.Or(spec.ServiceAccountName, account)
}
