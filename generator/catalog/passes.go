package catalog

import (
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Passes returns when a rule finds nothing wrong, as conditions of Kyverno outside the
// rule: alternatives, of which one must hold, each a list of conditions that must all
// hold. rule may be one that Kyverno derives for controllers. ok is false if
// conditions cannot say it: the rule denies by something else than conditions, or reads
// more than the object.
func (p Policy) Passes(rule string) (alternatives [][]map[string]any, ok bool) {
	for _, own := range rulesOf(p.Body) {
		for _, shape := range podShapes() {
			if shape.ruleName(own.String("name")) == rule {
				return passes(shape.of(own))
			}
		}
	}
	return nil, false
}

// podShape is where kinds of objects have their Pods, and the prefix of the rules that
// Kyverno derives for them (pkg/autogen).
type podShape struct{ prefix, path string }

func podShapes() []podShape {
	return []podShape{{"", ""}, {"autogen-", "spec.template."}, {"autogen-cronjob-", "spec.jobTemplate.spec.template."}}
}

func (s podShape) ruleName(own string) string {
	if s.prefix == "" {
		return own
	}
	return autogenName(s.prefix, own)
}

// of returns the rule with the paths that Kyverno writes into a derived one.
func (s podShape) of(rule manifest.Object) manifest.Object {
	var pairs []string
	for _, object := range []string{"request.object.", "request.oldObject."} {
		for _, field := range []string{"spec", "metadata"} {
			pairs = append(pairs, object+field, object+s.path+field)
		}
	}
	return rewritten(map[string]any(rule), strings.NewReplacer(pairs...)).(map[string]any)
}

// rewritten returns a copy of a value with other texts.
func rewritten(v any, texts *strings.Replacer) any {
	switch v := v.(type) {
	case string:
		return texts.Replace(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = rewritten(e, texts)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, e := range v {
			out[key] = rewritten(e, texts)
		}
		return out
	}
	return v
}

// passes negates the conditions with which a rule denies.
func passes(rule manifest.Object) (alternatives [][]map[string]any, ok bool) {
	conditions := rule.Map("validate", "deny", "conditions")
	variables, ok := contextOf(rule)
	if conditions == nil || !ok || rule["preconditions"] != nil {
		return nil, false
	}
	// The rule denies if all of all and one of any hold: it passes if one of all does not, or none of any does.
	var none []map[string]any
	for _, list := range []string{"all", "any"} {
		for _, c := range conditions.Maps(list) {
			negated, ok := variables.negate(c)
			if !ok {
				return nil, false
			}
			if list == "all" {
				alternatives = append(alternatives, []map[string]any{negated})
			} else {
				none = append(none, negated)
			}
		}
	}
	if len(none) > 0 {
		alternatives = append(alternatives, none)
	}
	return alternatives, len(alternatives) > 0
}

// contextVariables are the variables of a rule that stand for expressions, by name.
type contextVariables map[string]string

// contextOf returns the context of a rule; ok is false if it has more than expressions.
func contextOf(rule manifest.Object) (variables contextVariables, ok bool) {
	variables = contextVariables{}
	for _, entry := range rule.Maps("context") {
		variable := entry.Map("variable")
		expression := variable.String("jmesPath")
		if expression == "" || len(variable) > 1 {
			return nil, false
		}
		variables[entry.String("name")] = expression
	}
	return variables, true
}

// opposites are the operators of Kyverno that hold where another does not.
func opposites() map[string]string {
	out := map[string]string{}
	for a, b := range map[string]string{
		"Equals": "NotEquals", "AnyIn": "AllNotIn", "AllIn": "AnyNotIn", "GreaterThan": "LessThanOrEquals", "LessThan": "GreaterThanOrEquals",
	} {
		out[a], out[b] = b, a
	}
	return out
}

var expressionText = regexp.MustCompile(`^\{\{-? .* \}\}$`)

// negate returns the opposite of a condition, with expressions for variables.
func (v contextVariables) negate(condition manifest.Object) (map[string]any, bool) {
	operator, ok := opposites()[condition.String("operator")]
	key, text := condition["key"].(string)
	if !ok || !text || !expressionText.MatchString(key) {
		return nil, false
	}
	out := runtime.DeepCopyJSON(condition)
	delete(out, "message")
	out["operator"] = operator
	for _, field := range []string{"key", "value"} {
		if given, text := out[field].(string); text {
			out[field] = v.inline(given)
		}
	}
	return out, true
}

// inline replaces the names of variables by their expressions.
func (v contextVariables) inline(text string) string {
	for name, expression := range v {
		word := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`)
		text = word.ReplaceAllLiteralString(text, "("+expression+")")
	}
	return text
}
