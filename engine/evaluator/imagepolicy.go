package evaluator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"github.com/kyverno/kyverno/pkg/cel/libs"
	"github.com/kyverno/kyverno/pkg/cel/libs/imageverify"
	"github.com/kyverno/kyverno/pkg/cel/matching"
	imageverifycache "github.com/kyverno/kyverno/pkg/image/verification/cache"
	imageevaluator "github.com/kyverno/kyverno/pkg/image/verification/evaluator"
	admissionutils "github.com/kyverno/kyverno/pkg/utils/admission"
	"github.com/kyverno/sdk/extensions/cel/utils"
	"github.com/kyverno/sdk/extensions/imagedataloader"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
)

// imageFamily returns an ImageValidatingPolicy, evaluated by Kyverno's evaluator. registry is how images are found.
//
// Kyverno's engine for these policies makes its own way to the registry; this does what it does for one policy
// (pkg/cel/policies/ivpol/engine). The policies of a bundle have no autogen, no PolicyExceptions, and a webhook each.
func imageFamily(policy *policiesv1beta1.ImageValidatingPolicy, registry images) (f family, err error) {
	defer recovered(&err, "compiling the policy")
	checks, err := checksOf(policy)
	if err != nil {
		return family{}, err
	}
	if err := shared(policy); err != nil {
		return family{}, err
	}
	compileMu.Lock()
	defer compileMu.Unlock()
	if _, err := imageevaluator.Validate(policy, nil); err != nil {
		return family{}, err
	}
	f = family{
		object: "ImageValidatingPolicy/" + policy.Name, checks: checks, action: protocol.ActionAudit, images: true,
		failClosed: policy.Spec.FailurePolicy == nil || *policy.Spec.FailurePolicy == admissionregistrationv1.Fail,
	}
	if slices.Contains(policy.Spec.ValidationActions(), admissionregistrationv1.Deny) {
		f.action = protocol.ActionEnforce
	}
	idle := &imageCompiler{policy: policy, registry: registry, idle: map[string][]*compiledImages{}}
	f.evaluate = func(ctx context.Context, r celRequest) (found celFindings, matches bool, err error) {
		defer recovered(&err, "evaluating "+f.object)
		return evaluateImages(ctx, idle, r)
	}
	return f, nil
}

// shared returns an error for a policy that shares a webhook, or that leaves to Kyverno what gatehouse does not rely on.
func shared(policy *policiesv1beta1.ImageValidatingPolicy) error {
	c := policy.Spec.ValidationConfigurations
	switch {
	case policy.GetTimeoutSeconds() == nil:
		return errors.New("has no timeoutSeconds: it would share a webhook, and policies that ask for one image would wait without end")
	case c.MutateDigest == nil || *c.MutateDigest || c.VerifyDigest == nil || *c.VerifyDigest || c.Required == nil || *c.Required:
		return errors.New("mutateDigest, verifyDigest and required must be false: the policy must do this itself")
	case policy.Spec.AutogenConfiguration == nil:
		return errors.New("autogen must be off")
	}
	return nil
}

// evaluateImages evaluates the policy for a request, as handleValidation of Kyverno's engine does.
func evaluateImages(ctx context.Context, compiler *imageCompiler, r celRequest) (found celFindings, matches bool, err error) {
	attributes, err := r.both()
	if err != nil {
		return celFindings{}, true, err
	}
	matches, err = matching.NewMatcher().Match(&matching.MatchCriteria{Constraints: compiler.policy.Spec.MatchConstraints}, attributes, r.namespaceOrNil())
	if !matches || err != nil {
		return celFindings{}, err != nil, err
	}
	compiled, err := compiler.take(r)
	if err != nil {
		return celFindings{}, true, err
	}
	result, err := compiled.policy.Evaluate(ctx, compiled.images, attributes, r.admission, r.namespaceOrNil(), true, compiler.registry.library())
	switch {
	case err != nil:
		return celFindings{}, true, err
	case result == nil:
		return celFindings{}, false, nil
	case result.Error != nil:
		return celFindings{}, true, result.Error
	}
	found = findings(result.AuditAnnotations)
	found.refused, found.message = !result.Result, result.Message
	if err := compiled.policy.EnforceRequired(result.MatchedImages); result.Result && err != nil {
		found.refused, found.message = true, err.Error()
	}
	compiler.give(r, compiled)
	return found, true, nil
}

// imageCompiler compiles a policy. Kyverno compiles it for each request, which takes most of the time; here a later
// request has what an earlier one of the same resource left. Both give the same answers: what Kyverno binds to a
// request besides its images are the results for spec.validationConfigurations.required, which is false (see shared).
type imageCompiler struct {
	policy   *policiesv1beta1.ImageValidatingPolicy
	registry images

	mu   sync.Mutex
	idle map[string][]*compiledImages // by resource
}

// compiledImages is a policy that is compiled for the images of one request at a time.
type compiledImages struct {
	policy imageevaluator.CompiledPolicy
	images *imageContext
}

// take returns the policy for a request, with images of its own.
func (c *imageCompiler) take(r celRequest) (*compiledImages, error) {
	inner, err := imagedataloader.NewImageContext(nil, c.registry.options(), nil)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if idle := c.idle[r.resource()]; len(idle) > 0 {
		compiled := idle[len(idle)-1]
		c.idle[r.resource()] = idle[:len(idle)-1]
		c.mu.Unlock()
		compiled.images.inner = inner
		return compiled, nil
	}
	c.mu.Unlock()
	images := &imageContext{inner}
	compileMu.RLock()
	defer compileMu.RUnlock()
	compiler := imageevaluator.NewCompiler(images, nil, r.admission.RequestResource, c.registry.verified)
	compiled, errs := compiler.Compile(c.policy, nil, imageverify.NewImageVerificationResults())
	if len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	return &compiledImages{compiled, images}, nil
}

// give leaves a policy to the next request.
func (c *imageCompiler) give(r celRequest, compiled *compiledImages) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle[r.resource()] = append(c.idle[r.resource()], compiled)
}

func (r celRequest) resource() string { return fmt.Sprint(r.admission.RequestResource) }

// both returns the attributes as Kyverno makes them: an absent object is an empty one.
func (r celRequest) both() (admission.Attributes, error) {
	object, old, err := admissionutils.ExtractResources(nil, *r.admission)
	if err != nil {
		return nil, fmt.Errorf("reading the object: %w", err)
	}
	a := r.attributes
	return admission.NewAttributesRecord(&object, &old, a.GetKind(), a.GetNamespace(), a.GetName(), a.GetResource(), a.GetSubresource(),
		a.GetOperation(), nil, false, a.GetUserInfo()), nil
}

// namespaceOrNil returns nil for a request without a namespace, and not an interface that holds nil.
func (r celRequest) namespaceOrNil() runtime.Object {
	if r.namespace == nil {
		return nil
	}
	return r.namespace
}

// images is the way to the images of a bundle: a stand-in, or nil for the registries that they name.
type images struct {
	standIn  *standInClient
	verified imageverifycache.Client
}

// options are those of each request to a registry.
func (i images) options() []remote.Option {
	if i.standIn == nil {
		return nil
	}
	return []remote.Option{remote.WithTransport(i.standIn.registry)}
}

// library returns what expressions look up.
func (i images) library() libs.Context { return imageLibrary{libs.NewFakeContextProvider(), i} }

// imageLibrary looks images up where the bundle says.
type imageLibrary struct {
	libs.Context
	images images
}

// GetImageData implements the library for images of Kyverno's SDK.
func (l imageLibrary) GetImageData(image string, _ []remote.Option) (map[string]any, error) {
	loader, err := imagedataloader.New(nil, l.images.options(), nil)
	if err != nil {
		return nil, err
	}
	found, err := loader.FetchImageData(context.Background(), image, nil, nil)
	if err != nil {
		return nil, err
	}
	return utils.GetValue(found.Data())
}

// imageContext is Kyverno's own, but for the credentials of this process, which are for others.
type imageContext struct{ inner imagedataloader.ImageContext }

// AddImages implements imagedataloader.ImageContext.
func (c *imageContext) AddImages(ctx context.Context, images []string, _ []remote.Option, _ []name.Option) error {
	return c.inner.AddImages(ctx, images, nil, nil)
}

// Get implements imagedataloader.ImageContext.
func (c *imageContext) Get(ctx context.Context, image string, _ []remote.Option, _ []name.Option) (*imagedataloader.ImageData, error) {
	return c.inner.Get(ctx, image, nil, nil)
}
