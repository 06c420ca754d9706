package source

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

type thing struct {
	Name   string          `json:"name"`
	Count  *int            `json:"count,omitempty"`
	On     *bool           `json:"on,omitempty"`
	List   []string        `json:"list,omitempty"`
	Parts  map[string]part `json:"parts,omitempty"`
	Free   map[string]any  `json:"free,omitempty"`
	Either either          `json:"either,omitzero"`
}

type part struct {
	Size string `json:"size,omitempty"`
}

type either struct {
	Of []string `json:"of"`
}

func (either) ListField() string { return "of" }

func decodeText(t testing.TB, text string) (thing, Positions, []string) {
	t.Helper()
	docs, problems := Parse("f.yaml", []byte(text))
	var v thing
	var positions Positions
	for _, doc := range docs {
		var found diag.List
		positions, found = Decode(doc, &v)
		problems = append(problems, found...)
	}
	var lines []string
	for _, d := range problems.Sort() {
		lines = append(lines, d.String())
	}
	return v, positions, lines
}

// bomb is the list of "billion laughs": each level is ten of the one before.
const bomb = "free:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n  b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n" +
	"  c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n  d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n  e: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n"

func TestDecode(t *testing.T) {
	three, yes := 3, true
	for name, c := range map[string]struct {
		text     string
		want     thing
		problems []string
	}{
		"everything": {
			"name: a\ncount: 3\non: true\nlist: [x, 'n', \"y\"]\nparts: {p: {size: s}, q: }\nfree: {a: 1, b: [1.5, yes, null], c: {d: true}}\neither: [m]\n",
			thing{Name: "a", Count: &three, On: &yes, List: []string{"x", "n", "y"}, Parts: map[string]part{"p": {"s"}, "q": {}},
				Free: map[string]any{"a": int64(1), "b": []any{1.5, "yes", nil}, "c": map[string]any{"d": true}}, Either: either{[]string{"m"}}},
			nil,
		},
		"the object form":       {"name: a\neither: {of: [m]}\n", thing{Name: "a", Either: either{[]string{"m"}}}, nil},
		"an alias":              {"name: &n a\nlist: [*n, *n]\n", thing{Name: "a", List: []string{"a", "a"}}, nil},
		"a date is text":        {"name: 2027-03-31\n", thing{Name: "2027-03-31"}, nil},
		"null is absent":        {"name: a\ncount: ~\nlist:\n", thing{Name: "a"}, nil},
		"unknown field":         {"nam: a\n", thing{}, []string{"f.yaml:1:1: name: is required [required]", `f.yaml:1:1: nam: unknown field (did you mean "name"?) [unknown-field]`}},
		"case matters":          {"Name: a\nname: b\n", thing{Name: "b"}, []string{`f.yaml:1:1: Name: unknown field (did you mean "name"?) [unknown-field]`}},
		"a number for a string": {"name: 1.10\n", thing{}, []string{`f.yaml:1:7: name: must be a string, not the number 1.10 (quote it: "1.10") [yaml-type]`}},
		"a string for a number": {"name: a\ncount: \"3\"\n", thing{Name: "a", Count: new(int)}, []string{`f.yaml:2:8: count: must be a whole number, not the string "3" [yaml-type]`}},
		"null in a list":        {"name: a\nlist: [~]\n", thing{Name: "a", List: []string{""}}, []string{"f.yaml:2:8: list[0]: must not be null [yaml-type]"}},
		"twice":                 {"name: a\nname: b\n", thing{Name: "b"}, []string{"f.yaml:2:1: name: is set twice, first in line 1 [duplicate-key]"}},
		"merge key":             {"name: a\n<<: {count: 3}\n", thing{Name: "a"}, []string{"f.yaml:2:1: <<: unknown field (one of count, either, free, list, name, on, parts) [unknown-field]", "f.yaml:2:1: merge keys are not supported (write the fields out) [yaml-key]"}},
		"a loop":                {"name: a\nfree: &f {a: *f}\n", thing{}, []string{"f.yaml:2:14: free.a.a: alias *f refers to itself [yaml-alias]"}},
		"an alias bomb":         {bomb, thing{}, []string{"f.yaml:1:1: the aliases of the document expand to more than 10000 values [yaml-alias]"}},
		"an evaluated text":     {"name: \"{{ x }}\"\n", thing{Name: "{{ x }}"}, []string{"f.yaml:1:7: name: {{ and }} are not allowed: Kyverno would evaluate them [text-variable]"}},
		"a list as document":    {"- a\n", thing{}, []string{"f.yaml:1:1: a document must be a mapping, not a list [yaml-type]"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, problems := decodeText(t, c.text)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.problems, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPositions(t *testing.T) {
	_, positions, _ := decodeText(t, "name: a\nparts:\n  p:\n    size: s\nfree:\n  a: [1, 2]\n")
	for path, want := range map[string]string{
		"parts[p].size": "f.yaml:4:11", "parts[p]": "f.yaml:3:3", "free.a[1]": "f.yaml:6:10",
		"parts[p].nothing": "f.yaml:3:3", "other": "f.yaml:1:1",
	} {
		if got := positions.At(path).String(); got != want {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
}

func TestMergeKeepsOrigins(t *testing.T) {
	base, _ := Parse("base.yaml", []byte("name: a\ncount: 1\nlist: [x, y]\nparts: {p: {size: s}}\n"))
	over, _ := Parse("over.yaml", []byte("name: b\nlist: [z]\nparts: {q: {}}\ncount:\n"))
	var v thing
	positions, problems := Decode(Merge(base[0], over[0], nil), &v)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	one := 1
	if diff := cmp.Diff(thing{Name: "b", Count: &one, List: []string{"z"}, Parts: map[string]part{"p": {"s"}, "q": {}}}, v); diff != "" {
		t.Error(diff)
	}
	for path, want := range map[string]string{"name": "over.yaml:1:7", "count": "base.yaml:2:8", "list[0]": "over.yaml:2:8", "parts[p].size": "base.yaml:4:19"} {
		if got := positions.At(path).String(); got != want {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
}

// FuzzDecode: no input makes the reader panic, whatever it finds has a place, and
// no field ends before it begins.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"name: a\n", "a: [1, 2\nb: \"", "&a [*a]", "? {a: b}\n: c\n", "---\n---\n", "name: !!binary aGk=\n", "\x00", "<<: *x", "name: >\n  x\n", "{", "- - - a", "name: 0x_1\ncount: 1_000\n", "free: {a: .nan, b: 0o7}\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		docs, problems := Parse("f.yaml", []byte(text))
		for _, doc := range docs {
			var v thing
			positions, found := Decode(doc, &v)
			problems = append(problems, found...)
			for path, field := range positions {
				if r := field.Value(); r.End.Line > 0 && (r.End.Line < r.Start.Line || r.End.Line == r.Start.Line && r.End.Col < r.Start.Col) {
					t.Errorf("%s ends before it begins: %v", path, r)
				}
			}
		}
		for _, d := range problems {
			if d.Line < 1 || d.Line > len(linesOf([]byte(text)).starts) || d.Code == "" || d.Summary == "" {
				t.Errorf("%+v has no place or says nothing", d)
			}
		}
	})
}
