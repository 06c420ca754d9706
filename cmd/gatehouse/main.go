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
	"syscall"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

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
