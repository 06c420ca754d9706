package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/profile"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/regular"
)

// source is an opened SOURCE.
type source struct {
	fsys fs.FS
	name string // "." or the one file
	dir  string // of fsys, as the user wrote it
}

// openSource opens the folder of a source so that nothing outside it can be
// read, not even through a symbolic link.
func openSource(path string) (*source, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading the source: %s does not exist", path)
	case err != nil:
		return nil, fmt.Errorf("reading the source: %w", err)
	}
	s := &source{name: ".", dir: path}
	if !info.IsDir() {
		s.dir, s.name = filepath.Split(path)
		s.dir = filepath.Clean(s.dir)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, fmt.Errorf("reading the source: %w", err)
	}
	s.fsys = regular.FS(root.FS(), profile.MaxFile)
	return s, nil
}

// compile compiles the source. With a bundle it returns only warnings.
func (s *source) compile(ctx context.Context, o generator.Options) (*generator.Bundle, diag.List, error) {
	return s.await(ctx, func() (*generator.Bundle, diag.List) { return generator.Compile(s.fsys, s.name, o) })
}

// await waits for a compilation, which takes seconds for a large source, or for
// the end of ctx.
func (s *source) await(ctx context.Context, compile func() (*generator.Bundle, diag.List)) (*generator.Bundle, diag.List, error) {
	type compiled struct {
		bundle   *generator.Bundle
		problems diag.List
	}
	c, err := await(ctx, func() compiled {
		bundle, problems := compile()
		return compiled{bundle, problems}
	})
	if err != nil {
		return nil, nil, err
	}
	warnings, err := s.warnings(c.problems)
	return c.bundle, warnings, err
}

// catalog reads the built-in controls and those of the source.
func (s *source) catalog(ctx context.Context) (*catalog.Catalog, diag.List, error) {
	type loaded struct {
		all      *catalog.Catalog
		problems diag.List
	}
	l, err := await(ctx, func() loaded {
		all, problems := profile.Catalog(s.fsys, s.name, version())
		return loaded{all, problems}
	})
	if err != nil {
		return nil, nil, err
	}
	warnings, err := s.warnings(l.problems)
	return l.all, warnings, err
}

// warnings makes the positions of problems relative to the working directory. It
// returns them, or an error with all of them if one is an error.
func (s *source) warnings(problems diag.List) (diag.List, error) {
	for i, d := range problems {
		problems[i].File = s.locate(d.File)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return problems, nil
}

// locate returns the path of a file of the source from the working directory.
// Built-in files have none.
func (s *source) locate(file string) string {
	if file == "" || strings.HasPrefix(file, profile.BuiltIn) {
		return file
	}
	return filepath.Join(s.dir, filepath.FromSlash(file))
}

// look compiles a source without an output: what was audited before does not matter.
func look(ctx context.Context, g *globals, path string) (*source, *generator.Bundle, diag.List, error) {
	s, err := openSource(path)
	if err != nil {
		return nil, nil, nil, err
	}
	o, err := g.options()
	if err != nil {
		return nil, nil, nil, err
	}
	o.Unstaged = true
	bundle, warnings, err := s.compile(ctx, o)
	return s, bundle, warnings, err
}
