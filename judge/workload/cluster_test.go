package workload

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
)

// apiServer answers like an API server with these answers, by path and query but
// the timeout, and writes down what it was asked for.
type apiServer struct {
	answers map[string]string

	mu    sync.Mutex
	asked []string
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	query.Del("timeout")
	r.URL.RawQuery = query.Encode()
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI())
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	answer, ok := s.answers[r.URL.RequestURI()]
	if !ok {
		answer, ok = s.answers[r.URL.Path]
	}
	code := http.StatusOK
	switch {
	case !ok:
		code, answer = http.StatusNotFound, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`
	case strings.Contains(answer, `"Failure"`):
		code = 0
		_, after, _ := strings.Cut(answer, `"code":`)
		fmt.Sscanf(after, "%d", &code)
	}
	if code < 200 || code > 599 {
		code = http.StatusInternalServerError // no server can send it
	}
	w.WriteHeader(code)
	fmt.Fprint(w, answer)
}

// answers of a small cluster: two pages of Pods, a namespace, and a kind that must not be listed.
func answers() map[string]string {
	resource := func(name, kind string, namespaced bool, verbs string) string {
		return fmt.Sprintf(`{"name":%q,"kind":%q,"namespaced":%v,"verbs":[%s]}`, name, kind, namespaced, verbs)
	}
	list := func(kind, meta string, items ...string) string {
		return fmt.Sprintf(`{"kind":%q,"apiVersion":"v1","metadata":{%s},"items":[%s]}`, kind, meta, strings.Join(items, ","))
	}
	pod := func(name, owner string) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"namespace":"shop","managedFields":[{}],"ownerReferences":[%s]},"spec":{},"status":{"phase":"Running"}}`, name, owner)
	}
	owner := func(version, kind string) string {
		return fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"name":"x","uid":"1","controller":true}`, version, kind)
	}
	return map[string]string{
		"/api":                                 `{"kind":"APIVersions","versions":["v1"]}`,
		"/apis":                                `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`,
		"/api/v1":                              `{"kind":"APIResourceList","groupVersion":"v1","resources":[` + strings.Join([]string{resource("pods", "Pod", true, `"list"`), resource("pods/status", "Pod", true, `"get"`), resource("secrets", "Secret", true, `"list"`), resource("services", "Service", true, `"list"`), resource("namespaces", "Namespace", false, `"list"`)}, ",") + `]}`,
		"/api/v1/namespaces":                   list("NamespaceList", "", `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"owner":"team-shop"}}}`),
		"/api/v1/services":                     `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"no","code":403}`,
		"/api/v1/pods?limit=500":               list("PodList", `"continue":"more"`, pod("web-1", owner("apps/v1", "ReplicaSet")), pod("bare", ""), pod("rollout", owner("argoproj.io/v1", "Rollout"))),
		"/api/v1/pods?continue=more&limit=500": list("PodList", "", pod("last", "")),
	}
}

// direct asks a handler without a connection, so that a fuzzer does not run out of ports.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	d.handler.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

func clusterOf(t *testing.T, handler http.Handler) *Cluster {
	t.Helper()
	client, err := kube.New(&rest.Config{Host: "https://cluster", Transport: direct{handler}})
	if err != nil {
		t.Fatal(err)
	}
	return &Cluster{Name: "test", Client: client, Judged: []string{"Pod", "v1/Service", "v1/Namespace/status", "*/*/Nothing"}}
}

func TestCluster(t *testing.T) {
	server := &apiServer{answers: answers()}
	c := clusterOf(t, server)
	var got []string
	problems, err := c.Each(t.Context(), func(w Workload) error {
		got = append(got, w.ID()+" of "+w.NamespaceLabels["owner"])
		if strings.Contains(string(w.Object), "managedFields") || strings.Contains(string(w.Object), "phase") {
			t.Errorf("%s", w.Object)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Pod shop/bare of team-shop", "Pod shop/rollout of team-shop", "Pod shop/last of team-shop"}, got); diff != "" {
		t.Error(diff)
	}
	if len(problems) != 1 || problems[0].Code != "workload-forbidden" || problems.HasErrors() {
		t.Errorf("problems are %v", problems)
	}
	for _, asked := range server.asked {
		if !strings.HasPrefix(asked, "GET ") || strings.Contains(asked, "secrets") {
			t.Errorf("it was asked for %s", asked)
		}
	}
}

func TestClusterNamespace(t *testing.T) {
	server := &apiServer{answers: answers()}
	server.answers["/api/v1/namespaces/shop"] = `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}`
	server.answers["/api/v1/namespaces/shop/pods"] = `{"kind":"PodList","apiVersion":"v1","items":[]}`
	server.answers["/api/v1/namespaces/shop/services"] = server.answers["/api/v1/namespaces/shop/pods"]
	c := clusterOf(t, server)
	c.Namespace = "shop"
	_, problems := read(t, c)
	if len(problems) != 1 || !strings.Contains(problems[0], "[workload-none]") || slices.Contains(server.asked, "GET /api/v1/pods?limit=500") {
		t.Errorf("problems are %v, it was asked for %v", problems, server.asked)
	}
}

// TestClusterBroken: a group that does not answer is reported, and an incomplete list is
// an error.
func TestClusterBroken(t *testing.T) {
	server := &apiServer{answers: answers()}
	server.answers["/apis"] = `{"groups":[{"versions":[{"groupVersion":"metrics.k8s.io/v1"}],"preferredVersion":{"groupVersion":"metrics.k8s.io/v1"}}]}`
	server.answers["/apis/metrics.k8s.io/v1"] = `{"kind":"Status","apiVersion":"v1","status":"Failure","code":503}`
	got, problems := read(t, clusterOf(t, server))
	if len(got) != 3 || len(problems) != 2 || !slices.ContainsFunc(problems, func(p string) bool {
		return strings.Contains(p, "some kinds were not looked for: metrics.k8s.io/v1: ")
	}) {
		t.Errorf("got %v, problems are %v", got, problems)
	}
	server.answers["/api/v1/pods?continue=more&limit=500"] = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","message":"broken","code":500}`
	if _, err := clusterOf(t, server).Each(t.Context(), func(Workload) error { return nil }); err == nil || !strings.Contains(err.Error(), "listing pods") {
		t.Errorf("error is %v", err)
	}
}
