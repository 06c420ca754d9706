package evaluator

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	"github.com/kyverno/kyverno/ext/resource/convert"
	"github.com/kyverno/kyverno/ext/wildcard"
	"github.com/kyverno/kyverno/pkg/autogen"
	policyvalidation "github.com/kyverno/kyverno/pkg/validation/policy"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// Load replaces what is loaded. Each object takes the same path as in a cluster: strict decoding and the schema and
// defaults of its CRD (the API server), then Kyverno's own validation (the policy webhook). An object that either
// would refuse becomes a problem of severity error and is left out; evaluations that may depend on it are then
// answered with an error. The error returned is for params that make no sense as a whole; what was loaded before
// stays in that case.
func (e *Evaluator) Load(params protocol.LoadParams) (protocol.LoadResult, error) {
	e.loadMu.Lock()
	defer e.loadMu.Unlock()
	e.loads++
	namespaces, err := namespaceLabels(params.Namespaces)
	if err != nil {
		return protocol.LoadResult{}, err
	}
	configMaps, err := decodeConfigMaps(params.ConfigMaps)
	if err != nil {
		return protocol.LoadResult{}, err
	}
	objects, err := newLookups(params.Objects, e.kinds)
	if err != nil {
		return protocol.LoadResult{}, err
	}
	b := &bundle{
		inFamilies: map[string]bool{},
		policies:   map[string]kyvernov1.PolicyInterface{},
		namespaces: namespaces, configMaps: configMaps, objects: objects, registries: e.registries, broken: map[string]bool{},
	}
	l := loading{evaluator: e, bundle: b, native: map[string]*admissionregistrationv1.ValidatingAdmissionPolicy{}, result: protocol.LoadResult{Policies: []protocol.LoadedPolicy{}, Problems: []protocol.Problem{}}}
	if params.StandIn != nil {
		if l.standIn, err = newStandIn(*params.StandIn); err != nil {
			return protocol.LoadResult{}, err
		}
		l.standIn.configMaps(configMaps)
		b.registries, l.result.Digests = standInClients{&l.standIn.registry}, l.standIn.digests
	}
	for i, raw := range params.Policies {
		l.policy(i, raw)
	}
	l.bind()
	if params.StandIn != nil {
		for _, a := range l.standIn.missing(params.StandIn.Attestors) {
			l.problem("attestor "+a.Name, protocol.SeverityError, "its key is in no policy and no ConfigMap")
		}
	}
	for i, raw := range params.Exceptions {
		l.exception(i, raw, params.ExceptionNamespace)
	}
	e.bundle.Store(b)
	return l.result, nil
}

// loading is one run of Load.
type loading struct {
	evaluator *Evaluator
	bundle    *bundle
	standIn   *standIn // nil for none
	result    protocol.LoadResult
	// native policies by name, and their bindings, which may come before them.
	native   map[string]*admissionregistrationv1.ValidatingAdmissionPolicy
	bindings []*admissionregistrationv1.ValidatingAdmissionPolicyBinding
}

// problem records what was found about an object.
func (l *loading) problem(object string, severity protocol.Severity, message string) {
	l.result.Problems = append(l.result.Problems, protocol.Problem{Object: object, Severity: severity, Message: message})
}

// policy loads the policy at index i of the params.
func (l *loading) policy(i int, raw json.RawMessage) {
	id := identify(raw, "policies", i)
	if isCEL, err := l.celPolicy(raw); isCEL {
		if err != nil {
			l.problem(id.object, protocol.SeverityError, err.Error())
			l.bundle.brokenFamily = id.object
		}
		return
	}
	policy, warnings, err := l.evaluator.decodePolicy(raw)
	for _, w := range warnings {
		l.problem(id.object, protocol.SeverityWarning, w)
	}
	if err == nil && l.bundle.policies[id.key] != nil {
		err = errors.New("another policy of this name was given before")
	}
	if err == nil && l.standIn != nil {
		err = l.standIn.policy(policy)
	}
	if err != nil {
		l.problem(id.object, protocol.SeverityError, err.Error())
		l.bundle.broken[id.key] = true
		return
	}
	rules := []string{}
	for _, rule := range autogen.Default.ComputeRules(policy, "") {
		rules = append(rules, rule.Name)
	}
	l.bundle.policies[id.key] = policy
	l.result.Policies = append(l.result.Policies, protocol.LoadedPolicy{Name: id.key, Rules: rules})
}

// exception loads the exception at index i of the params.
func (l *loading) exception(i int, raw json.RawMessage, honoured string) {
	id := identify(raw, "exceptions", i)
	exception, err := l.evaluator.decodeException(raw)
	if err != nil {
		l.problem(id.object, protocol.SeverityError, err.Error())
		l.bundle.brokenException = id.object
		return
	}
	if honoured != "*" && exception.Namespace != honoured {
		l.problem(id.object, protocol.SeverityWarning, fmt.Sprintf("ignored: Kyverno honours exceptions in namespace %q only", honoured))
		return
	}
	for _, e := range exception.Spec.Exceptions {
		for _, name := range e.RuleNames {
			if !l.knowsRule(e.PolicyName, name) {
				l.problem(id.object, protocol.SeverityWarning, fmt.Sprintf("exempts from nothing: no loaded policy %q has a rule %q", e.PolicyName, name))
			}
		}
	}
	l.bundle.exceptions = append(l.bundle.exceptions, exception)
}

// knowsRule reports whether a loaded policy has a rule that the pattern matches.
func (l *loading) knowsRule(policy, pattern string) bool {
	for _, p := range l.result.Policies {
		for _, rule := range p.Rules {
			if p.Name == policy && wildcard.Match(pattern, rule) {
				return true
			}
		}
	}
	return false
}

// decodePolicy decodes, defaults and validates a policy as the API server and Kyverno's policy webhook do.
func (e *Evaluator) decodePolicy(raw json.RawMessage) (policy kyvernov1.PolicyInterface, warnings []string, err error) {
	defer recovered(&err, "validating the policy")
	untyped, err := e.schemas.decode(raw)
	if err != nil {
		return nil, nil, err
	}
	switch kind := untyped.GetAPIVersion() + " " + untyped.GetKind(); kind {
	case "kyverno.io/v1 ClusterPolicy":
		policy, err = convert.To[kyvernov1.ClusterPolicy](untyped)
	case "kyverno.io/v1 Policy":
		policy, err = convert.To[kyvernov1.Policy](untyped)
	default:
		return nil, nil, fmt.Errorf("%s is not a policy that this engine evaluates (kyverno.io/v1 ClusterPolicy or Policy)", kind)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("decoding into Kyverno's type: %w", err)
	}
	settleMessages(policy)
	// mock: without it Kyverno asks a cluster whether the kinds exist and its service accounts may do what the rules need.
	warnings, err = policyvalidation.Validate(policy, nil, nil, true, "background", "reports")
	return policy, warnings, err
}

// settleMessages gives CEL expressions without a message that of their rule. Kyverno's handler does the same on every evaluation,
// in the policy that all evaluations share; done before, it has nothing left to write there.
func settleMessages(policy kyvernov1.PolicyInterface) {
	for _, rule := range policy.GetSpec().Rules {
		if !rule.HasValidateCEL() {
			continue
		}
		for i := range rule.Validation.CEL.Expressions {
			if expression := &rule.Validation.CEL.Expressions[i]; expression.Message == "" {
				expression.Message = rule.Validation.Message
			}
		}
	}
}

// decodeException is decodePolicy for exceptions.
func (e *Evaluator) decodeException(raw json.RawMessage) (exception *kyvernov2.PolicyException, err error) {
	defer recovered(&err, "validating the exception")
	untyped, err := e.schemas.decode(raw)
	if err != nil {
		return nil, err
	}
	if kind := untyped.GetAPIVersion() + " " + untyped.GetKind(); kind != "kyverno.io/v2 PolicyException" {
		return nil, fmt.Errorf("%s is not an exception that this engine evaluates (kyverno.io/v2 PolicyException)", kind)
	}
	exception, err = convert.To[kyvernov2.PolicyException](untyped)
	if err != nil {
		return nil, fmt.Errorf("decoding into Kyverno's type: %w", err)
	}
	errs := exception.Validate()
	return exception, errs.ToAggregate()
}

// identity holds the names of an object: kind/namespace/name for people, namespace/name as Kyverno's key.
type identity struct{ object, key string }

// identify returns the identity of an object that may be malformed. Without a usable name it is named by its index in
// the params.
func identify(raw json.RawMessage, list string, index int) identity {
	var meta metav1.PartialObjectMetadata
	if json.Unmarshal(raw, &meta) != nil || meta.Name == "" {
		place := fmt.Sprintf("%s[%d]", list, index)
		return identity{object: place, key: place}
	}
	key := cache.MetaObjectToName(&meta).String()
	return identity{object: meta.Kind + "/" + key, key: key}
}

// namespaceLabels indexes the labels by namespace.
func namespaceLabels(namespaces []protocol.Namespace) (map[string]map[string]string, error) {
	index := map[string]map[string]string{}
	for _, ns := range namespaces {
		if ns.Name == "" {
			return nil, errors.New("a namespace has no name")
		}
		if _, found := index[ns.Name]; found {
			return nil, fmt.Errorf("namespace %q is given twice", ns.Name)
		}
		index[ns.Name] = withName(ns.Labels, ns.Name)
	}
	return index, nil
}

// withName adds the label that the API server puts on every namespace.
func withName(labels map[string]string, name string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, labels)
	out[corev1.LabelMetadataName] = name
	return out
}

// decodeConfigMaps indexes ConfigMaps by namespace/name.
func decodeConfigMaps(raws []json.RawMessage) (configMaps, error) {
	index := configMaps{}
	for i, raw := range raws {
		var cm corev1.ConfigMap
		if err := json.Unmarshal(raw, &cm); err != nil {
			return nil, fmt.Errorf("decoding %s: %w", identify(raw, "configMaps", i).object, err)
		}
		if cm.Kind != "ConfigMap" || cm.Name == "" || cm.Namespace == "" {
			return nil, fmt.Errorf("configMaps[%d]: want a ConfigMap with name and namespace, have %s", i, strings.TrimSpace(cm.Kind+" "+cm.Namespace+"/"+cm.Name))
		}
		index[cm.Namespace+"/"+cm.Name] = &cm
	}
	return index, nil
}
