package proof_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
)

// storageOwner is the folder of a control about objects with and without a namespace.
func storageOwner() map[string]any {
	document := func(i int, metadata string) string {
		kind := []string{"apiVersion: storage.k8s.io/v1, kind: StorageClass", "apiVersion: v1, kind: PersistentVolumeClaim"}[i%2]
		return fmt.Sprintf("{%s, metadata: {name: x-%d%s}}", kind, i, metadata)
	}
	var good, bad []string
	for i := range 5 {
		good = append(good, document(i, ", labels: {owner: a}"))
		bad = append(bad, document(i, ""))
	}
	return map[string]any{
		"controls/storage-owner/control.yaml": object{
			"apiVersion": "gatehouse.dev/v1alpha1", "kind": "Control", "metadata": object{"name": "storage-owner"},
			"spec": object{
				"title": "Require an owner", "description": "Refuses storage without an owner.", "category": "Hardening", "severity": "low",
				"scope": "Namespaced", "references": []any{"https://example.com/"},
			},
		},
		"controls/storage-owner/clusterpolicy.yaml": `{apiVersion: kyverno.io/v1, kind: ClusterPolicy, spec: {rules: [{name: owner,
  match: {any: [{resources: {kinds: [storage.k8s.io/v1/StorageClass, v1/PersistentVolumeClaim]}}]},
  validate: {message: Set the label owner., pattern: {metadata: {labels: {owner: "?*"}}}}}]}}`,
		"controls/storage-owner/tests/good.yaml": strings.Join(good, "\n---\n"),
		"controls/storage-owner/tests/bad.yaml":  strings.Join(bad, "\n---\n"),
	}
}

// TestExceptionScope waives a control for objects without a namespace, and for such objects together with others.
func TestExceptionScope(t *testing.T) {
	files := storageOwner()
	files["class.yaml"] = waiver("class", object{
		"controls": []any{"storage-owner"}, "match": object{"kinds": []any{"StorageClass"}, "names": []any{"legacy"}},
	})
	files["both.yaml"] = waiver("both", object{
		"controls": []any{"storage-owner"},
		"match":    object{"namespaces": []any{"tools"}, "kinds": []any{"StorageClass", "PersistentVolumeClaim"}, "names": []any{"old"}},
	})
	bundle := compile(t, object{"catalogs": []any{"controls"}, "controls": object{"storage-owner": object{}}}, files)
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	for _, tt := range []struct {
		kind, name, namespace string
		exempt                bool
	}{
		{"StorageClass", "legacy", "", true},
		{"StorageClass", "legacy-2", "", false},
		{"StorageClass", "other", "", false},
		{"PersistentVolumeClaim", "legacy", "tools", false},
		{"PersistentVolumeClaim", "legacy", "other", false},

		{"StorageClass", "old", "", true},
		{"PersistentVolumeClaim", "old", "tools", true},
		{"PersistentVolumeClaim", "old", "other", false},
		{"PersistentVolumeClaim", "older", "tools", false},
	} {
		t.Run(strings.Join([]string{tt.kind, tt.namespace, tt.name}, "/"), func(t *testing.T) {
			kind := catalog.GroupVersionKind{Version: "v1", Kind: tt.kind}
			apiVersion, metadata := "v1", object{"name": tt.name}
			if tt.namespace != "" {
				metadata["namespace"] = tt.namespace
			} else {
				kind.Group, apiVersion = "storage.k8s.io", "storage.k8s.io/v1"
			}
			request := requestOf(t, catalog.Case{
				Name: tt.name, Operation: "CREATE", Namespace: tt.namespace, Kind: kind,
				Object: object{"apiVersion": apiVersion, "kind": tt.kind, "metadata": metadata},
			})
			request.Now = dayBefore
			if got := k.ask(t, request); got.Blocked == tt.exempt {
				t.Errorf("blocked is %v: %s", got.Blocked, verdict(got))
			}
			request.Now = dayOfEnd
			if got := k.ask(t, request); !got.Blocked {
				t.Error("it is still exempt at the end")
			}
		})
	}
}
