package profile

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestVersion(t *testing.T) {
	const unfit, invalid = "version-unfit", "version-constraint"
	for _, tt := range []struct{ wanted, version, code string }{
		{">=0.4", "v0.4.0", ""},
		{">=0.4", "v0.4.3", ""},
		{">=0.4", "0.10.0", ""},
		{">=0.4", "v1.0.0", ""},
		{">=0.4", "v0.3.9", unfit},
		{">=0.4, <0.6", "v0.6.1", unfit},
		{">=0.4", "v0.5.0-rc.1", ""},
		{">=0.5", "v0.5.0-rc.1", unfit},
		{">=0.4", "v0.4.0+dirty", ""},
		{">=0.4", "v0.3.0+dirty", unfit},
		{">=0.4", "devel", ""},
		{">=0.4", "", ""},
		{">=0.4", "v0.0.0-20261126124206-dd41aad00000", ""},
		{">=0.4", "v0.3.1-0.20261126124206-dd41aad00000+dirty", ""},
		{"latest", "v0.5.0", invalid},
		{"", "devel", invalid},
		{">=", "devel", invalid},
	} {
		fsys := fstest.MapFS{"all.yaml": {Data: []byte("apiVersion: gatehouse.dev/v1alpha1\nkind: Profile\nmetadata: {name: x}\nspec:\n  gatehouse: \"" + tt.wanted + "\"\n")}}
		_, problems := Load(fsys, ".", tt.version)
		switch {
		case tt.code == "" && len(problems) > 0:
			t.Errorf("%s with %q: %v", tt.wanted, tt.version, problems)
		case tt.code != "" && (len(problems) != 1 || problems[0].Code != tt.code || problems[0].Line != 5 || problems[0].Col != 14):
			t.Errorf("%s with %q: %v, want %s at 5:14", tt.wanted, tt.version, problems, tt.code)
		}
	}
}

// A version that is too old reports that and nothing else: what it does not know is
// not wrong.
func TestVersionComesFirst(t *testing.T) {
	fsys := fstest.MapFS{
		"base.yaml":    {Data: []byte("apiVersion: gatehouse.dev/v1alpha1\nkind: Profile\nmetadata: {name: base}\nspec: {gatehouse: \">=0.4\"}\n")},
		"profile.yaml": {Data: []byte("apiVersion: gatehouse.dev/v1alpha1\nkind: Profile\nmetadata: {name: x}\nspec: {extends: [./base.yaml], fancy: true}\n---\nkind: Novelty\n")},
	}
	in, problems := Load(fsys, ".", "v0.3.0")
	want := `base.yaml:4:19: spec.gatehouse: the source needs gatehouse >=0.4; this is 0.3.0 (install a version that fits) [version-unfit]`
	if in != nil || len(problems) != 1 || problems[0].String() != want {
		t.Errorf("got %v\nwant %s", problems, want)
	}
	if _, problems = Load(fsys, ".", "v0.4.0"); len(problems) != 2 || !strings.Contains(problems.Err().Error(), "Novelty") {
		t.Errorf("got %v", problems)
	}
}
