// Command cluster starts and stops a private control plane for development: a
// real Kubernetes API with Kyverno and Flux as processes on loopback ports,
// without containers.
//
//	go run ./hack/cluster build
//	go run ./hack/cluster start [--dir DIR] [--kyverno-values FILE]... [--no-kyverno] [--foreground]
//	go run ./hack/cluster status [--dir DIR]
//	go run ./hack/cluster stop [--dir DIR]
//
// FILE is a HelmRelease, such as environments/<env>/kyverno/helmrelease.yaml of a
// built repository, or values of Kyverno's chart; later files win. build, or the first
// start, builds the programs, which takes about 20 minutes on two cores, and keeps them in
// the user's cache. Package controlplane says what is real and what is not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/gatehouse-dev/gatehouse/hack/cluster/controlplane"
)

const usage = "usage: go run ./hack/cluster build|start|status|stop [flags]; -h after a command lists its flags"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// options are the options of all commands.
type options struct {
	dir        string
	values     []string
	noKyverno  bool
	foreground bool
	root       string
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	root, err := controlplane.Root(ctx)
	if err != nil {
		return err
	}
	o := options{root: root}
	flags := flag.NewFlagSet("cluster "+args[0], flag.ContinueOnError)
	flags.StringVar(&o.dir, "dir", filepath.Join(root, ".dev", "cluster"), "keep the state in `DIR`; stop removes it")
	if args[0] == "start" {
		flags.Func("kyverno-values", "take Kyverno's values from `FILE`, a HelmRelease or plain values", func(file string) error {
			o.values = append(o.values, file)
			return nil
		})
		flags.BoolVar(&o.noKyverno, "no-kyverno", false, "leave Kyverno out")
		flags.BoolVar(&o.foreground, "foreground", false, "stay until interrupted")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return errors.New(usage)
	}
	o.dir, err = filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	switch args[0] {
	case "build":
		_, err := controlplane.Build(ctx, controlplane.Options{Root: root, Helm: true, Log: log})
		return err
	case "start":
		if o.foreground {
			return serve(ctx, o, out, log)
		}
		return start(ctx, o, args[1:], out, log)
	case "status":
		return status(ctx, o.dir, out)
	case "stop":
		return stop(ctx, o.dir, log)
	}
	return errors.New(usage)
}
