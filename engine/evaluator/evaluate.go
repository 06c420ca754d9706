package evaluator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/made"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"github.com/kyverno/kyverno/pkg/engine"
	engineapi "github.com/kyverno/kyverno/pkg/engine/api"
	"github.com/kyverno/kyverno/pkg/engine/factories"
	"github.com/kyverno/kyverno/pkg/engine/mutate/patch"
	engineutils "github.com/kyverno/kyverno/pkg/engine/utils"
	"github.com/kyverno/kyverno/pkg/exceptions"
	imageverifycache "github.com/kyverno/kyverno/pkg/image/verification/cache"
	"github.com/kyverno/kyverno/pkg/logging"
	"github.com/kyverno/kyverno/pkg/policycache"
	jsonutils "github.com/kyverno/kyverno/pkg/utils/json"
	webhookutils "github.com/kyverno/kyverno/pkg/webhooks/utils"
	"golang.org/x/sync/errgroup"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"
)

// Evaluate answers one admission request. An error, always a [*protocol.Error], means that there is no verdict: nothing was loaded, the
// answer would depend on an object that was refused, the params are wrong, or Kyverno panicked. The context bounds
// image verification; when it ends, so does the evaluation, with an error.
func (e *Evaluator) Evaluate(ctx context.Context, params protocol.EvaluateParams) (result protocol.EvaluateResult, err error) {
	b := e.bundle.Load()
	if b == nil {
		return protocol.EvaluateResult{}, refusal(protocol.CodeNotLoaded, fmt.Errorf("nothing is loaded yet"))
	}
	if err := b.check(params.Policies); err != nil {
		return protocol.EvaluateResult{}, refusal(protocol.CodeNotLoaded, err)
	}
	req, err := newRequest(params, e.kinds)
	if err != nil {
		return protocol.EvaluateResult{}, refusal(protocol.CodeBadRequest, err)
	}
	waivers, err := b.exceptionsAt(params.Now)
	if err != nil {
		return protocol.EvaluateResult{}, refusal(protocol.CodeBadRequest, err)
	}
	if result, err = e.judge(ctx, b, req, params, waivers); err != nil {
		return protocol.EvaluateResult{}, refusal(protocol.CodeEvaluation, fmt.Errorf("%s: %w", req.name(), err))
	}
	return result, nil
}

// judge evaluates a valid request. A panic inside Kyverno becomes an error.
func (e *Evaluator) judge(ctx context.Context, b *bundle, req request, params protocol.EvaluateParams, waivers exceptionList) (result protocol.EvaluateResult, err error) {
	defer recovered(&err, "evaluating")
	run, err := e.newRun(b, req, params, waivers)
	if err != nil {
		return result, err
	}
	if result, err = run.evaluate(ctx); err != nil {
		return result, err
	}
	return result, ctx.Err()
}

// refusal gives an error its code.
func refusal(code string, err error) error {
	return &protocol.Error{Code: code, Message: err.Error()}
}

// run is the evaluation of one request.
type run struct {
	evaluator *Evaluator
	engine    engineapi.Engine
	cache     *kindCache
	request   request
	namespace *corev1.Namespace // nil for a request without a namespace, or for one that creates it
	labels    map[string]string // what namespace selectors see
	wanted    []string          // names of policies; empty for all
	scan      bool              // no request, but an object that exists
	inCEL     []family          // policies in CEL
	mutators  []mutator         // those that change objects
	now       time.Time         // of the request
	at        string            // the same as it was asked for; empty for the clock
	results   verdicts
	context   *engine.PolicyContext // of the request as it is by now; nil after a patch
}

// newRun prepares an evaluation: a Kyverno engine that sees the exceptions as they are at the time asked for.
func (e *Evaluator) newRun(b *bundle, req request, params protocol.EvaluateParams, waivers exceptionList) (*run, error) {
	policies, err := b.cacheFor(oneKind{gvk: req.parent, resource: req.resource.Resource, subresource: req.admission.SubResource})
	if err != nil {
		return nil, err
	}
	inCluster := false // true makes the engine fetch namespace labels from an API server
	r := &run{
		evaluator: e,
		engine: engine.NewEngine(e.config, e.jmespath, nil, b.registries, imageverifycache.DisabledImageVerifyCache(),
			withPlainVariables(b.objects.serve(factories.DefaultContextLoaderFactory(b.configMaps))), exceptions.New(waivers), &inCluster),
		cache:   policies,
		request: req,
		wanted:  params.Policies,
		scan:    params.Scan,
		inCEL:   b.families, mutators: b.mutators, at: params.Now,
		now: time.Now(), //nolint:forbidigo // params.Now replaces it; without that, the clock counts, as in a cluster
	}
	if params.Now != "" {
		if r.now, err = time.Parse(time.RFC3339, params.Now); err != nil {
			return nil, fmt.Errorf("now: %w", err)
		}
	}
	name := req.admission.Namespace
	if name == "" {
		return r, nil
	}
	known := b.labelsOf(name)
	if params.NamespaceLabels != nil {
		known = withName(params.NamespaceLabels, name)
	}
	isNamespace := req.admission.Kind.Kind == "Namespace"
	if !isNamespace {
		r.labels = known // a Namespace is never matched by a namespace selector
	}
	if !isNamespace || req.admission.Operation != admissionv1.Create {
		r.namespace = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: known}}
	}
	return r, nil
}

// evaluate takes the request through Kyverno's mutating webhook and then its validating one.
func (r *run) evaluate(ctx context.Context) (protocol.EvaluateResult, error) {
	if r.scan {
		return r.report(ctx)
	}
	object := r.request.admission.Object.Raw
	imagesRefused := false
	// Kyverno registers its mutating webhook for CREATE and UPDATE.
	if op := r.request.admission.Operation; op == admissionv1.Create || op == admissionv1.Update {
		if err := r.mutate(ctx); err != nil {
			return protocol.EvaluateResult{}, err
		}
		var err error
		if imagesRefused, err = r.verifyImages(ctx); err != nil {
			return protocol.EvaluateResult{}, err
		}
		if refused, err := r.mutateCEL(ctx, r.mutators, r.at); refused || err != nil {
			return r.results.result(), err
		}
	}
	patched := r.request.admission.Object.Raw
	if err := r.generateName(); err != nil {
		return protocol.EvaluateResult{}, err
	}
	if err := r.validate(ctx, imagesRefused); err != nil {
		return protocol.EvaluateResult{}, err
	}
	if err := r.families(ctx, r.inCEL); err != nil {
		return protocol.EvaluateResult{}, err
	}
	result := r.results.result()
	if !bytes.Equal(object, patched) {
		result.Patched = json.RawMessage(patched)
	}
	return result, nil
}

// mutate applies mutating rules one policy after another, as pkg/webhooks/resource/mutation does.
func (r *run) mutate(ctx context.Context) error {
	for _, policy := range r.policies(policycache.Mutate) {
		if !policy.GetSpec().HasMutateStandard() {
			continue
		}
		response, _, err := r.call(ctx, policy, func(ctx context.Context, pc engineapi.PolicyContext) (engineapi.EngineResponse, engineapi.ImageVerificationMetadata) {
			return r.engine.Mutate(ctx, pc), engineapi.ImageVerificationMetadata{}
		})
		if err != nil {
			return err
		}
		r.results.add(ctx, policy, response, true)
		if response.IsSuccessful() {
			if err := r.patch(response.GetPatches()); err != nil {
				return fmt.Errorf("applying the patches of %s: %w", key(policy), err)
			}
		}
	}
	return nil
}

// verifyImages runs the image rules, as pkg/webhooks/resource/imageverification does: patches are applied only if no
// policy refuses. It reports whether one does.
func (r *run) verifyImages(ctx context.Context) (refused bool, err error) {
	var patches []jsonpatch.JsonPatchOperation
	verified := engineapi.ImageVerificationMetadata{}
	for _, policy := range r.policies(policycache.VerifyImagesMutate) {
		response, images, err := r.call(ctx, policy, r.engine.VerifyAndPatchImages)
		if err != nil {
			return false, err
		}
		refused = r.results.add(ctx, policy, response, true) || refused
		patches = append(patches, response.GetPatches()...)
		verified.Merge(images)
	}
	if refused {
		return true, nil
	}
	if !verified.IsEmpty() {
		annotations, err := verified.Patches(r.hasAnnotations(), logging.GlobalLogger())
		if err != nil {
			return false, fmt.Errorf("writing the image verification annotation: %w", err)
		}
		patches = append(annotations, patches...)
	}
	if err := r.patch(patches); err != nil {
		return false, fmt.Errorf("applying the patches of image rules: %w", err)
	}
	return false, nil
}

// generateName gives a new object that has only a generateName its name. The API server does so between the mutating and
// the validating webhooks: only the latter know the names of most Pods.
func (r *run) generateName() error {
	if r.request.admission.Operation != admissionv1.Create {
		return nil
	}
	var object metav1.PartialObjectMetadata
	if err := json.Unmarshal(r.request.admission.Object.Raw, &object); err != nil || object.Name != "" || object.GenerateName == "" {
		return err
	}
	return r.patch([]jsonpatch.JsonPatchOperation{jsonpatch.NewOperation("add", "/metadata/name", made.Generated(object.GenerateName))})
}

// report evaluates the object as pkg/controllers/report/utils does: each policy that scans, with no request behind it.
func (r *run) report(ctx context.Context) (protocol.EvaluateResult, error) {
	scan := func(policies []kyvernov1.PolicyInterface, evaluate func(context.Context, engineapi.PolicyContext) engineapi.EngineResponse) error {
		for _, policy := range policies {
			if !policy.BackgroundProcessingEnabled() {
				continue
			}
			response, _, err := r.call(ctx, policy, func(ctx context.Context, pc engineapi.PolicyContext) (engineapi.EngineResponse, engineapi.ImageVerificationMetadata) {
				return evaluate(ctx, pc), engineapi.ImageVerificationMetadata{}
			})
			if err != nil {
				return err
			}
			r.results.add(ctx, policy, response, false)
		}
		return nil
	}
	err := scan(append(r.policies(policycache.ValidateEnforce), r.policies(policycache.ValidateAudit)...), r.engine.Validate)
	if err == nil {
		err = scan(r.policies(policycache.VerifyImagesMutate), func(ctx context.Context, pc engineapi.PolicyContext) engineapi.EngineResponse {
			response, _ := r.engine.VerifyAndPatchImages(ctx, pc)
			return response
		})
	}
	if err == nil {
		err = r.families(ctx, r.inCEL)
	}
	return r.results.result(), err
}

// validate runs the validating rules, as pkg/webhooks/resource/validation does. Image rules check here that the
// mutating webhook verified the images, which is not the case if it refused.
func (r *run) validate(ctx context.Context, imagesRefused bool) error {
	enforced := r.policies(policycache.ValidateEnforce)
	if !imagesRefused {
		enforced = append(enforced, r.policies(policycache.VerifyImagesValidate)...)
	}
	validate := func(ctx context.Context, pc engineapi.PolicyContext) (engineapi.EngineResponse, engineapi.ImageVerificationMetadata) {
		return r.engine.Validate(ctx, pc), engineapi.ImageVerificationMetadata{}
	}
	for _, policy := range enforced {
		response, _, err := r.call(ctx, policy, validate)
		if err != nil {
			return err
		}
		r.results.add(ctx, policy, response, true)
	}
	// Kyverno evaluates these after it has answered, so their results never block.
	for _, policy := range r.policies(policycache.ValidateAudit) {
		response, _, err := r.call(ctx, policy, validate)
		if err != nil {
			return err
		}
		r.results.add(ctx, policy, response, false)
	}
	return nil
}

// call hands the request as it is by now to one of Kyverno's engine functions.
func (r *run) call(ctx context.Context, policy kyvernov1.PolicyInterface,
	evaluate func(context.Context, engineapi.PolicyContext) (engineapi.EngineResponse, engineapi.ImageVerificationMetadata),
) (response engineapi.EngineResponse, images engineapi.ImageVerificationMetadata, err error) {
	defer recovered(&err, "evaluating "+policy.GetKind()+"/"+key(policy))
	if r.context == nil {
		if r.context, err = r.policyContext(); err != nil {
			return response, images, fmt.Errorf("reading the request: %w", err)
		}
	}
	response, images = evaluate(ctx, r.context.WithPolicy(policy))
	return response, images, nil
}

// policyContext is what rules and exceptions see of the request, or of the object in a background scan.
func (r *run) policyContext() (*engine.PolicyContext, error) {
	if !r.scan {
		builder := webhookutils.NewPolicyContextBuilder(r.evaluator.config, r.evaluator.jmespath)
		built, err := builder.Build(r.request.admission, r.request.info.Roles, r.request.info.ClusterRoles, r.request.parent)
		if err != nil {
			return nil, err
		}
		return built.WithNamespaceLabels(r.labels), nil
	}
	var object unstructured.Unstructured
	if err := json.Unmarshal(r.request.admission.Object.Raw, &object); err != nil {
		return nil, err
	}
	built, err := engine.NewPolicyContext(r.evaluator.jmespath, object, kyvernov1.Create, nil, r.evaluator.config)
	if err != nil {
		return nil, err
	}
	return built.WithNamespaceLabels(r.labels), nil
}

// policies returns the policies of a type that apply to the request, each reduced to the rules of that type, with the
// rules for controllers written out.
func (r *run) policies(kind policycache.PolicyType) []kyvernov1.PolicyInterface {
	found := r.cache.GetPolicies(kind, r.request.resource, r.request.admission.SubResource, r.namespace)
	if len(r.wanted) > 0 {
		found = slices.DeleteFunc(found, func(p kyvernov1.PolicyInterface) bool { return !slices.Contains(r.wanted, key(p)) })
	}
	slices.SortFunc(found, func(a, b kyvernov1.PolicyInterface) int { return strings.Compare(key(a), key(b)) })
	for i, policy := range found {
		found[i] = r.cache.derive(policy, kind)
	}
	return found
}

// patch changes the object of the request.
func (r *run) patch(patches []jsonpatch.JsonPatchOperation) error {
	if len(patches) == 0 {
		return nil
	}
	patched, err := engineutils.ApplyPatchNew(r.request.admission.Object.Raw, jsonutils.JoinPatches(patch.ConvertPatches(patches...)...))
	if err != nil {
		return err
	}
	r.request.admission.Object.Raw = patched
	r.context = nil
	return nil
}

// hasAnnotations reports whether the object has any, which decides how one is added by JSON patch.
func (r *run) hasAnnotations() bool {
	var object metav1.PartialObjectMetadata
	return json.Unmarshal(r.request.admission.Object.Raw, &object) == nil && len(object.Annotations) > 0
}

// key is Kyverno's name of a policy: name, or namespace/name.
func key(policy kyvernov1.PolicyInterface) string {
	return cache.MetaObjectToName(policy).String()
}

// EvaluateMany answers the requests in parallel, each as [Evaluator.Evaluate] would, in their order.
func (e *Evaluator) EvaluateMany(ctx context.Context, params protocol.EvaluateManyParams) protocol.EvaluateManyResult {
	out := protocol.EvaluateManyResult{Results: make([]protocol.Evaluation, len(params.Requests))}
	workers := new(errgroup.Group)
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i, request := range params.Requests {
		workers.Go(func() error {
			result, err := e.Evaluate(ctx, request)
			if err == nil {
				out.Results[i].Result = &result
			} else if !errors.As(err, &out.Results[i].Error) {
				out.Results[i].Error = &protocol.Error{Code: protocol.CodeEvaluation, Message: err.Error()}
			}
			return nil
		})
	}
	_ = workers.Wait() // the workers keep their errors in the results
	return out
}
