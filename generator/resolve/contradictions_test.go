package resolve

import "testing"

func TestMeetsAny(t *testing.T) {
	tests := map[string]struct {
		glob, registry string
		want           bool
	}{
		"below":                     {"ghcr.io/acme/*", "ghcr.io/acme", true},
		"the repository":            {"ghcr.io/acme/app:*", "ghcr.io/acme/app", true},
		"by digest":                 {"ghcr.io/acme/app@*", "ghcr.io/acme/app", true},
		"a part of what it matches": {"ghcr.io/*", "ghcr.io/acme/app", true},
		"a glob in the middle":      {"ghcr.io/*/app:*", "ghcr.io/acme", true},
		"everything":                {"*", "registry.example:5000", true},
		"another host":              {"docker.io/acme/*", "ghcr.io/acme", false},
		"a longer name":             {"ghcr.io/acmes/*", "ghcr.io/acme", false},
		"above":                     {"ghcr.io/acme:*", "ghcr.io/acme/app", false},
		"a repository beside it":    {"ghcr.io/acme/web:*", "ghcr.io/acme/app", false},
		"another end":               {"*/app:*", "ghcr.io/acme/web", true}, // ghcr.io/acme/web/app:1
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := meetsAny(tt.glob, []string{tt.registry}); got != tt.want {
				t.Errorf("meetsAny(%q, %q) = %t", tt.glob, tt.registry, got)
			}
		})
	}
}
