//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	maxStart    = 3.0   // times kustomize
	maxPackages = 650.0 // that cmd/gatehouse needs, with those of the standard library
	maxBinary   = 60e6  // bytes
	maxGrowth   = 1.2   // times linear: 12 times the time for 10 times the namespaces
	maxCopy     = 2.0   // times cp -r of the output
	maxMemory   = 512 << 20
	maxLayer    = time.Second
)

// start compares how fast programs start, taking turns.
func (b *bench) start(ctx context.Context) error {
	b.say("starting programs")
	programs := []string{"gatehouse", "kustomize", "helm"}
	walls := map[string][]time.Duration{}
	for range 41 {
		for _, program := range programs {
			u, err := measure(ctx, io.Discard, b.path(program), "version")
			if err != nil {
				return err
			}
			walls[program] = append(walls[program], u.wall)
		}
	}
	gatehouse, kustomize := median(walls["gatehouse"]), median(walls["kustomize"])
	b.report.add("Start", "Median of 41 starts, in turns.",
		ratio("`gatehouse version` against `kustomize version`", gatehouse, kustomize, maxStart),
		figure{what: "`gatehouse version`", value: duration(gatehouse)},
		figure{what: "`kustomize version`", value: duration(kustomize)},
		figure{what: "`helm version`", value: duration(median(walls["helm"]))})
	return nil
}

// size counts the packages and the bytes of the program.
func (b *bench) size(ctx context.Context) error {
	packages, err := golang(ctx, "list", "-deps", "./cmd/gatehouse")
	if err != nil {
		return err
	}
	figures := []figure{atMost("packages in `gatehouse`", float64(len(strings.Fields(packages))), maxPackages, 1, "")}
	for _, program := range []string{"gatehouse", "kustomize", "helm"} {
		info, err := os.Stat(b.path(program))
		if err != nil {
			return err
		}
		f := atMost("binary of `"+program+"`", float64(info.Size()), maxBinary, 1e6, "MB")
		if program != "gatehouse" {
			f.limit, f.over = "", false
		}
		figures = append(figures, f)
	}
	b.report.add("Size", "All binaries are built with `-trimpath -ldflags '-s -w'`.", figures...)
	return nil
}

// growth compiles and writes ever larger profiles, and copies what was written.
// The output of the last round stays for the layers.
func (b *bench) growth(ctx context.Context) error {
	var figures []figure
	var before time.Duration
	for i, n := range b.sizes {
		b.say("compiling %d namespaces", n)
		source, out, copied := b.path(fmt.Sprintf("source-%d", n)), b.out(n), b.path("copy")
		if err := writeSource(source, "hardened", n); err != nil {
			return err
		}
		var builds, copies []time.Duration
		var peak int64
		for range b.rounds {
			if err := errors.Join(os.RemoveAll(out), os.RemoveAll(copied)); err != nil {
				return err
			}
			build, err := measure(ctx, io.Discard, b.path("gatehouse"), "build", source, "-o", out)
			if err != nil {
				return err
			}
			cp, err := measure(ctx, io.Discard, "cp", "-r", out, copied)
			if err != nil {
				return err
			}
			builds, copies, peak = append(builds, build.wall), append(copies, cp.wall), max(peak, build.peak)
		}
		wall, label := median(builds), fmt.Sprintf("%d namespaces", n)
		figures = append(figures,
			figure{what: label, value: duration(wall)},
			figure{what: label + ", `cp -r` of the output", value: duration(median(copies))})
		if i == len(b.sizes)-1 {
			times := float64(n) / float64(b.sizes[i-1])
			figures = append(figures,
				ratio(fmt.Sprintf("%d against %d namespaces", n, b.sizes[i-1]), wall, before, maxGrowth*times),
				ratio(label+" against `cp -r`", wall, median(copies), maxCopy))
		}
		figures = append(figures, atMost(label+", peak memory", float64(peak), maxMemory, 1<<20, "MiB"))
		before = wall
	}
	b.report.add("Growth", fmt.Sprintf("`gatehouse build` of the profile `hardened` in 3 environments into an empty folder; median of %d, in turns with `cp -r`.", b.rounds), figures...)
	return nil
}

func (b *bench) out(namespaces int) string { return b.path(fmt.Sprintf("out-%d", namespaces)) }

// layers builds each layer as Flux does, for the two largest sizes.
func (b *bench) layers(ctx context.Context) error {
	var figures []figure
	var before time.Duration
	sizes := b.sizes[len(b.sizes)-2:]
	for i, n := range sizes {
		b.say("building the layers of %d namespaces", n)
		folders, err := layerFolders(filepath.Join(b.out(n), "environments", "prod"))
		if err != nil {
			return err
		}
		var sum, largest time.Duration
		for _, folder := range folders {
			u, err := measure(ctx, io.Discard, b.path("kustomize"), "build", folder)
			if err != nil {
				return err
			}
			sum, largest = sum+u.processor, max(largest, u.processor)
		}
		label := fmt.Sprintf("%d namespaces", n)
		figures = append(figures,
			figure{what: label + ", layers", value: fmt.Sprint(len(folders))},
			figure{what: label + ", the slowest layer", value: duration(largest), limit: duration(maxLayer), over: largest > maxLayer},
			figure{what: label + ", all layers", value: duration(sum)})
		if i > 0 {
			times := float64(n) / float64(sizes[i-1])
			figures = append(figures, ratio(fmt.Sprintf("all layers, %d against %d namespaces", n, sizes[i-1]), sum, before, maxGrowth*times))
		}
		before = sum
	}
	b.report.add("Layers", "`kustomize build` of each layer of one environment, once each, as Flux builds them; processor time.", figures...)
	return nil
}

// layerFolders lists the folders below root that Flux builds.
func layerFolders(root string) ([]string, error) {
	var folders []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "kustomization.yaml" {
			folders = append(folders, filepath.Dir(path))
		}
		return err
	})
	if err == nil && len(folders) == 0 {
		err = fmt.Errorf("no layers below %s", root)
	}
	return folders, err
}

// objects compares the time per object with other ways to render policies.
func (b *bench) objects(ctx context.Context) error {
	b.say("rendering policies")
	kyverno, err := b.kyvernoModule(ctx)
	if err != nil {
		return err
	}
	policies, many := b.path("source-policies"), b.path(fmt.Sprintf("source-%d", b.sizes[len(b.sizes)-2]))
	if err := writeSource(policies, "restricted, supply-chain", 0); err != nil {
		return err
	}
	layer := filepath.Join(b.out(b.sizes[len(b.sizes)-2]), "environments", "prod", "namespaces")
	var figures []figure
	for _, program := range []struct {
		what, name string
		args       []string
	}{
		{"`gatehouse build`, policies of `restricted` and `supply-chain`, 3 environments", "gatehouse", []string{"build", policies}},
		{"`helm template`, the chart kyverno-policies, restricted", "helm", []string{"template", "p", filepath.Join(kyverno, "charts", "kyverno-policies"), "--set", "podSecurityStandard=restricted", "--kube-version", "1.36.0"}},
		{fmt.Sprintf("`gatehouse build`, %d namespaces, 3 environments", b.sizes[len(b.sizes)-2]), "gatehouse", []string{"build", many}},
		{"`kustomize build`, one layer of these namespaces", "kustomize", []string{"build", layer}},
	} {
		var walls []time.Duration
		var found kindCounter
		for range b.rounds {
			found = kindCounter{}
			u, err := measure(ctx, &found, b.path(program.name), program.args...)
			if err != nil {
				return err
			}
			walls = append(walls, u.wall)
		}
		wall := median(walls)
		figures = append(figures, figure{
			what:  program.what,
			value: fmt.Sprintf("%s for %d objects: %s each", duration(wall), found.count, duration(wall/time.Duration(max(found.count, 1)))),
		})
	}
	b.report.add("Time per object", fmt.Sprintf("Everything to standard output, start included; median of %d.", b.rounds), figures...)
	return nil
}

// kyvernoModule returns the folder of the Kyverno module, with its charts.
func (b *bench) kyvernoModule(ctx context.Context) (string, error) {
	kyverno, err := golang(ctx, "-C", "engine", "list", "-m", "-f", "{{.Path}}@{{.Version}}", "github.com/kyverno/kyverno")
	if err != nil {
		return "", err
	}
	// Outside of a module, so that no go.sum is written.
	answer, err := golang(ctx, "-C", b.dir, "mod", "download", "-json", kyverno)
	if err != nil {
		return "", err
	}
	var module struct{ Dir string }
	if err := json.Unmarshal([]byte(answer), &module); err != nil {
		return "", fmt.Errorf("reading the answer of go mod download: %w", err)
	}
	return module.Dir, nil
}
