package plan

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/made"
)

// TestMadePrefixes matches the names, in every phase, of all that controllers make.
func TestMadePrefixes(t *testing.T) {
	for _, name := range []string{"app", "web.shop", strings.Repeat("x", 30), strings.Repeat("y", 46), strings.Repeat("y", 47), strings.Repeat("z", 58)} {
		for _, kind := range []string{"CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"} {
			for _, glob := range []string{name, name[:2] + "*", "*" + name[1:], name[:1] + "*" + name[2:]} {
				globs := MadePrefixes([]string{glob})
				for _, o := range made.From(kind, name) {
					for _, text := range []string{o.Name, o.GenerateName, o.Stored()} {
						if globs != nil && text != "" && !slices.ContainsFunc(globs, func(g string) bool { ok, _ := path.Match(g, text); return ok }) {
							t.Errorf("%s %s: %q does not match %s", kind, glob, globs, text)
						}
					}
				}
			}
		}
	}
	if got := MadePrefixes([]string{"b", "a", "a"}); !slices.Equal(got, []string{"a-*", "b-*"}) {
		t.Errorf("globs %q", got)
	}
}

// TestPodNames matches a Pod by its generateName, and by the name that it is stored under.
func TestPodNames(t *testing.T) {
	long := strings.Repeat("x", 70)
	for _, tt := range []struct {
		name string
		want []string
	}{
		{"agent", []string{"agent"}},
		{"agent-*", []string{"agent-*"}},
		{long, []string{long}},
		{long + "-*", []string{long[:58] + "?????", long + "-*"}},
	} {
		if got := PodNames([]string{tt.name}); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
