package fluxtree

import (
	"encoding/json"
	"strings"
)

// encryptedText is how SOPS begins a value that it encrypted.
const encryptedText = "ENC["

// encryptedWhy is why the value of such a field is not known.
const encryptedWhy = "is encrypted (SOPS)"

// Decrypt returns an object without what SOPS adds to it, and the fields that are encrypted.
// It returns any other object as it is.
func Decrypt(object json.RawMessage) (json.RawMessage, []Unknown) {
	var content map[string]any
	if !strings.Contains(string(object), `"sops":`) || json.Unmarshal(object, &content) != nil {
		return object, nil
	}
	if _, encrypted := content["sops"].(map[string]any); !encrypted {
		return object, nil
	}
	delete(content, "sops")
	var fields []Unknown
	var walk func(value any, steps []any, keys []string)
	walk = func(value any, steps []any, keys []string) {
		switch value := value.(type) {
		case string:
			if strings.HasPrefix(value, encryptedText) {
				fields = append(fields, Unknown{Path: Path(steps), Keys: keys, Steps: steps, Why: encryptedWhy})
			}
		case []any:
			for i, item := range value {
				walk(item, extend(steps, any(i)), keys)
			}
		case map[string]any:
			for _, key := range sortedKeys(value) {
				walk(value[key], extend(steps, any(key)), extend(keys, key))
			}
		}
	}
	walk(content, nil, nil)
	plain, err := json.Marshal(content)
	if err != nil {
		return object, nil
	}
	return plain, fields
}
