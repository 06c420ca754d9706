package schema

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const (
	// maxSize is two thirds of what etcd takes in a request (--max-request-bytes); a cluster
	// adds to an object.
	maxSize = 1 << 20
	// maxExpression is the limit of the parser of CEL, in characters (expressionSizeCodePointLimit).
	maxExpression = 100_000
	// maxValueExpression is the limit of the API server for an audit annotation, in bytes
	// (maxAuditAnnotationValueExpressionLength).
	maxValueExpression = 5 * 1024
)

// inCEL are the kinds with expressions.
var inCEL = []string{"ValidatingPolicy", "ValidatingAdmissionPolicy", "ImageValidatingPolicy", "MutatingPolicy"}

// limits reports what no schema says: an object, or an expression in CEL, is too long.
func limits(o manifest.Object, size int) []*Error {
	var found []*Error
	if size > maxSize {
		found = append(found, &Error{Message: fmt.Sprintf("takes %d bytes, and at most %d are safe to store: many exceptions, or namespaces by name, make it long", size, maxSize)})
	}
	if !slices.Contains(inCEL, o.Kind()) {
		return found
	}
	spec, _ := o["spec"].(map[string]any)
	for _, list := range []string{"variables", "validations", "auditAnnotations", "matchConditions"} {
		all, _ := spec[list].([]any)
		for i, one := range all {
			fields, _ := one.(map[string]any)
			for field, most := range map[string]int{"expression": maxExpression, "messageExpression": maxExpression, "valueExpression": maxValueExpression} {
				text, _ := fields[field].(string)
				length := utf8.RuneCountInString(text)
				if field == "valueExpression" {
					length = len(text)
				}
				if length > most {
					found = append(found, &Error{Path: fmt.Sprintf("spec.%s[%d].%s", list, i, field), Message: fmt.Sprintf("is %d long, and at most %d are read", length, most)})
				}
			}
		}
	}
	return found
}
