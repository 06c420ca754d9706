package kyverno

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Seconds that the API server waits for Kyverno. The largest value of all
// policies of one webhook counts (docs/kyverno-traps.md#timeouts).
const (
	validateTimeout int64 = 10
	imageTimeout    int64 = 30
)

// Policies emits one file per policy and environment:
// environments/<env>/policies/<policy>.yaml.
//
// Each rule has its own failureAction, since the one of the spec is deprecated.
// Mixed tiers are Enforce with an Audit override: a namespace that Kyverno does
// not know yet is judged strictly (docs/kyverno-traps.md#mixed-tiers). An image
// rule cannot be overridden and becomes one policy for the enforced tiers and
// one for the audited.
func Policies(p *plan.Plan) []manifest.File {
	var files []manifest.File
	for _, env := range p.Environments {
		folder := layout.Folder{Environment: env.Name, Kind: layout.Policies}
		for _, policy := range env.Judges() {
			if policy.Target != catalog.ClusterPolicy {
				continue
			}
			file := manifest.File{Path: folder.File(policy.Name), Folder: folder, Origin: policy.At.File}
			if policy.Image == nil {
				file.Objects = []manifest.Object{validatePolicy(p, env, policy)}
			} else {
				file.Objects = append(imagePolicies(p, env, policy), remainders(p, env, policy)...)
			}
			files = append(files, file)
		}
	}
	return files
}

// validatePolicy adds to the checks of the template where and how strictly they apply.
func validatePolicy(p *plan.Plan, env plan.Environment, policy plan.Policy) manifest.Object {
	enforced, audited, off := p.TiersAt(policy, plan.Enforce), p.TiersAt(policy, plan.Audit), p.TiersAt(policy, plan.Off)
	object := policyObject(policy, policy.Name)
	spec := object["spec"].(map[string]any)
	exempt := policy.Control.ExemptDeployers && len(enforced) > 0
	// Kyverno forbids user names in a policy that also runs in the background.
	spec["background"] = policy.Control.Background && !exempt
	spec["webhookConfiguration"] = webhook(len(enforced) > 0, validateTimeout)
	exclude := exclusions(p, env, policy, off)
	if policy.Control.Follows == catalog.DefaultDeny {
		exclude = append(exclude, closed(p, env)...)
	}
	if exempt {
		exclude = append(exclude, excludeDeployers(policy.Deployers)...)
	}
	for _, r := range spec["rules"].([]any) {
		rule := r.(map[string]any)
		within(rule, policy.Scope)
		if len(exclude) > 0 {
			rule["exclude"] = map[string]any{"any": runtime.DeepCopyJSONValue(exclude)}
		}
		validate := rule["validate"].(map[string]any)
		switch {
		case len(enforced) == 0:
			validate["failureAction"] = plan.Audit.String()
		case len(audited) == 0 || policy.Control.ClusterScoped:
			validate["failureAction"] = plan.Enforce.String()
		default:
			validate["failureAction"] = plan.Enforce.String()
			validate["failureActionOverrides"] = auditOverrides(p, env, enforced, audited)
		}
	}
	return object
}

// apiServer lists the identities with which Kubernetes reconciles its own RBAC
// objects. An API server that cannot do this does not become ready.
func apiServer() []string {
	return append([]string{"system:apiserver"}, kinds.ControllerAccounts("clusterrole-aggregation-controller")...)
}

// excludeDeployers exempts the identities that apply the repository
// (docs/safety.md#deployer-and-system-namespaces) and the API server itself. A
// subject of kind User is compared with the whole user name, so service accounts
// need no other form. An account that also writes for others is exempt for the objects
// that have its label.
func excludeDeployers(d plan.Deployers) []any {
	var subjects []any
	for _, user := range slices.Concat(d.Users, apiServer()) {
		subjects = append(subjects, map[string]any{"kind": "User", "name": user})
	}
	for _, group := range d.Groups {
		subjects = append(subjects, map[string]any{"kind": "Group", "name": group})
	}
	filters := []any{map[string]any{"subjects": subjects}}
	for _, a := range d.Appliers {
		filters = append(filters, map[string]any{
			"subjects":  []any{map[string]any{"kind": "User", "name": a.User}},
			"resources": map[string]any{"selector": map[string]any{"matchLabels": map[string]any{a.Label: a.Namespace}}},
		})
	}
	return filters
}

// webhook returns what happens if Kyverno does not answer, or cannot evaluate a rule.
// Only what is enforced may block.
func webhook(enforced bool, timeout int64) map[string]any {
	failurePolicy := "Ignore"
	if enforced {
		failurePolicy = "Fail"
	}
	return map[string]any{"failurePolicy": failurePolicy, "timeoutSeconds": timeout}
}

// policyObject returns a copy of the rendered template with a name and metadata.
func policyObject(policy plan.Policy, name string) manifest.Object {
	object := manifest.Object(runtime.DeepCopyJSON(policy.Body))
	annotations := map[string]any{
		"policies.kyverno.io/title":       policy.Control.Title,
		"policies.kyverno.io/category":    policy.Control.Category,
		"policies.kyverno.io/severity":    policy.Control.Severity,
		"policies.kyverno.io/description": policy.Control.Description,
		v1alpha1.Group + "/control":       policy.Control.ID,
		// Messages and expressions may hold ${, which is not for Flux.
		"kustomize.toolkit.fluxcd.io/substitute": "disabled",
	}
	if given, ok := object.Metadata()["annotations"].(map[string]any); ok {
		maps.Copy(annotations, given)
	}
	object["metadata"] = map[string]any{"name": name, "annotations": annotations, "labels": managed()}
	spec := object["spec"].(map[string]any)
	spec["admission"], spec["background"], spec["emitWarning"] = true, policy.Control.Background, false
	return object
}

func managed() map[string]any { return map[string]any{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy} }

func list(s []string) []any {
	out := make([]any, len(s))
	for i, v := range s {
		out[i] = v
	}
	return out
}

// imagePolicies returns the enforced and the audited half of an image rule.
func imagePolicies(p *plan.Plan, env plan.Environment, policy plan.Policy) []manifest.Object {
	var objects []manifest.Object
	for _, o := range policy.Objects() {
		objects = append(objects, imagePolicy(p, env, policy, o.Name, p.TiersAt(policy, o.Action), o.Action))
	}
	return objects
}

// imagePolicy returns one half of an image rule. In Audit every setting that blocks,
// changes the object or reports nonsense is off
// (docs/image-traps.md#audited-image-rules); in Enforce results are not cached,
// since a tag may move (docs/image-traps.md#moved-tags).
func imagePolicy(p *plan.Plan, env plan.Environment, policy plan.Policy, name string, tiers []string, action plan.Action) manifest.Object {
	object := policyObject(policy, name)
	spec := object["spec"].(map[string]any)
	enforce := action == plan.Enforce
	spec["background"] = policy.Control.Background && !enforce // else each scan asks the registry again for what was verified at admission
	spec["webhookConfiguration"] = webhook(enforce, imageTimeout)
	keys := &keyContext{namespace: env.Kyverno.Namespace}
	attestors, attestations := keys.attestorSet(policy.Image.Count, policy.Image.Attestors), keys.attestations(policy.Image)
	mutate := enforce && policy.Image.MutateDigest && !policy.Image.RequireDigest
	for _, r := range spec["rules"].([]any) {
		rule := r.(map[string]any)
		within(rule, policy.Scope)
		rule["exclude"] = map[string]any{"any": exclusions(p, env, policy, others(p, tiers))}
		if len(keys.entries) > 0 {
			rule["context"] = keys.entries
		}
		for _, e := range rule["verifyImages"].([]any) {
			entry := e.(map[string]any)
			entry["imageReferences"] = list(policy.Image.References)
			entry["attestors"] = []any{attestors}
			if policy.Image.Notary() {
				entry["type"] = "Notary"
			}
			if len(attestations) > 0 {
				entry["attestations"] = attestations
			}
			entry["failureAction"] = action.String()
			entry["mutateDigest"] = mutate
			entry["verifyDigest"] = mutate || enforce && policy.Image.RequireDigest
			entry["required"] = enforce
			entry["useCache"] = !enforce
		}
	}
	return object
}
