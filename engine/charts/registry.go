package charts

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/ranges"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-containerregistry/pkg/name"
	ociv1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// chartLayer is the media type of the archive among the layers of an artifact.
const chartLayer = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

// fromRegistry pulls a chart from a registry. Every layer is compared with its digest.
func (p *Puller) fromRegistry(ctx context.Context, params protocol.PullParams) (protocol.PullResult, error) {
	var options []name.Option
	if params.PlainHTTP {
		options = append(options, name.Insecure)
	}
	repository, err := name.NewRepository(strings.TrimPrefix(params.URL, "oci://"), options...)
	if err != nil {
		return protocol.PullResult{}, fmt.Errorf("%q is not a repository of a registry: %w", params.URL, err)
	}
	with := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(p.Registries)}
	version, err := p.tag(repository, params, with)
	if err != nil {
		return protocol.PullResult{}, fmt.Errorf("%s: %w", params.URL, err)
	}
	c := cache(params.Cache)
	fixed := params.Digest
	if fixed == "" && ranges.Exact(version) {
		fixed = version
	}
	if fixed != "" {
		if archive := c.read("", params.URL, fixed); archive != nil {
			return protocol.PullResult{Archive: archive, Version: version, Cached: true}, nil
		}
	}
	var reference name.Reference = repository.Tag(strings.ReplaceAll(version, "+", "_")) // a tag has no +
	if params.Digest != "" {
		reference = repository.Digest(params.Digest)
	}
	archive, err := fetch(reference, with)
	if err != nil {
		return protocol.PullResult{}, fmt.Errorf("%s: %w", reference, err)
	}
	if fixed == "" { // a tag that may move
		return protocol.PullResult{Archive: archive, Version: version}, nil
	}
	return protocol.PullResult{Archive: archive, Version: version}, c.write(archive, params.URL, fixed)
}

// tag returns the version, tag or digest that is asked for.
func (p *Puller) tag(repository name.Repository, params protocol.PullParams, with []remote.Option) (string, error) {
	switch {
	case params.Digest != "":
		return params.Digest, nil
	case params.Tag != "":
		return params.Tag, nil
	case ranges.Exact(params.Version):
		return params.Version, nil
	}
	filter, err := regexp.Compile(params.Filter)
	if err != nil {
		return "", fmt.Errorf("the filter of tags: %w", err)
	}
	tags, err := remote.List(repository, with...)
	if err != nil {
		return "", err
	}
	tags = slices.DeleteFunc(tags, func(t string) bool { return !filter.MatchString(t) })
	slices.Sort(tags)
	for i, t := range tags {
		tags[i] = strings.ReplaceAll(t, "_", "+")
	}
	at, err := ranges.Highest(tags, params.Version, func(i, than int) bool { return i > than })
	if err != nil {
		return "", err
	}
	return tags[at], nil
}

// fetch returns the chart of an artifact.
func fetch(reference name.Reference, with []remote.Option) ([]byte, error) {
	image, err := remote.Image(reference, with...)
	if err != nil {
		return nil, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(manifest.Layers, func(l ociv1.Descriptor) bool { return string(l.MediaType) == chartLayer })
	if at < 0 {
		return nil, errors.New("it is no Helm chart: it has no layer of the type " + chartLayer)
	}
	if size := manifest.Layers[at].Size; size > maxArchive {
		return nil, fmt.Errorf("it has %d MiB, and at most %d are loaded", size>>20, maxArchive>>20)
	}
	layer, err := image.LayerByDigest(manifest.Layers[at].Digest)
	if err != nil {
		return nil, err
	}
	in, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return readAll(in, maxArchive)
}
