package charts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/ranges"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-containerregistry/pkg/name"
	"sigs.k8s.io/yaml"
)

// index has the fields of the index of an HTTP repository that say where a chart is.
type index struct {
	Entries map[string][]indexed `json:"entries"`
}

type indexed struct {
	Version string    `json:"version"`
	Created time.Time `json:"created"`
	Digest  string    `json:"digest"`
	URLs    []string  `json:"urls"`
}

// fromIndex pulls a chart from an HTTP repository.
func (p *Puller) fromIndex(ctx context.Context, params protocol.PullParams) (protocol.PullResult, error) {
	base, err := url.Parse(params.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return protocol.PullResult{}, fmt.Errorf("%q is no URL of a repository: http, https and oci are known", params.URL)
	}
	c := cache(params.Cache)
	if ranges.Exact(params.Version) {
		if archive := c.read("", params.URL, params.Chart, params.Version); archive != nil {
			return protocol.PullResult{Archive: archive, Version: params.Version, Cached: true}, nil
		}
	}
	index, err := p.index(ctx, base)
	if err != nil {
		return protocol.PullResult{}, fmt.Errorf("the index of %s: %w", base.Redacted(), err)
	}
	entries := index.Entries[params.Chart]
	versions := make([]string, len(entries))
	for i, e := range entries {
		versions[i] = e.Version
	}
	at, err := ranges.Highest(versions, params.Version, func(i, than int) bool { return entries[i].Created.After(entries[than].Created) })
	if err != nil {
		return protocol.PullResult{}, fmt.Errorf("the chart %s in %s: %w", params.Chart, base.Redacted(), err)
	}
	found := entries[at]
	digest := strings.TrimPrefix(found.Digest, "sha256:")
	if archive := c.read(digest, params.URL, params.Chart, found.Version); archive != nil {
		return protocol.PullResult{Archive: archive, Version: found.Version, Cached: true}, nil
	}
	archive, err := p.archive(ctx, base, found, digest)
	if err != nil {
		return protocol.PullResult{}, fmt.Errorf("the chart %s %s in %s: %w", params.Chart, found.Version, base.Redacted(), err)
	}
	return protocol.PullResult{Archive: archive, Version: found.Version}, c.write(archive, params.URL, params.Chart, found.Version)
}

// index returns the index of a repository, which is read once.
func (p *Puller) index(ctx context.Context, base *url.URL) (*index, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.indexes[base.String()]; known != nil {
		return known, nil
	}
	data, err := p.download(ctx, base.JoinPath("index.yaml").String(), p.login(base, base), maxIndex)
	if err != nil {
		return nil, err
	}
	var read index
	if err := yaml.Unmarshal(data, &read); err != nil {
		return nil, err
	}
	if p.indexes == nil {
		p.indexes = map[string]*index{}
	}
	p.indexes[base.String()] = &read
	return &read, nil
}

// login returns the login of a repository, for a URL on its host.
func (p *Puller) login(base, to *url.URL) *Login {
	login, known := p.Logins[strings.TrimSuffix(base.String(), "/")]
	if !known || login.Username == "" || base.Host != to.Host || base.Scheme != to.Scheme {
		return nil
	}
	return &login
}

// archive downloads a chart, and compares it with the digest of the index if there is one.
func (p *Puller) archive(ctx context.Context, base *url.URL, found indexed, digest string) ([]byte, error) {
	if len(found.URLs) == 0 {
		return nil, errors.New("the index has no URL for it")
	}
	from, err := base.JoinPath("/").Parse(found.URLs[0])
	if err != nil {
		return nil, err
	}
	if from.Scheme == "oci" {
		tag, err := name.NewTag(strings.TrimPrefix(found.URLs[0], "oci://"), name.WithDefaultTag(strings.ReplaceAll(found.Version, "+", "_")))
		if err != nil {
			return nil, err
		}
		result, err := p.fromRegistry(ctx, protocol.PullParams{URL: "oci://" + tag.Repository.Name(), Tag: tag.TagStr()})
		return result.Archive, err
	}
	if from.Scheme != "http" && from.Scheme != "https" {
		return nil, fmt.Errorf("%s is no place to load from", from.Redacted())
	}
	archive, err := p.download(ctx, from.String(), p.login(base, from), maxArchive)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(archive); digest != "" && hex.EncodeToString(sum[:]) != digest {
		return nil, fmt.Errorf("it has the digest sha256:%x, and the index says sha256:%s", sum, digest)
	}
	return archive, nil
}
