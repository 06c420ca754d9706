package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"helm.sh/helm/v4/pkg/helmpath"

	"github.com/gatehouse-dev/gatehouse/engine/charts"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// renderer renders and pulls charts in this process.
type renderer struct {
	errOut io.Writer

	once   sync.Once
	puller *charts.Puller
	err    error
}

// Render implements server.Charts. A chart that needs too much memory ends the process: Helm cannot be stopped.
func (r *renderer) Render(ctx context.Context, params protocol.RenderParams) (protocol.RenderResult, error) {
	defer charts.Watch(charts.MaxMemory, func() {
		fmt.Fprintf(r.errOut, "gatehouse-engine: to render the release %s needs more than %d MiB\n", params.Name, charts.MaxMemory>>20)
		os.Exit(2)
	})()
	return charts.Render(ctx, params)
}

// Pull implements server.Charts. It uses the logins of the user's Helm and docker, and reads them when they are needed.
func (r *renderer) Pull(ctx context.Context, params protocol.PullParams) (protocol.PullResult, error) {
	r.once.Do(func() {
		logins, err := charts.Repositories(cmp.Or(os.Getenv("HELM_REPOSITORY_CONFIG"), helmpath.ConfigPath("repositories.yaml")))
		registries := charts.Registries(cmp.Or(os.Getenv("HELM_REGISTRY_CONFIG"), helmpath.ConfigPath("registry/config.json")))
		r.puller, r.err = &charts.Puller{Registries: registries, Logins: logins, Client: charts.NewClient()}, err
	})
	if r.err != nil {
		return protocol.PullResult{}, &protocol.Error{Code: protocol.CodeChart, Message: r.err.Error()}
	}
	return r.puller.Pull(ctx, params)
}
