package evaluator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kyverno/kyverno/api/kyverno"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	"github.com/kyverno/kyverno/pkg/autogen"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"github.com/kyverno/kyverno/pkg/policycache"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
)

// bundle holds the objects of one Load. It does not change afterwards, except for the memo of policy caches.
type bundle struct {
	policies   map[string]kyvernov1.PolicyInterface // by Kyverno's key: name, or namespace/name
	families   []family                             // policies in CEL
	mutators   []mutator                            // those that change objects
	inFamilies map[string]bool                      // names of the policies whose checks they hold
	exceptions exceptionList
	namespaces map[string]map[string]string // labels by name
	configMaps configMaps
	objects    lookups
	registries engineapi.RegistryClientFactory

	broken          map[string]bool // keys of policies that were refused
	brokenFamily    string          // the last policy in CEL that was refused; "" if none
	brokenException string          // the last exception that was refused; "" if none

	caches sync.Map // oneKind → *kindCache
	kept   sync.Mutex
	count  int
}

// maxCaches bounds the memo of policy caches, because requests decide which kinds are in it.
const maxCaches = 512

// configMaps serves the ConfigMaps that rules read; by namespace/name.
type configMaps map[string]*corev1.ConfigMap

// Get implements engineapi.ConfigmapResolver.
func (c configMaps) Get(_ context.Context, namespace, name string) (*corev1.ConfigMap, error) {
	if cm, found := c[namespace+"/"+name]; found {
		return cm, nil
	}
	return nil, errors.NewNotFound(corev1.Resource("configmaps"), namespace+"/"+name)
}

// exceptionList implements exceptions.Lister.
type exceptionList []*kyvernov2.PolicyException

// List returns all exceptions: Kyverno only ever asks for everything.
func (l exceptionList) List(labels.Selector) ([]*kyvernov2.PolicyException, error) { return l, nil }

// check returns an error if the bundle cannot answer for the named policies, or for all policies if none are named.
func (b *bundle) check(names []string) error {
	if b.brokenException != "" {
		return fmt.Errorf("%s was refused when it was loaded, so no answer would be right", b.brokenException)
	}
	if b.brokenFamily != "" {
		return fmt.Errorf("%s was refused when it was loaded, so no answer would be right", b.brokenFamily)
	}
	if len(names) == 0 && len(b.broken) > 0 {
		broken := make([]string, 0, len(b.broken))
		for key := range b.broken {
			broken = append(broken, key)
		}
		sort.Strings(broken)
		return fmt.Errorf("refused when loaded, so no answer would be complete: %s", strings.Join(broken, ", "))
	}
	for _, name := range names {
		if b.broken[name] {
			return fmt.Errorf("policy %q was refused when it was loaded", name)
		}
		if b.policies[name] == nil && !b.inFamilies[name] {
			return fmt.Errorf("policy %q is not loaded", name)
		}
	}
	return nil
}

// kindCache is Kyverno's policy cache, filled for a single kind and subresource.
type kindCache struct {
	policycache.Cache
	kind    string
	derived sync.Map // derivedKey → kyvernov1.PolicyInterface
}

// derivedKey names a policy that the cache reduced to some of its rules, whose names are quoted: they may have any character.
type derivedKey struct{ policy, kind, rules string }

// cacheFor returns the policy cache of a kind and subresource.
func (b *bundle) cacheFor(kind oneKind) (*kindCache, error) {
	if found, ok := b.caches.Load(kind); ok {
		return found.(*kindCache), nil
	}
	filled := &kindCache{Cache: policycache.NewCache(), kind: kind.gvk.Kind}
	for key, policy := range b.policies {
		if err := filled.Set(key, policy, kind); err != nil {
			return nil, fmt.Errorf("caching policy %s: %w", key, err)
		}
	}
	b.kept.Lock()
	defer b.kept.Unlock()
	if b.count < maxCaches {
		b.caches.Store(kind, filled)
		b.count++
	}
	return filled, nil
}

// derive returns the policy, as GetPolicies gives it, with the rules that Kyverno derives of it for controllers of Pods
// written out. Kyverno derives them anew for each policy of each request; of what it then finds here it derives none.
func (c *kindCache) derive(policy kyvernov1.PolicyInterface, kind policycache.PolicyType) kyvernov1.PolicyInterface {
	var names strings.Builder
	for _, rule := range policy.GetSpec().Rules {
		names.WriteString(strconv.Quote(rule.Name))
	}
	// Kyverno's functions for mutation and images derive the rules of all kinds, that for validation only those of the kind.
	of := derivedKey{policy: key(policy), kind: c.kind, rules: names.String()}
	if kind == policycache.Mutate || kind == policycache.VerifyImagesMutate {
		of.kind = ""
	}
	if found, ok := c.derived.Load(of); ok {
		return found.(kyvernov1.PolicyInterface)
	}
	out := policy.CreateDeepCopy()
	out.GetSpec().SetRules(autogen.Default.ComputeRules(policy, of.kind))
	annotations := maps.Clone(policy.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[kyverno.AnnotationAutogenControllers] = "none"
	out.SetAnnotations(annotations)
	c.derived.Store(of, out)
	return out
}

// labelsOf returns the labels of a namespace; only the one with its name if the namespace is not known.
func (b *bundle) labelsOf(namespace string) map[string]string {
	if known, found := b.namespaces[namespace]; found {
		return known
	}
	return withName(nil, namespace)
}

// The ways in which a condition asks for the time: as a variable inside a string literal, or as a call in an expression.
var (
	nowVariable = regexp.MustCompile(`\{\{\s*time_now(_utc)?\(\s*\)\s*\}\}`)
	nowCall     = regexp.MustCompile(`\btime_now(_utc)?\(\s*\)`)
)

// exceptionsAt returns the exceptions as they are at the given time (RFC 3339): their conditions have the literal time
// in place of the clock. The empty time means the clock.
func (b *bundle) exceptionsAt(now string) (exceptionList, error) {
	if now == "" {
		return b.exceptions, nil
	}
	at, err := time.Parse(time.RFC3339, now)
	if err != nil {
		return nil, fmt.Errorf("now: %w", err)
	}
	literal := at.UTC().Format(time.RFC3339)
	out := slices.Clone(b.exceptions)
	for i, exception := range out {
		if out[i], err = frozen(exception, literal); err != nil {
			return nil, fmt.Errorf("setting the time of exception %s: %w", exception.Name, err)
		}
	}
	return out, nil
}

// frozen returns the exception with its clock stopped at the literal time; itself if it does not ask for the time.
func frozen(exception *kyvernov2.PolicyException, literal string) (*kyvernov2.PolicyException, error) {
	if exception.Spec.Conditions == nil {
		return exception, nil
	}
	text, err := json.Marshal(exception.Spec.Conditions)
	if err != nil {
		return nil, err
	}
	if strings.Contains(string(text), "time_since(") {
		return nil, fmt.Errorf("time_since may read the clock, which cannot be set")
	}
	changed := nowVariable.ReplaceAllLiteralString(string(text), literal)
	changed = nowCall.ReplaceAllLiteralString(changed, "'"+literal+"'")
	if changed == string(text) {
		return exception, nil
	}
	conditions := new(kyvernov2.AnyAllConditions)
	if err := json.Unmarshal([]byte(changed), conditions); err != nil {
		return nil, err
	}
	out := exception.DeepCopy()
	out.Spec.Conditions = conditions
	return out, nil
}
