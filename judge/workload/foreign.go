package workload

import (
	"bytes"
	"encoding/json"
	"slices"
)

// foreign says what a document is that holds no object; empty if it may hold one.
func foreign(document json.RawMessage) string {
	switch text := bytes.TrimSpace(document); {
	case len(text) == 0 || text[0] == '{' || string(text) == "null":
	case text[0] == '[':
		if isAnsible(text) {
			return "a playbook or a list of tasks of Ansible"
		}
		return "a list"
	default:
		return "a text or number"
	}
	var content struct {
		APIVersion, Kind, SOPS json.RawMessage
	}
	if json.Unmarshal(document, &content) == nil && content.APIVersion == nil && content.Kind == nil && content.SOPS != nil {
		return "a file that SOPS encrypted"
	}
	return ""
}

// isAnsible reports whether a list is what Ansible runs.
func isAnsible(list []byte) bool {
	var items []map[string]json.RawMessage
	if json.Unmarshal(list, &items) != nil || len(items) == 0 {
		return false
	}
	for key := range items[0] {
		if slices.Contains([]string{"hosts", "tasks", "roles", "import_playbook", "block", "register", "become"}, key) || bytes.HasPrefix([]byte(key), []byte("ansible.")) {
			return true
		}
	}
	return false
}
