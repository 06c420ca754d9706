package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFields(t *testing.T) {
	o := Object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "a", "namespace": "shop"},
		"spec":   map[string]any{"path": "./x", "replicas": 2.0, "list": []any{map[string]any{"name": "b"}, "c", nil}},
		"status": map[string]any{"conditions": []any{"Ready", map[string]any{"type": "Healthy"}, map[string]any{"type": "Ready", "status": "True"}}},
	}
	got := map[string]any{
		"value": o.Value("spec", "replicas"), "value, no map on the way": o.Value("kind", "x"), "value of nothing": Object(nil).Value("x"),
		"string": o.String("spec", "path"), "string, another type": o.String("spec", "replicas"), "string, absent": o.String("metadata", "labels", "x"),
		"map": o.Map("spec").String("path"), "map, another type": len(o.Map("kind")),
		"list": len(o.List("spec", "list")), "list, another type": len(o.List("spec")),
		"maps": o.Maps("spec", "list"), "strings": o.Strings("spec", "list"),
		"condition": o.Condition("Ready").String("status"), "condition, absent": o.Condition("Reconciling") == nil,
		"group": o.Group(), "core group": Object{"apiVersion": "v1"}.Group(),
		"id": o.ID(), "core id": Object{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": "n"}}.ID(),
	}
	want := map[string]any{
		"value": 2.0, "value, no map on the way": nil, "value of nothing": nil,
		"string": "./x", "string, another type": "", "string, absent": "",
		"map": "./x", "map, another type": 0,
		"list": 3, "list, another type": 0,
		"maps": []Object{{"name": "b"}}, "strings": []string{"c"},
		"condition": "True", "condition, absent": true,
		"group": "apps", "core group": "",
		"id": "apps/Deployment/shop/a", "core id": "/Node//n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
