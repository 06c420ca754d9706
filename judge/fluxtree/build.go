package fluxtree

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	kustomize "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/yaml"
)

// Built is an object that kustomize built.
type Built struct {
	JSON json.RawMessage
	// File that the object comes from, relative to the folder that was built; the
	// kustomization with its generator, if one made it. Empty for an object from the network.
	File string
	// Line where it begins; 0 if that is not clear.
	Line int
	// Err is set if the object has no form that an API server takes: JSON is then nil.
	Err error
	// ID is kind and name.
	ID string
}

// Build builds the folder dir with the settings of kustomize-controller: files may come from
// anywhere on the disk, and there are no plugins. If ctx ends, what is built is dropped, as
// kustomize cannot be stopped.
func Build(ctx context.Context, d *Disk, dir string) ([]Built, error) {
	abs, _, err := d.CleanedAbs(dir)
	if err != nil {
		return nil, err
	}
	withOrigin(d, string(abs))
	return d.build(ctx, string(abs))
}

// withOrigin makes kustomize tell where the objects of a folder come from.
func withOrigin(d *Disk, dir string) {
	file := d.kustomization(dir)
	data, err := d.FileSystem.ReadFile(file)
	if file == "" || err != nil {
		return
	}
	content := map[string]any{}
	if yaml.UnmarshalStrict(data, &content) != nil {
		return // kustomize says what is wrong
	}
	content["buildMetadata"] = []string{kustomize.OriginAnnotations}
	if data, err = yaml.Marshal(content); err == nil {
		d.instead[file] = data
	}
}

func (d *Disk) build(ctx context.Context, dir string) ([]Built, error) {
	type result struct {
		built resmap.ResMap
		err   error
	}
	results := make(chan result, 1)
	go func() {
		built, err := d.run(dir)
		results <- result{built, err}
	}()
	var r result
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case r = <-results:
	}
	clear(d.instead)
	if r.err != nil {
		return nil, r.err
	}
	objects := make([]Built, 0, r.built.Size())
	l := lines{disk: d}
	for _, one := range r.built.Resources() {
		b := builtOf(one)
		if b.File != "" {
			b.Line = l.of(filepath.Join(dir, filepath.FromSlash(b.File)), b.ID)
		}
		objects = append(objects, b)
	}
	return objects, nil
}

// run runs kustomize, which panics on some input.
func (d *Disk) run(dir string) (built resmap.ResMap, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("kustomize cannot read it: %v", r)
		}
		if d.ownSchema {
			openapi.ResetOpenAPI()
			d.ownSchema = false
		}
	}()
	return krusty.MakeKustomizer(&krusty.Options{LoadRestrictions: kustomize.LoadRestrictionsNone, PluginConfig: kustomize.DisabledPluginConfig()}).Run(d, dir)
}

func builtOf(r *resource.Resource) Built {
	b := Built{ID: r.GetKind() + " " + r.GetName()}
	origin, err := r.GetOrigin()
	if err == nil && origin != nil {
		if origin.Repo == "" {
			b.File = filepath.ToSlash(origin.Path)
			if b.File == "" {
				b.File = filepath.ToSlash(origin.ConfiguredIn)
			}
		}
		err = r.SetOrigin(nil)
	}
	if err == nil {
		b.JSON, err = r.MarshalJSON()
	}
	b.Err = err
	return b
}

// ErrorText returns the error of a build on one line, without the folder root.
func ErrorText(err error, root string) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if root != "" {
		text = strings.ReplaceAll(strings.ReplaceAll(text, root+string(filepath.Separator), ""), root, ".")
	}
	// kustomize tries an entry as a file and as a folder, and tells about both.
	for {
		_, folder, recursed := strings.Cut(text, "': recursed accumulation of path ")
		if !recursed {
			break
		}
		text = folder
	}
	if file, _, both := strings.Cut(text, "': must build at directory"); both {
		_, text, _ = strings.Cut(file, "accumulation err='")
	}
	return lineOfCopy.ReplaceAllString(text, "")
}

// lineOfCopy is a line in text that kustomize wrote from what it had read, and the name of a type.
var lineOfCopy = regexp.MustCompile(`MalformedYAMLError: |yaml: unmarshal errors: line \d+: | at line \d+$`)

// Root returns the folder that the disk is limited to; empty for none.
func (d *Disk) Root() string { return d.root }
