package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// The targets of templates in CEL: Kyverno's own kind, and the API server's.
const (
	ValidatingPolicy          = "ValidatingPolicy"
	ValidatingAdmissionPolicy = "ValidatingAdmissionPolicy"
)

// CELTargets returns the kinds of policies that are made from checks in CEL.
func CELTargets() []string { return []string{ValidatingPolicy, ValidatingAdmissionPolicy} }

// Check is one check of a control in CEL. Both engines that run CEL get the same one.
type Check struct {
	// Name of the check; a ClusterPolicy has a rule of this name.
	Name string
	// Kinds that are judged; Pod alone stands for Pods and everything that has a template
	// of Pods.
	Kinds []kinds.Ref
	// Operations of the requests that are judged, sorted.
	Operations []string
	// Offenders is an expression for a list of texts that name what is wrong with an
	// object. It is evaluated for the object as it is to be and as it was, and refuses what
	// is new; a text of several lines stands for several.
	//
	// For Pods it sees pod with the fields metadata and spec, those of the Pod or of the
	// template, containers (all of them, those with which the Pod begins and those that
	// were added to it included), images (of containers and image volumes, each with name and
	// image), and contexts: the Pod itself, under the name "the Pod", and all containers,
	// each with name and securityContext. For other kinds it sees object. Absent fields must not make it fail.
	Offenders string
	// Fields of a Pod or its template, if not empty: where the new one has none of them in its
	// metadata, its spec, a container or a securityContext, the check finds nothing, and is
	// not asked.
	Fields []string
	// LookUps are the paths in the API of what the check reads of the cluster, by resource.Get
	// or resource.List, which Kyverno has and the API server has not.
	LookUps []string
	// Wildcards says that a word * in the text of an old offender stands for any word, and
	// that words that begin with ! may follow: what is left of a wider fault is no new one.
	Wildcards bool
	// Refusals is an expression of the same kind on a request: it is evaluated once, and
	// sees object, oldObject and request. A check has Offenders or Refusals.
	Refusals string
	// Before and After are the parts of the message around the offenders, if Named.
	// Otherwise the message does not name them, and is Before.
	Before, After string
	Named         bool
}

// OfPods reports whether the check judges Pods and what has a template of them.
func (c Check) OfPods() bool { return len(c.Kinds) == 1 && c.Kinds[0] == kinds.Named("Pod") }

// SeesContainers reports whether the check looks at containers or images of Pods.
func (c Check) SeesContainers() bool {
	return c.OfPods() && regexp.MustCompile(`\bpod\.(containers|images|contexts)\b`).MatchString(c.Offenders)
}

// celOffenders stands for the offenders in a message.
const celOffenders = "{{ offenders }}"

// renderCEL returns the function that renders the checks of a control in CEL: a list
// checks of name, kinds, operations, message, and offenders or refusals.
func renderCEL(target string) func(c *Control, file string, text []byte, params, more map[string]any) (Policy, error) {
	return func(c *Control, file string, text []byte, params, _ map[string]any) (Policy, error) {
		body, err := renderOne(file, text, params, nil)
		if err != nil {
			return Policy{}, err
		}
		p := policyCheck{background: c.Background, exempts: c.ExemptDeployers}
		p.checks(body)
		if err := p.err(); err != nil {
			return Policy{}, fmt.Errorf("%s: %w", file, err)
		}
		return readCEL(target, body), nil
	}
}

// checks refuses a body that is not a list of complete checks.
func (p *policyCheck) checks(body map[string]any) {
	p.fields("the file", body, "checks")
	names := map[string]bool{}
	for i, c := range p.list("checks", body["checks"]) {
		at := fmt.Sprintf("checks[%d]", i)
		check := manifest.Object(p.fields(at, c, "name", "kinds", "operations", "message", "fields", "lookUps", "offenders", "wildcards", "refusals"))
		name, message := check.String("name"), check.String("message")
		switch {
		case len(name) > maxRuleName || !idPattern.MatchString(name):
			p.errorf(at+".name", "%q is not a name of at most %d lower-case letters, digits and dashes", name, maxRuleName)
		case names[name]:
			p.errorf(at+".name", "%q is the name of another check", name)
		}
		names[name] = true
		p.celKinds(at+".kinds", check)
		if strings.Count(message, "{{") > 1 || strings.Contains(message, "{{") && !strings.Contains(message, celOffenders) || strings.TrimSpace(message) == "" {
			p.errorf(at+".message", "must tell the user what to change; it may have %s once, and no other variable", celOffenders)
		}
		if (check.String("offenders") == "") == (check.String("refusals") == "") {
			p.errorf(at, "needs one of offenders and refusals, an expression for a list of texts")
		}
		if check["wildcards"] != nil && (check["wildcards"] != true || check.String("offenders") == "") {
			p.errorf(at+".wildcards", "must be true, beside offenders, or absent")
		}
		p.podFields(at+".fields", check)
		p.lookUps(at+".lookUps", check)
		for _, operation := range check.Strings("operations") {
			if !slices.Contains([]string{"CREATE", "UPDATE", "DELETE", "CONNECT"}, operation) {
				p.errorf(at+".operations", "%s is not an operation", operation)
			}
		}
	}
}

// podFields checks the fields of a check.
func (p *policyCheck) podFields(at string, check manifest.Object) {
	if check["fields"] == nil {
		return
	}
	if p.list(at, check["fields"]); check.String("offenders") == "" || !slices.Equal(check.Strings("kinds"), []string{"Pod"}) {
		p.errorf(at, "is for offenders of Pods")
	}
	for _, field := range check.Strings("fields") {
		if !podField.MatchString(field) {
			p.errorf(at, "%q is not the name of a field", field)
		}
	}
}

// lookUps checks what a check reads: Kyverno may read nothing else.
func (p *policyCheck) lookUps(at string, check manifest.Object) {
	if check["lookUps"] != nil {
		p.list(at, check["lookUps"])
	}
	if reads := readsPattern.MatchString(check.String("offenders") + " " + check.String("refusals")); reads != (len(check.Strings("lookUps")) > 0) {
		p.errorf(at, "must have the paths of what the check reads by resource.Get and resource.List, and only these")
	}
}

// looksUp reports whether a template in CEL has checks that read the cluster.
func looksUp(template []byte) bool { return lookUpsPattern.Match(template) }

var lookUpsPattern = regexp.MustCompile(`(?m)^\s+lookUps:`)

// readsPattern finds a call of Kyverno's library, and not the field resource of a request.
var readsPattern = regexp.MustCompile(`(^|[^.\w])resource\s*\.`)

var podField = regexp.MustCompile(`^[a-z][A-Za-z]+$`)

// celKinds checks the kinds of a check. The engines for CEL want the names of resources,
// which only the table of kinds knows.
func (p *policyCheck) celKinds(at string, check manifest.Object) {
	p.list(at, check["kinds"])
	for _, kind := range check.Strings("kinds") {
		ref := kinds.Parse(kind)
		if len(ref.Kinds()) == 0 {
			p.errorf(at, "%s is no kind that is known", kind)
		}
		for _, k := range ref.Kinds() {
			if ref.Version != "*" && !slices.Contains(k.Versions, ref.Version) {
				p.errorf(at, "%s: no version %s of %s is known, only %s; * stands for all", kind, ref.Version, k.Kind, strings.Join(k.Versions, " and "))
			}
		}
		if kinds.Parse(kind) == kinds.Named("Pod") && len(check.Strings("kinds")) > 1 {
			p.errorf(at, "Pod must be the only kind")
		}
	}
}

// readCEL returns a policy from a body with checks.
func readCEL(target string, body map[string]any) Policy {
	p := Policy{Target: target, Body: body}
	for _, c := range p.Checks() {
		rule := Rule{Name: c.Name}
		if c.OfPods() {
			rule.Kinds = append(kinds.Controllers(), "Pod")
		} else {
			for _, ref := range c.Kinds {
				for _, kind := range ref.Kinds() {
					rule.Kinds = append(rule.Kinds, Kind(kind.Kind, ref.Subresource))
				}
			}
		}
		slices.Sort(rule.Kinds)
		rule.Kinds = slices.Compact(rule.Kinds)
		p.Rules, p.LookUps = append(p.Rules, rule), append(p.LookUps, c.LookUps...)
		for _, ref := range c.Kinds {
			if !slices.Contains(p.Matches, ref) {
				p.Matches = append(p.Matches, ref)
			}
		}
	}
	return p
}

// Kind returns a kind with its subresource, if any, as rules name it.
func Kind(kind, subresource string) string {
	if subresource == "" {
		return kind
	}
	return kind + "/" + subresource
}

// Checks returns the checks of a policy in CEL; none for a ClusterPolicy.
func (p Policy) Checks() []Check {
	var checks []Check
	for _, c := range manifest.Object(p.Body).Maps("checks") {
		before, after, named := strings.Cut(c.String("message"), celOffenders)
		check := Check{
			Name: c.String("name"), Operations: c.Strings("operations"), Before: before, After: after, Named: named,
			Offenders: strings.TrimSpace(c.String("offenders")), Refusals: strings.TrimSpace(c.String("refusals")),
			Fields: c.Strings("fields"), LookUps: c.Strings("lookUps"), Wildcards: c["wildcards"] == true,
		}
		for _, kind := range c.Strings("kinds") {
			check.Kinds = append(check.Kinds, kinds.Parse(kind))
		}
		if slices.Sort(check.Operations); len(check.Operations) == 0 {
			check.Operations = []string{"CREATE", "UPDATE"}
		}
		checks = append(checks, check)
	}
	return checks
}
