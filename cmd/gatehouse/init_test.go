package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
)

// The example quickstart is what init writes, without the schema and the lines for editors.
func TestQuickstartIsScaffolded(t *testing.T) {
	files, err := scaffoldFiles(initOptions{name: "platform", environments: []string{"dev", "staging", "prod"}, policyType: catalog.ValidatingPolicy})
	if err != nil {
		t.Fatal(err)
	}
	modeline := regexp.MustCompile(`^# yaml-language-server: [^\n]*\n#\n`)
	for _, f := range files {
		if f.path == ".schema.json" {
			continue
		}
		got, err := os.ReadFile(filepath.Join("../../examples/quickstart", f.path))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(modeline.ReplaceAllString(string(f.data), ""), string(got)); diff != "" {
			t.Errorf("examples/quickstart/%s (-init +example):\n%s", f.path, diff)
		}
	}
}
