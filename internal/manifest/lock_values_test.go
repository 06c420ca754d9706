package manifest

import (
	"strings"
	"testing"
)

func TestDecodeLockRefusesValues(t *testing.T) {
	for line, wrong := range map[string]string{
		`{"environment":"e","policy":{"name":"p","tier":"t","action":"enforce"}}`:                      `"enforce" is not Audit or Enforce`,
		`{"environment":"e","policy":{"name":"p","tier":"t","action":"Enforce","since":"x"}}`:          `"x" is not a day`,
		`{"environment":"e","policy":{"name":"p","tier":"t","action":"Audit","since":"2026-13-01"}}`:   `"2026-13-01" is not a day`,
		`{"environment":"e","changes":"today"}`:                                                        `"today" is not a day`,
		`{"environment":"e","namespace":{"name":"n","tier":"t","waits":{"network":"soon"}}}`:           `"soon" is not a day`,
		`{"environment":"e","kept":{"kind":"exception","name":"x","since":"1"}}`:                       `"1" is not a day`,
		`{"environment":"e","policy":{"name":"p","tier":"t","action":"Enforce","since":"2026-11-20"}}`: "",
	} {
		_, err := DecodeLock([]byte("{\"version\":2}\n" + line + "\n"))
		if wrong == "" && err != nil || wrong != "" && (err == nil || !strings.Contains(err.Error(), "line 2: ") || !strings.Contains(err.Error(), wrong)) {
			t.Errorf("%s: got %v, want %q", line, err, wrong)
		}
	}
}
