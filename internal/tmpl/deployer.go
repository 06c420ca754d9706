package tmpl

import (
	"encoding/json"
	"fmt"
	"strings"
)

// fromDeployer returns a JMESPath expression that is true for an admission request of a
// deployer: of one of the users, of a member of one of the groups, or of one of the
// appliers. An applier is an object with user, label and namespace: the account writes
// for others too, and only an object that has the label with this value counts. On DELETE
// that is the object that is there.
func fromDeployer(users, groups, appliers any) (string, error) {
	var terms []string
	for _, t := range []struct {
		names  any
		format string
	}{
		{users, "contains(%s, request.userInfo.username || '')"},
		{groups, "length((request.userInfo.groups || `[]`)[?contains(%s, @)]) > `0`"},
	} {
		names, err := literal(t.names)
		if err != nil {
			return "", err
		}
		if names != "`[]`" {
			terms = append(terms, fmt.Sprintf(t.format, names))
		}
	}
	list, ok := appliers.([]any)
	if !ok {
		return "", fmt.Errorf("%v is not a list of appliers", appliers)
	}
	for _, item := range list {
		term, err := fromApplier(item)
		if err != nil {
			return "", err
		}
		terms = append(terms, term)
	}
	if len(terms) == 0 {
		return "`false`", nil
	}
	return strings.Join(terms, " || "), nil
}

func fromApplier(item any) (string, error) {
	applier, ok := item.(map[string]any)
	if !ok {
		return "", fmt.Errorf("%v is not an applier", item)
	}
	var parts [3]string
	for i, field := range []string{"user", "label", "namespace"} {
		text, ok := applier[field].(string)
		if !ok || strings.ContainsAny(text, "'\"`\\") {
			return "", fmt.Errorf("%v: %s is not a name", item, field)
		}
		parts[i] = text
	}
	return fmt.Sprintf("request.userInfo.username == '%s' && (request.operation == 'DELETE' && request.oldObject || request.object).metadata.labels.\"%s\" == '%s'",
		parts[0], parts[1], parts[2]), nil
}

// literal returns a list of names as a JMESPath literal.
func literal(values any) (string, error) {
	names, err := stringsOf(values)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if strings.ContainsAny(name, "'\"`\\") {
			return "", fmt.Errorf("%q is not a name", name)
		}
	}
	raw, err := json.Marshal(names)
	return "`" + string(raw) + "`", err
}
