package identify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/verdict"
	"github.com/gatehouse-dev/gatehouse/templates"
)

// goodDocuments ends the origin of the documents that a control admits.
const goodDocuments = "/tests/" + verdict.CheckGood + ".yaml"

// tier is the one tier of the catalogue's cluster.
const tier = "apps"

// catalogue is every built-in control, enforced in one cluster, and its documents.
type catalogue struct {
	params    engine.LoadParams
	policies  []plan.Policy
	settings  map[string]map[string]any // parameters of controls that are not their defaults
	documents []verdict.Document
}

// newCatalogue enables all controls with their default parameters, or those of their
// examples where there is no default. given are parameters of some controls; nil for none.
func newCatalogue(given map[string]map[string]any, version string, now time.Time) (*catalogue, error) {
	all, problems := catalog.Load(templates.FS(), "controls")
	if problems.HasErrors() {
		return nil, problems.Err()
	}
	c := &catalogue{settings: map[string]map[string]any{}}
	controls := map[string]any{}
	for _, control := range all.Controls {
		if control.Instances != "" || !control.Judges() {
			continue
		}
		settings := map[string]any{}
		parameters := given[control.ID]
		if _, wrong := control.ResolveParameters(parameters, func(string) (any, bool) { return nil, false }); len(wrong) > 0 {
			parameters = nil // what looked like them
		}
		if parameters == nil && !hasDefaults(control) {
			examples, problems := control.Examples()
			if len(problems) > 0 {
				return nil, fmt.Errorf("the examples of %s: %v", control.ID, problems)
			}
			parameters = examples
		}
		if parameters != nil {
			c.settings[control.ID], settings["parameters"] = parameters, parameters
		}
		controls[control.ID] = settings
	}
	bundle, err := compile(controls, version, now)
	if err != nil {
		return nil, err
	}
	env := bundle.Plan.Environments[0]
	if c.params, err = verdict.Params(bundle, env); err != nil {
		return nil, err
	}
	c.policies = env.Judges()
	for _, p := range c.policies {
		documents, err := verdict.Documents(p, tier, len(c.documents))
		if err != nil {
			return nil, err
		}
		c.documents = append(c.documents, documents...)
		if labels, ok := given[p.Name][labelsParameter].([]any); ok {
			more, err := labelled(documents, labels)
			if err != nil {
				return nil, err
			}
			c.documents = append(c.documents, more...)
		}
	}
	return c, nil
}

// labelled returns the good Pods among the documents of a control with more labels: the
// catalogue has no Pod that has what others ask for.
func labelled(documents []verdict.Document, labels []any) ([]verdict.Document, error) {
	var all []verdict.Document
	for _, d := range documents {
		var pod manifest.Object
		if err := json.Unmarshal(d.Request.Resource, &pod); err != nil {
			return nil, fmt.Errorf("%s: %w", d.Name, err)
		}
		if pod.Kind() != "Pod" || d.Request.Operation != "CREATE" || !strings.HasSuffix(d.Origin, goodDocuments) {
			continue
		}
		has, _ := pod.Metadata()["labels"].(map[string]any)
		if has == nil {
			has = map[string]any{}
		}
		for _, label := range labels {
			has[fmt.Sprint(label)] = "any-value"
		}
		pod.Metadata()["labels"] = has
		raw, err := json.Marshal(pod)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.Name, err)
		}
		d.Name, d.Request.Resource, d.Twin = d.Name+", with the labels", raw, -1
		all = append(all, d)
	}
	return all, nil
}

// hasDefaults reports whether the control can be enabled without parameters. A profile
// without registries allows none.
func hasDefaults(c *catalog.Control) bool {
	for _, schema := range c.Parameters.Properties {
		if schema.From == "registries.allowed" {
			return false
		}
	}
	_, found := c.ResolveParameters(nil, func(string) (any, bool) { return nil, false })
	return len(found) == 0
}

// compile builds a profile with the controls.
func compile(controls map[string]any, version string, now time.Time) (*generator.Bundle, error) {
	profile := map[string]any{"apiVersion": v1alpha1.APIVersion, "kind": v1alpha1.KindProfile, "metadata": map[string]any{"name": "catalogue"}, "spec": map[string]any{
		"kyverno": map[string]any{"policyType": "ValidatingAdmissionPolicy"}, "tiers": []any{tier}, "controls": controls,
		"rollout": map[string]any{"stages": []any{map[string]any{"name": "enforce", "enforce": []any{tier}}}},
	}}
	environment := map[string]any{"apiVersion": v1alpha1.APIVersion, "kind": v1alpha1.KindEnvironment, "metadata": map[string]any{"name": "all"},
		"spec": map[string]any{"ring": 1, "stage": "enforce", "allowSkip": true}}
	var text bytes.Buffer
	for _, doc := range []any{profile, environment} { // JSON is YAML
		raw, err := json.Marshal(doc)
		if err != nil {
			return nil, fmt.Errorf("encoding the catalogue: %w", err)
		}
		text.Write(append(raw, "\n---\n"...))
	}
	bundle, problems := generator.Compile(oneFile{text.Bytes()}, oneFileName, generator.Options{Version: version, Now: now, Unstaged: true})
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("compiling the catalogue: %w", err)
	}
	return bundle, nil
}

// oneFile is a file system with one file.
type oneFile struct{ data []byte }

const oneFileName = "catalogue.yaml"

// Open implements [fs.FS].
func (f oneFile) Open(name string) (fs.File, error) {
	if name != oneFileName {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &openFile{bytes.NewReader(f.data), int64(len(f.data))}, nil
}

type openFile struct {
	*bytes.Reader
	size int64
}

// Stat, Close and the methods of fs.FileInfo are those of a regular file.
func (f *openFile) Stat() (fs.FileInfo, error) { return info{f.size}, nil }

// Close implements [fs.File].
func (f *openFile) Close() error { return nil }

type info struct{ size int64 }

func (i info) Name() string       { return oneFileName }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return 0o444 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }
