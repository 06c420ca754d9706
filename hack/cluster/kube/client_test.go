package kube

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// apiServer knows Pods and Namespaces; it answers with what it was asked.
func apiServer(t *testing.T) *Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"resources": [{"name": "pods", "kind": "Pod", "namespaced": true}, {"name": "pods/status", "kind": "Pod"}, {"name": "namespaces", "kind": "Namespace"}]}`)
	})
	mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, r *http.Request) {
		err := json.NewEncoder(w).Encode(map[string]any{"asked": r.Method + " " + r.URL.String(), "user": r.Header.Get("Impersonate-User")})
		if err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("POST /api/v1/namespaces", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"reason": "Forbidden", "message": "no", "code": 403}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return New(server.URL, "token", server.Client())
}

func TestRequests(t *testing.T) {
	client := apiServer(t)
	pod := manifest.Object{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "p", "namespace": "n"}}
	namespace := manifest.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "n"}}
	tests := []struct {
		name string
		do   func() (manifest.Object, error)
		want map[string]any
	}{
		{
			"apply", func() (manifest.Object, error) { return client.Apply(t.Context(), pod, "me") },
			map[string]any{"asked": "PATCH /api/v1/namespaces/n/pods/p?fieldManager=me&fieldValidation=Strict&force=true", "user": ""},
		},
		{
			"dry run", func() (manifest.Object, error) { return client.DryRun().Create(t.Context(), pod) },
			map[string]any{"asked": "POST /api/v1/namespaces/n/pods?dryRun=All", "user": ""},
		},
		{
			"somebody else", func() (manifest.Object, error) { return client.As("u").Get(t.Context(), "v1", "Namespace", "", "n") },
			map[string]any{"asked": "GET /api/v1/namespaces/n", "user": "u"},
		},
		{
			"subresource", func() (manifest.Object, error) { return client.Patch(t.Context(), namespace, "status", nil) },
			map[string]any{"asked": "PATCH /api/v1/namespaces/n/status", "user": ""},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.do()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(manifest.Object(tt.want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	client := apiServer(t)
	var status *StatusError
	_, err := client.Create(t.Context(), manifest.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "n"}})
	if !errors.As(err, &status) || status.Code != http.StatusForbidden || status.Message != "no" {
		t.Errorf("got %v", err)
	}
	for _, o := range []manifest.Object{{"apiVersion": "v1", "kind": "Unknown"}, {"apiVersion": "none/v1", "kind": "Pod"}} {
		if _, err := client.Create(t.Context(), o); !errors.As(err, &status) || status.Code != http.StatusNotFound {
			t.Errorf("%v: got %v", o, err)
		}
	}
}
