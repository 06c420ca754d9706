package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/rollout"
)

// TestClient: gatehouse names itself to the API server, and prints each of its warnings once.
func TestClient(t *testing.T) {
	var agents []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agents = append(agents, r.UserAgent())
		w.Header().Add("Warning", `299 - "this API goes"`)
		io.WriteString(w, `{"gitVersion": "v1.36.4"}`)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "config")
	config := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: %q}}], contexts: [{name: c, context: {cluster: c}}]}`, server.URL)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var said []string
	client, err := (&targetOptions{clusterOptions: clusterOptions{kubeconfig: file}}).client(rollout.Log{Line: func(line string) { said = append(said, line) }})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := client.Version(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"Warning: this API goes"}, said); diff != "" {
		t.Error(diff)
	}
	if want := "gatehouse/" + version(); len(agents) != 2 || agents[0] != want {
		t.Errorf("asked by %v, want %s", agents, want)
	}
}
