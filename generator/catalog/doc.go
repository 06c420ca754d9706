// Package catalog reads controls: the description of a policy, its parameters, its
// templates, and the documents that prove it.
//
// One control is one folder, named by the control's id:
//
//	control.yaml          title, severity, parameters with a JSON schema, references, compliance
//	clusterpolicy.yaml    a template (see internal/tmpl) of one ClusterPolicy; a
//	                      template per target, see [Targets]
//	tests/good.yaml       templates of documents that must be admitted
//	tests/bad.yaml        templates of documents that must be refused
//	tests/results.yaml    what the engine said about them, recorded; see [Recordings]
//	README.md             for people
//
// Other files are an error, because they would have no effect.
//
// spec.scope of control.yaml says whether a policy is staged by namespace or as a
// whole. gatehouse knows the scope of the kinds of Kubernetes, Kyverno and Flux.
// spec.customKinds declares the scope of other kinds, such as
// {ClusterIssuer: Cluster}. Exceptions for these kinds need it.
//
// spec.refuses, demands, reserves and needs say what the control makes impossible, or
// needs (see [Claims]). gatehouse compares them with the rest of the profile, and
// refuses one whose own objects or workloads could never be admitted.
//
// A control with spec.emits: network has no templates and no documents. It becomes
// the NetworkPolicies of the profile's namespaces, and has the same stages.
//
// spec.follows names the control that brings what this one asks for. The action in a
// tier is never above that of the named control. If that is default-deny, it does not
// judge the namespaces of the profile either, which default-deny closes.
//
// The template says what to check. The emitters add to the parsed object where and
// how strictly. A template that says one of these things itself (metadata,
// failureAction, exclude, background) is an error.
//
// validate.offenders is gatehouse's own check: a JMESPath expression for texts that name
// what offends in request.object. An object is refused if it has one that the old
// object has not; {{ offenders }} in the message names them. With validate.wildcards, a
// word * in the text of an old offender stands for any word. The template lists
// containers and images with the functions of these names, so that [Control.Narrowed]
// can leave some of them out:
//
//	message: "Privileged containers are not allowed: {{ offenders }}."
//	offenders: << printf "request.object.spec.%s[] | [?securityContext.privileged].name" containers >>
//
// [Load] reads control.yaml of every folder and reports all problems.
// [Control.ResolveParameters] turns what a profile says into the values that
// the templates see, [Control.Render] makes the policy, [Control.Narrowed] the policy
// for some containers, [Control.Tests] the cases, and [Control.Verify] reports how a control breaks the rules of the format
// as a whole.
package catalog
