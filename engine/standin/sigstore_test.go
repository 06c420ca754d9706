package standin

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tuf"
	legacy "github.com/sigstore/sigstore/pkg/tuf" //nolint:staticcheck // deprecated, and one of the two clients that Kyverno uses
)

// TestSigstore fetches the trust root with both clients that Kyverno uses.
func TestSigstore(t *testing.T) {
	s, err := TheSigstore()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Serve(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := tuf.New(tuf.DefaultOptions().WithRepositoryBaseURL(Mirror).WithRoot(s.Root))
	if err != nil {
		t.Fatal(err)
	}
	text, err := client.GetTarget("trusted_root.json")
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := root.NewTrustedRootFromJSON(text)
	if err != nil || len(trusted.FulcioCertificateAuthorities()) != 1 || len(trusted.TimestampingAuthorities()) != 1 {
		t.Errorf("%s: %v", text, err)
	}
	if err := legacy.Initialize(context.Background(), Mirror, s.Root); err != nil {
		t.Fatal(err)
	}
	status, err := legacy.GetRootStatus(context.Background())
	if err != nil || status.Remote != Mirror || status.Local != "in-memory" || len(status.Targets) != 4 {
		text, _ := json.Marshal(status)
		t.Errorf("%s: %v", text, err)
	}
}
