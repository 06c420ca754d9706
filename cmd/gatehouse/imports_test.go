package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImports keeps gatehouse small: it must start in milliseconds and compile in a
// minute, and `go install` must work without the replace lines that Kyverno needs.
func TestImports(t *testing.T) {
	const most = 650
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := strings.Fields(string(out))
	if len(packages) > most {
		t.Errorf("gatehouse needs %d packages, at most %d are allowed", len(packages), most)
	}
	for _, pkg := range packages {
		if strings.HasPrefix(pkg, "github.com/kyverno/") {
			t.Errorf("gatehouse needs %s: only engine/ may import Kyverno", pkg)
		}
		if strings.HasPrefix(pkg, "helm.sh/") {
			t.Errorf("gatehouse needs %s: only engine/ may import Helm", pkg)
		}
		if strings.HasPrefix(pkg, "k8s.io/api/") {
			t.Errorf("gatehouse needs %s: the types of all APIs are a tenth of what it costs to compile", pkg)
		}
	}
}
