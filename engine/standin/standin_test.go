package standin

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestRegistry: each host has its own images, and the same content the same digest.
func TestRegistry(t *testing.T) {
	var r Registry
	digest, err := r.Push("ghcr.io/acme/app:v1", "a")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := new(Registry).Push("quay.io/acme/app:v1", "a"); err != nil || again != digest {
		t.Errorf("the same content is %s and %s, %v", digest, again, err)
	}
	if moved, err := r.Push("ghcr.io/acme/app:v1", "b"); err != nil || moved == digest {
		t.Errorf("other content is %s, %v", moved, err)
	}
	for reference, found := range map[string]bool{
		"ghcr.io/acme/app:v1": true, "ghcr.io/acme/app@" + digest.String(): true, "quay.io/acme/app:v1": false, "ghcr.io/acme/app:v2": false, "localhost:5000/app:v1": false,
	} {
		ref, err := name.ParseReference(reference)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := remote.Get(ref, remote.WithTransport(&r)); (err == nil) != found {
			t.Errorf("%s: %v", reference, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://ghcr.io/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.RoundTrip(request); err == nil {
		t.Error("a cancelled request is answered")
	}
}
