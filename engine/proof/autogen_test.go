package proof_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/google/go-cmp/cmp"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"github.com/kyverno/kyverno/pkg/autogen"
	kubeutils "github.com/kyverno/kyverno/pkg/utils/kube"
)

// TestDerivedRules holds catalog.Rules, by which exceptions name rules, against
// what Kyverno derives.
func TestDerivedRules(t *testing.T) {
	controls := builtin(t)
	bundle := compile(t, switchedOn(controls), nil)
	for _, env := range environments() {
		for _, c := range controls {
			t.Run(env+"/"+c.ID, func(t *testing.T) { sameRules(t, policyNamed(t, applied(bundle, env), c.ID)) })
		}
	}
	const check = `"validate":{"message":"m","pattern":{"spec":{"a":"b"}}}`
	for name, match := range map[string]string{
		"any":                `"match":{"any":[{"resources":{"kinds":["Pod"]}}]}`,
		"all":                `"match":{"all":[{"resources":{"kinds":["Pod"]}}]}`,
		"version":            `"match":{"any":[{"resources":{"kinds":["v1/Pod"]}}]}`,
		"subresource":        `"match":{"any":[{"resources":{"kinds":["Pod/exec"]}}]}`,
		"with another kind":  `"match":{"any":[{"resources":{"kinds":["Pod","Service"]}}]}`,
		"two filters":        `"match":{"any":[{"resources":{"kinds":["Pod"]}},{"resources":{"kinds":["Service"]}}]}`,
		"names":              `"match":{"any":[{"resources":{"kinds":["Pod"],"names":["x"]}}]}`,
		"controllers":        `"match":{"any":[{"resources":{"kinds":["Deployment","StatefulSet"]}}]}`,
		"controller and Pod": `"match":{"any":[{"resources":{"kinds":["Deployment"]}},{"resources":{"kinds":["v1/Pod"]}}]}`,
		"exclude namespaces": `"match":{"any":[{"resources":{"kinds":["Pod"]}}]},"exclude":{"any":[{"resources":{"namespaces":["a"]}},{"subjects":[{"kind":"User","name":"x"}]}]}`,
		"exclude selector":   `"match":{"any":[{"resources":{"kinds":["Pod"]}}]},"exclude":{"any":[{"resources":{"selector":{"matchLabels":{"a":"b"}}}}]}`,
		"exclude kind":       `"match":{"any":[{"resources":{"kinds":["Pod"]}}]},"exclude":{"any":[{"resources":{"kinds":["Deployment"]}}]}`,
		"exclude names":      `"match":{"any":[{"resources":{"kinds":["Pod"]}}]},"exclude":{"any":[{"resources":{"names":["x"]}}]}`,
	} {
		for _, annotation := range []string{"", "none", "CronJob", "Deployment", "DaemonSet,CronJob"} {
			t.Run(name+"/"+annotation, func(t *testing.T) {
				policy := object{}
				if err := json.Unmarshal([]byte(`{"apiVersion":"kyverno.io/v1","kind":"ClusterPolicy","spec":{"rules":[{"name":"r",`+match+`,`+check+`}]}}`), &policy); err != nil {
					t.Fatal(err)
				}
				if annotation != "" {
					policy["metadata"] = object{"annotations": object{"pod-policies.kyverno.io/autogen-controllers": annotation}}
				}
				sameRules(t, policy)
			})
		}
	}
}

func sameRules(t *testing.T, policy object) {
	t.Helper()
	var typed kyvernov1.ClusterPolicy
	if err := json.Unmarshal(encode(t, policy), &typed); err != nil {
		t.Fatal(err)
	}
	var want []catalog.Rule
	for _, rule := range autogen.Default.ComputeRules(&typed, "") {
		var kinds []string
		for _, filter := range slices.Concat(rule.MatchResources.Any, rule.MatchResources.All) {
			for _, kind := range filter.Kinds {
				_, _, name, subresource := kubeutils.ParseKindSelector(kind)
				if subresource != "" {
					name += "/" + subresource
				}
				kinds = append(kinds, name)
			}
		}
		slices.Sort(kinds)
		want = append(want, catalog.Rule{Name: rule.Name, Kinds: slices.Compact(kinds)})
	}
	if diff := cmp.Diff(want, catalog.Rules(policy)); diff != "" {
		t.Errorf("rules (-Kyverno +gatehouse):\n%s", diff)
	}
}
