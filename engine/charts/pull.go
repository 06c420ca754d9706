package charts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-containerregistry/pkg/authn"
)

// Limits of what is downloaded, in bytes.
const (
	maxArchive = 20 << 20
	maxIndex   = 64 << 20
)

// Puller pulls charts from repositories. It is safe for concurrent use.
type Puller struct {
	// Registries has the logins of registries.
	Registries authn.Keychain
	// Logins are those of HTTP repositories, by their URL.
	Logins map[string]Login
	// Client for HTTP repositories; its timeout bounds one download.
	Client *http.Client

	mu      sync.Mutex
	indexes map[string]*index // of HTTP repositories, by URL
}

// Login is the login of an HTTP repository. It is sent to the host of the repository only.
type Login struct{ Username, Password string }

// Pull returns a chart of a repository, from the cache if it was pulled before: a version of a chart does not change. The
// errors have [protocol.CodeChart].
func (p *Puller) Pull(ctx context.Context, params protocol.PullParams) (protocol.PullResult, error) {
	pull := p.fromIndex
	if strings.HasPrefix(params.URL, "oci://") {
		pull = p.fromRegistry
	}
	result, err := pull(ctx, params)
	if err == nil {
		sum := sha256.Sum256(result.Archive)
		result.Digest = "sha256:" + hex.EncodeToString(sum[:])
		return result, nil
	}
	return protocol.PullResult{}, &protocol.Error{Code: protocol.CodeChart, Message: oneLine(err)}
}

// download returns what a URL has, at most limit bytes of it.
func (p *Puller) download(ctx context.Context, url string, login *Login, limit int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if login != nil {
		request.SetBasicAuth(login.Username, login.Password)
	}
	response, err := p.Client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", request.URL.Redacted(), response.Status)
	}
	return readAll(response.Body, limit)
}

// readAll reads at most limit bytes.
func readAll(in io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("it has more than %d MiB", limit>>20)
	}
	return data, err
}

// NewClient returns the usual client for HTTP repositories.
func NewClient() *http.Client {
	return &http.Client{Timeout: 2 * time.Minute, CheckRedirect: func(request *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= 5:
			return errors.New("too many redirects")
		case via[0].URL.Scheme == "https" && request.URL.Scheme != "https":
			return errors.New("it redirects to a place without TLS")
		}
		return nil
	}}
}
