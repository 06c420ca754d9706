package evaluator

import (
	"context"
	"fmt"

	"github.com/gatehouse-dev/gatehouse/engine/standin"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"github.com/kyverno/kyverno/pkg/engine/adapters"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
)

// standInClients makes Kyverno ask a stand-in, whatever credentials a policy or a Pod names.
type standInClients struct{ registry *standin.Registry }

// GetClient implements engineapi.RegistryClientFactory.
func (f standInClients) GetClient(context.Context, *kyvernov1.ImageRegistryCredentials, string, []string) (engineapi.RegistryClient, error) {
	return adapters.RegistryClient(standInClient(f)), nil
}

// standInClient implements the registry client of Kyverno's SDK.
type standInClient struct{ registry *standin.Registry }

// Keychain knows no credentials: those of the process are for others.
func (standInClient) Keychain() authn.Keychain { return authn.NewMultiKeychain() }

// NameOptions returns no options.
func (standInClient) NameOptions() []name.Option { return nil }

// Options returns options that send every request to the registry.
func (c standInClient) Options(ctx context.Context) ([]remote.Option, []name.Option, error) {
	return []remote.Option{remote.WithTransport(c.registry), remote.WithContext(ctx)}, nil, nil
}

// FetchImageDescriptor looks an image up.
func (c standInClient) FetchImageDescriptor(ctx context.Context, reference string) (*remote.Descriptor, error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return nil, fmt.Errorf("reading the image reference %s: %w", reference, err)
	}
	options, _, err := c.Options(ctx)
	if err != nil {
		return nil, err
	}
	return remote.Get(ref, options...)
}
