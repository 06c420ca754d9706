// Command gatehouse-engine runs the real Kyverno engine as a process. gatehouse starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/gatehouse-dev/gatehouse/engine/evaluator"
	"github.com/gatehouse-dev/gatehouse/engine/server"
)

const usage = `gatehouse-engine is the Kyverno engine as a process, without a cluster. It renders
Helm charts, too.

gatehouse test and gatehouse impact start it; put it next to gatehouse or on the PATH.
It reads requests from stdin and writes responses to stdout, one JSON value per line:

  {"id":1,"method":"hello"}
  {"id":2,"method":"load","params":{"policies":[…],"exceptions":[…],"namespaces":[…],"exceptionNamespace":"policy-exceptions"}}
  {"id":3,"method":"evaluate","params":{"resource":{…}}}
  {"id":4,"method":"evaluateMany","params":{"requests":[{"resource":{…}}]}}
  {"id":5,"method":"render","params":{"files":{"Chart.yaml":"…"},"name":"shop","namespace":"shop"}}
  {"id":6,"method":"pull","params":{"url":"oci://ghcr.io/acme/charts/shop","version":"1.x"}}

The protocol is described in judge/engine/protocol.go of gatehouse.

Usage:
  gatehouse-engine [flags]

Flags:
  --help      print this text
  --version   print the version of this program and of the Kyverno module inside
`

func main() {
	out := os.Stdout
	os.Stdout = os.Stderr // output of Kyverno's 2,500 packages must not get between the responses
	os.Exit(run(os.Args[1:], os.Stdin, out, os.Stderr))
}

// run returns the exit status: 0 for success, 1 for wrong arguments, 2 if it could not serve.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("gatehouse-engine", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	version := flags.Bool("version", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, usage)
		return 0
	case err != nil:
		fmt.Fprintf(errOut, "gatehouse-engine: %v\n", err)
		return 1
	case flags.NArg() > 0:
		fmt.Fprintf(errOut, "gatehouse-engine: unexpected argument %q\n", flags.Arg(0))
		return 1
	}
	if *version {
		hello := evaluator.Hello()
		fmt.Fprintf(out, "gatehouse-engine %s (kyverno %s, protocol %d)\n", hello.Version, hello.Kyverno, hello.Protocol)
		return 0
	}
	// A terminal sends Ctrl-C to gatehouse and to this program. gatehouse says that it was interrupted, and closes stdin.
	signal.Ignore(os.Interrupt)
	err := serve(in, out, errOut)
	if err != nil {
		fmt.Fprintf(errOut, "gatehouse-engine: %v\n", err)
		return 2
	}
	return 0
}

// serve answers requests until in ends.
func serve(in io.Reader, out, errOut io.Writer) error {
	e, err := evaluator.New()
	if err != nil {
		return err
	}
	return errors.Join(server.Serve(context.Background(), in, out, evaluator.Hello(), e, &renderer{errOut: errOut}), e.Close())
}
