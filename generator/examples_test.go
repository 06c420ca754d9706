package generator

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/output"
)

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
