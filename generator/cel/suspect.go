package cel

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// A good object should cost little. The variables of a policy find the offenders of each
// check, old and new, and the API server evaluates them for the validation, and again for the
// message, also of what it admits. So one expression asks first whether any check finds
// anything at all. It never says no where a check finds something; where it says yes, the
// variables decide.

// What is larger than that is judged without asking first: a condition may cost a
// quarter of what validations may.
const (
	smallContainers, smallVolumes = 20, 50
	smallEntries                  = 250
)

// maxCondition is the most that asks first, in bytes: the library takes 100,000 characters.
const maxCondition = 60_000

// maxConditions is the most that the conditions of all ValidatingPolicies may be. Kyverno writes them into one object
// with all its webhooks, and the API server stores none of more than 1.5 MB: then no webhook
// would change any more.
const maxConditions = 500_000

// perTier is how many policies of a tier may have a condition: for selectors by label and by
// name. Twice that leaves room for those of a tier that was renamed.
const perTier = 2 * 2

// unconditional matches what an expression reads that a condition does not have.
var unconditional = regexp.MustCompile(`\b(variables|namespaceObject|params)\.`)

// suspect is an expression that is true if a check may find something in the new object,
// whatever is exempt; empty for checks that cannot be asked this way. It uses no variables: a
// condition of the API server has none.
func (o *object) suspect() string {
	if !o.family.pods || !slices.Equal(o.family.operations, []string{"CREATE", "UPDATE"}) {
		return ""
	}
	finds := []string{larger("pod", smallContainers, smallVolumes, smallEntries)}
	for _, c := range o.checks {
		if c.Refusals != "" || len(c.LookUps) > 0 || unconditional.MatchString(c.Offenders) {
			return ""
		}
		if c.within = ""; !c.policy.Scope.All() {
			c.within = requestIn(c.policy.Scope) + " && "
		}
		finds = append(finds, fmt.Sprintf(`%s(%s).join("").replace("\n", "") != ""`, c.concerns("fields"), c.Offenders))
	}
	expression := fmt.Sprintf("%s\n.exists(pod, [%s].exists(fields, %s))", podsOf(templatesOf("[object]"), ""), fieldsOf("pod"), strings.Join(finds, " ||\n"))
	if len(expression) > maxCondition {
		return ""
	}
	return expression
}

// conditional reports whether what asks first is a condition, so that the policy is not
// evaluated at all for a good object. Kyverno gives the condition to its webhook, so the API
// server does not call it for such an object. Reports do not say that it passes. So only what
// refuses has a condition, and what audits has a variable.
//
// An API server that does not know a function in one condition refuses all webhooks of Kyverno
// together, so none has a control of the user in it. The API server's own policies are
// refused one by one.
func (o *object) conditional() bool {
	suspect := o.suspect()
	switch {
	case o.action != plan.Enforce || suspect == "":
		return false
	case o.target == catalog.ValidatingAdmissionPolicy:
		return true
	default:
		return len(suspect)*perTier*len(o.plan.Tiers) <= maxConditions &&
			!slices.ContainsFunc(o.checks, func(c check) bool { return !c.policy.Control.BuiltIn })
	}
}

// judged is an expression with other values for what no check finds anything in, and for what is
// too large to be judged.
func (o *object) judged(good, large, expression string) string {
	if _, limited := o.limit(); limited {
		expression = "variables.large ? " + large + " : " + expression
	}
	if o.suspect() != "" && !o.conditional() {
		expression = "!variables.suspect ? " + good + " : " + expression
	}
	return expression
}
