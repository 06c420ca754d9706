package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// TestMain lets the test binary be the program when its only argument is "serve".
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		os.Exit(run(nil, os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

const policy = `{"apiVersion":"kyverno.io/v1","kind":"ClusterPolicy","metadata":{"name":"x"},"spec":{"rules":[{"name":"r","match":{"any":[{"resources":{"kinds":["Pod"]}}]},` +
	`"validate":{"failureAction":"Enforce","message":"refused","pattern":{"spec":{"=(hostNetwork)":"false"}}}}]}}`

// start starts the real engine as the process that gatehouse would talk to.
func start(t testing.TB) *protocol.Client {
	t.Helper()
	c, _ := startProcess(t)
	return c
}

func startProcess(t testing.TB) (*protocol.Client, *os.Process) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve")
	c, err := protocol.Start(t.Context(), cmd, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	loaded, err := c.Load(t.Context(), protocol.LoadParams{Policies: []json.RawMessage{json.RawMessage(policy)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := loaded.Err(); err != nil {
		t.Fatal(err)
	}
	return c, cmd.Process
}

func pods(n int) []protocol.EvaluateParams {
	requests := make([]protocol.EvaluateParams, n)
	for i := range requests {
		hostNetwork := "false"
		if i%3 == 0 {
			hostNetwork = "true"
		}
		requests[i].Resource = json.RawMessage(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"payments"},"spec":{"hostNetwork":` + hostNetwork +
			`,"containers":[{"name":"c","image":"ghcr.io/acme/app:v1"}]}}`)
	}
	return requests
}

// TestProcess is the client of gatehouse against the real engine.
func TestProcess(t *testing.T) {
	c := start(t)
	got, err := c.EvaluateMany(t.Context(), pods(1000))
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range got {
		if g.Result == nil || g.Result.Blocked != (i%3 == 0) {
			t.Fatalf("answer %d: %+v, error %v", i, g.Result, g.Error)
		}
	}
	if _, err := c.Evaluate(t.Context(), protocol.EvaluateParams{Resource: json.RawMessage(`[]`)}); err == nil || !strings.Contains(err.Error(), "resource") {
		t.Errorf("error is %v", err)
	}
}

// TestInterrupted presses Ctrl-C, which a terminal sends to gatehouse, too: only gatehouse may say what it means.
func TestInterrupted(t *testing.T) {
	c, process := startProcess(t)
	if err := process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // the signal must have arrived
	if got, err := c.EvaluateMany(t.Context(), pods(1)); err != nil || !got[0].Result.Blocked {
		t.Errorf("%+v, error %v", got, err)
	}
}
