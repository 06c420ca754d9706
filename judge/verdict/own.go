package verdict

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// own checks that the account that applies the repository can create each of its objects
// under the policies of the environment. Without policies there is nothing to ask.
func (r *run) own(k *cluster, b *generator.Bundle) error {
	if len(k.env.Judges()) == 0 {
		return nil
	}
	user := engine.UserInfo{Username: k.env.Flux.Applier(), Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + k.env.Flux.Namespace, "system:authenticated"}}
	var checks []check
	for _, f := range b.Files {
		if f.Folder.Environment != k.env.Name && !slices.Contains(k.env.Clusters, f.Folder.Cluster) || !f.Folder.Applied() {
			continue
		}
		for _, o := range f.Objects {
			if strings.HasPrefix(o.APIVersion(), "kustomize.config.k8s.io/") {
				continue // a file for kustomize
			}
			raw, err := json.Marshal(o)
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
