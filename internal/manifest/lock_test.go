package manifest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A lock from before overrides says once for all environments how Kyverno is
// configured. One that says it for an environment keeps that.
func TestDecodeLockForAllEnvironments(t *testing.T) {
	got, err := DecodeLock([]byte(`{"version": 1, "tool": "", "source": "", "fluxInstall": "cli", "kyverno": {"systemNamespaces": ["a"], "exceptionNamespace": "x"}, "environments": {
		"dev": {"stage": "audit", "policies": {}},
		"prod": {"stage": "audit", "kyverno": {"systemNamespaces": ["b"], "exceptionNamespace": "y"}, "policies": {}}}, "files": []}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]LockedEnvironment{
		"dev":  {Stages: []string{"audit"}, FluxInstall: "cli", Kyverno: &LockedKyverno{SystemNamespaces: []string{"a"}, ExceptionNamespace: "x"}},
		"prod": {Stages: []string{"audit"}, Kyverno: &LockedKyverno{SystemNamespaces: []string{"b"}, ExceptionNamespace: "y"}},
	}
	if diff := cmp.Diff(want, got.Environments); diff != "" {
		t.Error(diff)
	}
}

// Each workload of an environment is a line of its own.
func TestLockWorkloads(t *testing.T) {
	lock := Lock{Environments: map[string]LockedEnvironment{"prod": {Clusters: []string{"eu"}, Workloads: []LockedWorkload{
		{Name: "apps", DependsOn: []string{"gatehouse-network", "gatehouse-policies"}}, {Name: "infra", DependsOn: []string{"gatehouse-policies"}},
	}}}}
	data, err := lock.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"environment":"prod","workload":{"name":"infra","dependsOn":["gatehouse-policies"]}}` + "\n"; !strings.HasSuffix(string(data), want) {
		t.Errorf("got %s, want the last line %s", data, want)
	}
	got, err := DecodeLock(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lock.Environments, got.Environments); diff != "" {
		t.Error(diff)
	}
}

// sampleLock has each kind of fact.
func sampleLock() Lock {
	return Lock{
		Environments: map[string]LockedEnvironment{
			"dev": {
				Clusters: []string{"dev-eu"}, FluxInstall: "cli", Stages: []string{"enforce"}, Changes: "2026-11-01",
				Kyverno:  &LockedKyverno{SystemNamespaces: []string{"kube-system"}, ExceptionNamespace: "policy-exceptions", Release: &LockedRelease{"flux-system", "kyverno"}},
				Controls: map[string][]string{"require-labels": {"audit"}},
				Policies: []LockedPolicy{
					{Name: "require-labels", Tier: "apps", Action: "Audit", Content: "22", Since: "2026-11-02"},
					{Name: "require-labels", Tier: "apps", Action: "Enforce", Content: "11", Since: "2026-10-01"},
				},
				Namespaces: []LockedNamespace{
					{Name: "edge", Tier: "platform", PodSecurity: "baseline", Closed: true, Network: json.RawMessage(`{"DNS":true}`)},
					{Name: "shop", Tier: "apps", Waits: map[string]string{"tier:platform": "2026-11-02"}},
				},
				Workloads: []LockedWorkload{{Name: "apps", DependsOn: []string{"gatehouse-policies"}}},
				Networks:  []json.RawMessage{json.RawMessage(`{"APIServer":{}}`)},
				Kept: []LockedKept{
					{Kind: "exception", Name: "agent", Definition: json.RawMessage(`{"a":1}`)},
					{Kind: "exception", Name: "agent", Since: "2026-11-02", Definition: json.RawMessage(`{"a":2}`)},
				},
			},
			"prod": {Clusters: []string{"prod-eu"}, Stages: []string{"audit"}},
		},
		Files: []LockedFile{
			{Path: "README.md", Part: "## dev", SHA256: "aa"},
			{Path: "README.md", Part: "top", SHA256: "bb"},
			{Path: "environments/dev/policies/a.yaml", SHA256: "cc", Layer: "environments/dev/policies", Objects: []string{"a"}},
		},
	}
}

func encoded(t *testing.T, l Lock) string {
	t.Helper()
	data, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestLockRoundTrip also decodes what a clone with other line ends holds.
func TestLockRoundTrip(t *testing.T) {
	want := sampleLock()
	text := encoded(t, want)
	for name, text := range map[string]string{"as it is": text, "CRLF": strings.ReplaceAll(text, "\n", "\r\n")} {
		got, err := DecodeLock([]byte(text))
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A merge keeps the facts of both sides, however Git writes it.
func TestDecodeLockAfterMerge(t *testing.T) {
	const version, before = `{"version":2}` + "\n", `{"environment":"dev","clusters":["dev-eu"]}` + "\n"
	const base = `{"environment":"dev","stage":"off"}` + "\n"
	const ours = `{"environment":"dev","stage":"audit"}` + "\n"
	const theirs = `{"environment":"dev","stage":"enforce"}` + "\n"
	want := map[string]LockedEnvironment{"dev": {Clusters: []string{"dev-eu"}, Stages: []string{"audit", "enforce"}}}
	cases := map[string]string{
		"union":            ours + theirs,
		"merge":            "<<<<<<< HEAD\n" + ours + "=======\n" + theirs + ">>>>>>> theirs\n",
		"diff3":            "<<<<<<< HEAD\n" + ours + "||||||| 1a2b3c4\n" + base + "=======\n" + theirs + ">>>>>>> theirs\n",
		"diff3, no labels": "<<<<<<<\n" + ours + "|||||||\n" + base + "=======\n" + theirs + ">>>>>>>\n",
		"criss-cross": "<<<<<<< HEAD\n" + ours + "||||||| merged common ancestors\n<<<<<<<<< Temporary merge branch 1\n" + base +
			"=========\n>>>>>>>>> Temporary merge branch 2\n=======\n" + theirs + ">>>>>>> theirs\n",
		"renamed":             "<<<<<<<< HEAD:old/gatehouse.lock\n" + ours + "========\n" + theirs + ">>>>>>>> theirs:new/gatehouse.lock\n",
		"the same line twice": ours + ours + theirs,
	}
	for name, text := range cases {
		for _, end := range []string{"\n", "\r\n"} {
			got, err := DecodeLock([]byte(strings.ReplaceAll(version+before+text, "\n", end)))
			if err != nil {
				t.Fatal(name, err)
			}
			if diff := cmp.Diff(want, got.Environments); diff != "" || !got.Merged {
				t.Errorf("%s: merged: %t, %s", name, got.Merged, diff)
			}
		}
	}
}

// Of what the lock has once, a merge keeps what lets less be enforced.
func TestDecodeLockMergesWhatIsOnce(t *testing.T) {
	got, err := DecodeLock([]byte(`{"version":2}
{"environment":"dev","clusters":["b"]}
{"environment":"dev","clusters":["a","b"]}
{"environment":"dev","changes":"2026-11-05"}
{"environment":"dev","changes":"2026-11-02"}
{"environment":"dev","kyverno":{"systemNamespaces":["x"],"exceptionNamespace":"e"}}
{"environment":"dev","kyverno":{"systemNamespaces":["w"],"exceptionNamespace":"e"}}
{"environment":"dev","control":"c","stage":"audit"}
{"environment":"dev","control":"c","stage":"enforce"}
{"environment":"dev","network":{"a":1}}
{"environment":"dev","network":{"a":2}}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := LockedEnvironment{
		Clusters: []string{"a", "b"}, Changes: "2026-11-05", Kyverno: &LockedKyverno{SystemNamespaces: []string{"w", "x"}, ExceptionNamespace: "e"},
		Controls: map[string][]string{"c": {"audit", "enforce"}}, Networks: []json.RawMessage{json.RawMessage(`{"a":1}`), json.RawMessage(`{"a":2}`)},
	}
	if diff := cmp.Diff(want, got.Environments["dev"]); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeLockWrong(t *testing.T) {
	cases := []struct{ name, text, wrong string }{
		{"empty", "", "the version is missing"},
		{"no version", `{"environment":"dev","stage":"audit"}`, "the version is missing"},
		{"a newer version", "{\"version\":3}\n{\"something\":1}\n", "version 3 is not known"},
		{"two versions", "{\"version\":2}\n{\"version\":3}\n", "version 3 is not known"},
		{"an unknown field", "{\"version\":2}\n{\"environment\":\"dev\",\"stagee\":\"audit\"}\n", `line 2: json: unknown field "stagee"`},
		{"an unknown field of version 1", `{"version": 1, "more": 1}`, `unknown field "more"`},
		{"a fact about nothing", "{\"version\":2}\n{\"stage\":\"audit\"}\n", "the line says nothing"},
		{"two facts in a line", "{\"version\":2}\n{\"environment\":\"a\",\"stage\":\"b\"}{}\n", "text after the fact"},
		{"cut off", "{\"version\":2}\n{\"environment\":\"dev\",\"sta", "line 2: unexpected EOF"},
		{"version 1 with a conflict", "{\n<<<<<<< HEAD\n\"version\": 1\n=======\n\"version\": 1\n>>>>>>> x\n}", "unexpected EOF"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got, err := DecodeLock([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("got %v, %v; want %q", got, err, c.wrong)
			}
		})
	}
}

// FuzzDecodeLock decodes two locks, and their union as Git makes it. No fact is lost or
// doubled, and what was encoded decodes to the same.
func FuzzDecodeLock(f *testing.F) {
	sample, err := sampleLock().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sample), string(sample))
	f.Add(string(sample), strings.ReplaceAll(string(sample), "dev", "qa"))
	f.Add(`{"version":2}`+"\n"+`{"environment":"dev","clusters":[]}`, string(sample))
	f.Add(string(sample[:len(sample)/2]), strings.ReplaceAll(string(sample), "2026", "2027"))
	f.Fuzz(func(t *testing.T, a, b string) {
		first, err := DecodeLock([]byte(a))
		if err != nil {
			return
		}
		again, err := DecodeLock([]byte(encoded(t, *first)))
		if err != nil {
			t.Fatalf("decoding what was encoded: %v", err)
		}
		if diff := cmp.Diff(encoded(t, *first), encoded(t, *again)); diff != "" {
			t.Fatal(diff)
		}
		second, err := DecodeLock([]byte(b))
		if err != nil {
			return
		}
		ours, theirs := encoded(t, *first), encoded(t, *second)
		union, err := DecodeLock([]byte(ours + theirs))
		if err != nil {
			t.Fatal(err)
		}
		conflict, err := DecodeLock([]byte("<<<<<<< a\n" + ours + "=======\n" + theirs + ">>>>>>> b\n"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(encoded(t, *union), encoded(t, *conflict)); diff != "" {
			t.Fatal(diff)
		}
		want := map[string]bool{}
		for line := range strings.Lines(ours + theirs) {
			want[line] = true
		}
		for line := range strings.Lines(encoded(t, *union)) {
			if isListed(line) && !want[line] {
				t.Errorf("%s is new, or there twice", line)
			}
			delete(want, line)
		}
		for line := range want {
			if isListed(line) {
				t.Errorf("%s is lost", line)
			}
		}
	})
}

// isListed reports whether a line is a fact of which DecodeLock keeps all.
func isListed(line string) bool {
	f, err := decodeFact(line)
	return err == nil && (f.File != nil || f.Policy != nil || f.Namespace != nil || f.Kept != nil)
}

// An error of a line names the line of the file, also behind a conflict. What is left of
// the marks of a conflict is an error of its own.
func TestDecodeLockLines(t *testing.T) {
	const begin, fact = "{\"version\":2}\n", `{"environment":"dev","stage":"audit"}`
	for name, tt := range map[string]struct {
		text, want   string
		halfResolved bool
	}{
		"behind a conflict":                 {"<<<<<<< HEAD\n" + fact + "\n||||||| base\n" + fact + "\n=======\n>>>>>>> b\nx\n", "line 8: invalid character 'x'", false},
		"without its begin":                 {fact + "\n=======\n" + fact + "\n>>>>>>> b\n", "line 3: a mark of a merge conflict is left", true},
		"only its end":                      {fact + "\n>>>>>>> b\n", "line 3: a mark", true},
		"the begin of the ancestor":         {fact + "\n|||||||\n", "line 3: a mark", true},
		"a second end":                      {"<<<<<<< HEAD\n=======\n>>>>>>> b\n>>>>>>> b\n", "line 5: a mark", true},
		"an end of another size":            {"<<<<<<< HEAD\n=======\n>>>>>>>> b\n", "line 4: a mark", true},
		"longer ones, as of a nested merge": {fact + "\n=========\r\n", "line 3: a mark", true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeLock([]byte(begin + tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, ErrHalfResolved) != tt.halfResolved {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
		})
	}
}
