package promise_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/fstest"
)

type object = map[string]any

// source is what people edit: a profile with two environments. Edits replace its maps
// and slices as a whole, so that a copy of the struct is a snapshot.
type source struct {
	Registries []string
	Labels     []string // that require-labels demands
	Controls   map[string]control
	House      int // the version of a control of the user's own; see house
	Namespaces map[string]namespace
	System     []string
	Exceptions map[string]exception
	Keys       []string // that must all have signed
	Images     []string // that must be signed
	Signed     control  // where they must be
	Soak       int
	PolicyType string
	Envs       [2]environment
}

// control is on. Namespaces limit it to some, or with Exclude to all others; an item with
// a colon in it is the label of a namespace.
type control struct {
	MaxStage   string
	Tiers      []string
	Namespaces []string
	Exclude    bool
}

type namespace struct {
	Tier        string
	Open        bool // defaultDeny: false
	Ports       []int
	PodSecurity string
	Team        string // the value of its label
	// Quota, Max, Min and Default are quantities by resource.
	Quota, Max, Min, Default map[string]int
}

type exception struct {
	Control, Namespace string
	Names              []string
}

type environment struct {
	Stage    int
	Changes  string
	Controls map[string]int
	Skip     bool
	// PolicyType is empty for that of the profile.
	PolicyType string
}

func envNames() [2]string { return [2]string{"dev", "prod"} }

func policyTypes() []string {
	return []string{"ClusterPolicy", "ValidatingPolicy", "ValidatingAdmissionPolicy"}
}

func stages() []string { return []string{"off", "audit", "enforce-platform", "enforce"} }

// ids are the controls that an edit may switch.
func ids() []string {
	return []string{"restrict-image-registries", "require-labels", "disallow-latest-tag", "disallow-privileged-containers", "house-rule", "default-deny", "require-network-policy"}
}

// files returns the source as files.
func (s source) files() fstest.MapFS {
	fsys := fstest.MapFS{}
	add := func(name string, v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		fsys[name] = &fstest.MapFile{Data: raw}
	}
	document := func(kind, name string, spec object) object {
		return object{"apiVersion": "gatehouse.dev/v1alpha1", "kind": kind, "metadata": object{"name": name}, "spec": spec}
	}
	add("profile.yaml", document("Profile", "promise", s.profile()))
	for i, name := range envNames() {
		e := s.Envs[i]
		spec := object{"ring": i + 1, "stage": stages()[e.Stage], "allowSkip": e.Skip}
		if e.Changes != "" {
			spec["changes"] = e.Changes
		}
		if e.PolicyType != "" {
			spec["overrides"] = object{"kyverno": object{"policyType": e.PolicyType}}
		}
		own := object{}
		for id, stage := range e.Controls {
			if _, on := s.Controls[id]; on {
				own[id] = object{"stage": stages()[stage]}
			}
		}
		if len(own) > 0 {
			spec["controls"] = own
		}
		add(name+".yaml", document("Environment", name, spec))
	}
	for name, x := range s.Exceptions {
		add("exceptions/"+name+".yaml", document("Exception", name, object{
			"controls": []string{x.Control}, "match": object{"namespaces": []string{x.Namespace}, "kinds": []string{"Pod"}, "names": x.Names},
			"reason": "a test", "owner": "team", "expires": "2028-01-01",
		}))
	}
	for _, key := range keys() {
		fsys["keys/"+key.name+".pub"] = &fstest.MapFile{Data: []byte(key.pem)}
	}
	fsys["catalog/house-rule/control.yaml"] = &fstest.MapFile{Data: []byte(houseControl)}
	fsys["catalog/house-rule/clusterpolicy.yaml"] = &fstest.MapFile{Data: []byte(house(s.House))}
	fsys["catalog/house-rule/cel.yaml"] = &fstest.MapFile{Data: []byte(houseInCEL(s.House))}
	fsys["catalog/house-rule/tests/good.yaml"] = &fstest.MapFile{Data: housePods(3, `a: "1"`)}
	fsys["catalog/house-rule/tests/bad.yaml"] = &fstest.MapFile{Data: housePods(5, `old: "1", new: "1", newer: "1"`)}
	return fsys
}

func (s source) profile() object {
	controls := object{}
	for id, c := range s.Controls {
		settings := object{}
		if c.MaxStage != "" {
			settings["maxStage"] = c.MaxStage
		}
		if len(c.Tiers) > 0 {
			settings["tiers"] = c.Tiers
		}
		if len(c.Namespaces) > 0 {
			settings["namespaces"] = object{map[bool]string{false: "include", true: "exclude"}[c.Exclude]: choices(c.Namespaces)}
		}
		if id == "require-labels" {
			settings["parameters"] = object{"labels": s.Labels}
		}
		controls[id] = settings
	}
	if _, on := s.Controls["default-deny"]; !on {
		controls["default-deny"] = object{"enabled": false}
	}
	var namespaces []any
	for _, name := range slices.Sorted(maps.Keys(s.Namespaces)) {
		n := s.Namespaces[name]
		var egress []any
		for _, port := range n.Ports {
			egress = append(egress, object{"to": object{"cidr": "10.0.0.0/8"}, "ports": []string{fmt.Sprintf("%d/TCP", port)}})
		}
		spec := object{"name": name, "tier": n.Tier, "network": object{"defaultDeny": !n.Open, "egress": egress}}
		if n.Open {
			spec["network"] = object{"defaultDeny": false, "dns": false}
		}
		if n.PodSecurity != "" {
			spec["podSecurity"] = n.PodSecurity
		}
		if len(n.Quota) > 0 {
			spec["resourceQuota"] = object{"hard": n.Quota}
		}
		if len(n.Max)+len(n.Min)+len(n.Default) > 0 {
			spec["limitRange"] = object{"limits": []any{object{"type": "Container", "max": n.Max, "min": n.Min, "default": n.Default}}}
		}
		if n.Team != "" {
			spec["labels"] = object{"team": n.Team}
		}
		namespaces = append(namespaces, spec)
	}
	profile := object{
		"controls": controls, "catalogs": []string{"catalog"}, "namespaces": namespaces, "systemNamespaces": s.System,
		"registries": object{"allowed": s.Registries}, "rollout": object{"soak": fmt.Sprintf("%dd", s.Soak)},
	}
	if s.PolicyType != "" {
		profile["kyverno"] = object{"policyType": s.PolicyType}
	}
	if len(s.Images) > 0 {
		var attestors []any
		for _, name := range s.Keys {
			attestors = append(attestors, object{"name": name, "keys": object{"configMap": object{"name": "keys", "key": name + ".pub", "file": "keys/" + name + ".pub"}}})
		}
		controls["verify-images"] = object{}
		if c := s.Signed; len(c.Namespaces) > 0 {
			controls["verify-images"] = object{"namespaces": object{map[bool]string{false: "include", true: "exclude"}[c.Exclude]: choices(c.Namespaces)}}
		}
		profile["trust"] = object{"attestors": attestors, "images": []any{object{"name": "signed", "references": s.Images, "attestors": s.Keys}}}
	}
	return profile
}

// choices returns the namespaces of a scope as they are written.
func choices(namespaces []string) []any {
	var all []any
	for _, n := range namespaces {
		if _, team, labelled := strings.Cut(n, ":"); labelled {
			all = append(all, object{"labels": object{"team": team}})
		} else {
			all = append(all, n)
		}
	}
	return all
}

const houseControl = `apiVersion: gatehouse.dev/v1alpha1
kind: Control
metadata: {name: house-rule}
spec:
  title: House rule
  description: A label that the house does not want.
  category: Hardening
  severity: low
  scope: Namespaced
  references: [https://example.com/]
`

// house returns the template in a version: 0 and 1 refuse the same with different
// messages, the others refuse other labels.
func house(version int) string {
	return fmt.Sprintf(`apiVersion: kyverno.io/v1
kind: ClusterPolicy
spec:
  rules:
    - name: label
      match: {any: [{resources: {kinds: [Pod], operations: [CREATE, UPDATE]}}]}
      validate:
        message: "remove the label (version %d)"
        deny:
          conditions:
            any: [{key: "{{ request.object.metadata.labels.%s || '' }}", operator: NotEquals, value: ""}]
`, version, houseLabel(version))
}

func houseLabel(version int) string { return []string{"old", "old", "new", "newer"}[version] }

// houseInCEL returns what house returns for policies in CEL.
func houseInCEL(version int) string {
	return fmt.Sprintf(`checks:
  - name: label
    kinds: [Pod]
    message: "remove the label (version %d)"
    offenders: "pod.metadata.?labels.?%[2]s.orValue('') == '' ? [] : ['%[2]s']"
`, version, houseLabel(version))
}

// housePods returns the documents of the control's tests: as many as a control needs.
func housePods(n int, labels string) []byte {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "---\napiVersion: v1\nkind: Pod\nmetadata: {name: pod-%d, labels: {%s}}\nspec: {containers: [{name: c, image: \"ghcr.io/acme/app:1\"}]}\n", i, labels)
	}
	return []byte(all.String())
}

type key struct{ name, pem string }

// keys returns the public keys that attestors may have.
func keys() []key {
	return []key{{"k0", keyA}, {"k1", keyB}, {"k2", keyC}}
}
