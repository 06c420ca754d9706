//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a running gatehouse.
type process struct {
	cmd         *exec.Cmd
	out, errOut bytes.Buffer
}

func startGatehouse(t *testing.T, dir string, in io.Reader, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command("gatehouse", args...)}
	p.cmd.Dir, p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = dir, in, &p.out, &p.errOut
	p.cmd.WaitDelay = time.Second // for the engine, which has the same streams
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// interrupt sends a signal and checks how the process ends. It returns false if
// the signal came before the process was ready for it.
func (p *process) interrupt(t *testing.T, s syscall.Signal) bool {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	var exit *exec.ExitError
	err := p.cmd.Wait()
	message := map[syscall.Signal]string{syscall.SIGINT: "gatehouse: interrupted\n", syscall.SIGTERM: "gatehouse: terminated\n"}[s]
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signal() == s {
		return false
	}
	if !errors.As(err, &exit) || exit.ExitCode() != 128+int(s) {
		t.Errorf("%v: got %v, want exit code %d", s, err, 128+int(s))
	}
	if !strings.HasSuffix(p.errOut.String(), message) || strings.Count(p.errOut.String(), "gatehouse:") != 1 || p.out.Len() > 0 {
		t.Errorf("%v: got stdout %q, stderr %q", s, p.out.String(), p.errOut.String())
	}
	return true
}

// openPipe returns the writing end of a named pipe once a process reads from it.
func openPipe(t *testing.T, name string) *os.File {
	t.Helper()
	opened := make(chan *os.File, 1)
	go func() {
		pipe, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err == nil {
			opened <- pipe
		}
	}()
	select {
	case pipe := <-opened:
		t.Cleanup(func() { pipe.Close() })
		return pipe
	case <-time.After(20 * time.Second):
		t.Fatal("no process reads " + name)
	}
	return nil
}

var signals = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}

// TestInterruptBuild interrupts a build that still compiles: it writes nothing.
func TestInterruptBuild(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "large.yaml"), largeSource(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range signals {
		for delay := 200 * time.Millisecond; ; delay *= 2 {
			p := startGatehouse(t, dir, nil, "build", "large.yaml", "-o", "out")
			time.Sleep(delay)
			if p.interrupt(t, s) {
				break
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "out")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v: the output is there: %v", s, err)
		}
	}
}

// largeSource takes seconds to compile.
func largeSource() []byte {
	var b bytes.Buffer
	b.WriteString("apiVersion: gatehouse.dev/v1alpha1\nkind: Profile\nmetadata: {name: large}\nspec:\n  extends: [hardened]\n  namespaces:\n")
	for i := range 4000 {
		fmt.Fprintf(&b, "    - {name: team-%d, labels: {owner: team-%[1]d}, network: {ingress: [{from: {namespace: team-1}, ports: [8080/TCP]}]}}\n", i)
	}
	for i := range 4 {
		fmt.Fprintf(&b, "---\nkind: Environment\nmetadata: {name: e%d}\nspec: {ring: 1, stage: audit}\n", i)
	}
	return b.Bytes()
}

// TestInterruptStdin interrupts an impact that waits for its standard input.
func TestInterruptStdin(t *testing.T) {
	t.Setenv("FAKE_KYVERNO", "1.19.1")
	for _, s := range signals {
		in, typed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer typed.Close()
		p := startGatehouse(t, shellFolder(t), in, "impact", "src", "-", "--engine", "impact-engine")
		in.Close()
		// More than fits into a pipe: once it is written, the process reads.
		if _, err := typed.Write(bytes.Repeat([]byte("# a comment\n"), 100_000)); err != nil {
			t.Fatal(err)
		}
		if !p.interrupt(t, s) {
			t.Error("the signal killed it")
		}
	}
}

// TestInterruptPipe interrupts an impact that reads from a named pipe.
func TestInterruptPipe(t *testing.T) {
	t.Setenv("FAKE_KYVERNO", "1.19.1")
	dir := shellFolder(t)
	pipe := filepath.Join(dir, "workloads.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	p := startGatehouse(t, dir, nil, "impact", "src", pipe, "--engine", "impact-engine")
	openPipe(t, pipe)
	if !p.interrupt(t, syscall.SIGINT) {
		t.Error("the signal killed it")
	}
}

// TestInterruptConfirmation interrupts the question of an uninstall.
func TestInterruptConfirmation(t *testing.T) {
	dir := shellFolder(t)
	build := startGatehouse(t, dir, nil, "build", "src", "-o", "repo")
	if err := build.cmd.Wait(); err != nil {
		t.Fatal(err, build.errOut.String())
	}
	in, typed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer typed.Close()
	config := writeKubeconfig(t, "http://127.0.0.1:1")
	asked, question, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("gatehouse", "uninstall", "repo", "--cluster", "dev", "--kubeconfig", config)
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, in, question
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	question.Close()
	first := make([]byte, 1)
	if _, err := asked.Read(first); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Signal(syscall.SIGINT)
	rest, _ := io.ReadAll(asked)
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 130 || !strings.HasSuffix(string(rest), "gatehouse: interrupted\n") {
		t.Errorf("got %v, %s", err, rest)
	}
}

func writeKubeconfig(t *testing.T, server string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	config := `{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: "` + server + `"}}], contexts: [{name: c, context: {cluster: c}}]}`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const profileWithFluxCLI = `apiVersion: gatehouse.dev/v1alpha1
kind: Profile
metadata: {name: acme}
spec: {flux: {install: cli}}
---
kind: Environment
metadata: {name: dev}
spec: {ring: 1, stage: audit}
`

// fluxKinds is as much of an installation of Flux as a bootstrap asks for.
const fluxKinds = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kustomizations.kustomize.toolkit.fluxcd.io}
spec: {group: kustomize.toolkit.fluxcd.io, names: {kind: Kustomization}, versions: [{name: v1, served: true}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gitrepositories.source.toolkit.fluxcd.io}
spec: {group: source.toolkit.fluxcd.io, names: {kind: GitRepository}, versions: [{name: v1, served: true}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: helmreleases.helm.toolkit.fluxcd.io}
spec: {group: helm.toolkit.fluxcd.io, names: {kind: HelmRelease}, versions: [{name: v2, served: true}]}
`

// emptyCluster is an API server that serves a few kinds, allows everything and
// stores what is applied. Nothing in it ever becomes ready. It reports reads of
// definitions after the first apply.
type emptyCluster struct {
	mu      sync.Mutex
	objects map[string]json.RawMessage
	read    chan<- string
}

func (c *emptyCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	body, _ := io.ReadAll(r.Body)
	kinds := map[string]string{
		"/api/v1":                              `{"name":"namespaces","kind":"Namespace"},{"name":"secrets","kind":"Secret","namespaced":true}`,
		"/apis/authorization.k8s.io/v1":        `{"name":"selfsubjectaccessreviews","kind":"SelfSubjectAccessReview"}`,
		"/apis/apiextensions.k8s.io/v1":        `{"name":"customresourcedefinitions","kind":"CustomResourceDefinition"}`,
		"/apis/kustomize.toolkit.fluxcd.io/v1": `{"name":"kustomizations","kind":"Kustomization","namespaced":true}`,
	}
	switch {
	case r.URL.Path == "/version":
		io.WriteString(w, `{"gitVersion": "v1.36.4"}`)
	case kinds[r.URL.Path] != "":
		io.WriteString(w, `{"resources": [`+kinds[r.URL.Path]+`]}`)
	case r.Method == http.MethodPost:
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "status": {"allowed": true}}`)
	case r.Method == http.MethodPatch:
		c.objects[r.URL.Path] = body
		w.Write(body)
	case c.objects[r.URL.Path] != nil:
		w.Write(c.objects[r.URL.Path])
	case strings.HasSuffix(r.URL.Path, "/customresourcedefinitions") && len(c.objects) > 0:
		c.read <- r.URL.Path
		fallthrough
	default:
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}`)
	}
}

// TestInterruptBootstrap interrupts a bootstrap that waits for the cluster.
func TestInterruptBootstrap(t *testing.T) {
	dir := shellFolder(t)
	for name, text := range map[string]string{"cli.yaml": profileWithFluxCLI, "flux.yaml": fluxKinds} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := startGatehouse(t, dir, nil, "build", "cli.yaml", "-o", "repo")
	if err := build.cmd.Wait(); err != nil {
		t.Fatal(err, build.errOut.String())
	}
	for _, s := range signals {
		read := make(chan string, 100)
		server := httptest.NewServer(&emptyCluster{objects: map[string]json.RawMessage{}, read: read})
		t.Cleanup(server.Close)
		p := startGatehouse(t, dir, nil, "bootstrap", "repo", "--source-url", "https://example.com/policies", "--flux-install", "flux.yaml", "--kubeconfig", writeKubeconfig(t, server.URL))
		select {
		case <-read: // it waits for the definition
		case <-time.After(20 * time.Second):
			t.Fatal("it does not wait: ", p.errOut.String())
		}
		if !p.interrupt(t, s) {
			t.Error("the signal killed it")
		}
	}
}
