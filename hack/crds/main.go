// Command crds writes the schemas that package internal/schema checks the
// output against:
//
//	go run ./hack/crds
//
// from the root of the repository. It reads the custom resource definitions of
// the releases that go.mod (Flux) and engine/go.mod (Kyverno) name, from their
// Go modules: downloaded, verified by the checksum database, never built. The
// result depends on these versions and on nothing else.
//
// Of each definition it keeps the openAPIV3Schema of one version, without
// descriptions and without status, which no applied object may carry.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

const output = "internal/schema/crds"

// definition is a custom resource definition and the version that gatehouse emits.
type definition struct {
	// module holds the definition in file.
	module, file string
	// version of the API.
	version string
	// pin is the module whose version is taken, required by the go.mod in folder.
	pin, folder string
}

func definitions() []definition {
	const kyverno, flux = "github.com/kyverno/kyverno", "github.com/fluxcd/"
	fromFlux := func(controller, file, version string) definition {
		module := flux + controller
		return definition{module: module, file: "config/crd/bases/" + file, version: version, pin: module + "/api", folder: "."}
	}
	return []definition{
		{module: kyverno, file: "config/crds/kyverno/kyverno.io_clusterpolicies.yaml", version: "v1", pin: kyverno, folder: "engine"},
		{module: kyverno, file: "config/crds/kyverno/kyverno.io_policyexceptions.yaml", version: "v2", pin: kyverno, folder: "engine"},
		{module: kyverno, file: "config/crds/policies.kyverno.io/policies.kyverno.io_validatingpolicies.yaml", version: "v1", pin: kyverno, folder: "engine"},
		{module: kyverno, file: "config/crds/policies.kyverno.io/policies.kyverno.io_imagevalidatingpolicies.yaml", version: "v1", pin: kyverno, folder: "engine"},
		{module: kyverno, file: "config/crds/policies.kyverno.io/policies.kyverno.io_mutatingpolicies.yaml", version: "v1", pin: kyverno, folder: "engine"},
		fromFlux("kustomize-controller", "kustomize.toolkit.fluxcd.io_kustomizations.yaml", "v1"),
		fromFlux("source-controller", "source.toolkit.fluxcd.io_gitrepositories.yaml", "v1"),
		fromFlux("source-controller", "source.toolkit.fluxcd.io_helmrepositories.yaml", "v1"),
		fromFlux("source-controller", "source.toolkit.fluxcd.io_ocirepositories.yaml", "v1"),
		fromFlux("helm-controller", "helm.toolkit.fluxcd.io_helmreleases.yaml", "v2"),
	}
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "crds:", err)
		os.Exit(1)
	}
}

func run() error {
	for _, d := range definitions() {
		data, err := d.read()
		if err != nil {
			return err
		}
		name, schema, err := convert(data, d.version)
		if err != nil {
			return fmt.Errorf("converting %s of %s: %w", d.file, d.module, err)
		}
		if err := os.WriteFile(filepath.Join(output, name), schema, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// read returns the definition's YAML.
func (d definition) read() ([]byte, error) {
	version, err := command(d.folder, "list", "-mod=mod", "-m", "-f", "{{.Version}}", d.pin)
	if err != nil {
		return nil, err
	}
	// Outside of a module, so that no go.sum is written.
	out, err := command(os.TempDir(), "mod", "download", "-json", d.module+"@"+strings.TrimSpace(string(version)))
	if err != nil {
		return nil, err
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(out, &downloaded); err != nil {
		return nil, fmt.Errorf("reading the answer of go mod download: %w", err)
	}
	return os.ReadFile(filepath.Join(downloaded.Dir, filepath.FromSlash(d.file)))
}

func command(folder string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = folder, &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, stderr.Bytes(), out)
	}
	return out, nil
}

// convert returns the schema of one version and the name of its file:
// kind.group.version.json, in lower case.
func convert(data []byte, version string) (name string, schema []byte, err error) {
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Served bool
				Schema struct{ OpenAPIV3Schema map[string]any }
			}
		}
	}
	if err := yaml.Unmarshal(data, &crd); err != nil {
		return "", nil, err
	}
	for _, v := range crd.Spec.Versions {
		if v.Name != version || !v.Served {
			continue
		}
		root := v.Schema.OpenAPIV3Schema
		if properties, ok := root["properties"].(map[string]any); ok {
			delete(properties, "status")
		}
		strip(root)
		schema, err := json.Marshal(root) // with sorted keys
		name := strings.ToLower(strings.Join([]string{crd.Spec.Names.Kind, crd.Spec.Group, version, "json"}, "."))
		return name, append(schema, '\n'), err
	}
	return "", nil, fmt.Errorf("%s does not serve %s", crd.Spec.Names.Kind, version)
}

// strip removes descriptions, and removes fields with a default from the required fields:
// the API server sets defaults before it checks for missing fields, and package schema
// does not.
func strip(schema map[string]any) {
	delete(schema, "description")
	required, _ := schema["required"].([]any)
	properties, _ := schema["properties"].(map[string]any)
	required = slices.DeleteFunc(required, func(name any) bool {
		property, _ := properties[name.(string)].(map[string]any)
		return property["default"] != nil
	})
	if delete(schema, "required"); len(required) > 0 {
		schema["required"] = required
	}
	for _, property := range properties {
		strip(property.(map[string]any))
	}
	for _, key := range []string{"items", "additionalProperties", "not"} {
		if child, ok := schema[key].(map[string]any); ok {
			strip(child)
		}
	}
	for _, key := range []string{"allOf", "anyOf", "oneOf"} {
		children, _ := schema[key].([]any)
		for _, child := range children {
			strip(child.(map[string]any))
		}
	}
}
