package main

import (
	"flag"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "update the expectations of the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"gatehouse":     func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"fake-engine":   fakeEngine,
		"impact-engine": impactEngine,
	})
}

// TestScripts runs every command as a user would: testdata/script/<command>_<behaviour>.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"completes": completes},
	})
}
