package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// documents are the kinds of the language, in the order of the reference.
var documents = []string{"Profile", "Environment", "Exception", "Test"}

// language is the types of package v1alpha1 by name.
type language map[string]*structType

type structType struct {
	name, doc string
	fields    []field
	// plainField is the field whose list or text may be written instead of the struct, or
	// empty.
	plainField string
}

type field struct {
	// name in YAML.
	name, doc string
	required  bool
	typ       ast.Expr
}

func parseLanguage(folder string) (language, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	l, plainFields := language{}, map[string]string{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.GenDecl:
				if err := l.addTypes(decl); err != nil {
					return nil, fmt.Errorf("%s: %w", path, err)
				}
			case *ast.FuncDecl:
				if decl.Name.Name == "ListField" || decl.Name.Name == "TextField" {
					plainFields[decl.Recv.List[0].Type.(*ast.Ident).Name] = returned(decl)
				}
			}
		}
	}
	for name, field := range plainFields {
		l[name].plainField = field
	}
	return l, l.check()
}

func (l language) addTypes(decl *ast.GenDecl) error {
	for _, spec := range decl.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		s, ok := t.Type.(*ast.StructType)
		if !ok {
			return fmt.Errorf("%s is not a struct", t.Name.Name)
		}
		out := &structType{name: t.Name.Name, doc: text(decl.Doc)}
		for _, f := range s.Fields.List {
			if len(f.Names) != 1 || f.Tag == nil {
				return fmt.Errorf("%s has a field without a name or a tag", t.Name.Name)
			}
			tag, err := strconv.Unquote(f.Tag.Value)
			if err != nil {
				return err
			}
			name, options, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
			out.fields = append(out.fields, field{name: name, doc: text(f.Doc), required: options == "", typ: f.Type})
		}
		l[out.name] = out
	}
	return nil
}

// check returns an error for types and fields without a comment, and for rules of fields
// that do not exist.
func (l language) check() error {
	unused := map[string]bool{}
	for key := range rules {
		unused[key] = true
	}
	for _, t := range l {
		for _, f := range t.fields {
			if f.doc == "" {
				return fmt.Errorf("%s.%s has no comment", t.name, f.name)
			}
			delete(unused, t.name+"."+f.name)
		}
	}
	for key := range unused {
		return fmt.Errorf("rules.go: there is no field %s", key)
	}
	return nil
}

// reachable returns the names of the types of a document, itself first, each once.
func (l language) reachable(document string) []string {
	names := []string{document}
	for i := 0; i < len(names); i++ {
		for _, f := range l[names[i]].fields {
			if name := l.structOf(f.typ); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// structOf returns the struct that a type contains, with any wrapping removed, or empty.
func (l language) structOf(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return l.structOf(t.X)
	case *ast.ArrayType:
		return l.structOf(t.Elt)
	case *ast.MapType:
		return l.structOf(t.Value)
	case *ast.Ident:
		if l[t.Name] != nil {
			return t.Name
		}
	}
	return ""
}

// text returns a comment on one line.
func text(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

// returned returns the string that a function with one return statement returns.
func returned(f *ast.FuncDecl) string {
	value := f.Body.List[0].(*ast.ReturnStmt).Results[0].(*ast.BasicLit).Value
	s, err := strconv.Unquote(value)
	if err != nil {
		panic(err) // the parser has read it as a literal
	}
	return s
}
