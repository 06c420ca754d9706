package catalog_test

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/templates"
)

// TestBuiltin walks every control that gatehouse comes with.
func TestBuiltin(t *testing.T) {
	controls, problems := catalog.Load(templates.FS(), "controls")
	for _, p := range problems {
		t.Error(p)
	}
	if len(controls) == 0 {
		t.Fatal("there are no built-in controls")
	}
	for _, c := range controls {
		t.Run(c.ID, func(t *testing.T) {
			for _, p := range c.Verify() {
				t.Error(p)
			}
		})
	}
}
