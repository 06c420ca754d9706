package source

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

type overlaid struct {
	Spec struct {
		Name  string          `json:"name,omitempty"`
		List  []string        `json:"list,omitempty"`
		Parts map[string]part `json:"parts,omitempty"`
		Items []item          `json:"items,omitempty"`
	} `json:"spec"`
}

type item struct {
	Name string            `json:"name"`
	Size string            `json:"size,omitempty"`
	Tags map[string]string `json:"tags,omitempty"`
}

const overlayBase = `spec:
  name: a
  list: [x, y]
  parts: {p: {size: s}}
  items:
    - {name: one, size: s, tags: {k: v}}
    - {name: two, size: s}
`

const overlayOver = `other: 1
spec:
  stage: audit
  part:
    list: [z]
    parts: {q: {}}
    items:
      - {name: three}
      - {name: two, size: l}
      - {name: one, tags: {l: w}}
      - {name: two}
`

// Both documents may be in one file.
func TestOverlay(t *testing.T) {
	docs, problems := Parse("f.yaml", []byte(overlayBase+"---\n"+overlayOver))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	overlay := Overlay{From: "spec.part", Onto: "spec", Named: map[string]string{"spec.items": "name"}}
	var v overlaid
	positions, problems := Decode(overlay.Merge(docs[0], docs[1]), &v)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var want overlaid
	want.Spec.Name, want.Spec.List = "a", []string{"z"}
	want.Spec.Parts = map[string]part{"p": {"s"}, "q": {}}
	want.Spec.Items = []item{
		{Name: "three"}, {Name: "two", Size: "l"}, {Name: "one", Size: "s", Tags: map[string]string{"k": "v", "l": "w"}},
		{Name: "two"}, // written twice on top: not a second change
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Error(diff)
	}
	for path, want := range map[string]string{
		"spec.name":             "f.yaml:2:9 spec.name",
		"spec.list[0]":          "f.yaml:13:12 spec.part.list[0]",
		"spec.parts[p].size":    "f.yaml:4:21 spec.parts[p].size",
		"spec.parts[q].size":    "f.yaml:14:13 spec.part.parts[q].size",
		"spec.items[2].size":    "f.yaml:6:25 spec.items[2].size",
		"spec.items[2].tags[l]": "f.yaml:18:28 spec.part.items[2].tags[l]",
		"spec.items[2].other":   "f.yaml:18:9 spec.part.items[2].other",
		"spec.items[1].size":    "f.yaml:17:27 spec.part.items[1].size",
		"spec.items[0].name":    "f.yaml:16:16 spec.part.items[0].name",
		"spec.items[3]":         "f.yaml:19:9 spec.part.items[3]",
	} {
		if got := positions.At(path).String() + " " + positions.Path(path); got != want {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
}

func TestOverlayOfNothing(t *testing.T) {
	docs, _ := Parse("f.yaml", []byte("spec: {name: a}\n---\nspec: {part: }\n---\nspec: {}\n"))
	overlay := Overlay{From: "spec.part", Onto: "spec"}
	for _, over := range docs[1:] {
		if merged := overlay.Merge(docs[0], over); merged != nil {
			t.Errorf("got %v", merged.Node)
		}
	}
}

// A mapping that is one value is replaced, also by an empty one; null says nothing.
func TestMergeWhole(t *testing.T) {
	whole := func(path string) bool { return path == "parts.p" }
	for over, want := range map[string]map[string]part{
		"parts: {p: {}}\n":          {"p": {}, "q": {"t"}},
		"parts: {p: }\n":            {"p": {"s"}, "q": {"t"}},
		"parts: {q: {}}\n":          {"p": {"s"}, "q": {"t"}},
		"parts: {p: {size: u}}\n":   {"p": {"u"}, "q": {"t"}},
		"name: b\nparts: {r: {}}\n": {"p": {"s"}, "q": {"t"}, "r": {}},
	} {
		base, _ := Parse("base.yaml", []byte("name: a\nparts: {p: {size: s}, q: {size: t}}\n"))
		top, _ := Parse("over.yaml", []byte(over))
		var v thing
		if _, problems := Decode(Merge(base[0], top[0], whole), &v); len(problems) > 0 {
			t.Fatal(problems)
		}
		if diff := cmp.Diff(want, v.Parts); diff != "" {
			t.Errorf("%s: %s", over, diff)
		}
	}
}
