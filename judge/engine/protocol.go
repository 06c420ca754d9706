// Package engine is the client side of gatehouse-engine, the process that holds the real Kyverno engine.
//
// The engine is a separate program because it links 2,500 packages and needs replace directives, which
// `go install gatehouse@version` would refuse. Client and engine exchange lines of JSON over stdin and stdout: one
// [Request] per line in, one [Response] per line out, in any order, matched by id. The types of this file define
// that protocol. The server is the Go module in engine/.
package engine

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Protocol is the number of this protocol. Client and engine refuse to work together when it differs.
const Protocol = 7

// MaxLine is the length of the longest request or response line in bytes, without the newline. A longer request is
// skipped and answered with [CodeTooLarge]; the engine never holds more than this of one line.
const MaxLine = 64 << 20

// The methods of the protocol, with the types of their params and result.
const (
	// MethodHello takes no params and answers [HelloResult].
	MethodHello = "hello"
	// MethodLoad takes [LoadParams] and answers [LoadResult].
	MethodLoad = "load"
	// MethodEvaluate takes [EvaluateParams] and answers [EvaluateResult].
	MethodEvaluate = "evaluate"
	// MethodEvaluateMany takes [EvaluateManyParams] and answers [EvaluateManyResult].
	MethodEvaluateMany = "evaluateMany"
	// MethodRender takes [RenderParams] and answers [RenderResult].
	MethodRender = "render"
	// MethodPull takes [PullParams] and answers [PullResult].
	MethodPull = "pull"
)

// The codes of an [Error].
const (
	// CodeBadRequest: the request is not understood, or its params contradict each other.
	CodeBadRequest = "bad-request"
	// CodeTooLarge: the line of the request, or of the response, is longer than [MaxLine].
	CodeTooLarge = "too-large"
	// CodeNotLoaded: nothing was loaded, or the answer would depend on an object that could not be loaded.
	CodeNotLoaded = "not-loaded"
	// CodeEvaluation: Kyverno could not evaluate, including a panic inside Kyverno. Never read it as a pass.
	CodeEvaluation = "evaluation-failed"
	// CodeChart: the chart cannot be rendered or pulled.
	CodeChart = "chart"
	// CodeSchema: the values do not match a schema of the chart, so Helm refuses to install it.
	CodeSchema = "schema"
)

// Request is one line to the engine.
type Request struct {
	// ID is copied into the response. The client counts up from 1.
	ID uint64 `json:"id"`
	// Method is one of the Method constants.
	Method string `json:"method"`
	// Params depends on Method.
	Params json.RawMessage `json:"params,omitempty"`
}

// Response is one line from the engine. Exactly one of Result and Error is set.
type Response struct {
	// ID is that of the request; 0 if the id of a malformed request could not be read.
	ID uint64 `json:"id"`
	// Result depends on the method of the request.
	Result json.RawMessage `json:"result,omitempty"`
	// Error says why there is no result.
	Error *Error `json:"error,omitempty"`
}

// Error is a refusal of the engine. It names the object concerned.
type Error struct {
	// Code is one of the Code constants.
	Code string `json:"code"`
	// Message is for the operator: lower case, one sentence.
	Message string `json:"message"`
}

// Error implements error. The code is not printed.
func (e *Error) Error() string { return e.Message }

// HelloResult describes the engine.
type HelloResult struct {
	// Protocol is the engine's [Protocol].
	Protocol int `json:"protocol"`
	// Kyverno is the version of the Kyverno module inside, without v: "1.19.1".
	Kyverno string `json:"kyverno"`
	// Version is the version of the engine program; "(devel)" for a build from a work tree.
	Version string `json:"version"`
}

// Namespace is a namespace of the cluster.
type Namespace struct {
	// Name of the namespace.
	Name string `json:"name"`
	// Labels of the namespace. kubernetes.io/metadata.name is added, as the API server does.
	Labels map[string]string `json:"labels,omitempty"`
}

// LoadParams is the state of a cluster that matters to Kyverno. It replaces what was loaded before.
type LoadParams struct {
	// Policies are ClusterPolicy and Policy objects of kyverno.io/v1.
	Policies []json.RawMessage `json:"policies"`
	// Exceptions are PolicyException objects of kyverno.io/v2.
	Exceptions []json.RawMessage `json:"exceptions,omitempty"`
	// Namespaces that exist. A namespace that is not listed has only the label with its name.
	Namespaces []Namespace `json:"namespaces,omitempty"`
	// ConfigMaps that rules read through their context, such as public keys. A rule that reads another one ends in an error.
	ConfigMaps []json.RawMessage `json:"configMaps,omitempty"`
	// Objects that rules read from the API server (context.apiCall with a GET of one object). What is not listed does not exist.
	Objects []json.RawMessage `json:"objects,omitempty"`
	// ExceptionNamespace is Kyverno's --exceptionNamespace: exceptions elsewhere are ignored, as in the cluster; "*" honours
	// all namespaces, "" none.
	ExceptionNamespace string `json:"exceptionNamespace"`
	// StandIn answers for registries and signs. Default: image rules ask the network.
	StandIn *StandIn `json:"standIn,omitempty"`
}

// Severity says what a [Problem] means for the object.
type Severity string

const (
	// SeverityError means that the API server or Kyverno's policy webhook would refuse the object. It is not loaded, and
	// evaluations that may depend on it are answered with [CodeNotLoaded].
	SeverityError Severity = "error"
	// SeverityWarning means that the object is accepted, but something about it deserves a look.
	SeverityWarning Severity = "warning"
)

// Problem is one finding about a loaded object.
type Problem struct {
	// Object is kind/name, or kind/namespace/name for a namespaced kind.
	Object string `json:"object"`
	// Severity of the finding.
	Severity Severity `json:"severity"`
	// Message is the wording of Kyverno or the schema.
	Message string `json:"message"`
}

// String returns "ClusterPolicy/x: message".
func (p Problem) String() string { return p.Object + ": " + p.Message }

// LoadedPolicy is a policy that will be evaluated.
type LoadedPolicy struct {
	// Name is the policy's name; namespace/name for a Policy.
	Name string `json:"name"`
	// Rules are the names of all its rules, those that Kyverno generates for Pod controllers included (autogen-…).
	Rules []string `json:"rules"`
}

// LoadResult says what was loaded and what was not.
type LoadResult struct {
	// Policies that were loaded, in the order given.
	Policies []LoadedPolicy `json:"policies"`
	// Problems of all objects, in the order given.
	Problems []Problem `json:"problems"`
	// Digests of the images of [LoadParams].StandIn, by reference.
	Digests map[string]string `json:"digests,omitempty"`
}

// Err returns nil if every object was loaded, else one error that lists the problems of severity error.
func (r LoadResult) Err() error {
	var lines []string
	for _, p := range r.Problems {
		if p.Severity == SeverityError {
			lines = append(lines, p.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("kyverno refuses %d object(s):\n%s", len(lines), strings.Join(lines, "\n"))
}

// Operation is the operation of an admission request.
type Operation string

// The operations of the admission API.
const (
	Create  Operation = "CREATE"
	Update  Operation = "UPDATE"
	Delete  Operation = "DELETE"
	Connect Operation = "CONNECT"
)

// UserInfo is the user of the request.
type UserInfo struct {
	// Username, for a service account system:serviceaccount:NAMESPACE:NAME.
	Username string `json:"username,omitempty"`
	// Groups of the user.
	Groups []string `json:"groups,omitempty"`
}

// EvaluateParams is one admission request.
type EvaluateParams struct {
	// Resource is the object: the new one, or for DELETE the deleted one. One with a generateName gets its name as in an API
	// server: after the mutating rules and before the validating ones.
	Resource json.RawMessage `json:"resource"`
	// OldResource is the object before an UPDATE. Required for UPDATE, forbidden otherwise.
	OldResource json.RawMessage `json:"oldResource,omitempty"`
	// Operation defaults to CREATE. Mutating and image rules are run for CREATE and UPDATE only, the operations for which
	// Kyverno registers its mutating webhook by default.
	Operation Operation `json:"operation,omitempty"`
	// SubResource, such as ephemeralcontainers: Resource is then the whole Pod with the ephemeral containers added. A CONNECT
	// to exec, attach or portforward has the options object (PodExecOptions, …) as its Resource.
	SubResource string `json:"subResource,omitempty"`
	// Namespace of the request; default metadata.namespace of the resource. An object of a namespaced built-in kind
	// without any is an error: what it would be judged by depends on it.
	Namespace string `json:"namespace,omitempty"`
	// NamespaceLabels replace those known from [LoadParams].Namespaces.
	NamespaceLabels map[string]string `json:"namespaceLabels,omitempty"`
	// UserInfo is optional. Without a user, rules that match on users are taken to match, and excludes and exceptions
	// on users not to match.
	UserInfo UserInfo `json:"userInfo,omitzero"`
	// Roles of the user as namespace:name, for rules that match on roles.
	Roles []string `json:"roles,omitempty"`
	// ClusterRoles of the user, for rules that match on cluster roles.
	ClusterRoles []string `json:"clusterRoles,omitempty"`
	// Now is the time (RFC 3339) that time_now() and time_now_utc() give in the conditions of exceptions. Default: the clock. Policies always
	// see the clock.
	Now string `json:"now,omitempty"`
	// Policies to evaluate, by the names that [LoadResult] gave; default all.
	Policies []string `json:"policies,omitempty"`
	// Scan asks what a background scan reports of the object, as if it existed: nothing is blocked, and rules and
	// exceptions see no request and no user. UserInfo, OldResource and SubResource must be empty then.
	Scan bool `json:"scan,omitempty"`
}

// Outcome of a rule, in Kyverno's words.
type Outcome string

// The outcomes of a rule.
const (
	OutcomePass  Outcome = "pass"
	OutcomeFail  Outcome = "fail"
	OutcomeWarn  Outcome = "warn"
	OutcomeError Outcome = "error"
	OutcomeSkip  Outcome = "skip"
)

// Action is what a failing rule does to the request, in Kyverno's words.
type Action string

// The actions of a rule.
const (
	// ActionAudit reports.
	ActionAudit Action = "Audit"
	// ActionEnforce refuses.
	ActionEnforce Action = "Enforce"
)

// RuleResult is the verdict of one rule. A rule that does not match the request has none.
type RuleResult struct {
	// Policy is the name that [LoadedPolicy] gave.
	Policy string `json:"policy"`
	// Rule is the rule's name; autogen-… when Kyverno made it for a Pod controller.
	Rule string `json:"rule"`
	// Type is Validation, ImageVerify or Mutation.
	Type string `json:"type"`
	// Result of the rule. Of an image rule, which runs in both webhooks, the worse of the two.
	Result Outcome `json:"result"`
	// Action of the rule for this object in this namespace, overrides resolved.
	Action Action `json:"action"`
	// Blocks says that this rule alone makes the API server refuse the request: a failure that is enforced, or an error under
	// failurePolicy Fail.
	Blocks bool `json:"blocks"`
	// Message is what the user would see.
	Message string `json:"message,omitempty"`
	// Exceptions are the names of the PolicyExceptions that made Kyverno skip the rule.
	Exceptions []string `json:"exceptions,omitempty"`
}

// EvaluateResult is what the admission webhooks would have answered.
type EvaluateResult struct {
	// Blocked says that the API server would have refused the request.
	Blocked bool `json:"blocked"`
	// Results by policy and rule, sorted. Empty if no rule matched: that is not the same as a pass.
	Results []RuleResult `json:"results"`
	// Patched is the object after mutating and image rules (digests, the verification annotation); absent if unchanged.
	Patched json.RawMessage `json:"patched,omitempty"`
}

// EvaluateManyParams are requests that do not depend on each other.
type EvaluateManyParams struct {
	// Requests are evaluated in parallel.
	Requests []EvaluateParams `json:"requests"`
}

// Evaluation is one answer of [MethodEvaluateMany]. Exactly one field is set.
type Evaluation struct {
	// Result of the evaluation.
	Result *EvaluateResult `json:"result,omitempty"`
	// Error if this one could not be evaluated.
	Error *Error `json:"error,omitempty"`
}

// EvaluateManyResult has one entry per request, in their order.
type EvaluateManyResult struct {
	Results []Evaluation `json:"results"`
}
