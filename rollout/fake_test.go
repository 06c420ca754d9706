package rollout

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// served is a kind, as discovery tells it.
type served struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"`
	Namespaced bool   `json:"namespaced"`
}

// fakeServer is an API server with as much of one as this package uses: objects
// by path, discovery, server-side apply with managers, and access reviews.
type fakeServer struct {
	mu      sync.Mutex
	version string
	served  map[string][]served // by API version
	objects map[string]manifest.Object
	writes  []string // method and path of each that was stored
	// refused are resources that no one may touch.
	refused map[string]bool
	// after is called after each write with the path, as controllers would be.
	after func(method, path string)
}

func newFakeServer(t *testing.T) (*fakeServer, *kube.Client) {
	t.Helper()
	f := &fakeServer{version: "v1.36.4", objects: map[string]manifest.Object{}, refused: map[string]bool{}, served: map[string][]served{
		"v1":                              {{"namespaces", "Namespace", false}, {"secrets", "Secret", true}, {"configmaps", "ConfigMap", true}},
		"apps/v1":                         {{"deployments", "Deployment", true}},
		"authorization.k8s.io/v1":         {{"selfsubjectaccessreviews", "SelfSubjectAccessReview", false}},
		"apiextensions.k8s.io/v1":         {{"customresourcedefinitions", "CustomResourceDefinition", false}},
		"admissionregistration.k8s.io/v1": {{"validatingwebhookconfigurations", "ValidatingWebhookConfiguration", false}, {"mutatingwebhookconfigurations", "MutatingWebhookConfiguration", false}},
		"kyverno.io/v1":                   {{"clusterpolicies", "ClusterPolicy", false}},
	}}
	f.serveFlux()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	client, err := kube.New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return f, client
}

func (f *fakeServer) serveFlux() {
	f.served[kustomizationAPI] = []served{{"kustomizations", "Kustomization", true}}
	f.served[sourceAPI] = []served{{"gitrepositories", "GitRepository", true}, {"ocirepositories", "OCIRepository", true}, {"helmrepositories", "HelmRepository", true}}
	f.served[helmAPI] = []served{{"helmreleases", "HelmRelease", true}}
}

// path of an object.
func (f *fakeServer) path(o manifest.Object) string {
	for _, r := range f.served[o.APIVersion()] {
		if r.Kind == o.Kind() {
			dir := apiRoot(o.APIVersion())
			if r.Namespaced {
				dir += "/namespaces/" + o.Namespace()
			}
			return path.Join(dir, r.Name, o.Name())
		}
	}
	panic("not served: " + o.ID())
}

// put stores an object as others would.
func (f *fakeServer) put(o manifest.Object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.objects[f.path(o)] = o
}

func (f *fakeServer) stored() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.writes)
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var body manifest.Object
	_ = json.NewDecoder(r.Body).Decode(&body) // there is none to a GET
	code, answer := f.answer(r, body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
	if r.Method != http.MethodGet && r.Method != http.MethodPost && code < 300 && r.URL.Query().Get("dryRun") == "" {
		f.writes = append(f.writes, r.Method+" "+r.URL.Path)
		if f.after != nil {
			f.after(r.Method, r.URL.Path)
		}
	}
}

func (f *fakeServer) answer(r *http.Request, body manifest.Object) (int, any) {
	if r.URL.Path == "/version" {
		return http.StatusOK, map[string]any{"gitVersion": f.version}
	}
	version := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/apis/"), "/api/")
	if resources, ok := f.served[version]; ok {
		return http.StatusOK, map[string]any{"resources": resources}
	}
	live, found := f.objects[r.URL.Path]
	switch r.Method {
	case http.MethodPost:
		resource, _ := body.Value("spec", "resourceAttributes", "resource").(string)
		body["status"] = map[string]any{"allowed": !f.refused[resource]}
		return http.StatusCreated, body
	case http.MethodPatch:
		return f.patch(r, live, body)
	case http.MethodDelete:
		delete(f.objects, r.URL.Path)
	default:
		if items, ok := f.list(r); ok {
			return http.StatusOK, map[string]any{"kind": "List", "items": items}
		}
	}
	if !found {
		return failure(http.StatusNotFound, metav1.Status{Message: r.URL.Path + " not found", Reason: metav1.StatusReasonNotFound})
	}
	return http.StatusOK, live
}

func failure(code int, status metav1.Status) (int, any) {
	status.Kind, status.APIVersion, status.Status, status.Code = "Status", "v1", metav1.StatusFailure, int32(code)
	return code, status
}

// list answers for a path that is a collection.
func (f *fakeServer) list(r *http.Request) ([]manifest.Object, bool) {
	items := []manifest.Object{}
	for _, p := range slices.Sorted(maps.Keys(f.objects)) {
		sameFolder := path.Dir(p) == r.URL.Path
		inNamespace := path.Base(p) != "" && strings.Contains(p, "/namespaces/") && path.Base(path.Dir(p)) == path.Base(r.URL.Path) && strings.HasPrefix(p, path.Dir(r.URL.Path)+"/namespaces/")
		if (sameFolder || inNamespace) && selected(f.objects[p], r.URL.Query().Get("labelSelector")) {
			items = append(items, f.objects[p])
		}
	}
	for version, resources := range f.served {
		for _, res := range resources {
			if strings.HasPrefix(r.URL.Path, apiRoot(version)+"/") && path.Base(r.URL.Path) == res.Name {
				return items, true
			}
		}
	}
	return nil, false
}

func selected(o manifest.Object, selector string) bool {
	for term := range strings.SplitSeq(selector, ",") {
		key, value, ok := strings.Cut(term, "=")
		if ok && o.String("metadata", "labels", key) != value {
			return false
		}
	}
	return true
}

// patch merges. A server-side apply conflicts where a field differs that another
// manager applied, as far as top-level fields of the spec go.
func (f *fakeServer) patch(r *http.Request, live, body manifest.Object) (int, any) {
	apply := r.Header.Get("Content-Type") == "application/apply-patch+yaml"
	if live == nil && !apply {
		return failure(http.StatusNotFound, metav1.Status{Message: "not found", Reason: metav1.StatusReasonNotFound})
	}
	manager := live.String("metadata", "annotations", "test/manager")
	if apply && manager != "" {
		for key, value := range asMap(body["spec"]) {
			if old := live.Value("spec", key); old != nil && fmt.Sprint(old) != fmt.Sprint(value) {
				return failure(http.StatusConflict, metav1.Status{Message: "conflict", Reason: metav1.StatusReasonConflict, Details: &metav1.StatusDetails{
					Causes: []metav1.StatusCause{{Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec." + key, Message: "conflict with " + manager}},
				}})
			}
		}
	}
	merged := manifest.Object(merge(live, body))
	if apply {
		asMap(merged["metadata"])["managedFields"] = []any{map[string]any{"manager": r.URL.Query().Get("fieldManager"), "operation": "Apply"}}
	}
	if r.URL.Query().Get("dryRun") == "" {
		f.objects[r.URL.Path] = merged
	}
	return http.StatusOK, merged
}

func merge(under, over map[string]any) map[string]any {
	merged := map[string]any{}
	maps.Copy(merged, under)
	for key, value := range over {
		if m, ok := value.(map[string]any); ok {
			value = merge(asMap(merged[key]), m)
		}
		merged[key] = value
	}
	return merged
}

// apiRoot is where the resources of an API version lie.
func apiRoot(apiVersion string) string {
	if strings.Contains(apiVersion, "/") {
		return "/apis/" + apiVersion
	}
	return "/api/" + apiVersion
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}
