//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// fleetFolders Kustomizations of Flux apply fleetEach Deployments each.
	fleetFolders, fleetEach = 300, 7
	// fewFolders is the number that memory is compared with.
	fewFolders = 60
	maxReading = 2.0 // times kustomize, beside the judging and without it
	maxFlat    = 1.2 // times the memory for a fifth of the Kustomizations
)

// repository lets impact read a repository of Flux, judge the same workloads in one file, and lets kustomize build
// the same folders, taking turns. Reading alone is compared with the library of kustomize, which starts no process.
func (b *bench) repository(ctx context.Context) error {
	b.say("reading %d Kustomizations", fleetFolders)
	source := b.path("source-repository")
	if err := writeSource(source, "hardened", 10); err != nil {
		return err
	}
	few, many, file := b.path("fleet-few"), b.path("fleet"), b.path("fleet.yaml")
	for dir, n := range map[string]int{few: fewFolders, many: fleetFolders} {
		if err := writeFleet(dir, n); err != nil {
			return err
		}
	}
	if err := writeWorkloads(file, fleetFolders*fleetEach); err != nil {
		return err
	}
	var reads, judges, builds, ours, theirs []time.Duration
	var fewPeak, peak int64
	for range b.rounds {
		small, err := b.judge(ctx, source, few, fewFolders*(fleetEach+1)+2, fewFolders*fleetEach/10)
		if err != nil {
			return err
		}
		read, err := b.judge(ctx, source, many, fleetFolders*(fleetEach+1)+2, fleetFolders*fleetEach/10)
		if err != nil {
			return err
		}
		judged, err := b.judge(ctx, source, file, fleetFolders*fleetEach, fleetFolders*fleetEach/10)
		if err != nil {
			return err
		}
		built, err := b.kustomizeEach(ctx, many)
		if err != nil {
			return err
		}
		our, their, err := readingAlone(ctx)
		if err != nil {
			return err
		}
		reads, judges, builds = append(reads, read.processor), append(judges, judged.processor), append(builds, built)
		ours, theirs = append(ours, our), append(theirs, their)
		fewPeak, peak = max(fewPeak, small.peak), max(peak, read.peak)
	}
	read, judged, built := median(reads), median(judges), median(builds)
	flat := float64(peak) / float64(fewPeak)
	b.report.add("Repository", fmt.Sprintf("`gatehouse impact` on a repository of Flux with %d Kustomizations of %d Deployments each, on the same Deployments in one file, and "+
		"`kustomize build` of each folder; processor time, median of %d, in turns.", fleetFolders, fleetEach, b.rounds),
		figure{what: fmt.Sprintf("`gatehouse impact`, %d workloads in the repository", fleetFolders*fleetEach), value: duration(read)},
		figure{what: "`gatehouse impact`, the same in one file", value: duration(judged)},
		figure{what: "`kustomize build`, all folders", value: duration(built)},
		ratio("the repository against the file and twice `kustomize build`", read, judged+time.Duration(maxReading*float64(built)), 1),
		ratio("reading alone against the library of kustomize, elapsed time", median(ours), median(theirs), maxReading),
		figure{what: fmt.Sprintf("peak memory, %d against %d Kustomizations", fleetFolders, fewFolders), value: fmt.Sprintf("%.1f×", flat), limit: fmt.Sprintf("%g×", maxFlat), over: flat > maxFlat},
		atMost("peak memory of `gatehouse impact`", float64(peak), maxMemory, 1<<20, "MiB"))
	return nil
}

// readingAlone runs the benchmark of judge/fluxtree, which has as many Kustomizations, and returns the elapsed times.
func readingAlone(ctx context.Context) (gatehouse, kustomize time.Duration, err error) {
	text, err := golang(ctx, "test", "./judge/fluxtree", "-run", "^$", "-bench", "^BenchmarkFlux$", "-benchtime", "1x")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line) // BenchmarkFlux/gatehouse-2 1 4500000000 ns/op
		if len(fields) != 4 || fields[3] != "ns/op" {
			continue
		}
		nanoseconds, err := strconv.ParseFloat(fields[2], 64)
		if err != nil {
			return 0, 0, fmt.Errorf("reading the benchmark: %w", err)
		}
		switch {
		case strings.HasPrefix(fields[0], "BenchmarkFlux/gatehouse"):
			gatehouse = time.Duration(nanoseconds)
		case strings.HasPrefix(fields[0], "BenchmarkFlux/kustomize"):
			kustomize = time.Duration(nanoseconds)
		}
	}
	if gatehouse == 0 || kustomize == 0 {
		return 0, 0, fmt.Errorf("the benchmark says nothing of one of both: %s", text)
	}
	return gatehouse, kustomize, nil
}

// judge measures impact on workloads, of which it must find all.
func (b *bench) judge(ctx context.Context, source, workloads string, objects, blocked int) (usage, error) {
	var report bytes.Buffer
	u, err := measure(ctx, &report, b.path("gatehouse"), "impact", source, workloads, "-e", "prod", "--stage", "enforce", "-o", "json", "--engine", b.path("gatehouse-engine"))
	if err != nil {
		return u, err
	}
	return u, wantBlocked(report.Bytes(), objects, blocked)
}

// kustomizeEach builds each folder of apps, and returns the processor time.
func (b *bench) kustomizeEach(ctx context.Context, dir string) (time.Duration, error) {
	folders, err := layerFolders(filepath.Join(dir, "apps"))
	var sum time.Duration
	for _, folder := range folders {
		var u usage
		if u, err = measure(ctx, io.Discard, b.path("kustomize"), "build", folder); err != nil {
			break
		}
		sum += u.processor
	}
	return sum, err
}

// fleetRoot is what `flux bootstrap` writes, and fleetKustomization one of many that it applies.
const (
	fleetRoot = `apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system, labels: {app.kubernetes.io/name: flux}}
spec: {url: "https://github.com/bench/fleet", interval: 1m}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system, labels: {app.kubernetes.io/name: flux}}
spec: {path: ./clusters/prod-1, prune: true, interval: 10m, sourceRef: {kind: GitRepository, name: flux-system}}
`
	fleetKustomization = `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: app-%[1]d, namespace: flux-system, labels: {app.kubernetes.io/name: flux}}
spec:
  path: ./apps/%[1]d
  targetNamespace: team-%05[2]d
  interval: 10m
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild: {substitute: {NAME: web}}
`
)

// writeFleet writes a repository of Flux with the workloads of writeWorkloads, in folders.
func writeFleet(dir string, folders int) error {
	files := map[string]string{"clusters/prod-1/flux-system/gotk-sync.yaml": fleetRoot}
	for i := range folders {
		files[fmt.Sprintf("clusters/prod-1/app-%d.yaml", i)] = fmt.Sprintf(fleetKustomization, i, i%10)
		app := fmt.Sprintf("apps/%d/", i)
		var index strings.Builder
		index.WriteString("resources:\n")
		for j := range fleetEach {
			name := fmt.Sprintf("web-%d.yaml", j)
			fmt.Fprintf(&index, "  - %s\n", name)
			n := i*fleetEach + j
			files[app+name] = fmt.Sprintf(workload, n, n%10, n%10 != 0)
		}
		files[app+"kustomization.yaml"] = index.String()
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
