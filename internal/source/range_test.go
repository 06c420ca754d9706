package source

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const ranges = `name: "a \" b" # c
count: 3
list: [x,
  y] # c
parts:
  'p':
    size: |
      s

      t

  # c
free:
  - é: ü z
    f: {}
`

// between writes a range without the file.
func between(r Range) string {
	return fmt.Sprintf("%d:%d-%d:%d", r.Start.Line, r.Start.Col, r.End.Line, r.End.Col)
}

func TestRanges(t *testing.T) {
	docs, _ := Parse("f.yaml", []byte(ranges+"---\nname: z\n"))
	var v struct {
		Name  string          `json:"name"`
		Count int             `json:"count"`
		List  []string        `json:"list"`
		Parts map[string]part `json:"parts"`
		Free  any             `json:"free"`
	}
	positions, problems := Decode(docs[0], &v)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for path, want := range map[string]struct{ key, value string }{
		"":              {"0:0-0:0", "1:1-15:10"},
		"name":          {"1:1-1:5", "1:7-1:15"},
		"list":          {"3:1-3:5", "3:7-4:5"},
		"list[1]":       {"0:0-0:0", "4:3-4:4"},
		"parts":         {"5:1-5:6", "6:3-10:8"},
		"parts[p]":      {"6:3-6:6", "7:5-10:8"},
		"parts[p].size": {"7:5-7:9", "7:11-10:8"},
		"free":          {"13:1-13:5", "14:3-15:10"},
		"free[0].é":     {"14:5-14:6", "14:8-14:11"},
		"free[0].f":     {"15:5-15:6", "15:8-15:10"},
	} {
		f, ok := positions.Lookup(path)
		if !ok {
			t.Fatalf("%s is not there", path)
		}
		if got := between(f.Key()); got != want.key {
			t.Errorf("%s: key %s, want %s", path, got, want.key)
		}
		if got := between(f.Value()); got != want.value {
			t.Errorf("%s: value %s, want %s", path, got, want.value)
		}
	}
	second, _ := Decode(docs[1], &v)
	if f, _ := second.Lookup("name"); between(f.Value()) != "17:7-17:8" {
		t.Errorf("name of the second document: %v", f.Value())
	}
}

// TestLookup: what was not written is not there, but has a position around it.
func TestLookup(t *testing.T) {
	base, _ := Parse("base.yaml", []byte("name: a\nparts: {p: {size: s}}\n"))
	over, _ := Parse("over.yaml", []byte("count: ~\nparts: {q: {}}\n"))
	var v thing
	positions, problems := Decode(Merge(base[0], over[0], nil), &v)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got := map[string]string{}
	for _, path := range []string{"name", "count", "on", "parts[p].size", "parts[p].other", "parts", "list[0]"} {
		f, ok := positions.Lookup(path)
		got[path] = fmt.Sprint(ok, " ", positions.At(path))
		if ok {
			got[path] += fmt.Sprint(" ", f.Value().Start.File, " ", between(f.Value()))
		}
	}
	want := map[string]string{
		"name": "true base.yaml:1:7 base.yaml 1:7-1:8", "count": "true over.yaml:1:8 over.yaml 1:8-1:9", "on": "false over.yaml:1:1",
		"parts[p].size": "true base.yaml:2:19 base.yaml 2:19-2:20", "parts[p].other": "false base.yaml:2:9",
		"parts": "true over.yaml:2:8 over.yaml 2:8-0:0", "list[0]": "false over.yaml:1:1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
