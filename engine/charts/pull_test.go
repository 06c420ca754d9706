package charts

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// packaged is a chart with a version.
func packaged(t testing.TB, version string) []byte {
	t.Helper()
	return archiveOf(t, map[string]string{"web/Chart.yaml": "apiVersion: v2\nname: web\nversion: " + version + "\n", "web/templates/c.yaml": configMap})
}

// repository is an HTTP repository. It counts what it is asked, and wants a login below /private.
func repository(t *testing.T) (server *httptest.Server, asked *[]string) {
	t.Helper()
	asked = new([]string)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.Path)
		user, password, _ := r.BasicAuth()
		path, private := strings.CutPrefix(r.URL.Path, "/private")
		switch {
		case private && (user != "me" || password != "secret"):
			w.WriteHeader(http.StatusUnauthorized)
		case path == "/index.yaml":
			text := "apiVersion: v1\nentries:\n  web:\n"
			for _, v := range []string{"1.2.0", "1.10.0", "2.0.0-rc.1"} {
				text += fmt.Sprintf("  - {name: web, version: %s, digest: %x, urls: [charts/web-%s.tgz]}\n", v, sha256.Sum256(packaged(t, v)), v)
			}
			text += "  forged:\n  - {version: 1.0.0, digest: " + strings.Repeat("a", 64) + ", urls: [charts/web-1.2.0.tgz]}\n"
			text += "  file:\n  - {version: 1.0.0, urls: ['file:///etc/passwd']}\n  nowhere:\n  - {version: 1.0.0}\n  large:\n  - {version: 1.0.0, urls: [large]}\n"
			_, _ = io.WriteString(w, text)
		case path == "/large":
			_, _ = w.Write(make([]byte, maxArchive+1))
		case strings.HasPrefix(path, "/charts/web-"):
			_, _ = w.Write(packaged(t, strings.TrimSuffix(strings.TrimPrefix(path, "/charts/web-"), ".tgz")))
		case path == "/broken/index.yaml":
			_, _ = io.WriteString(w, "entries: [")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	return server, asked
}

func TestPullIndex(t *testing.T) {
	server, asked := repository(t)
	p := &Puller{Registries: authn.DefaultKeychain, Client: NewClient(), Logins: map[string]Login{server.URL + "/private": {"me", "secret"}}}
	tests := []struct{ name, path, chart, version, want string }{
		{"latest stable", "", "web", "", "1.10.0"},
		{"range", "/", "web", "<1.5.0", "1.2.0"},
		{"exact", "", "web", "1.2.0", "1.2.0"},
		{"pre-release", "", "web", "2.0.0-rc.1", "2.0.0-rc.1"},
		{"with a login", "/private", "web", "1.x", "1.10.0"},
		{"no such version", "", "web", "3.x", "none of its versions is in the range 3.x"},
		{"no such chart", "", "db", "3.x", "the chart db in "},
		{"no range", "", "web", "newest", "is not a range of versions"},
		{"another digest", "", "forged", "", "and the index says sha256:aaaa"},
		{"a file", "", "file", "", "no place to load from"},
		{"no URL", "", "nowhere", "", "no URL for it"},
		{"too large", "", "large", "", "more than 20 MiB"},
		{"no index", "/nothing", "web", "", "404 Not Found"},
		{"no YAML", "/broken", "web", "", "the index of"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := p.Pull(t.Context(), protocol.PullParams{URL: server.URL + tt.path, Chart: tt.chart, Version: tt.version})
			switch {
			case err == nil && (got.Version != tt.want || string(got.Archive) != string(packaged(t, tt.want)) || got.Digest != fmt.Sprintf("sha256:%x", sha256.Sum256(got.Archive))):
				t.Errorf("got %s %s, want %s", got.Version, got.Digest, tt.want)
			case err != nil && !strings.Contains(err.Error(), tt.want):
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
	if _, err := p.Pull(t.Context(), protocol.PullParams{URL: "file:///etc", Chart: "web"}); err == nil || !strings.Contains(err.Error(), "http, https and oci are known") {
		t.Errorf("a file: %v", err)
	}
	t.Run("cache", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "charts")
		pull := func(version string) protocol.PullResult {
			t.Helper()
			*asked = nil
			got, err := (&Puller{Client: NewClient()}).Pull(t.Context(), protocol.PullParams{URL: server.URL, Chart: "web", Version: version, Cache: dir})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := pull("1.2.0"); got.Cached || len(*asked) != 2 {
			t.Errorf("cached %v, asked %v", got.Cached, *asked)
		}
		if got := pull("1.2.0"); !got.Cached || len(*asked) != 0 {
			t.Errorf("an exact version: cached %v, asked %v", got.Cached, *asked)
		}
		if got := pull("~1.2"); !got.Cached || len(*asked) != 1 {
			t.Errorf("a range: cached %v, asked %v", got.Cached, *asked)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 {
			t.Fatal(entries, err)
		}
		if err := os.WriteFile(filepath.Join(dir, entries[0].Name()), []byte("changed"), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := pull("1.2.0"); got.Cached || string(got.Archive) != string(packaged(t, "1.2.0")) {
			t.Error("what was changed in the cache is taken")
		}
	})
}

// push puts a chart into a registry.
func push(t *testing.T, reference string, archive []byte, layer types.MediaType) string {
	t.Helper()
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.cncf.helm.config.v1+json")
	image, err := mutate.AppendLayers(image, static.NewLayer(archive, layer))
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(reference)
	if err == nil {
		err = remote.Write(tag, image)
	}
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

func TestPullRegistry(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	repository := strings.TrimPrefix(server.URL, "http://") + "/charts/web"
	digests := map[string]string{}
	for _, v := range []string{"1.2.0", "1.10.0", "1.10.0+b", "2.0.0-rc.1"} {
		digests[v] = push(t, repository+":"+strings.ReplaceAll(v, "+", "_"), packaged(t, v), chartLayer)
	}
	push(t, repository+":latest", packaged(t, "9.9.9"), chartLayer)
	push(t, repository+":image", []byte("x"), types.OCILayer)
	p := &Puller{Registries: authn.DefaultKeychain, Client: NewClient()}
	tests := []struct {
		name   string
		params protocol.PullParams
		want   string // version
		chart  string // its version, if that is another
	}{
		{"latest stable", protocol.PullParams{}, "1.10.0+b", ""},
		{"range", protocol.PullParams{Version: "<1.5.0"}, "1.2.0", ""},
		{"filtered", protocol.PullParams{Version: "1.x", Filter: `^1\.2`}, "1.2.0", ""},
		{"exact, with metadata", protocol.PullParams{Version: "1.10.0+b"}, "1.10.0+b", ""},
		{"tag", protocol.PullParams{Tag: "latest"}, "latest", "9.9.9"},
		{"digest", protocol.PullParams{Digest: digests["1.2.0"], Tag: "latest"}, digests["1.2.0"], "1.2.0"},
		{"no such tag", protocol.PullParams{Tag: "none"}, "MANIFEST_UNKNOWN", ""},
		{"no chart", protocol.PullParams{Tag: "image"}, "it is no Helm chart", ""},
		{"no such version", protocol.PullParams{Version: "3.x"}, "none of its versions", ""},
		{"bad filter", protocol.PullParams{Version: "1.x", Filter: "("}, "the filter of tags", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.params.URL = "oci://" + repository
			got, err := p.Pull(t.Context(), tt.params)
			if tt.chart == "" {
				tt.chart = tt.want
			}
			switch {
			case err == nil && (got.Version != tt.want || string(got.Archive) != string(packaged(t, tt.chart))):
				t.Errorf("got %s, want %s", got.Version, tt.want)
			case err != nil && !strings.Contains(err.Error(), tt.want):
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
	cached := t.TempDir()
	for i, want := range []bool{false, true} {
		got, err := p.Pull(t.Context(), protocol.PullParams{URL: "oci://" + repository, Version: "1.2.0", Cache: cached})
		if err != nil || got.Cached != want {
			t.Errorf("pull %d: cached %v, %v", i+1, got.Cached, err)
		}
	}
}

// TestLogins: those of Helm, in its own files.
func TestLogins(t *testing.T) {
	dir := t.TempDir()
	write := func(file, text string) string {
		file = filepath.Join(dir, file)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	got, err := Repositories(write("repositories.yaml", "repositories:\n- {name: a, url: https://a.example/charts/, username: me, password: p}\n"))
	if err != nil || got["https://a.example/charts"] != (Login{"me", "p"}) {
		t.Error(got, err)
	}
	if got, err := Repositories(filepath.Join(dir, "none")); got != nil || err != nil {
		t.Error(got, err)
	}
	for host, want := range map[string]string{"registry.example": "me", "other.example": ""} {
		at, err := name.NewRegistry(host)
		if err != nil {
			t.Fatal(err)
		}
		login, err := helmLogins(write("config.json", `{"auths": {"registry.example": {"auth": "bWU6cA=="}}}`)).Resolve(at)
		if err != nil {
			t.Fatal(err)
		}
		config, err := login.Authorization()
		if err != nil || config.Username != want {
			t.Errorf("%s: %v %v", host, config, err)
		}
	}
	if login, err := helmLogins(filepath.Join(dir, "none")).Resolve(nil); login != authn.Anonymous || err != nil {
		t.Error(login, err)
	}
}
