package staging

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// keptException is the kind of exceptions in the lock.
const keptException = "exception"

// definition is an exception as the lock has it.
type definition struct {
	v1alpha1.ExceptionSpec
	End time.Time `json:"end,omitzero"`
}

// Exceptions notes the exceptions that hold in the environment. It returns those of the
// last build that the source no longer has in this form: the caller knows whether
// another one covers them, and calls Keep for those that it keeps.
func (e *Environment) Exceptions(given []profile.Exception) []profile.Exception {
	for _, x := range given {
		e.Locked.Kept = append(e.Locked.Kept, kept(x))
	}
	var gone []profile.Exception
	// Not by the days of the lock, which come to be with this build.
	byDefinition := slices.SortedFunc(slices.Values(e.prior.Kept), func(a, b manifest.LockedKept) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), bytes.Compare(a.Definition, b.Definition))
	})
	for _, k := range byDefinition {
		if k.Kind != keptException || slices.ContainsFunc(e.Locked.Kept, func(o manifest.LockedKept) bool { return bytes.Equal(o.Definition, k.Definition) }) {
			continue
		}
		if k.Since != "" && e.acceptsSince(k.Since) {
			e.acts = true
			continue
		}
		var d definition
		if json.Unmarshal(k.Definition, &d) == nil { // a build wrote it
			gone = append(gone, profile.Exception{Document: profile.Document{Name: k.Name}, ExceptionSpec: d.ExceptionSpec, End: d.End})
		}
	}
	return gone
}

// Keep goes on exempting what an exception of the last build exempts, until the
// environment accepts that it is gone.
func (e *Environment) Keep(x profile.Exception) {
	k := kept(x)
	k.Since = e.day()
	for _, before := range e.prior.Kept {
		if before.Kind == k.Kind && before.Since != "" && bytes.Equal(before.Definition, k.Definition) {
			k.Since = before.Since
		}
	}
	e.Locked.Kept = append(e.Locked.Kept, k)
	e.Pending = append(e.Pending, plan.Pending{What: "exception " + x.Name, Effect: "is no longer in the source and goes on, and then ends", Since: k.Since})
}

func kept(x profile.Exception) manifest.LockedKept {
	spec := x.ExceptionSpec
	spec.Environments = nil
	raw, err := json.Marshal(definition{spec, x.End})
	if err != nil {
		panic(err) // strings and times always encode
	}
	return manifest.LockedKept{Kind: keptException, Name: x.Name, Definition: raw}
}
