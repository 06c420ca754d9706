package kyverno

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

// keyContext is the context of a rule, which holds the keys of ConfigMaps.
type keyContext struct {
	namespace string // of Kyverno
	entries   []any
	attestors int // so far
}

// attestorSet returns Kyverno's form of attestors, of which count are enough.
func (k *keyContext) attestorSet(count int, attestors []plan.Attestor) map[string]any {
	entries := make([]any, len(attestors))
	for i, a := range attestors {
		entries[i] = k.attestor(a)
		k.attestors++
	}
	return map[string]any{"count": int64(count), "entries": entries}
}

func (k *keyContext) attestor(a plan.Attestor) map[string]any {
	if a.Keyless != nil {
		return map[string]any{"keyless": keyless(a)}
	}
	if a.Notary != "" {
		return map[string]any{"certificates": map[string]any{"cert": a.Notary}}
	}
	keys := map[string]any{"signatureAlgorithm": "sha256", "ctlog": map[string]any{"ignoreSCT": true}} // a key has no certificate to be logged
	switch {
	case a.ConfigMap != "":
		name := fmt.Sprintf("keys%d", k.attestors)
		k.entries = append(k.entries, map[string]any{"name": name, "configMap": map[string]any{"name": a.ConfigMap, "namespace": k.namespace}})
		keys["publicKeys"] = fmt.Sprintf(`{{ %s.data.%q }}`, name, a.ConfigMapKey)
	case a.Secret != "":
		keys["secret"] = map[string]any{"name": a.Secret, "namespace": k.namespace}
	case a.KMS != "":
		keys["kms"] = a.KMS
	default:
		keys["publicKeys"] = a.PublicKeys
	}
	if keys["rekor"] = map[string]any{"ignoreTlog": true}; a.RekorURL != "" {
		keys["rekor"] = map[string]any{"url": a.RekorURL}
	}
	return map[string]any{"keys": keys}
}

func keyless(a plan.Attestor) map[string]any {
	out := map[string]any{"rekor": map[string]any{"url": a.RekorURL}}
	for field, value := range map[string]string{
		"issuer": a.Keyless.Issuer, "issuerRegExp": a.Keyless.IssuerRegExp,
		"subject": a.Keyless.Subject, "subjectRegExp": a.Keyless.SubjectRegExp,
	} {
		if value != "" {
			out[field] = value
		}
	}
	return out
}

// attestations returns Kyverno's form of the attestations that a rule demands.
func (k *keyContext) attestations(image *plan.Image) []any {
	var all []any
	for _, a := range image.Attestations {
		out := map[string]any{"type": a.Type, "attestors": []any{k.attestorSet(a.Count, a.Attestors)}}
		if len(a.Conditions) > 0 {
			conditions := make([]any, len(a.Conditions))
			for i, c := range a.Conditions {
				conditions[i] = condition(c)
			}
			out["conditions"] = []any{map[string]any{"all": conditions}}
		}
		all = append(all, out)
	}
	return all
}

// condition returns Kyverno's form of a condition. Its own operators compare texts as
// wildcards, durations and quantities, so an expression compares, and is true or not. A field
// that a predicate does not have is an error, which refuses the image.
func condition(c plan.Condition) map[string]any {
	path := jmesPath(c.Path)
	var all []string
	if len(c.In) > 0 {
		all = append(all, fmt.Sprintf("contains(%s, %s)", literal(c.In), path))
	}
	if c.Matches != "" {
		all = append(all, fmt.Sprintf("type(%[2]s) == 'string' && regex_match(%[1]s, %[2]s)", literal("^(?:"+c.Matches+")$"), path))
	}
	if c.AtLeast != nil {
		all = append(all, fmt.Sprintf("%s >= %s", path, literal(*c.AtLeast)))
	}
	if c.AtMost != nil {
		all = append(all, fmt.Sprintf("%s <= %s", path, literal(*c.AtMost)))
	}
	return map[string]any{
		"key": "{{ " + strings.Join(all, " && ") + " }}", "operator": "Equals", "value": true,
		"message": strings.Join(c.Path, ".") + " is not as demanded",
	}
}

// jmesPath returns the path of a field in JMESPath.
func jmesPath(names []string) string {
	plain := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = name
		if !plain.MatchString(name) {
			out[i] = fmt.Sprintf("%q", name)
		}
	}
	return strings.Join(out, ".")
}

// literal returns a value in JMESPath. Kyverno looks for braces of variables, and for
// references that begin with a dollar sign, before it reads literals.
func literal(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err) // plain values always encode
	}
	return "`" + strings.NewReplacer("`", `\u0060`, "{", `\u007b`, "}", `\u007d`, "$", `\u0024`).Replace(string(raw)) + "`"
}
