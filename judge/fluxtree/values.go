package fluxtree

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// Values are the variables in a ConfigMap or Secret.
type Values struct {
	Kind, Namespace, Name string
	// At is the file of what was given.
	At diag.Position

	values map[string]string
	// unknown variables, and why.
	unknown map[string]string
	// object is all of it, if it was given.
	object json.RawMessage
	// asked is set once something names what was given; nil for that of the repository.
	asked *bool
}

// CodeUnused is the code of a warning about values that were given and that nothing names.
const CodeUnused = "values-unused"

// Unused warns about values that were given, if no Kustomization or HelmRelease that was read
// names them.
func Unused(given []Values) diag.List {
	var problems diag.List
	for _, v := range given {
		if v.asked == nil || *v.asked {
			continue
		}
		id := v.Name
		if v.Namespace != "" {
			id = v.Namespace + "/" + v.Name
		}
		problems.Add(diag.Diagnostic{Severity: diag.Warning, Code: CodeUnused, Position: v.At,
			Summary: v.Kind + " " + id + ": no Kustomization or HelmRelease that was read asks for it", Hint: "compare its kind, namespace and name with substituteFrom and valuesFrom"})
	}
	return problems
}

// ask notes that something names the values.
func (v *Values) ask() {
	if v.asked != nil {
		*v.asked = true
	}
}

// variableName is a name that Flux replaces. It refuses a source with other keys.
var variableName = regexp.MustCompile(`^[_A-Za-z][_A-Za-z0-9]*$`)

// maxValues bounds what is kept of a ConfigMap or Secret in bytes: files in one are no variables.
const maxValues = 64 << 10

// ParseValues returns the variables of a ConfigMap or Secret. ok is false for another kind,
// and for one whose keys cannot be variables.
func ParseValues(object json.RawMessage) (v Values, ok bool, err error) {
	var content struct {
		header
		Data       map[string]string `json:"data"`
		StringData map[string]string `json:"stringData"`
	}
	h, err := headerOf(object)
	if err != nil || !h.is("", "ConfigMap") && !h.is("", "Secret") {
		return Values{}, false, err
	}
	if err := json.Unmarshal(object, &content); err != nil {
		return Values{}, false, err
	}
	v = Values{Kind: h.Kind, Namespace: h.Metadata.Namespace, Name: h.Metadata.Name, values: map[string]string{}, unknown: map[string]string{}}
	size := 0
	for _, data := range []map[string]string{content.Data, content.StringData} {
		for key, value := range data {
			if size += len(value); size > maxValues || !variableName.MatchString(key) {
				return Values{}, false, nil
			}
			switch {
			case strings.HasPrefix(value, encryptedText):
				v.unknown[key] = fmt.Sprintf("is encrypted in %s %s", h.Kind, h.Metadata.Name)
				continue
			case h.Kind == "Secret" && content.StringData[key] == "":
				plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
				if err != nil {
					v.unknown[key] = fmt.Sprintf("is not readable in Secret %s", h.Metadata.Name)
					continue
				}
				value = string(plain)
			}
			v.values[key] = value
		}
	}
	return v, true, nil
}

// Given returns a ConfigMap or Secret that replaces one of the repository, for variables and for
// the values of charts. ok is false for another kind.
func Given(object json.RawMessage) (v Values, ok bool, err error) {
	h, err := headerOf(object)
	if err != nil || !h.is("", "ConfigMap") && !h.is("", "Secret") {
		return Values{}, false, err
	}
	v, variables, err := ParseValues(object)
	if !variables {
		v = Values{Kind: h.Kind, Namespace: h.Metadata.Namespace, Name: h.Metadata.Name}
	}
	v.object, v.asked = object, new(bool)
	return v, true, err
}

// hide takes what depends on unknown fields for unknown.
func (v *Values) hide(fields []Unknown) {
	for _, f := range fields {
		if len(f.Steps) == 0 {
			for key := range v.values {
				v.unknown[key] = "depends on others: " + f.Why
			}
			clear(v.values)
			return
		}
		if len(f.Keys) == 2 && (f.Keys[0] == "data" || f.Keys[0] == "stringData") {
			v.unknown[f.Keys[1]] = "depends on others: " + f.Why
			delete(v.values, f.Keys[1])
		}
	}
}

// store keeps the variables that a root applies, and those that were given.
type store struct {
	given []Values
	built map[string]Values
}

func (s *store) key(kind, namespace, name string) string { return kind + "/" + namespace + "/" + name }

func (s *store) add(v Values) { s.built[s.key(v.Kind, v.Namespace, v.Name)] = v }

func (s *store) find(ref reference, namespace string) (Values, bool) {
	for _, v := range s.given {
		if v.values != nil && v.Kind == ref.Kind && v.Name == ref.Name && (v.Namespace == "" || v.Namespace == namespace) {
			v.ask()
			return v, true
		}
	}
	v, ok := s.built[s.key(ref.Kind, namespace, ref.Name)]
	return v, ok
}

// ready reports whether all variables of a Kustomization are at hand.
func (s *store) ready(k *Kustomization) bool {
	if k.Spec.PostBuild == nil {
		return true
	}
	for _, ref := range k.Spec.PostBuild.SubstituteFrom {
		if _, ok := s.find(ref, k.Metadata.Namespace); !ok {
			return false
		}
	}
	return true
}

// variables returns what a Kustomization replaces; nil for nothing.
func (s *store) variables(k *Kustomization) *variables {
	p := k.Spec.PostBuild
	if p == nil {
		return nil
	}
	v := newVariables()
	for _, ref := range p.SubstituteFrom {
		found, ok := s.find(ref, k.Metadata.Namespace)
		if !ok {
			v.lose(fmt.Sprintf("may come from %s %s/%s, which is not in the repository", ref.Kind, k.Metadata.Namespace, ref.Name))
			continue
		}
		v.set(found.values, found.unknown)
	}
	unknown := map[string]string{}
	for name, u := range k.unknown {
		unknown[name] = u.Why
	}
	inline := map[string]string{}
	for name, value := range p.Substitute {
		if _, hidden := unknown[name]; !hidden {
			inline[name] = value
		}
	}
	v.set(inline, unknown)
	if !v.any() && p.SubstituteStrategy != "Always" {
		return nil
	}
	return v
}
