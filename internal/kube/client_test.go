package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// fake is an API server that serves Pods and Namespaces. It has fixed answers for some
// requests, and echoes all others.
type fake struct {
	answers map[string]answer // by method and URI, without the timeout

	mu    sync.Mutex
	asked []string
}

type answer struct {
	code int
	body string
}

const served = `{"resources": [{"name": "pods", "kind": "Pod", "namespaced": true, "verbs": ["list"]},
	{"name": "pods/status", "kind": "Pod", "namespaced": true}, {"name": "namespaces", "kind": "Namespace"}]}`

// newFake returns a client of the server.
func newFake(t *testing.T, answers map[string]answer) (*fake, *Client) {
	t.Helper()
	f := &fake{answers: map[string]answer{"GET /api/v1": {200, served}, "GET /apis/none/v1": {404, `404 page not found`}}}
	maps.Copy(f.answers, answers)
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	client, err := New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return f, client
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("timeout") != "1m0s" { // which every request must have
		http.Error(w, "no timeout", http.StatusBadRequest)
		return
	}
	query.Del("timeout")
	r.URL.RawQuery = query.Encode()
	asked := r.Method + " " + r.URL.RequestURI()
	f.mu.Lock()
	f.asked = append(f.asked, asked)
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Add("Warning", `299 - "mind the gap"`)
	if a, ok := f.answers[asked]; ok {
		w.WriteHeader(a.code)
		io.WriteString(w, a.body)
		return
	}
	body, _ := io.ReadAll(r.Body)
	json.NewEncoder(w).Encode(map[string]any{
		"kind": "Echo", "apiVersion": "v1", "asked": asked, "sent": string(body), "type": r.Header.Get("Content-Type"),
		"user": r.Header.Get("Impersonate-User"), "groups": strings.Join(r.Header.Values("Impersonate-Group"), ","), "number": 9007199254740993,
	})
}

func status(code int, reason, more string) answer {
	return answer{code, fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": %q, "message": "no", "code": %d%s}`, reason, code, more)}
}

func pod() manifest.Object {
	return manifest.Object{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "p", "namespace": "n", "uid": "1"}}
}

func namespace() manifest.Object {
	return manifest.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "n"}}
}

func TestRequests(t *testing.T) {
	_, client := newFake(t, nil)
	other, err := client.As("u", "g")
	if err != nil {
		t.Fatal(err)
	}
	homeless := pod()
	delete(homeless.Metadata(), "namespace")
	tests := []struct {
		name string
		do   func() (manifest.Object, error)
		want map[string]any // of the echo
	}{
		{"apply", func() (manifest.Object, error) { return client.Apply(t.Context(), pod(), "me") },
			map[string]any{"asked": "PATCH /api/v1/namespaces/n/pods/p?fieldManager=me&fieldValidation=Strict&force=false", "type": "application/apply-patch+yaml"}},
		{"apply by force", func() (manifest.Object, error) { return client.Force().Apply(t.Context(), namespace(), "me") },
			map[string]any{"asked": "PATCH /api/v1/namespaces/n?fieldManager=me&fieldValidation=Strict&force=true"}},
		{"dry run of an apply", func() (manifest.Object, error) { return client.DryRun().Apply(t.Context(), pod(), "me") },
			map[string]any{"asked": "PATCH /api/v1/namespaces/n/pods/p?dryRun=All&fieldManager=me&fieldValidation=Strict&force=false"}},
		{"create", func() (manifest.Object, error) { return client.Create(t.Context(), namespace()) },
			map[string]any{"asked": "POST /api/v1/namespaces", "sent": `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n"}}` + "\n"}},
		{"dry run of a creation", func() (manifest.Object, error) { return client.DryRun().Create(t.Context(), pod()) },
			map[string]any{"asked": "POST /api/v1/namespaces/n/pods?dryRun=All"}},
		{"no namespace", func() (manifest.Object, error) { return client.Create(t.Context(), homeless) },
			map[string]any{"asked": "POST /api/v1/namespaces/default/pods"}},
		{"get", func() (manifest.Object, error) { return client.Get(t.Context(), "v1", "Pod", "n", "p") },
			map[string]any{"asked": "GET /api/v1/namespaces/n/pods/p", "user": "", "number": int64(9007199254740993)}},
		{"as another user", func() (manifest.Object, error) { return other.Get(t.Context(), "v1", "Namespace", "x", "n") },
			map[string]any{"asked": "GET /api/v1/namespaces/n", "user": "u", "groups": "g,system:authenticated"}},
		{"dry run as another user", func() (manifest.Object, error) { return other.DryRun().Create(t.Context(), pod()) },
			map[string]any{"asked": "POST /api/v1/namespaces/n/pods?dryRun=All", "user": "u"}},
		{"patch", func() (manifest.Object, error) {
			return client.Patch(t.Context(), pod(), "", map[string]any{"spec": nil})
		},
			map[string]any{"asked": "PATCH /api/v1/namespaces/n/pods/p", "type": "application/merge-patch+json", "sent": `{"spec":null}`}},
		{"patch of a subresource", func() (manifest.Object, error) { return client.DryRun().Patch(t.Context(), namespace(), "status", nil) },
			map[string]any{"asked": "PATCH /api/v1/namespaces/n/status?dryRun=All"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.do()
			if err != nil {
				t.Fatal(err)
			}
			for key, want := range tt.want {
				if diff := cmp.Diff(want, got[key]); diff != "" {
					t.Errorf("%s: %s", key, diff)
				}
			}
		})
	}
}

func TestDelete(t *testing.T) {
	var sent []string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, served) })
	mux.HandleFunc("DELETE /api/v1/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = append(sent, r.URL.Path+" "+strings.TrimSpace(string(body)))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client, err := New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(client.Delete(t.Context(), pod()), client.DryRun().Delete(t.Context(), namespace())); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`/api/v1/namespaces/n/pods/p {"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":"1"},"propagationPolicy":"Background"}`,
		`/api/v1/namespaces/n {"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background","dryRun":["All"]}`,
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Error(diff)
	}
}

func TestErrors(t *testing.T) {
	server, client := newFake(t, map[string]answer{
		"POST /api/v1/namespaces":                status(403, "Forbidden", ""),
		"GET /api/v1/namespaces/gone":            status(404, "NotFound", ""),
		"POST /api/v1/namespaces/n/pods":         status(409, "AlreadyExists", ""),
		"GET /api/v1/namespaces/a-proxy-says-no": {502, "bad gateway"},
		"GET /api/v1/namespaces/not-json":        {200, "<html>"},
		"GET /apis/down/v1":                      {503, "no endpoints"},
	})
	get := func(name string) func() error {
		return func() error {
			_, err := client.Get(t.Context(), "v1", "Namespace", "", name)
			return err
		}
	}
	create := func(o manifest.Object) func() error {
		return func() error {
			_, err := client.Create(t.Context(), o)
			return err
		}
	}
	tests := []struct {
		name string
		do   func() error
		is   func(error) bool
	}{
		{"forbidden", create(namespace()), apierrors.IsForbidden},
		{"there already", create(pod()), apierrors.IsAlreadyExists},
		{"not there", get("gone"), IsAbsent},
		{"not there, but served", get("gone"), func(err error) bool { return !IsNotServed(err) }},
		{"a kind that is not served", create(manifest.Object{"apiVersion": "v1", "kind": "Unknown"}), IsNotServed},
		{"a group that is not served", create(manifest.Object{"apiVersion": "none/v1", "kind": "Pod"}), IsAbsent},
		{"a group that does not answer", create(manifest.Object{"apiVersion": "down/v1", "kind": "Pod"}), func(err error) bool {
			return !IsAbsent(err) && strings.Contains(err.Error(), "finding down/v1 Pod")
		}},
		{"a proxy", get("a-proxy-says-no"), func(err error) bool { return !IsAbsent(err) }},
		{"not an object", get("not-json"), func(err error) bool { return !IsAbsent(err) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.do(); err == nil || !tt.is(err) {
				t.Errorf("got %v", err)
			}
		})
	}
	discoveries := slices.DeleteFunc(server.asked, func(asked string) bool { return asked != "GET /api/v1" })
	if len(discoveries) != 2 { // one, and one more for what was not known
		t.Errorf("the kinds of v1 were asked for %d times", len(discoveries))
	}
}

// TestBusy: an API server that asks to come back later is asked again.
func TestBusy(t *testing.T) {
	busy := true
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		if busy {
			busy = false
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		io.WriteString(w, `{"gitVersion": "v1.36.4"}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client, err := New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := client.Version(t.Context()); got != "v1.36.4" || err != nil {
		t.Errorf("got %q, error %v", got, err)
	}
}

// page is a list of Pods; the items carry no type, as in the lists of built-in kinds.
func page(next string, names ...string) answer {
	var items []string
	for _, name := range names {
		items = append(items, fmt.Sprintf(`{"metadata": {"name": %q, "namespace": "n"}}`, name))
	}
	return answer{200, fmt.Sprintf(`{"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": %q}, "items": [%s]}`, next, strings.Join(items, ","))}
}

func TestList(t *testing.T) {
	expired := func(next string) answer {
		return status(410, "Expired", fmt.Sprintf(`, "metadata": {"continue": %q}`, next))
	}
	const first, more, fresh = "GET /api/v1/pods?limit=500", "GET /api/v1/pods?continue=more&limit=500", "GET /api/v1/pods?continue=fresh&limit=500"
	tests := []struct {
		name    string
		answers map[string]answer
		want    []string
		failed  bool
	}{
		{"nothing", map[string]answer{first: page("")}, nil, false},
		{"pages", map[string]answer{first: page("more", "a", "b"), more: page("", "c")}, []string{"a", "b", "c"}, false},
		{"a page too late", map[string]answer{first: page("more", "a"), more: expired("fresh"), fresh: page("", "c")}, []string{"a", "c"}, false},
		{"too late for good", map[string]answer{first: page("more", "a"), more: expired("")}, nil, true},
		{"the same token again", map[string]answer{first: page("more", "a"), more: expired("more")}, nil, true},
		{"broken", map[string]answer{first: page("more", "a"), more: status(500, "InternalError", "")}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, client := newFake(t, tt.answers)
			all, err := client.List(t.Context(), "v1", "Pod", "", "")
			if (err != nil) != tt.failed {
				t.Fatal(err)
			}
			var got []string
			for _, o := range all {
				got = append(got, o.Name())
				if o.APIVersion() != "v1" || o.Kind() != "Pod" {
					t.Errorf("%v has no type", o)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestEachEnds: no page is requested after the loop has ended.
func TestEachEnds(t *testing.T) {
	server, client := newFake(t, map[string]answer{"GET /api/v1/namespaces/n/pods?labelSelector=a%3Db&limit=500": page("more", "a", "b")})
	for o, err := range client.Each(t.Context(), "v1", "Pod", "n", "a=b") {
		if err != nil || o.Name() != "a" {
			t.Fatal(o, err)
		}
		break
	}
	if len(server.asked) != 2 {
		t.Errorf("it was asked for %v", server.asked)
	}
}

func TestToken(t *testing.T) {
	server, client := newFake(t, map[string]answer{"POST /api/v1/namespaces/n/serviceaccounts/s/token": {201, `{"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "status": {"token": "t"}}`}})
	if token, err := client.Token(t.Context(), "n", "s", 1); token != "t" || err != nil {
		t.Errorf("got %q, error %v; it was asked for %v", token, err, server.asked)
	}
}

func TestWarnings(t *testing.T) {
	server, _ := newFake(t, nil)
	other := httptest.NewServer(server)
	t.Cleanup(other.Close)
	var said strings.Builder
	client, err := New(&rest.Config{Host: other.URL, WarningHandler: rest.NewWarningWriter(&said, rest.WarningWriterOptions{Deduplicate: true})})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := client.Apply(t.Context(), pod(), "me"); err != nil {
			t.Fatal(err)
		}
	}
	if said.String() != "Warning: mind the gap\n" {
		t.Errorf("said %q", said.String())
	}
}
