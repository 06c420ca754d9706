package fluxtree

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/plain"
)

// inputs are what a release is rendered with: one variant, or several with other values for
// what is not known.
type inputs struct {
	variants []variant
	// unknown says what is not known; empty if all is.
	unknown []string
}

// variant is a HelmRelease with the ConfigMaps and Secrets of its values.
type variant struct {
	release *helmRelease
	sources []json.RawMessage
	// madeUp says that some values are, so what a schema says of them means nothing.
	madeUp bool
}

// inputs returns what a release is rendered with. The error says why it cannot be.
func (p *Place) inputs(r *release, first *helmRelease) (inputs, error) {
	var in inputs
	for _, u := range r.Unknown {
		if matter(u.Keys) {
			in.unknown = append(in.unknown, Whys([]Unknown{u})...)
		}
	}
	var sources [][]json.RawMessage // each with its variants
	var order []string
	found := map[string]int{}
	for i, raw := range first.Spec.ValuesFrom {
		var ref valuesRef
		if err := json.Unmarshal(raw, &ref); err != nil {
			return in, fmt.Errorf("spec.valuesFrom[%d]: %w", i, plain.JSONError(err))
		}
		ref.ValuesKey = cmp.Or(ref.ValuesKey, "values.yaml")
		key := ref.Kind + "/" + first.Metadata.Namespace + "/" + ref.Name
		at, known := found[key]
		if !known {
			at = len(sources)
			found[key] = at
			sources, order = append(sources, p.config(key)), append(order, key)
		}
		said, err := p.source(ref, key, &sources[at])
		if err != nil {
			return in, err
		}
		in.unknown = append(in.unknown, said...)
	}
	in.unknown = compact(in.unknown)
	count := 1
	if len(in.unknown) > 0 {
		count = len(probes)
	}
	all := append([]json.RawMessage{r.JSON}, r.Renderings...)
	for i := range count {
		one, err := parseRelease(all[min(i, len(all)-1)])
		if err != nil {
			continue // a value that makes no sense there
		}
		one.Metadata.Namespace = first.Metadata.Namespace
		v := variant{release: one, madeUp: len(in.unknown) > 0}
		for at := range order {
			if len(sources[at]) > 0 {
				v.sources = append(v.sources, sources[at][min(i, len(sources[at])-1)])
			}
		}
		in.variants = append(in.variants, v)
	}
	return in, nil
}

// compact returns texts, each once.
func compact(texts []string) []string {
	var all []string
	for _, t := range texts {
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}

// config returns the variants of a ConfigMap or Secret; none if it is not at hand.
func (p *Place) config(key string) []json.RawMessage {
	for _, given := range p.helm.Given {
		if matches(key, given) {
			return []json.RawMessage{given.object}
		}
	}
	o, known := p.configs[key]
	if !known {
		return nil
	}
	return append([]json.RawMessage{o.JSON}, o.Renderings...)
}

// matches reports whether a key is that of values, which are in all namespaces if they name none.
func matches(key string, v Values) bool {
	if v.Namespace != "" {
		return key == v.Kind+"/"+v.Namespace+"/"+v.Name
	}
	return len(key) > len(v.Kind)+len(v.Name)+1 && key[:len(v.Kind)+1] == v.Kind+"/" && key[len(key)-len(v.Name)-1:] == "/"+v.Name
}

// ask notes which of the values that were given a release names, whether or not it is rendered.
func (p *Place) ask(first *helmRelease) {
	for _, raw := range first.Spec.ValuesFrom {
		var ref valuesRef
		if json.Unmarshal(raw, &ref) != nil {
			continue // a problem for who renders it
		}
		for _, given := range p.helm.Given {
			if matches(ref.Kind+"/"+first.Metadata.Namespace+"/"+ref.Name, given) {
				given.ask()
			}
		}
	}
}

// source says what is not known of one source of values. If that is a single value, the
// variants get made-up ones. The error says why nothing can be made up.
func (p *Place) source(ref valuesRef, key string, variants *[]json.RawMessage) ([]string, error) {
	missing := fmt.Sprintf("%s %s", ref.Kind, ref.Name)
	switch {
	case len(*variants) == 0 && p.lost:
		return nil, fmt.Errorf("its values come from %s, and there are more than %d MiB of ConfigMaps and Secrets", missing, maxConfigs>>20)
	case len(*variants) == 0 && ref.Optional:
		return []string{missing + " is optional and not in the repository"}, nil
	case len(*variants) == 0:
		return p.madeUp(ref, variants, missing+", which is not in the repository")
	}
	if p.isGiven(key) {
		return nil, nil
	}
	if strings.Contains(textOf((*variants)[0], ref.ValuesKey), encryptedFile) { // a file that a generator read
		return p.madeUp(ref, variants, missing+", which is encrypted (SOPS)")
	}
	var said []string
	for _, u := range p.configs[key].Unknown {
		switch {
		case len(u.Keys) == 0:
			return nil, fmt.Errorf("its values come from %s: %s", missing, u.Why)
		case len(u.Keys) != 2 || u.Keys[1] != ref.ValuesKey || u.Keys[0] != "data" && u.Keys[0] != "stringData":
		case u.Why == encryptedWhy:
			return p.madeUp(ref, variants, missing+", which is encrypted (SOPS)")
		default:
			said = append(said, missing+": "+u.Why)
		}
	}
	return said, nil
}

// encryptedFile is in every file with values that SOPS encrypted.
const encryptedFile = "ENC[AES256_GCM,"

// textOf returns the text of a key of a ConfigMap or Secret.
func textOf(object json.RawMessage, key string) string {
	var content struct {
		Kind             string
		Data, StringData map[string]string
	}
	if json.Unmarshal(object, &content) != nil {
		return ""
	}
	text, plain := content.StringData[key]
	if !plain {
		text = content.Data[key]
	}
	if decoded, err := base64.StdEncoding.DecodeString(text); err == nil && content.Kind == "Secret" && !plain {
		return string(decoded)
	}
	return text
}

func (p *Place) isGiven(key string) bool {
	return slices.ContainsFunc(p.helm.Given, func(v Values) bool {
		return matches(key, v)
	})
}

// madeUp gives a source values for one key. A whole file of values cannot be made up.
func (p *Place) madeUp(ref valuesRef, variants *[]json.RawMessage, why string) ([]string, error) {
	if ref.TargetPath == "" {
		return nil, fmt.Errorf("its values come from %s (give it with --substitute)", why)
	}
	var base map[string]any
	if len(*variants) > 0 {
		if err := json.Unmarshal((*variants)[0], &base); err != nil {
			return nil, err
		}
	} else {
		base = map[string]any{"apiVersion": "v1", "kind": ref.Kind, "metadata": map[string]any{"name": ref.Name}}
	}
	field := "data"
	if ref.Kind == "Secret" {
		field = "stringData"
	}
	var made []json.RawMessage
	for i, probe := range probes {
		one := base
		if len(*variants) == len(probes) { // a second key of the same
			one = nil
			if err := json.Unmarshal((*variants)[i], &one); err != nil {
				return nil, err
			}
		}
		if data, ok := one["data"].(map[string]any); ok {
			delete(data, ref.ValuesKey)
		}
		values, _ := one[field].(map[string]any)
		if values == nil {
			values = map[string]any{}
			one[field] = values
		}
		values[ref.ValuesKey] = probe
		raw, err := json.Marshal(one)
		if err != nil {
			return nil, err
		}
		made = append(made, raw)
	}
	*variants = made
	return []string{"spec.values." + ref.TargetPath + " comes from " + why}, nil
}
