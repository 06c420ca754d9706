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
	parts, err := applierParts(item)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("request.userInfo.username == '%s' && (request.operation == 'DELETE' && request.oldObject || request.object).metadata.labels.\"%s\" == '%s'",
		parts[0], parts[1], parts[2]), nil
}

// applierParts returns the user, the label and the namespace of an applier.
func applierParts(item any) (parts [3]string, err error) {
	applier, ok := item.(map[string]any)
	if !ok {
		return parts, fmt.Errorf("%v is not an applier", item)
	}
	for i, field := range []string{"user", "label", "namespace"} {
		text, ok := applier[field].(string)
		if !ok || strings.ContainsAny(text, "'\"`\\") {
			return parts, fmt.Errorf("%v: %s is not a name", item, field)
		}
		parts[i] = text
	}
	return parts, nil
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

// CELDeployer is fromDeployer in CEL: an expression that is true for an admission request
// of a deployer. A background scan has no user, so there it is false.
func CELDeployer(users, groups, appliers any) (string, error) {
	var terms []string
	for _, t := range []struct {
		names  any
		format string
	}{
		{users, `request.?userInfo.?username.orValue("") in %s`},
		{groups, `request.?userInfo.?groups.orValue([]).exists(g, g in %s)`},
	} {
		names, err := stringsOf(t.names)
		if err != nil {
			return "", err
		}
		if len(names) > 0 {
			raw, err := json.Marshal(names)
			if err != nil {
				return "", err
			}
			terms = append(terms, fmt.Sprintf(t.format, raw))
		}
	}
	list, ok := appliers.([]any)
	if !ok {
		return "", fmt.Errorf("%v is not a list of appliers", appliers)
	}
	for _, item := range list {
		parts, err := applierParts(item)
		if err != nil {
			return "", err
		}
		terms = append(terms, fmt.Sprintf(`request.?userInfo.?username.orValue("") == %q && `+
			`(request.operation == "DELETE" ? oldObject : object).metadata.?labels[?%q].orValue("") == %q`, parts[0], parts[1], parts[2]))
	}
	if len(terms) == 0 {
		return "false", nil
	}
	return "(" + strings.Join(terms, " || ") + ")", nil
}
