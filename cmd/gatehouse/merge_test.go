package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator/output"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// A fleet is a Git repository with a source and the output that was built from it.
type fleet struct {
	t   *testing.T
	dir string
}

// Days of the builds. The base is built on several days before.
const (
	dayOurs, dayTheirs, dayMerged = "2026-11-02", "2026-11-05", "2026-11-09"
)

// edit changes the source of a fleet.
type edit func(f *fleet)

// replace changes a text of a file.
func replace(file, old, changed string) edit {
	return func(f *fleet) {
		f.t.Helper()
		text := f.read("profile/" + file)
		if !strings.Contains(text, old) {
			f.t.Fatalf("%s does not hold %q:\n%s", file, old, text)
		}
		f.write("profile/"+file, strings.Replace(text, old, changed, 1))
	}
}

func stage(environment, from, to string) edit {
	return replace("environments/"+environment+".yaml", "stage: "+from+"\n", "stage: "+to+"\n")
}

func accept(environment, day string) edit {
	return func(f *fleet) {
		name := "profile/environments/" + environment + ".yaml"
		f.write(name, f.read(name)+"  changes: "+day+"\n")
	}
}

func all(edits ...edit) edit {
	return func(f *fleet) {
		for _, e := range edits {
			e(f)
		}
	}
}

func write(file, text string) edit { return func(f *fleet) { f.write("profile/"+file, text) } }

func (f *fleet) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

func (f *fleet) read(name string) string {
	f.t.Helper()
	data, err := os.ReadFile(f.path(name))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(data)
}

func (f *fleet) write(name, text string) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(f.path(name), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// git runs git, and returns what it prints. It knows no configuration but that of the
// repository.
func (f *fleet) git(args ...string) (string, error) {
	cmd := exec.CommandContext(f.t.Context(), "git", args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "HOME="+f.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=jane", "GIT_AUTHOR_EMAIL=jane@example.com", "GIT_COMMITTER_NAME=jane", "GIT_COMMITTER_EMAIL=jane@example.com")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (f *fleet) mustGit(args ...string) string {
	f.t.Helper()
	out, err := f.git(args...)
	if err != nil {
		f.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// build builds the output on a day, and returns what it prints.
func (f *fleet) build(day string, flags ...string) (string, error) {
	var out bytes.Buffer
	args := append([]string{"build", f.path("profile"), "-o", f.path("policy-repo"), "--now", day}, flags...)
	if code := run(args, strings.NewReader(""), &out, &out); code != 0 {
		return out.String(), fmt.Errorf("gatehouse %s: exit code %d", strings.Join(args, " "), code)
	}
	return out.String(), nil
}

func (f *fleet) mustBuild(day string, flags ...string) string {
	f.t.Helper()
	out, err := f.build(day, flags...)
	if err != nil {
		f.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// commit edits the source, builds on a day, and commits both.
func (f *fleet) commit(e edit, day string) {
	f.t.Helper()
	e(f)
	f.mustBuild(day)
	f.mustGit("add", "-A")
	f.mustGit("commit", "--allow-empty", "-qm", "build of "+day)
}

// tree returns the files of the output, without the lock, and with one day for all builds.
func (f *fleet) tree() map[string]string {
	f.t.Helper()
	days := regexp.MustCompile(`2026-1\d-\d\d`)
	files := map[string]string{}
	root := f.path("policy-repo")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == layout.Lock {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(root, name)
		files[filepath.ToSlash(rel)] = days.ReplaceAllString(string(data), "DAY")
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return files
}

func (f *fleet) lock() *manifest.Lock {
	f.t.Helper()
	lock, err := output.ReadLock(f.path("policy-repo"))
	if err != nil {
		f.t.Fatal(err)
	}
	return lock
}

// clone returns a copy of the fleet with a branch of its own.
func (f *fleet) clone(t *testing.T) *fleet {
	t.Helper()
	c := &fleet{t: t, dir: filepath.Join(t.TempDir(), "fleet")}
	if err := os.CopyFS(c.dir, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	return c
}

// newFleet returns a fleet with dev at enforce, staging at enforce-platform and prod at
// audit, in clusters that ran before.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	f := &fleet{t: t, dir: t.TempDir()}
	if err := os.CopyFS(f.path("profile"), os.DirFS("testdata/fleet")); err != nil {
		t.Fatal(err)
	}
	f.mustGit("init", "-qb", "main")
	f.commit(all(), "2026-10-01")
	f.commit(stage("dev", "audit", "enforce-platform"), "2026-10-05")
	f.commit(all(stage("dev", "enforce-platform", "enforce"), stage("staging", "audit", "enforce-platform")), "2026-10-09")
	return f
}

// A merging is a pair of branches of a fleet that are merged.
type merging struct {
	name string
	// before is done on main, on the first of November.
	before       edit
	ours, theirs edit
	// resolve resolves the conflicts of the source, if there are any.
	resolve edit
	// conflicts are the most files of the output in which Git finds a conflict if the
	// merge drivers of .gitattributes are not there, as on a forge.
	conflicts int
	// styles asks for each way in which Git can mark a conflict.
	styles bool
	// differs is set if the result is not that of the edits one after the other. Then it
	// enforces less.
	differs bool
}

const addition = `
    - name: %s
      tier: %s
      labels: {owner: team-new}
`

func addNamespace(name, tier string) edit {
	return replace("profile.yaml", "\n    - name: tools\n", fmt.Sprintf(addition, name, tier)+"    - name: tools\n")
}

func mergings() []merging {
	control := func(id string) edit {
		return replace("profile.yaml", "\n  controls:\n", "\n  controls:\n    "+id+": {}\n")
	}
	exception := func(name string) edit {
		return write("exceptions/"+name+".yaml", `kind: Exception
apiVersion: gatehouse.dev/v1alpha1
metadata: {name: `+name+`}
spec:
  controls: [disallow-latest-tag]
  match: {namespaces: [shop], kinds: [Deployment], names: [`+name+`]}
  reason: a test
  owner: team-shop
  expires: 2031-09-30
`)
	}
	registry := func(old, all string) edit { return replace("profile.yaml", "      - "+old+"\n", all) }
	key := replace("profile.yaml", "keys/release.pub", "keys/next.pub")
	label := replace("profile.yaml", "labels: [app.kubernetes.io/name]", "labels: [app.kubernetes.io/name, owner]")
	noLatest := replace("profile.yaml", "    disallow-latest-tag: {}\n", "")
	bumpDev, bumpProd := stage("dev", "enforce", "enforce-platform"), stage("prod", "audit", "enforce-platform")
	bumpStaging := stage("staging", "enforce-platform", "enforce")
	qa := write("environments/qa.yaml", `apiVersion: gatehouse.dev/v1alpha1
kind: Environment
metadata: {name: qa}
spec:
  ring: 2
  clusters: [qa-eu]
  stage: audit
`)
	return []merging{
		{name: "bump × bump", ours: bumpStaging, theirs: bumpProd},
		{name: "bump × new namespace", ours: bumpStaging, theirs: addNamespace("news", "apps"), conflicts: 2},
		{name: "new control × new exception", ours: control("disallow-host-ports"), theirs: exception("web"), conflicts: 2},
		{name: "two namespaces with adjacent names", styles: true, ours: addNamespace("news", "apps"), theirs: addNamespace("newt", "apps"), conflicts: 5,
			resolve: resolved("profile.yaml")},
		{name: "two registries", ours: registry("ghcr.io/acme", "      - docker.io/acme\n      - ghcr.io/acme\n"), theirs: registry("registry.k8s.io", "      - registry.k8s.io\n      - quay.io/acme\n"), conflicts: 4},
		{name: "key × bump", ours: key, theirs: bumpProd, conflicts: 1},
		{name: "accepted change × parameter", before: key, ours: accept("dev", "2026-11-01"), theirs: label, conflicts: 2},
		{name: "accepted change × the same parameter", styles: true, before: label, ours: accept("dev", "2026-11-01"), theirs: replace("profile.yaml", "/name, owner]", "/name, owner, team]"), conflicts: 3, differs: true},
		{name: "accepted × accepted elsewhere", before: all(key, replace("environments/staging.yaml", "spec:\n", "spec:\n  allowAhead: true\n")),
			ours: accept("dev", "2026-11-01"), theirs: accept("staging", "2026-11-01")},
		{name: "namespace removed × its network changed", ours: replace("profile.yaml", "    - name: shop\n      tier: apps\n      labels: {owner: team-shop}\n      network:\n        ingress:\n          - {from: {namespace: edge}, ports: [8080/TCP]}\n", ""),
			theirs: replace("profile.yaml", "ports: [8080/TCP]", "ports: [8081/TCP]"), resolve: replaceConflict("profile.yaml", ""), conflicts: 3},
		{name: "namespace to another tier × bump", ours: replace("profile.yaml", "- name: shop\n      tier: apps", "- name: shop\n      tier: platform"), theirs: bumpProd, conflicts: 2, differs: true},
		{name: "environment added × another bumped", ours: qa, theirs: bumpProd},
		{name: "bumped × a control of it overridden", ours: bumpStaging,
			theirs: replace("environments/staging.yaml", "  stage: enforce-platform\n", "  stage: enforce-platform\n  controls: {require-labels: {stage: audit}}\n"),
			resolve: write("environments/staging.yaml", `apiVersion: gatehouse.dev/v1alpha1
kind: Environment
metadata: {name: staging}
spec:
  ring: 2
  clusters: [staging-eu]
  stage: enforce
  controls: {require-labels: {stage: audit}}
`), conflicts: 3},
		{name: "bumped to different stages", before: all(), ours: stage("staging", "enforce-platform", "enforce"), theirs: stage("staging", "enforce-platform", "audit"),
			resolve: replaceConflict("environments/staging.yaml", "  stage: audit\n"), conflicts: 12},
		{name: "exception removed × changed", ours: func(f *fleet) { f.remove("profile/exceptions/agent.yaml") },
			theirs: replace("exceptions/agent.yaml", "[agent, agent-old]", "[agent]"), resolve: func(f *fleet) { f.remove("profile/exceptions/agent.yaml") }, conflicts: 4},
		{name: "control of the catalogue edited × bump", ours: replace("controls/require-team/clusterpolicy.yaml", `team: "?*"`, `team: "team-?*"`), theirs: bumpStaging, conflicts: 2},
		{name: "demoted × another promoted", ours: bumpDev, theirs: bumpProd},
		{name: "control removed × another added", ours: noLatest, theirs: control("disallow-host-ports"), resolve: resolved("profile.yaml"), conflicts: 5},
		{name: "control removed × bump", ours: noLatest, theirs: bumpStaging, conflicts: 3},
	}
}

func (f *fleet) remove(name string) {
	f.t.Helper()
	if err := os.Remove(f.path(name)); err != nil {
		f.t.Fatal(err)
	}
}

// resolved takes both sides of the conflicts in a file.
func resolved(file string) edit {
	return func(f *fleet) {
		text := string(manifest.WithoutMarkers([]byte(f.read("profile/" + file))))
		f.write("profile/"+file, text)
	}
}

// replaceConflict puts a text where the conflict of a file is.
func replaceConflict(file, text string) edit {
	return func(f *fleet) {
		var out []string
		inside := false
		for line := range strings.Lines(f.read("profile/" + file)) {
			switch {
			case strings.HasPrefix(line, "<<<<<<<"):
				inside = true
				out = append(out, text)
			case strings.HasPrefix(line, ">>>>>>>"):
				inside = false
			case !inside:
				out = append(out, line)
			}
		}
		f.write("profile/"+file, strings.Join(out, ""))
	}
}

// A setting is how Git merges.
type setting struct {
	name, style string
	// drivers are the merge drivers that .gitattributes asks for. A forge has none.
	drivers bool
}

// Git merges two branches of a fleet, and one build makes of it what there would be if
// one had been made after the other.
func TestMerges(t *testing.T) {
	base := newFleet(t)
	for _, m := range mergings() {
		t.Run(m.name, func(t *testing.T) {
			main := base.clone(t)
			if m.before != nil {
				main.commit(m.before, "2026-11-01")
			}
			before := main.clone(t)
			main.mustGit("checkout", "-qb", "theirs")
			main.commit(m.theirs, dayTheirs)
			main.mustGit("checkout", "-qb", "ours", "main")
			main.commit(m.ours, dayOurs)
			settings := []setting{{"forge", "merge", false}}
			if m.styles {
				settings = append(settings, setting{"drivers", "merge", true}, setting{"diff3", "diff3", false}, setting{"zdiff3", "zdiff3", false})
			}
			for _, s := range settings {
				t.Run(s.name, func(t *testing.T) { main.clone(t).merge(m, s, before) })
			}
		})
	}
}

// merge merges the branches ours and theirs. before is the fleet that both come from.
func (f *fleet) merge(m merging, s setting, before *fleet) {
	f.t.Helper()
	if !s.drivers {
		f.write(".git/info/attributes", "**/gatehouse.lock merge=text\n**/README.md merge=text\n")
	}
	f.mustGit("config", "merge.conflictStyle", s.style)
	out, err := f.git("merge", "--no-edit", "theirs")
	if conflicts := f.conflicts(); len(conflicts) > m.conflicts || s.drivers && slices.Contains(conflicts, "policy-repo/gatehouse.lock") {
		f.t.Errorf("%d conflicts, want at most %d: %v\n%s", len(conflicts), m.conflicts, conflicts, out)
	} else {
		f.t.Logf("%d conflicts: %v", len(conflicts), conflicts)
	}
	if m.resolve != nil {
		if err == nil {
			f.t.Error("the source has no conflict")
		}
		m.resolve(f)
	}
	f.isAfter(f.oneByOne(m, before), before, m.differs)
}

// oneByOne returns the fleet with the edits of the merging made one after the other. An
// edit may be refused after the other one, and then it is made first.
func (f *fleet) oneByOne(m merging, before *fleet) *fleet {
	f.t.Helper()
	for i, edits := range [][]edit{{m.ours, m.theirs}, {m.theirs, m.ours}} {
		after := before.clone(f.t)
		after.commit(edits[0], dayOurs)
		if m.resolve != nil {
			edits[1] = func(after *fleet) {
				if err := errors.Join(os.RemoveAll(after.path("profile")), os.CopyFS(after.path("profile"), os.DirFS(f.path("profile")))); err != nil {
					f.t.Fatal(err)
				}
			}
		}
		edits[1](after)
		switch out, err := after.build(dayTheirs); {
		case err == nil:
			return after
		case i == 1:
			f.t.Fatalf("the edits are refused one after the other: %v\n%s", err, out)
		}
	}
	panic("unreachable")
}

// conflicts lists the files of the output that Git could not merge.
func (f *fleet) conflicts() []string {
	f.t.Helper()
	return strings.Fields(f.mustGit("diff", "--name-only", "--diff-filter=U", "--", "policy-repo"))
}

// isAfter builds a merged fleet and compares it with one whose changes were made one
// after the other.
func (f *fleet) isAfter(after, base *fleet, differs bool) {
	f.t.Helper()
	f.mustBuild(dayMerged)
	f.mustBuild(dayMerged, "--check")
	before := f.read("policy-repo/" + layout.Lock)
	if out := f.mustBuild(dayMerged); !strings.Contains(out, ": 0 files written") || f.read("policy-repo/"+layout.Lock) != before {
		f.t.Errorf("the second build changes something:\n%s", out)
	}
	f.mustGit("add", "-A")
	if out := f.grep("--cached", "-lE", "^(<<<<<<<|>>>>>>>)", "--", "."); out != "" {
		f.t.Errorf("marks of conflicts in %s", out)
	}
	if f.lock().Merged {
		f.t.Error("the lock has several facts about one thing")
	}
	diff := cmp.Diff(after.tree(), f.tree())
	if (diff != "") != differs {
		f.t.Errorf("differs from the one after the other: %t, want %t:\n%s", diff != "", differs, diff)
	}
	for name, env := range f.lock().Environments {
		for _, n := range env.Namespaces {
			if n.Closed && !closes(after, name, n.Name) && !closes(base, name, n.Name) {
				f.t.Errorf("%s closes %s, and not before, nor if one is made after the other", name, n.Name)
			}
		}
		for _, p := range env.Policies {
			if p.Action == plan.Enforce.String() && !enforces(after, name, p) && !enforces(base, name, p) {
				f.t.Errorf("%s enforces %s in %s (%s), and not before, nor if one is made after the other", name, p.Name, p.Tier, p.Content)
			}
		}
	}
}

func closes(f *fleet, environment, namespace string) bool {
	return slices.ContainsFunc(f.lock().Environments[environment].Namespaces, func(n manifest.LockedNamespace) bool { return n.Name == namespace && n.Closed })
}

func enforces(f *fleet, environment string, p manifest.LockedPolicy) bool {
	return slices.ContainsFunc(f.lock().Environments[environment].Policies, func(o manifest.LockedPolicy) bool {
		return o.Name == p.Name && o.Tier == p.Tier && o.Action == p.Action && o.Content == p.Content
	})
}

// grep runs git grep, which exits with 1 if it finds nothing.
func (f *fleet) grep(args ...string) string {
	out, _ := f.git(append([]string{"grep"}, args...)...)
	return out
}
