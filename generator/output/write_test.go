package output

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// text makes files of "path=content" pairs.
func text(pairs ...string) []manifest.File {
	var files []manifest.File
	for _, p := range pairs {
		name, content, _ := strings.Cut(p, "=")
		files = append(files, manifest.File{Path: name, Text: []byte(content)})
	}
	return files
}

// tree reads a folder: content by path, folders with a trailing slash.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		switch {
		case e.IsDir():
			got[rel+"/"] = ""
		case e.Type().IsRegular():
			data, err := os.ReadFile(name)
			got[rel] = string(data)
			return err
		default:
			got[rel] = e.Type().String()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func build(t *testing.T, dir string, files []manifest.File) Result {
	t.Helper()
	r, err := Write(t.Context(), dir, files, manifest.Lock{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var (
	first  = text("README.md=one", "environments/dev/policies/a.yaml=a1", "environments/dev/policies/b.yaml=b1", "environments/dev/old/c.yaml=c1", "environments/dev/old/deep/d.yaml=d1")
	second = text("README.md=two", "environments/dev/policies/a.yaml=a1", "environments/dev/policies/b.yaml=b2", "environments/prod/new/e.yaml=e1", "environments/prod/f.yaml=f1")
	third  = text("README.md=three", "environments/dev/policies/b.yaml=b3", "environments/prod/new/e.yaml=e3", "environments/dev/old/c.yaml=c3", "clusters/x/g.yaml=g3")
)

func TestWriteDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	if diff := cmp.Diff(Result{Written: 5}, build(t, dir, first)); diff != "" {
		t.Error(diff)
	}
	put(t, dir, "environments/dev/old/deep/mine.txt", "mine")
	before, err := os.Stat(filepath.Join(dir, "environments/dev/policies/a.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Result{Written: 4, Unchanged: 1, Removed: 2}, build(t, dir, second)); diff != "" {
		t.Error(diff)
	}
	after, err := os.Stat(filepath.Join(dir, "environments/dev/policies/a.yaml"))
	if err != nil || !os.SameFile(before, after) || after.ModTime() != before.ModTime() {
		t.Errorf("an unchanged file was written again: %v", err)
	}
	got := tree(t, dir)
	delete(got, layout.Lock)
	want := map[string]string{
		"README.md": "two", "environments/": "", "environments/dev/": "", "environments/dev/policies/": "",
		"environments/dev/policies/a.yaml": "a1", "environments/dev/policies/b.yaml": "b2",
		"environments/dev/old/": "", "environments/dev/old/deep/": "", "environments/dev/old/deep/mine.txt": "mine",
		"environments/prod/": "", "environments/prod/new/": "", "environments/prod/new/e.yaml": "e1", "environments/prod/f.yaml": "f1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	lock, err := ReadLock(dir)
	if err != nil || len(lock.Files) != 5 || lock.Files[0].Path != "README.md" {
		t.Errorf("lock %+v, %v", lock, err)
	}
}

func TestWriteDirTwiceTouchesNothing(t *testing.T) {
	dir := t.TempDir()
	build(t, dir, first)
	before, _ := os.Stat(filepath.Join(dir, layout.Lock))
	if diff := cmp.Diff(Result{Unchanged: 5}, build(t, dir, first)); diff != "" {
		t.Error(diff)
	}
	after, _ := os.Stat(filepath.Join(dir, layout.Lock))
	if !os.SameFile(before, after) {
		t.Error("the lock was written again")
	}
}

func TestLockHoldsObjectsThatFluxApplies(t *testing.T) {
	dir := t.TempDir()
	namespace := manifest.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "a"}}
	layer := layout.Folder{Environment: "prod", Kind: layout.Namespaces}
	index := manifest.Object{"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
	build(t, dir, []manifest.File{
		{Path: layer.Index(), Folder: layer, Objects: []manifest.Object{index}},
		{Path: layer.File("a"), Folder: layer, Objects: []manifest.Object{namespace}},
		{Path: "tests/a.yaml", Objects: []manifest.Object{namespace}},
	})
	lock, err := ReadLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{layer.Index(): nil, layer.File("a"): {"/Namespace//a"}, "tests/a.yaml": nil}
	for _, f := range lock.Files {
		if diff := cmp.Diff(want[f.Path], f.Objects); diff != "" {
			t.Errorf("%s: %s", f.Path, diff)
		}
	}
}

func TestWriteDirConflicts(t *testing.T) {
	tests := []struct {
		name    string
		prior   []manifest.File // built before
		change  func(t *testing.T, dir string)
		files   []manifest.File
		want    []Stale
		forced  map[string]string // content after --force; nil: stays a conflict
		adopted bool              // no conflict at all
	}{
		{
			name:   "foreign file",
			change: func(t *testing.T, dir string) { put(t, dir, "a/x.yaml", "theirs") },
			files:  text("a/x.yaml=ours"), want: []Stale{{"a/x.yaml", "was not written by gatehouse"}},
			forced: map[string]string{"a/x.yaml": "ours"},
		},
		{
			name:   "foreign file with the same content is adopted",
			change: func(t *testing.T, dir string) { put(t, dir, "a/x.yaml", "ours") },
			files:  text("a/x.yaml=ours"), adopted: true, forced: map[string]string{"a/x.yaml": "ours"},
		},
		{
			name:   "empty file has nothing to lose",
			change: func(t *testing.T, dir string) { put(t, dir, "a/x.yaml", "") },
			files:  text("a/x.yaml=ours"), adopted: true, forced: map[string]string{"a/x.yaml": "ours"},
		},
		{
			name: "edited file", prior: text("a/x.yaml=1"),
			change: func(t *testing.T, dir string) { put(t, dir, "a/x.yaml", "theirs") },
			files:  text("a/x.yaml=2"), want: []Stale{{"a/x.yaml", "was edited since gatehouse wrote it"}},
			forced: map[string]string{"a/x.yaml": "2"},
		},
		{
			name: "edited file that is not needed", prior: text("a/x.yaml=1", "b=1"),
			change: func(t *testing.T, dir string) { put(t, dir, "a/x.yaml", "theirs") },
			files:  text("b=1"), want: []Stale{{"a/x.yaml", "was edited since gatehouse wrote it, and is no longer needed"}},
			forced: map[string]string{"b": "1"},
		},
		{
			name: "deleted file comes back", prior: text("a/x.yaml=1"),
			change: func(t *testing.T, dir string) { os.RemoveAll(filepath.Join(dir, "a")) },
			files:  text("a/x.yaml=1"), adopted: true, forced: map[string]string{"a/x.yaml": "1"},
		},
		{
			name: "link where a file is needed", prior: text("a/x.yaml=1"),
			change: func(t *testing.T, dir string) {
				os.Remove(filepath.Join(dir, "a/x.yaml"))
				put(t, dir, "target", "1")
				os.Symlink("../target", filepath.Join(dir, "a/x.yaml"))
			},
			files: text("a/x.yaml=1"), want: []Stale{{"a/x.yaml", "is not a regular file"}},
			forced: map[string]string{"a/x.yaml": "1"},
		},
		{
			name:   "folder where a file is needed",
			change: func(t *testing.T, dir string) { put(t, dir, "a/x.yaml/theirs", "1") },
			files:  text("a/x.yaml=1"), want: []Stale{{"a/x.yaml", "is a folder, but must be a file"}},
		},
		{
			name: "link where a folder is needed",
			change: func(t *testing.T, dir string) {
				put(t, dir, "elsewhere/y", "1")
				os.Symlink("elsewhere", filepath.Join(dir, "a"))
			},
			files: text("a/b/x.yaml=1", "a/y.yaml=1"), want: []Stale{{"a", "is not a folder"}},
		},
		{
			name:   "link that leads out of the folder",
			change: func(t *testing.T, dir string) { os.Symlink(filepath.Dir(dir), filepath.Join(dir, "a")) },
			files:  text("a/x.yaml=1"), want: []Stale{{"a", "is not a folder"}},
		},
		{
			name:   "file where a folder is needed",
			change: func(t *testing.T, dir string) { put(t, dir, "a", "theirs") },
			files:  text("a/x.yaml=1"), want: []Stale{{"a", "is not a folder"}},
		},
		{
			name: "all at once", prior: text("a=1", "b=1", "c=1"),
			change: func(t *testing.T, dir string) {
				put(t, dir, "a", "theirs")
				put(t, dir, "b", "theirs")
				put(t, dir, "d", "theirs")
			},
			files: text("a=2", "c=2", "d=2", "e=2"),
			want: []Stale{
				{"a", "was edited since gatehouse wrote it"}, {"b", "was edited since gatehouse wrote it, and is no longer needed"},
				{"d", "was not written by gatehouse"},
			},
			forced: map[string]string{"a": "2", "c": "2", "d": "2", "e": "2"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.prior != nil {
				build(t, dir, tt.prior)
			}
			tt.change(t, dir)
			before := tree(t, dir)
			_, err := Write(t.Context(), dir, tt.files, manifest.Lock{}, Options{})
			var conflict *ConflictError
			if tt.adopted != (err == nil) || !tt.adopted && !errors.As(err, &conflict) {
				t.Fatalf("got %v", err)
			}
			if !tt.adopted {
				if diff := cmp.Diff(tt.want, conflict.Conflicts); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
					t.Errorf("a conflict changed the output: %s", diff)
				}
			}
			_, err = Write(t.Context(), dir, tt.files, manifest.Lock{}, Options{Force: true})
			if tt.forced == nil {
				if diff := cmp.Diff(before, tree(t, dir)); err == nil || diff != "" {
					t.Errorf("force got %v and changed: %s", err, diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := tree(t, dir)
			for name := range got {
				if strings.HasSuffix(name, "/") || name == "target" || name == layout.Lock {
					delete(got, name)
				}
			}
			if diff := cmp.Diff(tt.forced, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestForeignFilesStay(t *testing.T) {
	dir := t.TempDir()
	build(t, dir, first)
	put(t, dir, "environments/dev/old/theirs.yaml", "theirs")
	put(t, dir, "mine.txt", "mine")
	// A link where gatehouse wrote a file that it does not need any more.
	os.Remove(filepath.Join(dir, "environments/dev/old/c.yaml"))
	os.Symlink("../../../mine.txt", filepath.Join(dir, "environments/dev/old/c.yaml"))
	build(t, dir, second)
	got := tree(t, dir)
	for name, want := range map[string]string{"environments/dev/old/theirs.yaml": "theirs", "mine.txt": "mine", "environments/dev/old/c.yaml": "L---------"} {
		if got[name] != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
}

func TestCheckDir(t *testing.T) {
	dir := t.TempDir()
	lock := manifest.Lock{}
	check := func(files []manifest.File, want ...string) {
		t.Helper()
		before := tree(t, dir)
		stale, err := Check(t.Context(), dir, files, lock)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range stale {
			got = append(got, s.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
			t.Errorf("check wrote: %s", diff)
		}
	}
	check(text("a=1"), "a: missing", "gatehouse.lock: differs")
	build(t, dir, text("a=1", "b/c=1", "d=1"))
	check(text("a=1", "b/c=1", "d=1"))
	put(t, dir, "theirs", "x")
	check(text("a=1", "b/c=1", "d=1"))
	put(t, dir, "d", "edited")
	check(text("a=1", "b/c=1", "d=1"), "d: was edited since gatehouse wrote it")
	check(text("a=2", "d=1", "theirs=2", "f/g=1"), "a: differs", "b/c: no longer needed", "d: was edited since gatehouse wrote it",
		"f/g: missing", "gatehouse.lock: differs", "theirs: was not written by gatehouse")
	put(t, dir, layout.Staging+"/x", "left")
	put(t, dir, "d", "1")
	check(text("a=1", "b/c=1", "d=1"), layout.Staging+": left by a build that did not finish")
	locked, err := os.ReadFile(filepath.Join(dir, layout.Lock))
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, layout.Lock, string(locked)+"<<<<<<< HEAD\n=======\n>>>>>>> theirs\n")
	check(text("a=1", "b/c=1", "d=1"), layout.Staging+": left by a build that did not finish",
		fmt.Sprintf("gatehouse.lock: has a merge conflict in line %d, which a build resolves", strings.Count(string(locked), "\n")+1))

	stale, err := Check(t.Context(), filepath.Join(dir, "nowhere"), text("a=1"), lock)
	if err != nil || len(stale) != 1 || stale[0].Reason != "the folder is missing" {
		t.Errorf("got %v, %v", stale, err)
	}
}

func TestReadLock(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Join(dir, "nowhere")} {
		if lock, err := ReadLock(d); lock != nil || err != nil {
			t.Errorf("%s: got %v, %v", d, lock, err)
		}
	}
	for content, want := range map[string]string{
		"<<<<<<< HEAD":               "restore gatehouse.lock from Git",
		"{\"version\":2}\n=======\n": "line 2: a mark of a merge conflict is left, and the one that begins it is gone; during the merge, git checkout --merge",
		`{"version":99}`:             "version 99 is not known",
		`{"version":1,"files":[{"path":"../../etc/passwd","sha256":""}]}`: "not a path inside the output",
	} {
		put(t, dir, layout.Lock, content)
		_, err := Write(t.Context(), dir, first, manifest.Lock{}, Options{Force: true})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", content, err, want)
		}
	}
}

func TestCheckPaths(t *testing.T) {
	for name, tt := range map[string]struct {
		paths []string
		want  string
	}{
		"fine":                 {[]string{"README.md", "CODEOWNERS", ".sourceignore", "a/b.yaml", "a/c.yaml"}, ""},
		"parent":               {[]string{"a/../../x"}, "not a path inside the output"},
		"only dots":            {[]string{".."}, "not a path inside the output"},
		"absolute":             {[]string{"/etc/passwd"}, "not a path inside the output"},
		"empty":                {[]string{""}, "not a path inside the output"},
		"double slash":         {[]string{"a//b"}, "not a path inside the output"},
		"trailing slash":       {[]string{"a/"}, "not a path inside the output"},
		"backslash":            {[]string{`a\..\x`}, "some file systems do not allow"},
		"drive":                {[]string{"c:x"}, "some file systems do not allow"},
		"line feed":            {[]string{"a\nb"}, "unprintable characters"},
		"nul":                  {[]string{"a\x00b"}, "unprintable characters"},
		"direction override":   {[]string{"a\u202eb"}, "unprintable characters"},
		"not UTF-8":            {[]string{"a\xffb"}, "not a path inside the output"},
		"lock":                 {[]string{"gatehouse.lock"}, "reserved"},
		"journal":              {[]string{"gatehouse.lock.next"}, "reserved"},
		"staging":              {[]string{".gatehouse.tmp/a"}, "reserved"},
		"git":                  {[]string{".Git/hooks/pre-commit"}, "reserved"},
		"twice":                {[]string{"a/b", "a/b"}, "two files would be one"},
		"case":                 {[]string{"a/b.yaml", "a/B.yaml"}, "two files would be one on some file systems: a/b.yaml and a/B.yaml"},
		"case of a folder":     {[]string{"a/b.yaml", "A/c.yaml"}, "two folders would be one on some file systems: a and A"},
		"file and folder":      {[]string{"a", "a/b"}, "a would be a file and the folder of a/b"},
		"deep file and folder": {[]string{"x/a/b/c", "x/a"}, "x/a would be a file and the folder of x/a/b/c"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var files []manifest.File
			for _, p := range tt.paths {
				files = append(files, manifest.File{Path: p, Text: []byte("x")})
			}
			_, err := Write(t.Context(), dir, files, manifest.Lock{}, Options{})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if got := tree(t, dir); err != nil && len(got) != 0 {
				t.Errorf("wrote %v", got)
			}
		})
	}
}

func TestReadOnlyFolder(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	build(t, dir, first)
	locked := filepath.Join(dir, "environments/dev/policies")
	if err := os.Chmod(locked, 0o555); err != nil {
		t.Fatal(err)
	}
	_, err := Write(t.Context(), dir, second, manifest.Lock{}, Options{})
	if err == nil || !strings.Contains(err.Error(), "environments/dev/policies/b.yaml") {
		t.Errorf("got %v", err)
	}
	if err := os.Chmod(locked, 0o755); err != nil {
		t.Fatal(err)
	}
	build(t, dir, second)
}

func TestWriteDirStopsWhenCancelled(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Write(ctx, dir, first, manifest.Lock{}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := tree(t, dir); len(got) != 0 {
		t.Errorf("wrote %v", got)
	}
}

// cancellingDisk cancels at the first change of the output itself.
type cancellingDisk struct {
	disk
	cancel context.CancelFunc
}

func (d cancellingDisk) Remove(name string) error {
	d.cancel()
	return d.disk.Remove(name)
}

// TestWriteDirCompletesWhatItBegan: an interrupt does not leave half of a new tree.
func TestWriteDirCompletesWhatItBegan(t *testing.T) {
	dir, want := t.TempDir(), t.TempDir()
	build(t, dir, first)
	build(t, want, first)
	build(t, want, second)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := writeTree(ctx, root, cancellingDisk{rootDisk{root}, cancel}, second, manifest.Lock{}, Options{}); err != nil {
		t.Error(err)
	}
	if ctx.Err() == nil {
		t.Error("nothing was removed: the test shows nothing")
	}
	if diff := cmp.Diff(tree(t, want), tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkWriteDir(b *testing.B) {
	var files []manifest.File
	content := []byte(strings.Repeat("x", 1000))
	for env := range 3 {
		for i := range 20_000 {
			files = append(files, manifest.File{Path: fmt.Sprintf("environments/e%d/network/ns-%05d.yaml", env, i), Text: content})
		}
	}
	for b.Loop() {
		if _, err := Write(b.Context(), b.TempDir(), files, manifest.Lock{}, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
