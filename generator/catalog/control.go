package catalog

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

const (
	apiVersion  = "gatehouse.dev/v1alpha1"
	controlKind = "Control"
	// maxID keeps names that are made from an id, such as the names of tests and of
	// split policies, within 63 characters.
	maxID = 40
)

// Control is one entry of the catalogue. Load makes it, and nothing else of it changes afterwards than BuiltIn.
type Control struct {
	// ID is the name of the folder and of the policy.
	ID          string
	Title       string
	Description string
	// Category is one of Categories.
	Category string
	// Severity is low, medium, high or critical.
	Severity string
	// ClusterScoped is set if every matched kind is cluster-scoped. Such a policy is staged as a whole.
	ClusterScoped bool
	// CustomKinds are the scopes of matched custom resources, by kind. Those of
	// Kubernetes, Kyverno and Flux are known.
	CustomKinds map[string]kinds.Scope
	// PodSecurity is the Pod Security Standards level that the control is part of: baseline, restricted or empty.
	PodSecurity string
	// Background is false if the rules need what only an admission request has.
	Background bool
	// ExemptDeployers is set if the policy excludes the identities that deploy the repository.
	ExemptDeployers bool
	// Instances names the list of the profile (only trust.images) that has one policy
	// for each entry. It is empty for a control with one policy.
	Instances string
	// Claims are compared with the rest of a profile.
	Claims Claims
	// Emits says what the control becomes: network for the NetworkPolicies of the
	// profile's namespaces, or empty for policies made from its templates.
	Emits string
	// Follows is the id of the control that brings what this one asks for, or empty.
	// The action of this control in a tier is never above that control's. A control that
	// follows DefaultDeny does not judge the namespaces of the profile.
	Follows string
	// Parameters is an object without free keys; it may have no properties.
	Parameters Schema
	// ExampleParameters are the parameters for tests and documentation.
	ExampleParameters map[string]any
	// References are https URLs, at least one.
	References []string
	// Compliance holds recommendation ids by framework; see Frameworks.
	Compliance map[string][]string
	// Dir is the folder of the control, for messages and origins.
	Dir string
	// BuiltIn is set by who loads the controls of the program.
	BuiltIn bool

	templates          map[string][]byte // by target
	good, bad, results []byte            // results may be nil
}

// EmitsNetwork is the value of Control.Emits for NetworkPolicies.
const EmitsNetwork = "network"

// DefaultDeny is the id of the built-in control that closes the network of namespaces.
const DefaultDeny = "default-deny"

// Judges reports whether the control is an admission policy. Only such a control has
// templates and test documents.
func (c *Control) Judges() bool { return c.Emits == "" }

// Categories returns the categories in the order of presentation.
func Categories() []string {
	return []string{"Images", "Pod Security Baseline", "Pod Security Restricted", "Hardening", "Network", "Access", "GitOps"}
}

// Severities returns the severities from the mildest to the most severe.
func Severities() []string { return []string{"low", "medium", "high", "critical"} }

// Frameworks returns the compliance frameworks that a control may name: the CIS
// Kubernetes Benchmark, the NSA/CISA Kubernetes Hardening Guide, the SOC 2
// trust services criteria, ISO/IEC 27001 Annex A, and PCI DSS.
func Frameworks() []string {
	return []string{"cis-kubernetes", "nsa-cisa", "soc2", "iso-27001", "pci-dss"}
}

// controlFile is control.yaml as written.
type controlFile struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Metadata   metadata    `json:"metadata"`
	Spec       controlSpec `json:"spec"`
}

type metadata struct {
	Name string `json:"name"`
}

type controlSpec struct {
	Title             string              `json:"title"`
	Description       string              `json:"description"`
	Category          string              `json:"category"`
	Severity          string              `json:"severity"`
	Scope             string              `json:"scope"`
	CustomKinds       map[string]string   `json:"customKinds,omitempty"`
	PodSecurity       string              `json:"podSecurity,omitempty"`
	Background        *bool               `json:"background,omitempty"`
	ExemptDeployers   bool                `json:"exemptDeployers,omitempty"`
	Instances         string              `json:"instances,omitempty"`
	Refuses           Refusals            `json:"refuses,omitzero"`
	Demands           Demands             `json:"demands,omitzero"`
	Reserves          Reserves            `json:"reserves,omitzero"`
	Needs             []string            `json:"needs,omitempty"`
	Emits             string              `json:"emits,omitempty"`
	Follows           string              `json:"follows,omitempty"`
	Parameters        *Schema             `json:"parameters,omitempty"`
	ExampleParameters map[string]any      `json:"exampleParameters,omitempty"`
	References        []string            `json:"references"`
	Compliance        map[string][]string `json:"compliance,omitempty"`
}

// codeControl is the code of what is wrong with a control.yaml or its folder.
const codeControl = "control-invalid"

// readControl decodes and checks one control.yaml. The control is usable only if
// there are no problems.
func readControl(file string, text []byte) (*Control, diag.List) {
	docs, problems := source.Parse(file, text)
	if len(docs) != 1 {
		if !problems.HasErrors() {
			problems.Add(diag.Diagnostic{Code: codeControl, Position: diag.Position{File: file, Line: 1},
				Summary: fmt.Sprintf("has %d documents, must have exactly one", len(docs))})
		}
		return nil, problems
	}
	var raw controlFile
	positions, decoding := source.Decode(docs[0], &raw)
	if problems = append(problems, decoding...); problems.HasErrors() {
		return nil, problems
	}
	c := raw.control(path.Dir(file))
	for _, p := range append(raw.check(), c.checkParameters()...) {
		problems.Add(diag.Diagnostic{Code: codeControl, Position: positions.At(p.Path), Path: p.Path, Summary: p.Summary, Hint: p.Hint})
	}
	return c, problems
}

func (f *controlFile) control(dir string) *Control {
	c := &Control{
		ID: f.Metadata.Name, Title: f.Spec.Title, Description: f.Spec.Description, Category: f.Spec.Category, Severity: f.Spec.Severity,
		ClusterScoped: f.Spec.Scope == "Cluster", PodSecurity: f.Spec.PodSecurity, Background: f.Spec.Background == nil || *f.Spec.Background,
		ExemptDeployers: f.Spec.ExemptDeployers, Instances: f.Spec.Instances,
		Claims: Claims{Refuses: f.Spec.Refuses, Demands: f.Spec.Demands, Reserves: f.Spec.Reserves, Needs: f.Spec.Needs},
		Emits:  f.Spec.Emits, Follows: f.Spec.Follows, ExampleParameters: f.Spec.ExampleParameters,
		References: f.Spec.References, Compliance: f.Spec.Compliance, Dir: dir,
		CustomKinds: map[string]kinds.Scope{}, Parameters: Schema{Type: "object", AdditionalProperties: false},
	}
	for kind, scope := range f.Spec.CustomKinds {
		c.CustomKinds[kind] = scopes()[scope]
	}
	if f.Spec.Parameters != nil {
		c.Parameters = *f.Spec.Parameters
	}
	return c
}

var idPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// check returns what is wrong with the values of control.yaml, parameters aside.
func (f *controlFile) check() []Problem {
	var out []Problem
	oneOf := func(path, got string, allowed ...string) {
		if !slices.Contains(allowed, got) {
			out = append(out, Problem{Path: path, Summary: fmt.Sprintf("unsupported value %q", got), Hint: diag.OneOf(got, allowed)})
		}
	}
	oneOf("apiVersion", f.APIVersion, apiVersion)
	oneOf("kind", f.Kind, controlKind)
	oneOf("spec.category", f.Spec.Category, Categories()...)
	oneOf("spec.severity", f.Spec.Severity, Severities()...)
	oneOf("spec.scope", f.Spec.Scope, "Namespaced", "Cluster")
	for _, kind := range sortedKeys(f.Spec.CustomKinds) {
		oneOf("spec.customKinds["+kind+"]", f.Spec.CustomKinds[kind], "Namespaced", "Cluster")
	}
	oneOf("spec.podSecurity", f.Spec.PodSecurity, "", "baseline", "restricted")
	oneOf("spec.instances", f.Spec.Instances, "", "trust.images")
	oneOf("spec.emits", f.Spec.Emits, "", EmitsNetwork)
	out = append(out, f.checkEmits()...)
	if name := f.Metadata.Name; len(name) > maxID || !idPattern.MatchString(name) {
		out = append(out, Problem{Path: "metadata.name", Summary: fmt.Sprintf("%q is not a name of at most %d lower-case letters, digits and dashes", name, maxID)})
	}
	for path, text := range map[string]string{"spec.title": f.Spec.Title, "spec.description": f.Spec.Description} {
		if strings.TrimSpace(text) == "" {
			out = append(out, Problem{Path: path, Summary: "is empty"})
		}
	}
	if len(f.Spec.References) == 0 {
		out = append(out, Problem{Path: "spec.references", Summary: "needs at least one reference"})
	}
	for i, reference := range f.Spec.References {
		if u, err := url.Parse(reference); err != nil || u.Scheme != "https" || u.Host == "" {
			out = append(out, Problem{Path: fmt.Sprintf("spec.references[%d]", i), Summary: fmt.Sprintf("%q is not an https URL", reference)})
		}
	}
	for _, framework := range slices.Sorted(maps.Keys(f.Spec.Compliance)) {
		at := "spec.compliance[" + framework + "]"
		oneOf(at, framework, Frameworks()...)
		ids := f.Spec.Compliance[framework]
		if len(ids) == 0 || slices.Contains(ids, "") {
			out = append(out, Problem{Path: at, Summary: "needs non-empty ids"})
		}
	}
	return out
}

// checkEmits refuses fields that only a policy made from templates can use.
func (f *controlFile) checkEmits() []Problem {
	if f.Spec.Emits == "" {
		return nil
	}
	used := map[string]bool{
		"customKinds": f.Spec.CustomKinds != nil, "podSecurity": f.Spec.PodSecurity != "", "background": f.Spec.Background != nil,
		"exemptDeployers": f.Spec.ExemptDeployers, "instances": f.Spec.Instances != "",
		"refuses": !reflect.DeepEqual(f.Spec.Refuses, Refusals{}), "demands": f.Spec.Demands != (Demands{}),
		"reserves": len(f.Spec.Reserves.NamespaceLabels) > 0, "needs": f.Spec.Needs != nil,
		"parameters": f.Spec.Parameters != nil, "exampleParameters": f.Spec.ExampleParameters != nil,
	}
	var out []Problem
	for _, name := range sortedKeys(used) {
		if used[name] {
			out = append(out, Problem{Path: "spec." + name, Summary: "has no effect on a control that emits " + f.Spec.Emits, Hint: "remove it"})
		}
	}
	return out
}

// checkParameters checks the schema and the examples. Templates see every
// parameter, so each top-level parameter needs a default.
func (c *Control) checkParameters() []Problem {
	const at = "spec.parameters"
	if c.Parameters.Type != "object" || c.Parameters.AdditionalProperties != false {
		return []Problem{{Path: at, Summary: "must be an object with additionalProperties: false"}}
	}
	out := c.Parameters.check(at)
	for _, name := range slices.Sorted(maps.Keys(c.Parameters.Properties)) {
		property := c.Parameters.Properties[name]
		switch {
		case property == nil:
		case property.Description == "":
			out = append(out, Problem{Path: at + ".properties[" + name + "]", Summary: "needs a description"})
		case property.Default == nil:
			out = append(out, Problem{Path: at + ".properties[" + name + "]", Summary: "needs a default", Hint: "an empty list with minItems: 1 means that it must be set"})
		}
	}
	if out = append(out, c.checkClaims()...); len(out) > 0 {
		return out
	}
	_, problems := c.Examples()
	for _, p := range problems {
		p.Path = p.Under("spec.exampleParameters")
		out = append(out, p)
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
