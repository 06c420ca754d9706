package verdict

import (
	"slices"
	"strings"
	"testing"
)

// TestScopes: policies are asked in their scope and outside of it, so that a scope which does
// not hold is found, on whichever side.
func TestScopes(t *testing.T) {
	source := files()
	source["profile.yaml"] = strings.NewReplacer("no-a: {}", "no-a: {namespaces: {exclude: [tools]}}", "no-b: {}", "no-b: {namespaces: {include: [shop]}}").Replace(source["profile.yaml"])
	bundle := compile(t, source)
	for name, tt := range map[string]struct {
		fake fake
		want []string // policies of dev of which some check of a bad document fails
	}{
		"as planned": {fake{}, nil},
		"everywhere": {fake{everyScope: true}, []string{"no-a CREATE Pod tools/bad-2", "no-b CREATE Pod gatehouse-test-apps/bad-2"}},
		"nowhere":    {fake{noScope: true}, []string{"no-a CREATE Pod gatehouse-test-platform/bad-2", "no-b CREATE Pod shop/bad-2"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.fake.plan = bundle.Plan
			report, err := Run(t.Context(), &tt.fake, bundle, nil, Options{Environments: []string{"dev"}})
			if err != nil {
				t.Fatal(err)
			}
			var failed []string
			for _, r := range report.of(Failed) {
				failed = append(failed, r.Policy+" "+r.Resource)
			}
			if len(tt.want) == 0 && len(failed) > 0 {
				t.Errorf("these fail: %q", failed)
			}
			for _, want := range tt.want {
				if !slices.Contains(failed, want) {
					t.Errorf("%s does not fail, of %q", want, failed)
				}
			}
		})
	}
}
