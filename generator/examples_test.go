package generator

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator/output"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// TestOutputDoesNotDependOnTheDay compiles every example long before the end of its
// exceptions, and again, as a later build of the same output, long after it. It compares
// all bytes and what the lock records.
func TestOutputDoesNotDependOnTheDay(t *testing.T) {
	sources, err := filepath.Glob("../examples/*")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	expired := 0
	for _, source := range sources {
		compiled := func(now time.Time, prior *manifest.Lock) (*Bundle, diag.List) {
			bundle, problems := Compile(os.DirFS(source), ".", Options{Version: "devel", Now: now, AllowSkip: true, Prior: prior})
			if bundle == nil {
				t.Fatalf("%s: %v", source, problems)
			}
			return bundle, problems
		}
		before, _ := compiled(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), nil)
		after, problems := compiled(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), &before.Lock)
		if diff := cmp.Diff(bytesOf(t, before), bytesOf(t, after)); diff != "" {
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
			bundle, problems := Compile(os.DirFS(source), ".", Options{Version: "devel", Now: testNow})
			for _, d := range problems {
				t.Error(d)
			}
			if bundle == nil {
				return
			}
			dir := filepath.Join(source, "policy-repo")
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
