package catalog

import (
	"fmt"
	"strings"
)

// newline is a line feed in JMESPath.
const newline = "`\"\\n\"`"

// offendersVariable is the context variable that a rule with offenders gets.
const offendersVariable = "offenders"

// wildcardsField of a rule with offenders says that their texts have wildcards.
const wildcardsField = "wildcards"

// expandOffenders turns validate.offenders of each rule into what Kyverno knows: a
// context variable with the offenders that the old object has not, a condition that
// refuses when there is one, and a message that names them.
//
// validate.offenders is a JMESPath expression for what is wrong with request.object: a
// list of texts that name the offenders. An offender with the same text in
// request.oldObject is tolerated, so that an update may change what is unrelated, and
// remove some of what is wrong. Kyverno's own allowExistingViolations would let an
// object with one violation gain any others.
//
// With validate.wildcards, a word * in the text of an old offender stands for any word,
// and words that begin with ! may follow: what is left of a wider fault is no new one.
func (p *policyCheck) expandOffenders(body map[string]any) {
	spec, _ := body["spec"].(map[string]any)
	rules, _ := spec["rules"].([]any)
	for i, r := range rules {
		rule, _ := r.(map[string]any)
		validate, _ := rule["validate"].(map[string]any)
		if validate[offendersVariable] == nil {
			continue
		}
		at := fmt.Sprintf("spec.rules[%d].validate", i)
		expression, _ := validate[offendersVariable].(string)
		message, _ := validate["message"].(string)
		wildcards, isBool := validate[wildcardsField].(bool)
		if validate[wildcardsField] != nil && !isBool {
			p.errorf(at+"."+wildcardsField, "is true or absent")
		}
		p.offenders(at, expression, message, validate)
		delete(validate, offendersVariable)
		delete(validate, wildcardsField)
		validate["allowExistingViolations"] = false
		validate["deny"] = map[string]any{"conditions": map[string]any{"any": []any{
			map[string]any{"key": "{{ length(" + offendersVariable + ") }}", "operator": "GreaterThan", "value": int64(0)},
		}}}
		// A shallow variable: what users wrote is not evaluated again.
		validate["message"] = strings.ReplaceAll(message, "{{ "+offendersVariable+" }}", "{{- join(', ', "+offendersVariable+") }}")
		context, _ := rule["context"].([]any)
		rule["context"] = append(context, map[string]any{
			"name": offendersVariable, "variable": map[string]any{"jmesPath": newOffenders(expression, wildcards)},
		})
	}
}

// offenders checks a rule with offenders before it is expanded.
func (p *policyCheck) offenders(at, expression, message string, validate map[string]any) {
	for _, field := range []string{"deny", "allowExistingViolations"} {
		if validate[field] != nil {
			p.errorf(at+"."+field, "is made from offenders: remove it")
		}
	}
	if !strings.Contains(expression, "request.object") || strings.Contains(expression, "request.oldObject") {
		p.errorf(at+"."+offendersVariable, "must be an expression on request.object: the old object is looked at in the same way")
	}
	if strings.Contains(expression, "{{") {
		p.errorf(at+"."+offendersVariable, "is an expression, without {{ }}")
	}
	if strings.Contains(strings.Replace(message, "{{ "+offendersVariable+" }}", "", 1), "{{") {
		p.errorf(at+".message", "may have one variable, {{ %s }}", offendersVariable)
	}
}

// newOffenders returns an expression for the offenders of request.object that
// request.oldObject has not, sorted. Without an old object, what is absent is no old
// offender. With wildcards, texts hold no line feeds. JMESPath cannot compare two lists, so each becomes
// the keys of an object, and those of the old one take their values away.
func newOffenders(expression string, wildcards bool) string {
	old := strings.ReplaceAll(expression, "request.object", "request.oldObject")
	if wildcards {
		covered := "request.oldObject && (" + old + ") || `[]`"
		left := "split(regex_replace_all(" + patterns(covered) + ", " + text(expression) + ", ''), " + newline + ")[?@]"
		return left + " | sort(values(object_from_lists(@, @)))"
	}
	return "[(" + expression + ") || `[]`, request.oldObject && (" + old + ") || `[]`] | " +
		"sort(values(merge(object_from_lists([0], [0]), object_from_lists([1], `[]`)))[?@ != `null`])"
}

// text returns a JMESPath expression for the lines of a list.
func text(list string) string {
	return "join(" + newline + ", ((" + list + ") || `[]`)[].to_string(@))"
}

// patterns returns a JMESPath expression for a regular expression that matches the lines
// that the lines of a list cover. A wildcard takes the spaces around it, so every second
// one is left for a second look.
func patterns(list string) string {
	escaped := `regex_replace_all('[!-/:-@\[-\x60{-~]', ` + text(list) + `, '\$0')`
	for range 2 {
		escaped = `regex_replace_all('(?m)(^| )\\\*( |$)', ` + escaped + `, '$1[^ ]+$2')`
	}
	return "join('', ['(?m)^(', replace_all(" + escaped + ", " + newline + ", '|'), ')( ![^ ]+)*$'])"
}

// each returns a JMESPath expression for texts NAME (VALUE), one for each value: name is
// an expression for a text, values one for a list of texts or null.
func each(name, values string) string {
	return lines(values, "join('', [to_string("+name+"), ' ($0)'] || `[]`)")
}

// cross returns a JMESPath expression for texts A B, one for each pair of elements of two
// lists of texts.
func cross(a, b string) string {
	return lines(a, "join("+newline+", ("+b+" || `[]`)[].join('', ['$0 ', replace_all(to_string(@), '$', '$$')]))")
}

// lines replaces each element of a list of texts by the lines of another text, in which
// $0 is the element. Inside a projection, JMESPath does not see the object that
// holds the list; a text can be put together before it is split.
//
// The expression never fails, whatever the object is: JMESPath takes a list in which
// one element fails for an empty one. not_null keeps the filter from what stands before.
func lines(list, replacement string) string {
	return "not_null(split(regex_replace_all('[^\\n]+', join(" + newline + ", (" + list + " || `[]`)[].to_string(@)), " + replacement + "), " + newline + ")[?@])"
}
