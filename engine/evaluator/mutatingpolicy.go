package evaluator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"github.com/kyverno/kyverno/pkg/cel/engine"
	"github.com/kyverno/kyverno/pkg/cel/libs"
	"github.com/kyverno/kyverno/pkg/cel/matching"
	"github.com/kyverno/kyverno/pkg/cel/policies/mpol"
	mpolcompiler "github.com/kyverno/kyverno/pkg/cel/policies/mpol/compiler"
	mpolengine "github.com/kyverno/kyverno/pkg/cel/policies/mpol/engine"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"gomodules.xyz/jsonpatch/v2"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
)

// compileMu guards the library context of Kyverno, which is a variable of the process that compilers read.
var compileMu sync.RWMutex //nolint:gochecknoglobals // it guards a variable of another package

// bind makes compilers bind a library to what they compile, until its result is called.
func bind(library libs.Context) (restore func()) {
	compileMu.Lock()
	before := libs.LibraryContext
	libs.LibraryContext = library
	return func() {
		libs.LibraryContext = before
		compileMu.Unlock()
	}
}

// mutator is a MutatingPolicy, evaluated by Kyverno's engine for CEL.
type mutator struct {
	family
	// patch returns the object as the policy changes it; nil if it does not.
	patch func(ctx context.Context, r celRequest, now string) (json.RawMessage, error)
}

// newMutator compiles a MutatingPolicy.
func newMutator(policy *policiesv1beta1.MutatingPolicy, registry images) (m mutator, err error) {
	defer recovered(&err, "compiling the policy")
	checks, err := checksOf(policy)
	if err != nil {
		return mutator{}, err
	}
	compiled, err := compileMutating(policy, registry)
	if err != nil {
		return mutator{}, err
	}
	m.family = family{object: "MutatingPolicy/" + policy.Name, checks: checks, action: protocol.ActionEnforce, images: true,
		failClosed: policy.Spec.FailurePolicy == nil || *policy.Spec.FailurePolicy == admissionregistrationv1.Fail}
	m.patch = func(ctx context.Context, r celRequest, now string) (out json.RawMessage, err error) {
		defer recovered(&err, "evaluating "+m.object)
		p := compiled
		if now != "" {
			if p, err = compileMutating(stopped(policy, now), registry); err != nil {
				return nil, err
			}
		}
		namespace := func(string) *corev1.Namespace { return r.namespace }
		response, err := mpolengine.NewEngine(p, namespace, matching.NewMatcher(), noTypes{}, registry.library()).
			Handle(ctx, engine.RequestFromAdmission(registry.library(), *r.admission), nil)
		if err != nil {
			return nil, err
		}
		return patched(response)
	}
	return m, nil
}

// compileMutating compiles a policy whose expressions look images up in the registry.
func compileMutating(policy *policiesv1beta1.MutatingPolicy, registry images) (mpolengine.Provider, error) {
	defer bind(registry.library())()
	if _, err := mpol.Validate(policy); err != nil {
		return nil, err
	}
	return mpolengine.NewProvider(mpolcompiler.NewCompiler(), []policiesv1beta1.MutatingPolicyLike{policy}, nil, registry.library())
}

// stopped returns the policy with the literal time instead of the clock.
func stopped(policy *policiesv1beta1.MutatingPolicy, now string) *policiesv1beta1.MutatingPolicy {
	out := policy.DeepCopy()
	for i := range out.Spec.Variables {
		v := &out.Spec.Variables[i]
		v.Expression = strings.ReplaceAll(v.Expression, "time.now()", fmt.Sprintf("timestamp(%q)", now))
	}
	return out
}

// patched reads the response for one policy.
func patched(response mpolengine.EngineResponse) (json.RawMessage, error) {
	for _, p := range response.Policies {
		for _, rule := range p.Rules {
			if rule.Status() == engineapi.RuleStatusError {
				return nil, errors.New(rule.Message())
			}
		}
	}
	if response.PatchedResource == nil {
		return nil, nil
	}
	return response.PatchedResource.MarshalJSON()
}

// noTypes converts nothing: JSON patches need no types.
type noTypes struct{}

// GetTypeConverter implements mpolcompiler.TypeConverterManager.
func (noTypes) GetTypeConverter(schema.GroupVersionKind) managedfields.TypeConverter { return nil }

// mutateCEL applies the MutatingPolicies one after another. It reports whether one of them refuses: then the API server
// asks no one else.
func (r *run) mutateCEL(ctx context.Context, all []mutator, now string) (refused bool, err error) {
	for _, m := range all {
		if len(r.wanted) > 0 && !slices.ContainsFunc(m.checks, func(check string) bool {
			policy, _, _ := strings.Cut(check, "/")
			return slices.Contains(r.wanted, policy)
		}) {
			continue
		}
		request, err := newCELRequest(r.request.admission, r.request.resource, r.namespace, r.now)
		if err != nil {
			return false, err
		}
		object, err := m.patch(ctx, request, now)
		if err != nil {
			for _, result := range m.results(celFindings{}, err) {
				refused = refused || result.Blocks
				r.results.blocked = r.results.blocked || result.Blocks
				r.results.merge(result)
			}
		}
		if object == nil {
			continue
		}
		if err := r.keep(object, request.admission.Object.Raw); err != nil {
			return false, err
		}
	}
	return refused, nil
}

// keep replaces the object of the request by one that a policy changed. before is what the policy saw: with the times of
// the API server, which the policy did not write.
func (r *run) keep(object, before json.RawMessage) error {
	patches, err := jsonpatch.CreatePatch(before, object)
	if err != nil {
		return fmt.Errorf("comparing what a policy changed: %w", err)
	}
	return r.patch(patches)
}
