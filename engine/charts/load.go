package charts

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/pkg/chartutil"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/ignore"
	"sigs.k8s.io/yaml"
)

// load loads a chart, with its default values replaced where the release says so.
func load(params protocol.RenderParams) (*chart.Chart, error) {
	c, err := parse(params)
	if err != nil {
		return nil, err
	}
	if c.Metadata.Type == "library" {
		return nil, errors.New("a library chart cannot be installed")
	}
	if err := complete(c); err != nil {
		return nil, err
	}
	defaults := params.Defaults
	for _, name := range params.ValuesFiles {
		name = path.Clean(name)
		at := slices.IndexFunc(c.Raw, func(f *common.File) bool { return f.Name == name })
		switch {
		case at >= 0:
			defaults = append(defaults, c.Raw[at].Data)
		case !params.IgnoreMissing:
			return nil, fmt.Errorf("it has no file %s, which spec.chart.spec.valuesFiles lists", name)
		}
	}
	if len(params.Defaults)+len(params.ValuesFiles) == 0 {
		return c, nil
	}
	merged := map[string]any{}
	for _, text := range defaults {
		values := map[string]any{}
		if err := yaml.Unmarshal(text, &values); err != nil {
			return nil, fmt.Errorf("spec.chart.spec.valuesFiles: %w", err)
		}
		merged = chartutil.MergeMaps(merged, values)
	}
	c.Values = merged
	return c, nil
}

// parse reads the files of a chart. Helm refuses archives with paths that lead out of them, and those that are too large
// once they are unpacked.
func parse(params protocol.RenderParams) (*chart.Chart, error) {
	switch {
	case len(params.Archive) > 0 && len(params.Files) > 0:
		return nil, errors.New("it is a folder and an archive")
	case len(params.Archive) > 0:
		return loader.LoadArchive(bytes.NewReader(params.Archive))
	}
	rules := ignore.Empty()
	if text, ok := params.Files[".helmignore"]; ok {
		var err error
		if rules, err = ignore.Parse(bytes.NewReader(text)); err != nil {
			return nil, fmt.Errorf(".helmignore: %w", err)
		}
	}
	rules.AddDefaults()
	var files []*archive.BufferedFile
	for _, name := range slices.Sorted(maps.Keys(params.Files)) {
		if !fs.ValidPath(name) {
			return nil, fmt.Errorf("%s is no path in it", name)
		}
		if !ignored(rules, name) {
			files = append(files, &archive.BufferedFile{Name: name, Data: bytes.TrimPrefix(params.Files[name], []byte("\xEF\xBB\xBF"))})
		}
	}
	return loader.LoadFiles(files)
}

// ignored reports whether rules leave out a file, or a folder above it.
func ignored(rules *ignore.Rules, name string) bool {
	parts := strings.Split(name, "/")
	for i := range parts {
		if rules.Ignore(strings.Join(parts[:i+1], "/"), info{name: parts[i], dir: i < len(parts)-1}) {
			return true
		}
	}
	return false
}

// info describes a file in memory.
type info struct {
	name string
	dir  bool
}

// Name implements [fs.FileInfo].
func (i info) Name() string { return i.name }

// Size implements [fs.FileInfo].
func (i info) Size() int64 { return 0 }

// Mode implements [fs.FileInfo].
func (i info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir
	}
	return 0
}

// ModTime implements [fs.FileInfo].
func (i info) ModTime() time.Time { return time.Time{} }

// IsDir implements [fs.FileInfo].
func (i info) IsDir() bool { return i.dir }

// Sys implements [fs.FileInfo].
func (i info) Sys() any { return nil }

// complete returns an error about dependencies that the chart does not have in its folder charts.
func complete(c *chart.Chart) error {
	var missing []string
	for _, want := range c.Metadata.Dependencies {
		if want != nil && !slices.ContainsFunc(c.Dependencies(), func(have *chart.Chart) bool { return have.Name() == want.Name }) {
			missing = append(missing, want.Name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("it depends on charts that are not in its folder charts: %s", strings.Join(missing, ", "))
	}
	return nil
}
