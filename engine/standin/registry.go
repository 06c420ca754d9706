package standin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Registry is a registry in memory for each host name that it is asked as; one
// that nothing was pushed to is empty. It is an [http.Handler], and as an
// [http.RoundTripper] it answers by itself, so that no request leaves the
// process. It is safe for concurrent use. The zero value is ready.
type Registry struct {
	mu     sync.Mutex
	hosts  map[string]http.Handler
	broken map[string]bool // URLs without scheme that are not answered
}

// ServeHTTP implements http.Handler.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.host(req.Host).ServeHTTP(w, req)
}

// RoundTrip implements http.RoundTripper.
func (r *Registry) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if r.isBroken(req) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no answer from this stand-in")}
	}
	return respond(r, req)
}

// respond returns the response of a handler in this process.
func respond(handler http.Handler, req *http.Request) (*http.Response, error) {
	served := req.Clone(req.Context()) // the handler of a server sees a body and a host always
	served.Host = req.URL.Host
	if served.Body == nil {
		served.Body = http.NoBody
	}
	defer served.Body.Close()
	w := &answer{header: http.Header{}, status: http.StatusOK}
	handler.ServeHTTP(w, served)
	length := int64(w.body.Len())
	if said, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil && req.Method == http.MethodHead {
		length = said
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: length, Request: req,
	}, nil
}

// Break makes the registry unreachable whenever it is asked for the reference.
func (r *Registry) Break(reference string) error {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken == nil {
		r.broken = map[string]bool{}
	}
	r.broken[ref.Context().RegistryStr()+"/v2/"+ref.Context().RepositoryStr()+"/manifests/"+ref.Identifier()] = true
	return nil
}

func (r *Registry) isBroken(req *http.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken[req.URL.Host+req.URL.Path]
}

// host returns the registry of one host name.
func (r *Registry) host(host string) http.Handler {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hosts[host] == nil {
		if r.hosts == nil {
			r.hosts = map[string]http.Handler{}
		}
		r.hosts[host] = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	}
	return r.hosts[host]
}

// answer is an http.ResponseWriter that keeps what is written.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// Push stores an image under a reference (host/repository:tag) and returns its
// digest. The same content has the same digest in every run. What had the tag
// before keeps its digest.
func (r *Registry) Push(reference, content string) (v1.Hash, error) {
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte(content), types.DockerLayer))
	if err != nil {
		return v1.Hash{}, fmt.Errorf("making the image %s: %w", reference, err)
	}
	digest, err := image.Digest()
	if err != nil {
		return v1.Hash{}, fmt.Errorf("making the image %s: %w", reference, err)
	}
	return digest, r.write(reference, image)
}

func (r *Registry) write(reference string, image v1.Image) error {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return err
	}
	if err := remote.Write(ref, image, remote.WithTransport(r)); err != nil {
		return fmt.Errorf("pushing %s: %w", reference, err)
	}
	return nil
}

func (r *Registry) writeIndex(reference string, index v1.ImageIndex) error {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return err
	}
	if err := remote.WriteIndex(ref, index, remote.WithTransport(r)); err != nil {
		return fmt.Errorf("pushing %s: %w", reference, err)
	}
	return nil
}

// attach stores layers where cosign looks for what belongs to an image: under a
// tag of the repository that is derived from the digest.
func (r *Registry) attach(repository string, digest v1.Hash, suffix string, layers ...mutate.Addendum) error {
	image, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layers...)
	if err != nil {
		return fmt.Errorf("attaching to %s: %w", repository, err)
	}
	return r.write(repository+":"+strings.ReplaceAll(digest.String(), ":", "-")+"."+suffix, image)
}
