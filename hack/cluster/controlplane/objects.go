package controlplane

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// readFolder reads the YAML files directly in a folder, in the order of their names.
func readFolder(dir string) ([]manifest.Object, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var objects []manifest.Object
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".yaml") || e.Name() == "kustomization.yaml" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		parsed, err := manifest.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", e.Name(), err)
		}
		objects = append(objects, parsed...)
	}
	return objects, nil
}

// installCRDs applies definitions and waits until all are served.
func (c *ControlPlane) installCRDs(ctx context.Context, crds []manifest.Object) error {
	if err := c.applyAll(ctx, crds); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, crd := range crds {
		err := poll(ctx, 200*time.Millisecond, func(ctx context.Context) error {
			live, err := c.admin.Get(ctx, crd.APIVersion(), crd.Kind(), "", crd.Name())
			if err != nil {
				return err
			}
			if live.Condition("Established").String("status") != "True" {
				return fmt.Errorf("%s is not established", crd.Name())
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func object(apiVersion, kind, namespace, name string) manifest.Object {
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	return manifest.Object{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
}
