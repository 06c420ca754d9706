package profile

import "testing"

func TestWider(t *testing.T) {
	for glob, want := range map[string]string{
		"ghcr.io/acme/tool":              "",
		"ghcr.io/acme/tool:*":            "",
		"ghcr.io/acme/tool:v1.*":         "",
		"ghcr.io/acme/tool@sha256:*":     "",
		"ghcr.io/acme/*":                 "",
		"ghcr.io/acme/*/tool:*":          "",
		"registry.acme.example:5000/*":   "",
		"nginx:*":                        "",
		"*":                              "",
		"nginx*":                         "nginx-other/x",
		"ghcr.io/acme*":                  "ghcr.io/acme-other/x",
		"ghcr.io/acme*/tool:*":           "ghcr.io/acme-other/x/tool:x",
		"ghcr.io/acme/tool*":             "ghcr.io/acme/tool-other/x",
		"ghcr.io*":                       "ghcr.io.registry.example/x",
		"ghcr.io*/acme/tool":             "ghcr.io.registry.example/x/acme/tool",
		"registry.acme.example:*/tool":   "registry.acme.example:.registry.example/x/tool",
		"*.acme.example/tool:*":          "registry.example/x.acme.example/tool:x",
		"*/acme/tool":                    "registry.example/x/acme/tool",
		"ghcr.io/*/tool":                 "ghcr.io/other/x/tool",
		"registry.acme.example:50*/tool": "registry.acme.example:50.registry.example/x/tool",
	} {
		if got := wider(glob); got != want {
			t.Errorf("%s: %q, want %q", glob, got, want)
		}
	}
}
