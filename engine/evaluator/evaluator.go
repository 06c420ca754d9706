// Package evaluator answers admission requests as a cluster with Kyverno would. It runs the real Kyverno engine in
// process, without a cluster.
//
// A request takes the same path as in Kyverno's webhooks (pkg/webhooks/resource in the Kyverno module): mutating
// rules, then image rules, then validation of the patched object. Kyverno's policy cache decides which rules of a
// policy are enforced in the namespace, and Kyverno's BlockRequest whether a failure blocks. This package only adds
// the order of these calls and the cluster state that they read.
//
// Three things that Kyverno does again for each request are done once, because they took two thirds of the time: rules for controllers
// are derived, expressions are compiled, and those with nothing to substitute are not searched for variables.
//
// It differs from a cluster as follows: the object is not defaulted by the API server, lookups (k8s:// keys, discovery)
// find only the loaded objects, and Kyverno's ConfigMap is the built-in default, without the chart's resource filters.
package evaluator

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-dev/gatehouse/engine/standin"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/go-logr/logr"
	"github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno/data"
	resourceloader "github.com/kyverno/kyverno/ext/resource/loader"
	"github.com/kyverno/kyverno/pkg/config"
	"github.com/kyverno/kyverno/pkg/engine/adapters"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"github.com/kyverno/kyverno/pkg/engine/factories"
	"github.com/kyverno/kyverno/pkg/engine/jmespath"
	imageverifycache "github.com/kyverno/kyverno/pkg/image/verification/cache"
	"github.com/kyverno/sdk/extensions/registryclient"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	corev1listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/kubectl-validate/pkg/openapiclient"
)

// Evaluator evaluates admission requests against the policies that were loaded last. It is safe for concurrent use.
type Evaluator struct {
	config     config.Configuration
	jmespath   jmespath.Interface
	registries engineapi.RegistryClientFactory
	kinds      kindTable

	// loadMu serializes loads.
	loadMu  sync.Mutex
	schemas *schemas
	loads   int

	// verified remembers which images passed which ImageValidatingPolicy, as in a cluster.
	verified imageverifycache.Client

	bundle atomic.Pointer[bundle]
}

// New returns an evaluator with nothing loaded, and silences Kyverno's log for the process. It fails only if the CRDs
// that the Kyverno module embeds cannot be read.
func New() (*Evaluator, error) {
	// Kyverno logs through this global. Never set, it collects loggers and prints a stack after 30 seconds.
	log.SetLogger(logr.New(log.NullLogSink{}))
	schemas, err := kyvernoSchemas()
	if err != nil {
		return nil, err
	}
	kinds, err := builtinKinds()
	if err != nil {
		return nil, err
	}
	configuration := config.NewDefaultConfiguration(false)
	configuration.Load(nil) // what the controller does without a ConfigMap; it also bounds the size of a rule's context
	verified, err := imageverifycache.New(imageverifycache.WithCacheEnableFlag(true), imageverifycache.WithMaxSize(0), imageverifycache.WithTTLDuration(0))
	if err != nil {
		return nil, fmt.Errorf("making the cache of verified images: %w", err)
	}
	// An empty lister, not nil: a Pod with imagePullSecrets makes Kyverno ask it.
	secrets := corev1listers.NewSecretLister(cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{}))
	return &Evaluator{
		config:     configuration,
		jmespath:   &compiledOnce{Interface: jmespath.New(configuration), compiled: map[string]jmespath.Query{}},
		registries: factories.DefaultRegistryClientFactory(adapters.RegistryClient(registryclient.New()), secrets),
		kinds:      kinds,
		schemas:    schemas,
		verified:   verified,
	}, nil
}

// schemas decodes objects of the kinds of some CRDs. It is safe for concurrent use.
type schemas struct {
	mu     sync.Mutex // the loader caches without a lock
	loader resourceloader.Loader
}

// kyvernoSchemas returns the schemas of the CRDs that the Kyverno module embeds. To read them takes a third
// of a second, so a process does it once.
var kyvernoSchemas = sync.OnceValues(func() (*schemas, error) {
	crds, err := data.Crds()
	if err != nil {
		return nil, fmt.Errorf("opening the CRDs of the Kyverno module: %w", err)
	}
	loader, err := resourceloader.New(openapiclient.NewLocalCRDFiles(crds))
	if err != nil {
		return nil, fmt.Errorf("reading the CRDs of the Kyverno module: %w", err)
	}
	return &schemas{loader: loader}, nil
})

// decode parses strictly, sets the defaults of the CRD and checks its schema.
func (s *schemas) decode(raw json.RawMessage) (unstructured.Unstructured, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, untyped, err := s.loader.Load(raw)
	return untyped, err
}

// Close removes what stand-ins of this process left on disk. No evaluator of the process can be used afterwards.
func (e *Evaluator) Close() error {
	sigstore, err := standin.TheSigstore()
	if err != nil {
		return err
	}
	return sigstore.Close()
}

// Hello returns the protocol number, the version of the Kyverno module that this program was built with, and the
// program's own version. A version that the build did not record is "unknown".
func Hello() protocol.HelloResult {
	hello := protocol.HelloResult{Protocol: protocol.Protocol, Kyverno: "unknown", Version: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return hello
	}
	if info.Main.Version != "" {
		hello.Version = info.Main.Version
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/kyverno/kyverno" {
			hello.Kyverno = strings.TrimPrefix(dep.Version, "v")
		}
	}
	return hello
}

// recovered turns a panic inside Kyverno into an error that names what was being done. To be deferred.
func recovered(err *error, doing string) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: kyverno panicked: %v", doing, p)
	}
}
