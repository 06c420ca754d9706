package kube

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestResources(t *testing.T) {
	group := func(resources string) answer { return answer{200, `{"resources": [` + resources + `]}`} }
	_, client := newFake(t, map[string]answer{
		"GET /apis": {200, `{"groups": [
			{"name": "apps", "versions": [{"groupVersion": "apps/v2beta1"}, {"groupVersion": "apps/v1"}], "preferredVersion": {"groupVersion": "apps/v1"}},
			{"name": "metrics", "versions": [{"groupVersion": "metrics/v1"}], "preferredVersion": {"groupVersion": "metrics/v1"}}]}`},
		"GET /apis/apps/v1":      group(`{"name": "deployments", "kind": "Deployment", "namespaced": true}`),
		"GET /apis/apps/v2beta1": group(`{"name": "deployments", "kind": "Deployment", "namespaced": true}, {"name": "novelties", "kind": "Novelty"}`),
		"GET /apis/metrics/v1":   status(503, "ServiceUnavailable", ""),
	})
	all, unavailable, err := client.Resources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Resource{
		{"", "v1", "pods", "Pod", true, []string{"list"}},
		{"", "v1", "namespaces", "Namespace", false, nil},
		{"apps", "v1", "deployments", "Deployment", true, nil},
		{"apps", "v2beta1", "novelties", "Novelty", false, nil},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	if len(unavailable) != 1 || !strings.HasPrefix(unavailable[0].Error(), "metrics/v1: ") {
		t.Errorf("unavailable are %v", unavailable)
	}
	if all[3].APIVersion() != "apps/v2beta1" || all[0].APIVersion() != "v1" {
		t.Errorf("got %s and %s", all[3].APIVersion(), all[0].APIVersion())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := client.Resources(ctx); err == nil {
		t.Error("an interrupt is not an error")
	}
}
