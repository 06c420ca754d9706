package diag

import (
	"fmt"
	"testing"
)

func TestDidYouMean(t *testing.T) {
	ids := []string{"disallow-host-path", "disallow-host-ports", "require-labels", "audit", "off", "on", "ring-1", "ring-2", "ring-3", "ring-4"}
	for got, want := range map[string]struct{ one, few string }{
		"disallow-hostpath": {`did you mean "disallow-host-path"?`, `did you mean "disallow-host-path"?`},
		"require-lables":    {`did you mean "require-labels"?`, `did you mean "require-labels"?`}, // a swap is one mistake
		"AUDIT":             {`did you mean "audit"?`, `did you mean "audit"?`},
		"of":                {`did you mean "off"?`, `did you mean "off" or "on"?`},
		"Labels":            {"", `did you mean "require-labels"?`}, // a part
		"host-p":            {"", `did you mean "disallow-host-path" or "disallow-host-ports"?`},
		"ring-5":            {`did you mean "ring-1"?`, "see there"}, // too many
		"something-else":    {"", "see there"},
	} {
		if hint := DidYouMean(got, ids); hint != want.one {
			t.Errorf("%s: %s, want %s", got, hint, want.one)
		}
		if hint := OneOfMany(got, ids, "see there"); hint != want.few {
			t.Errorf("%s: %s, want %s", got, hint, want.few)
		}
	}
}

func TestOneOf(t *testing.T) {
	var eight []string
	for i := range 8 {
		eight = append(eight, fmt.Sprintf("x-%d", i))
	}
	nine := append(eight[:8:8], "audit")
	for name, c := range map[string]struct{ got, want string }{
		"all":            {OneOf("zzz", []string{"a", "b"}), "one of a, b"},
		"none":           {OneOf("zzz", nil), "there is none"},
		"near":           {OneOfMany("adit", nine, "see there"), `did you mean "audit"?`},
		"short":          {OneOfMany("zzz", eight, "see there"), "one of x-0, x-1, x-2, x-3, x-4, x-5, x-6, x-7"},
		"long":           {OneOfMany("zzz", nine, "see there"), "see there"},
		"none elsewhere": {OneOfMany("zzz", nil, "see there"), "there is none"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.got != c.want {
				t.Errorf("%q, want %q", c.got, c.want)
			}
		})
	}
}
