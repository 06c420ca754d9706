package generator

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLintsAreDocumented compares docs/lints.md with the codes in the sources:
// each code has a section, and each section has a code.
func TestLintsAreDocumented(t *testing.T) {
	used := map[string]bool{"exception-reason": true, "exception-owner": true} // composed from the field's name
	for _, dir := range []string{".", "catalog", "flux", "kyvernotest", "profile", "resolve", "staging", "../internal/source", "../judge/fluxtree", "../judge/identify", "../judge/verdict", "../judge/workload"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if code := codeOf(n); isCode.MatchString(code) {
					used[code] = true
				}
				return true
			})
		}
	}
	page, err := os.ReadFile("../docs/lints.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, m[1])
	}
	if !slices.IsSorted(documented) {
		t.Error("the sections are not sorted")
	}
	for _, c := range slices.Sorted(maps.Keys(used)) {
		if !slices.Contains(documented, c) {
			t.Errorf("docs/lints.md has no section %q", c)
		}
	}
	for _, c := range documented {
		if !used[c] {
			t.Errorf("docs/lints.md has a section %q that no code uses", c)
		}
	}
}

var isCode = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

// codeOf returns the code that a node names: the field Code, the second argument of
// a reporting method, or a constant code….
func codeOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" {
			return literal(n.Value)
		}
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.SelectorExpr:
			name = f.Sel.Name
		case *ast.Ident:
			name = f.Name
		}
		if len(n.Args) > 1 && slices.Contains([]string{"report", "Report", "Warn", "problem", "problemAt", "known", "oneOf"}, name) {
			return literal(n.Args[1])
		}
	case *ast.ValueSpec:
		if strings.HasPrefix(strings.ToLower(n.Names[0].Name), "code") && len(n.Values) == 1 {
			return literal(n.Values[0])
		}
	}
	return ""
}

func literal(e ast.Expr) string {
	text, ok := e.(*ast.BasicLit)
	if !ok || text.Kind != token.STRING {
		return ""
	}
	return strings.Trim(text.Value, `"`)
}
