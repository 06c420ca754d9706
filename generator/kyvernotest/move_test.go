package kyvernotest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMove(t *testing.T) {
	o := map[string]any{"metadata": map[string]any{"namespace": "apps", "name": "apps"}, "refs": []any{map[string]any{"namespace": "apps"}, map[string]any{"namespace": "other"}}}
	move(o, "apps", "there")
	want := map[string]any{"metadata": map[string]any{"namespace": "there", "name": "apps"}, "refs": []any{map[string]any{"namespace": "there"}, map[string]any{"namespace": "other"}}}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
