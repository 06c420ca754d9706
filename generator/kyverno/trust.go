package kyverno

import (
	"encoding/base64"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Trust emits the ConfigMaps and Secrets with public keys that image policies
// refer to: environments/<env>/trust/<kind>-<name>.yaml, in Kyverno's namespace.
func Trust(p *plan.Plan) []manifest.File {
	var files []manifest.File
	for _, env := range p.Environments {
		folder := layout.Folder{Environment: env.Name, Kind: layout.Trust}
		for _, t := range env.Trust {
			data := map[string]any{}
			object := manifest.Object{
				"apiVersion": "v1", "kind": t.Kind, "data": data,
				"metadata": map[string]any{"name": t.Name, "namespace": env.Kyverno.Namespace, "labels": managed()},
			}
			for key, text := range t.Data {
				if t.Kind == "Secret" {
					text = base64.StdEncoding.EncodeToString([]byte(text))
				}
				data[key] = text
			}
			files = append(files, manifest.File{
				Path: folder.File(strings.ToLower(t.Kind) + "-" + t.Name), Folder: folder, Origin: t.At.File, Objects: []manifest.Object{object},
			})
		}
	}
	return files
}
