package plan

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// TestMadeNames compares the globs with names that the controllers of Kubernetes
// make. The tests of the engine show that Kyverno reads the globs in this way.
func TestMadeNames(t *testing.T) {
	long := strings.Repeat("x", 60)
	for _, tt := range []struct {
		kind, made, name string
		matches, not     []string
	}{
		{"Deployment", "Deployment", "app", []string{"app"}, []string{"app-6d4cf56db6"}},
		{"Deployment", "ReplicaSet", "app", []string{"app-6d4cf56db6", "app-6d4cf5"}, []string{"app", "app-6d4cf", "app-6d4cf56db6c"}},
		{"Deployment", "Pod", "app", []string{"app-6d4cf56db6-abcde"}, []string{"app-6d4cf56db6", "app-abcde", "app-web-6d4cf56db6-abcde"}},
		{"Deployment", "Pod", long, []string{long[:58] + "abcde"}, []string{long + "-abcde"}},
		{"DaemonSet", "Pod", "agent", []string{"agent-x7k2p"}, []string{"agent", "agent-x7k2", "agent-web-x7k2p"}},
		{"StatefulSet", "Pod", "db", []string{"db-0", "db-42", "db-999"}, []string{"db", "db-1000"}},
		{"Job", "Pod", "migrate", []string{"migrate-abcde", "migrate-0-abcde", "migrate-27-abcde"}, []string{"migrate", "migrate-1000-abcde"}},
		{"CronJob", "Job", "nightly", []string{"nightly-28391040"}, []string{"nightly", "nightly-2839104"}},
		{"CronJob", "Pod", "nightly", []string{"nightly-28391040-xyzab", "nightly-28391040-3-xyzab"}, []string{"nightly-xyzab", "nightly-28391040"}},
	} {
		globs := MadeNames(tt.kind, tt.made, tt.name)
		matched := func(name string) bool {
			return slices.ContainsFunc(globs, func(glob string) bool {
				ok, err := path.Match(glob, name)
				return err == nil && ok
			})
		}
		for _, name := range tt.matches {
			if !matched(name) {
				t.Errorf("%s %s: no glob of %q matches the %s %s", tt.kind, tt.name, globs, tt.made, name)
			}
		}
		for _, name := range tt.not {
			if matched(name) {
				t.Errorf("%s %s: a glob of %q matches the %s %s", tt.kind, tt.name, globs, tt.made, name)
			}
		}
	}
}
