// Package cel emits policies in CEL: ValidatingPolicies of Kyverno, and
// ValidatingAdmissionPolicies with their bindings for the API server itself. Both are
// made from the same checks, and have the same variables and validations.
//
// Admission costs by the number of objects, not of checks. So there is one object for a
// family of kinds, a tier and an action; it has the checks of all controls that have this
// action there. A change of a stage moves checks between the objects of the tiers that it
// changes, and touches no other.
package cel
