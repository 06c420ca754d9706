package generator

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

var update = flag.Bool("update", false, "update the expectations of the tests")

// testNow is the day of every build in the tests.
var testNow = time.Date(2027, 1, 15, 12, 0, 0, 0, time.UTC)

// TestCompile compiles the files of each archive in testdata. `-- want/PATH --`
// is the whole content of a file of the output, `-- want-diagnostics --` is every
// diagnostic, and `-- prior-lock --` is the lock of the current output.
func TestCompile(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := compileArchive(t, archive)
			if *update {
				if err := os.WriteFile(name, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(got))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// compileArchive returns the archive with the actual output.
func compileArchive(t *testing.T, archive *txtar.Archive) *txtar.Archive {
	t.Helper()
	source, options := fstest.MapFS{}, Options{Version: "test", Now: testNow, Unstaged: bytes.Contains(archive.Comment, []byte("--unstaged"))}
	for _, f := range archive.Files {
		switch {
		case f.Name == "prior-lock":
			lock, err := manifest.DecodeLock(f.Data)
			if err != nil {
				t.Fatal(err)
			}
			options.Prior = lock
		case !strings.HasPrefix(f.Name, "want"):
			source[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
		}
	}
	bundle, problems := Compile(source, ".", options)
	made := map[string][]byte{}
	if bundle != nil {
		for _, f := range bundle.Files {
			data, err := f.Encode()
			if err != nil {
				t.Fatal(err)
			}
			made[f.Path] = data
		}
	}
	out := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		switch path, ok := strings.CutPrefix(f.Name, "want/"); {
		case ok:
			f.Data = made[path]
		case f.Name == "want-diagnostics":
			var lines strings.Builder
			for _, d := range problems {
				lines.WriteString(d.String() + "\n")
			}
			f.Data = []byte(lines.String())
		}
		out.Files = append(out.Files, f)
	}
	return out
}

// TestUnknownFieldHidesNothing checks that one run reports an unknown field and what validation finds.
func TestUnknownFieldHidesNothing(t *testing.T) {
	fsys := fstest.MapFS{
		"profile.yaml": {Data: []byte("apiVersion: gatehouse.dev/v1alpha1\nkind: Profile\nmetadata: {name: x}\nspec: {tier: [apps], flux: {install: helm}}\n")},
		"prod.yaml":    {Data: []byte("apiVersion: gatehouse.dev/v1alpha1\nkind: Environment\nmetadata: {name: prod}\nspec: {ring: 1, clusters: [a], stage: adit, stge: audit}\n")},
	}
	bundle, problems := Compile(fsys, ".", Options{})
	if bundle != nil {
		t.Error("it builds")
	}
	var codes []string
	for _, p := range problems {
		codes = append(codes, p.File+" "+p.Code)
	}
	want := []string{"prod.yaml stage-unknown", "prod.yaml unknown-field", "profile.yaml unknown-field", "profile.yaml flux-install"}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("(-want +got):\n%s\n%v", diff, problems)
	}
}
