package generator

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator/output"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// TestOutputDoesNotDependOnTheDay compiles every example long before the end of its
// exceptions, and long after it on top of that output, and compares all bytes and what
// the lock records.
func TestOutputDoesNotDependOnTheDay(t *testing.T) {
	sources, err := filepath.Glob("../examples/*")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	expired := 0
	for _, source := range sources {
		compiled := func(o Options) (map[string]string, diag.List) {
			bundle, problems := Compile(os.DirFS(source), ".", o)
			if bundle == nil {
				t.Fatalf("%s: %v", source, problems)
			}
			return bytesOf(t, bundle), problems
		}
		before, _ := compiled(Options{Version: "devel", Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Unstaged: true})
		prior, err := manifest.DecodeLock([]byte(before[layout.Lock]))
		if err != nil {
			t.Fatal(err)
		}
		output := fstest.MapFS{}
		for path, text := range before {
			output[path] = &fstest.MapFile{Data: []byte(text)}
		}
		after, problems := compiled(Options{Version: "devel", Now: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), Prior: prior, Output: output})
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%s: (-before +after the end of the exceptions):\n%s", source, diff)
		}
		for _, d := range problems {
			if d.Code == "exception-expired" {
				expired++
			}
		}
	}
	if expired == 0 {
		t.Error("no example has an exception that ends")
	}
}

// bytesOf returns every file of a bundle, with the lock, by path.
func bytesOf(t *testing.T, bundle *Bundle) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, f := range bundle.Files {
		data, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		out[f.Path] = string(data)
	}
	lock, err := bundle.Lock.Encode()
	if err != nil {
		t.Fatal(err)
	}
	out[layout.Lock] = string(lock)
	return out
}

// TestExamples compares the committed output of every example, byte by byte, with
// what its source compiles to.
func TestExamples(t *testing.T) {
	examples, err := os.ReadDir("../examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, example := range examples {
		t.Run(example.Name(), func(t *testing.T) {
			source := filepath.Join("../examples", example.Name())
			dir := filepath.Join(source, "policy-repo")
			prior, err := output.ReadLock(dir)
			if err != nil {
				t.Fatal(err)
			}
			bundle, problems := Compile(os.DirFS(source), ".", Options{Version: "devel", Now: testNow, Prior: prior, Output: os.DirFS(dir)})
			for _, d := range problems {
				t.Error(d)
			}
			if bundle == nil {
				return
			}
			if *update {
				if _, err := output.Write(context.Background(), dir, bundle.Files, bundle.Lock, output.Options{Force: true}); err != nil {
					t.Fatal(err)
				}
			}
			stale, err := output.Check(context.Background(), dir, bundle.Files, bundle.Lock)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range stale {
				if i == 10 {
					t.Errorf("and %d more", len(stale)-i)
					break
				}
				t.Error(s)
			}
		})
	}
}
