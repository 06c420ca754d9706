// Command gatehouse compiles a small declarative profile into a policy
// repository that Flux applies: Kyverno policies and exceptions,
// NetworkPolicies, Namespaces, trust material, and the Flux Kustomizations that
// order them.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// softMemory is from where on garbage is collected more eagerly: 10,000
// namespaces then compile within half a gigabyte (make bench). It bounds
// nothing: what is in use may be more.
const softMemory = 384 << 20

// run is the whole program with its effects as arguments. It returns the exit
// code: 0 done, 1 the input or the checked thing is wrong, 2 gatehouse could
// not do its work.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	root, global := newRootCmd(args, in, out, errOut)
	return report(errOut, global, root.ExecuteContext(ctx))
}
