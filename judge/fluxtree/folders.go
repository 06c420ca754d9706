package fluxtree

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/internal/regular"
)

// Chart is a chart in a folder that was given: a folder, or an archive that ends in .tgz.
type Chart struct {
	Name, Version string
	// From is where it is.
	From string

	fsys    fs.FS
	at      string
	archive bool
}

// Charts finds the charts in a folder and below it. display is its name in messages. What
// cannot be read as a chart is an error, so that no other version is taken instead.
func Charts(fsys fs.FS, display string) ([]Chart, error) {
	fsys = regular.FS(fsys, maxArchive)
	var all []Chart
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		c := Chart{From: path.Join(display, name), fsys: fsys, at: name}
		var data []byte
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
			if data, err = fs.ReadFile(fsys, path.Join(name, "Chart.yaml")); errors.Is(err, fs.ErrNotExist) {
				return nil
			}
		case path.Ext(name) == ".tgz" && d.Type().IsRegular():
			c.archive = true
			data, err = chartOf(fsys, name)
		default:
			return nil
		}
		if err == nil {
			err = c.describe(data)
		}
		if err != nil {
			return fmt.Errorf("the chart %s: %w", c.From, err)
		}
		all = append(all, c)
		if d.IsDir() { // those it depends on are a part of it
			return fs.SkipDir
		}
		return nil
	})
	slices.SortStableFunc(all, func(a, b Chart) int { return strings.Compare(a.From, b.From) })
	return all, err
}

// describe reads what Chart.yaml says.
func (c *Chart) describe(data []byte) error {
	var said struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	if err := yaml.Unmarshal(data, &said); err != nil {
		return err
	}
	if said.Name == "" || said.Version == "" {
		return errors.New("its Chart.yaml has no name or no version")
	}
	c.Name, c.Version = said.Name, said.Version
	return nil
}

// chartOf returns the Chart.yaml of an archive.
func chartOf(fsys fs.FS, name string) ([]byte, error) {
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	in := tar.NewReader(io.LimitReader(unzipped, 5*maxArchive))
	for {
		h, err := in.Next()
		if err != nil {
			return nil, fmt.Errorf("looking for its Chart.yaml: %w", err)
		}
		if _, file, _ := strings.Cut(h.Name, "/"); file == "Chart.yaml" {
			return io.ReadAll(io.LimitReader(in, 1<<20))
		}
	}
}

// read reads the chart.
func (c *Chart) read() (*chart, error) {
	if c.archive {
		data, err := fs.ReadFile(c.fsys, c.at)
		return &chart{archive: data, from: c.From}, err
	}
	read := &chart{files: map[string][]byte{}, from: c.From}
	err := eachFile(c.fsys, c.at, func(name string) bool { return path.Base(name) == ".git" }, func(_, below string, data []byte) error {
		return read.add(below, data)
	})
	return read, err
}
