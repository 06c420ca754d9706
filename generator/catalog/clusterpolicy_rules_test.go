package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRules(t *testing.T) {
	controllers := []string{"DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"}
	long := strings.Repeat("a", 60)
	tests := map[string]struct {
		rules      string
		annotation string
		want       []Rule
	}{
		"Pod": {
			`- {name: r, match: {any: [{resources: {kinds: [Pod]}}]}}`, "",
			[]Rule{{"r", []string{"Pod"}}, {"autogen-r", controllers}, {"autogen-cronjob-r", []string{"CronJob"}}},
		},
		"match all": {
			`- {name: r, match: {all: [{resources: {kinds: [Pod]}}]}}`, "",
			[]Rule{{"r", []string{"Pod"}}, {"autogen-r", controllers}, {"autogen-cronjob-r", []string{"CronJob"}}},
		},
		"exclude by namespace is safe": {
			`- {name: r, match: {any: [{resources: {kinds: [Pod]}}]}, exclude: {any: [{resources: {namespaces: [kube-system]}}, {subjects: [{kind: User, name: x}]}]}}`, "",
			[]Rule{{"r", []string{"Pod"}}, {"autogen-r", controllers}, {"autogen-cronjob-r", []string{"CronJob"}}},
		},
		"another kind": {
			`- {name: r, match: {any: [{resources: {kinds: [networking.k8s.io/v1/Ingress, v1/Service]}}]}}`, "",
			[]Rule{{"r", []string{"Ingress", "Service"}}},
		},
		"Pod with its version": {
			`- {name: r, match: {any: [{resources: {kinds: [v1/Pod]}}]}}`, "",
			[]Rule{{"r", []string{"Pod"}}},
		},
		"a subresource alone": {
			`- {name: r, match: {any: [{resources: {kinds: [Pod/exec]}}]}}`, "",
			[]Rule{{"r", []string{"Pod/exec"}}},
		},
		"Pod with another kind": {
			`- {name: r, match: {any: [{resources: {kinds: [Pod, Service]}}]}}`, "",
			[]Rule{{"r", []string{"Pod", "Service"}}},
		},
		"a selector in one rule": {
			`[{name: r, match: {any: [{resources: {kinds: [Pod]}}]}}, {name: s, match: {any: [{resources: {kinds: [Service], selector: {matchLabels: {a: b}}}}]}}]`, "",
			[]Rule{{"r", []string{"Pod"}}, {"s", []string{"Service"}}},
		},
		"names in an exclude": {
			`- {name: r, match: {any: [{resources: {kinds: [Pod]}}]}, exclude: {any: [{resources: {names: [a]}}]}}`, "",
			[]Rule{{"r", []string{"Pod"}}},
		},
		"an exclude of another kind": {
			`- {name: r, match: {any: [{resources: {kinds: [Pod]}}]}, exclude: {any: [{resources: {kinds: [Deployment]}}]}}`, "",
			[]Rule{{"r", []string{"Pod"}}},
		},
		"a rule that is not about Pods": {
			`[{name: r, match: {any: [{resources: {kinds: [Service]}}]}}, {name: s, match: {any: [{resources: {kinds: [Pod]}}]}}]`, "",
			[]Rule{{"r", []string{"Service"}}, {"s", []string{"Pod"}}, {"autogen-s", controllers}, {"autogen-cronjob-s", []string{"CronJob"}}},
		},
		"another filter stays": {
			`- {name: r, match: {any: [{resources: {kinds: [Pod]}}, {resources: {kinds: [Service]}}]}}`, "DaemonSet,CronJob",
			[]Rule{{"r", []string{"Pod", "Service"}}, {"autogen-r", []string{"DaemonSet", "Service"}}, {"autogen-cronjob-r", []string{"CronJob"}}},
		},
		"annotation none": {
			`- {name: r, match: {any: [{resources: {kinds: [Pod]}}]}}`, "none",
			[]Rule{{"r", []string{"Pod"}}},
		},
		"annotation without CronJob": {
			`- {name: r, match: {any: [{resources: {kinds: [Pod]}}]}}`, "Deployment",
			[]Rule{{"r", []string{"Pod"}}, {"autogen-r", []string{"Deployment"}}},
		},
		"annotation with CronJob only": {
			`- {name: r, match: {any: [{resources: {kinds: [Pod]}}]}}`, "CronJob",
			[]Rule{{"r", []string{"Pod"}}, {"autogen-cronjob-r", []string{"CronJob"}}},
		},
		"names are cut": {
			`- {name: ` + long + `, match: {any: [{resources: {kinds: [Pod]}}]}}`, "",
			[]Rule{{long, []string{"Pod"}}, {"autogen-" + long[:55], controllers}, {"autogen-cronjob-" + long[:47], []string{"CronJob"}}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			docs, err := documents("f.yaml", []byte("spec:\n  rules:\n    "+tt.rules))
			if err != nil {
				t.Fatal(err)
			}
			if tt.annotation != "" {
				docs[0]["metadata"] = map[string]any{"annotations": map[string]any{autogenAnnotation: tt.annotation}}
			}
			if diff := cmp.Diff(tt.want, Rules(docs[0])); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
