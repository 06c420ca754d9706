// Command gatehouse compiles a small declarative profile into a policy
// repository that Flux applies: Kyverno policies and exceptions,
// NetworkPolicies, Namespaces, trust material, and the Flux Kustomizations that
// order them.
package main

import (
	"context"
	"io"
	"os"
	"runtime/debug"

	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// softMemory is the heap size above which garbage is collected more eagerly:
// 10,000 namespaces then compile within half a gigabyte (make bench). It is not
// a limit: memory in use may exceed it.
const softMemory = 384 << 20

// run is the whole program with its effects as arguments. It returns the exit
// code: 0 done, 1 the input or the checked thing is wrong, 2 gatehouse could
// not do its work, 128 and its number after a signal.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	errOut = &plain.Writer{W: errOut} // messages name files and objects of others
	root := newRootCmd(args, in, out, errOut)
	return int(report(errOut, endOf(ctx, root.ExecuteContext(ctx))))
}
