package verdict

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// own checks that the account that applies the repository can create each of its objects
// under the policies of the environment. Without policies there is nothing to ask.
func (r *run) own(k *cluster, b *generator.Bundle) error {
	if len(k.env.Judges()) == 0 {
		return nil
	}
	user := engine.UserInfo{Username: k.env.Flux.Applier(), Groups: kinds.GroupsOf(k.env.Flux.Namespace)}
	var checks []check
	for _, f := range b.Files {
		if f.Folder.Environment != k.env.Name && !slices.Contains(k.env.Clusters, f.Folder.Cluster) || !f.Folder.Applied() {
			continue
		}
		for _, o := range f.Objects {
			if strings.HasPrefix(o.APIVersion(), "kustomize.config.k8s.io/") {
				continue // a file for kustomize
			}
			raw, err := json.Marshal(asApplied(o, k.env.Flux.Namespace, f.Folder))
			if err != nil {
				return fmt.Errorf("encoding %s: %w", o.ID(), err)
			}
			name := described(string(engine.Create), o.Kind(), "", o.Namespace(), o.Name())
			checks = append(checks, check{
				request: engine.EvaluateParams{Operation: engine.Create, Resource: raw, UserInfo: user},
				want:    want{verdict: unblocked},
				result:  Result{Environment: k.env.Name, Check: CheckOwn, Case: strings.TrimPrefix(name, "CREATE "), Resource: name, Origin: f.Path},
			})
		}
	}
	return r.ask(checks)
}

// asApplied returns a copy of an object as kustomize-controller sends it: with the name
// and the namespace of the Kustomization that applies its folder.
func asApplied(o manifest.Object, namespace string, folder layout.Folder) manifest.Object {
	out := manifest.Object(runtime.DeepCopyJSON(o))
	labels, _ := out.Metadata()["labels"].(map[string]any)
	if labels == nil {
		labels = map[string]any{}
	}
	labels["kustomize.toolkit.fluxcd.io/name"], labels["kustomize.toolkit.fluxcd.io/namespace"] = folder.Kustomization(), namespace
	out.Metadata()["labels"] = labels
	return out
}
