package controlplane

import (
	"slices"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

func TestInOrder(t *testing.T) {
	var got []string
	for _, o := range inOrder([]manifest.Object{{"kind": "Deployment"}, {"kind": "ConfigMap"}, {"kind": "CustomResourceDefinition"}, {"kind": "Namespace"}}) {
		got = append(got, o.Kind())
	}
	if want := []string{"Namespace", "ConfigMap", "Deployment"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFindDeployment(t *testing.T) {
	deployment := object("apps/v1", "Deployment", "kyverno", "kyverno-reports-controller")
	deployment.Metadata()["labels"] = map[string]any{componentLabel: "reports-controller"}
	deployment["spec"] = map[string]any{"template": map[string]any{"spec": map[string]any{
		"serviceAccountName": "reports", "containers": []any{map[string]any{"args": []any{"--a=b"}}},
	}}}
	d, err := findDeployment([]manifest.Object{deployment}, "reports-controller")
	if err != nil {
		t.Fatal(err)
	}
	if pod := d.Spec.Template.Spec; pod.ServiceAccountName != "reports" || !slices.Equal(pod.Containers[0].Args, []string{"--a=b"}) {
		t.Errorf("got %+v", pod)
	}
	if _, err := findDeployment([]manifest.Object{deployment}, "cleanup-controller"); err == nil {
		t.Error("a Deployment that is not there is found")
	}
}
