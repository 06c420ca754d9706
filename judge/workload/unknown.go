package workload

import (
	"encoding/json"
	"fmt"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/fluxtree"
)

// maxFields is the number of unknown fields for which a value is sought one by one.
const maxFields = 50

// resolved returns the workload of an object with fields that are not known. renderings have
// other values for these fields than object. A value that the API server would refuse in its
// field stands for nothing.
func resolved(object json.RawMessage, renderings []json.RawMessage, unknown []fluxtree.Unknown, at diag.Position, list header) (Workload, error) {
	w, err := newWorkload(object, at, list)
	if len(unknown) == 0 {
		return w, err
	}
	all := append([]json.RawMessage{object}, renderings...)
	good := acceptable(all, at, list)
	if len(good) < min(2, len(all)) && len(unknown) <= maxFields {
		good = append(good, mixed(all, unknown, at, list)...)
	}
	if len(good) == 0 {
		return w, fmt.Errorf("not known what it is: %s: %s", unknown[0].Path, unknown[0].Why)
	}
	w, err = newWorkload(good[0], at, list)
	w.Unknown, w.Others = unknown, good[1:]
	return w, err
}

// acceptable returns the objects that have a form that Kubernetes knows.
func acceptable(objects []json.RawMessage, at diag.Position, list header) []json.RawMessage {
	var good []json.RawMessage
	for _, one := range objects {
		if _, err := newWorkload(one, at, list); err == nil {
			good = append(good, one)
		}
	}
	return good
}

// mixed returns an object in which each unknown field has a value of its own that fits there.
func mixed(all []json.RawMessage, unknown []fluxtree.Unknown, at diag.Position, list header) []json.RawMessage {
	trees := make([]map[string]any, len(all))
	for i, one := range all {
		if json.Unmarshal(one, &trees[i]) != nil {
			return nil
		}
	}
	base := trees[0]
	for _, u := range unknown {
		if len(u.Steps) == 0 {
			return nil
		}
		fluxtree.Set(base, u.Steps, nil)
	}
	for _, u := range unknown {
		for _, tree := range trees[1:] {
			fluxtree.Set(base, u.Steps, fluxtree.Get(tree, u.Steps))
			if one, err := json.Marshal(base); err == nil && len(acceptable([]json.RawMessage{one}, at, list)) > 0 {
				break
			}
			fluxtree.Set(base, u.Steps, nil)
		}
	}
	one, err := json.Marshal(base)
	if err != nil {
		return nil
	}
	return acceptable([]json.RawMessage{one}, at, list)
}
