package profile

import (
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

// Source is a parsed source: every value of the language in its typed form. What may
// differ between environments is in their [Spec].
type Source struct {
	Name   string
	Tiers  []string
	Stages []plan.Stage
	// Soak is how long a content must be audited before it is enforced.
	Soak time.Duration
	// ImmediateChanges lets environments enforce changes without an audit.
	ImmediateChanges   bool
	ExceptionNamespace string
	Owners             []string
	KyvernoTests       bool
	// Environments are ordered by ring, then name; Exceptions by name.
	Environments []Environment
	Exceptions   []Exception
	// Catalog holds the built-in controls and those of the source.
	Catalog *catalog.Catalog
}

// Spec is what the profile says for one environment. Environments without overrides
// share one.
type Spec struct {
	// Document is the profile's, with the overrides of the environment.
	Document
	Kyverno plan.Kyverno
	Flux    plan.Flux
	// SystemNamespaces are complete and sorted.
	SystemNamespaces []string
	Deployers        plan.Deployers
	Registries       []string
	Network          plan.ClusterNetwork
	Namespaces       []Namespace
	// Controls that the profile switches on, ordered by id.
	Controls []Control
	Images   []Image
}

// Document names the document that a value was parsed from.
type Document struct {
	Name      string
	Positions source.Positions
}

// At returns the position of a field of the document.
func (d Document) At(field string) diag.Position { return d.Positions.At(field) }

// Namespace is one of spec.namespaces.
type Namespace struct {
	Name, Tier          string
	Labels, Annotations map[string]string // as written
	// Existing is set if gatehouse does not create the namespace.
	Existing bool
	// PodSecurity is the level that the profile sets; empty for the derived one.
	PodSecurity string
	Network     *plan.Network // nil if the profile leaves the namespace open
	Quota       plan.Quota
	LimitRange  []plan.LimitRange
	// Field is its path, and Positions has the positions of what is written there.
	Field     string
	Positions source.Positions
	At        diag.Position

	environments []string // nil: all
}

// In reports whether the namespace exists in an environment.
func (n Namespace) In(environment string) bool {
	return n.environments == nil || slices.Contains(n.environments, environment)
}

// Control is a control that is on.
type Control struct {
	*catalog.Control
	// MaxStage is the highest stage that it may reach, an index of Stages.
	MaxStage int
	// Scope is where the control applies.
	Scope Scope
	// Parameters as written; nil for none.
	Parameters map[string]any
	// Field is the path of its settings in the profile.
	Field string
}

// Image is one of spec.trust.images: the rule, its policy and its tiers.
type Image struct {
	plan.Image
	// Policy is the name of the policy that is made from it.
	Policy string
	Tiers  []string
	// Written holds the references as the profile has them.
	Written []Reference
	// Field is its path in the profile.
	Field string
	// Trust holds what its attestors refer to, with one entry for each key.
	Trust []plan.TrustObject
	At    diag.Position
}

// Reference is one reference of an image rule, and the globs that it stands for.
type Reference struct {
	Text  string
	Globs []string
}

// Environment is one Environment.
type Environment struct {
	Document
	// Spec is what the profile says for this environment.
	Spec     *Spec
	Ring     int
	Clusters []string // sorted
	// Stage is an index of Stages, and so are those of Controls, by id.
	Stage    int
	Controls map[string]int
	// Changes is the day up to which changes are accepted, such as 2026-11-20; empty
	// for none.
	Changes               string
	Owners                []string
	AllowSkip, AllowAhead bool
}

// StageOf returns the stage of a control, and the field that sets it.
func (e Environment) StageOf(control string) (stage int, field string) {
	if own, ok := e.Controls[control]; ok {
		return own, "spec.controls[" + control + "].stage"
	}
	return e.Stage, "spec.stage"
}

// Exception is one Exception.
type Exception struct {
	Document
	v1alpha1.ExceptionSpec
	// End is when it stops applying; zero if it is permanent.
	End time.Time
}
