// Package catalog reads controls: what a policy is about, which parameters it
// takes, how it is rendered, and the documents that prove it.
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
// Other files are refused: their author expects that they count.
//
// Whether a policy is staged by namespace or as a whole is spec.scope of
// control.yaml. The kinds of Kubernetes, Kyverno and Flux are known; what else a
// control matches has its scope in spec.customKinds, {ClusterIssuer: Cluster},
// which exceptions for it need.
//
// A control that asks for labels on every Namespace names the parameter with
// their keys in spec.namespaceLabels: a profile is then refused whose own
// namespaces, which Flux applies, would be refused by it.
//
// The template says what is checked. Where and how strictly is added by the
// emitters on the parsed object, so a template that says one of these things
// itself (metadata, failureAction, exclude, background) is refused.
//
// [Load] reads control.yaml of every folder and reports all problems.
// [Control.ResolveParameters] turns what a profile says into the values that
// the templates see, [Control.Render] makes the policy, [Control.Tests] the
// cases, and [Control.Verify] tells whether a control keeps the rules of the
// format as a whole.
package catalog
