package v1alpha1

import (
	"reflect"
	"testing"
)

// What an environment overrides is a field of the profile.
func TestOverridesAreOfTheProfile(t *testing.T) {
	profile := map[string]reflect.Type{}
	for f := range reflect.TypeFor[ProfileSpec]().Fields() {
		profile[f.Tag.Get("json")] = f.Type
	}
	for f := range reflect.TypeFor[Overrides]().Fields() {
		if tag := f.Tag.Get("json"); profile[tag] != f.Type {
			t.Errorf("%s is a %v, in the profile a %v", tag, f.Type, profile[tag])
		}
	}
}
