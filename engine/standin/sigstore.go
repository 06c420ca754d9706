package standin

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Sigstore stands in for sigstore's trust root: a TUF repository (theupdateframework.io)
// that says which authority issues certificates for identities and which one stamps times.
// There is one in a process, because the client of it that Kyverno uses, with what it has
// fetched, is a variable of the process, too.
type Sigstore struct {
	// Authority issues the certificates for identities.
	Authority *Authority
	// Root is the root.json of the repository, which its clients are given.
	Root  []byte
	files map[string][]byte // of the repository, by path

	mu     sync.Mutex
	served bool
	home   string
}

// scheme of URLs that are answered by this process. Clients of TUF ask for nothing but what
// begins with http.
const scheme = "httpstandin"

// Mirror is the URL of the repository, once it is served. No request for it leaves the
// process.
const Mirror = scheme + "://sigstore"

// sigstore is made once.
var sigstore = sync.OnceValues(newSigstore) //nolint:gochecknoglobals // Kyverno's client of it is a variable of the process

// TheSigstore returns the stand-in of this process. It is not served yet.
func TheSigstore() (*Sigstore, error) { return sigstore() }

// newSigstore signs the files.
func newSigstore() (*Sigstore, error) {
	authority, err := NewAuthority()
	if err != nil {
		return nil, err
	}
	s := &Sigstore{Authority: authority, files: map[string][]byte{}}
	targets, err := s.targets()
	if err != nil {
		return nil, fmt.Errorf("making the trust root: %w", err)
	}
	if err := s.sign(targets); err != nil {
		return nil, fmt.Errorf("signing the trust root: %w", err)
	}
	return s, nil
}

// targets are what the repository is about. The keys of logs are there because clients ask
// for them; they belong to no one.
func (s *Sigstore) targets() (*metadata.Metadata[metadata.TargetsType], error) {
	start, end := validity()
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: s.Authority.certificate, ValidityPeriodStart: start}}, nil,
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{Root: s.Authority.clock.root, Leaf: s.Authority.clock.certificate, ValidityPeriodStart: start}}, nil)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(trusted)
	if err != nil {
		return nil, err
	}
	log, err := NewSigner()
	if err != nil {
		return nil, err
	}
	targets := metadata.Targets(end)
	for _, target := range []struct{ name, usage, content string }{
		{"trusted_root.json", "", string(text)}, {"rekor.pub", "Rekor", log.PublicKey}, {"ctfe.pub", "CTFE", log.PublicKey}, {"fulcio_v1.crt.pem", "Fulcio", s.Authority.Roots},
	} {
		file, err := metadata.TargetFile().FromBytes(target.name, []byte(target.content), "sha256")
		if err != nil {
			return nil, err
		}
		if target.usage != "" {
			custom := json.RawMessage(fmt.Sprintf(`{"sigstore":{"status":"Active","usage":%q}}`, target.usage))
			file.Custom = &custom
		}
		targets.Signed.Targets[target.name] = file
		s.files["targets/"+file.Hashes["sha256"].String()+"."+target.name] = []byte(target.content)
	}
	return targets, nil
}

// sign signs the targets and the files that lead to them. They end when certificates do.
func (s *Sigstore) sign(targets *metadata.Metadata[metadata.TargetsType]) error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	key, err := metadata.KeyFromPublicKey(private.Public())
	if err != nil {
		return err
	}
	_, end := validity()
	top := metadata.Root(end)
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		if err := top.Signed.AddKey(key, role); err != nil {
			return err
		}
	}
	if s.Root, err = signed(top, private); err != nil {
		return err
	}
	var errs [3]error
	s.files["1.targets.json"], errs[0] = signed(targets, private)
	s.files["1.snapshot.json"], errs[1] = signed(metadata.Snapshot(end), private)
	s.files["timestamp.json"], errs[2] = signed(metadata.Timestamp(end), private)
	return errors.Join(errs[:]...)
}

// signed returns a file of the repository.
func signed[T metadata.Roles](file *metadata.Metadata[T], key ed25519.PrivateKey) ([]byte, error) {
	signer, err := signature.LoadSigner(key, crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	if _, err := file.Sign(signer); err != nil {
		return nil, err
	}
	return file.ToBytes(false)
}

// Serve makes the repository answer at [Mirror] in this process. Clients of sigstore keep
// what they fetched in the home directory, whatever they are told: from now on the process
// has one of its own, so that they neither read nor change that of the user. Serve can be
// called again; [Sigstore.Close] removes the directory.
func (s *Sigstore) Serve() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.served {
		return nil
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return errors.New("the default transport is not Go's own: nothing can stand in for sigstore")
	}
	home, err := os.MkdirTemp("", "gatehouse-engine-")
	if err != nil {
		return fmt.Errorf("making a directory for what clients of sigstore keep: %w", err)
	}
	s.home = home
	if err := errors.Join(os.Setenv("HOME", home), os.Setenv("USERPROFILE", home), os.Setenv("TUF_ROOT", home), os.Setenv("SIGSTORE_NO_CACHE", "true")); err != nil {
		return fmt.Errorf("moving the home directory: %w", err)
	}
	transport.RegisterProtocol(scheme, s)
	s.served = true
	return nil
}

// Close removes the directory of a repository that was served. The process must not verify
// anything after that.
func (s *Sigstore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.home == "" {
		return nil
	}
	return os.RemoveAll(s.home)
}

// RoundTrip implements http.RoundTripper.
func (s *Sigstore) RoundTrip(req *http.Request) (*http.Response, error) { return respond(s, req) }

// ServeHTTP implements http.Handler.
func (s *Sigstore) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	content, found := s.files[strings.TrimPrefix(req.URL.Path, "/")]
	if !found {
		http.NotFound(w, req)
		return
	}
	_, _ = w.Write(content) //nolint:errcheck // it is written to memory
}
