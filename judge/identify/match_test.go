package identify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/judge/verdict"
)

// tableOf makes a table of what each policy says of each document: a letter each, of
// - (does not judge), a (admits), r (refuses) and e (error). The last document updates what
// the one before creates.
func tableOf(policies map[string]string) *table {
	t := &table{said: map[string][]said{}, errors: map[string]string{"foreign-1": "oh"}}
	for name, letters := range policies {
		for _, letter := range letters {
			t.said[name] = append(t.said[name], said(strings.IndexRune("-are", letter)))
		}
		if t.documents == nil {
			for i := range letters {
				t.documents = append(t.documents, verdict.Document{Name: string(rune('A' + i)), Twin: -1})
			}
			t.documents[len(letters)-1].Twin = len(letters) - 2
		}
	}
	t.controls = []string{"one", "three", "two"}
	return t
}

func TestMatch(t *testing.T) {
	tests := []struct {
		name, foreign   string
		one, two, three string
		want            string // answer, controls, documents, refused, differing, tolerated or why
	}{
		{"equal", "-ararra", "aararra", "rrrrrrr", "aaaaaaa", "equal one 6 3 0 0"},
		{"what it does not judge is not counted", "---arra", "aaaarra", "rrrrrrr", "aaaaaaa", "equal one 4 2 0 0"},
		{"what only the control judges and refuses is different", "-rrrrra", "rrrrrra", "aaaaaaa", "aaaaaaa", "different one 6 5 1 0"},
		{"an error is no verdict", "errrrra", "rrrrrra", "aaaaaaa", "aaaaaaa", "different one 6 5 1 0"},
		{"the nearer one", "arrrraa", "arraaaa", "arrrraa", "aaaaaaa", "equal two 7 4 0 0"},
		{"two together", "arrarra", "arraaaa", "aaaarra", "rrrrrrr", "equal one two 7 4 0 0"},
		{"two together that refuse more are not", "arrarra", "rrraaaa", "aaaarra", "aaaaaaa", "different"},
		{"an update of what has the fault", "aaaarrr", "aaaarra", "aaaaaaa", "aaaaaaa", "equal one 6 2 0 1"},
		{"an update without the fault before", "aaaarar", "aaaaraa", "aaaaaaa", "aaaaaaa", "different one 6 1 1 0"},
		{"nothing judged", "-------", "aaaaaaa", "aaaaaaa", "aaaaaaa", "judges none of 7"},
		{"nothing refused", "aaaaaaa", "aaaaaaa", "aaaaaaa", "aaaaaaa", "refuses none of the 7"},
		{"only errors", "ee-----", "aaaaaaa", "aaaaaaa", "aaaaaaa", "cannot judge with it: oh"},
		{"no control", "rrrrrra", "aaaaaar", "aaaaaaa", "aaaaaaa", "and no control admits what it admits and refuses any of these"},
		{"a stricter one", "raaaaaaaaa", "rrrrraaaaa", "aaaaaaaaaa", "aaaaaaaaaa", "different one 6 1 4 0"},
		{"one that refuses most is not", "raaaaaaaaa", "rrrrrraaaa", "aaaaaaaaaa", "aaaaaaaaaa", "of which one, the nearest, refuses 1"},
		{"too far", "rrrrrra", "raaaaaa", "aaaaaaa", "aaaaaaa", "of which one, the nearest, refuses 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			table := tableOf(map[string]string{"foreign-1": test.foreign, "one": test.one, "two": test.two, "three": test.three})
			f := &foreign{name: "foreign-1"}
			table.identify(f)
			p := f.found
			got := strings.Join(strings.Fields(strings.Join([]string{string(p.Answer), strings.Join(p.Controls, " "), numbers(p)}, " ")), " ")
			if p.Answer == Inexpressible {
				got = p.Because
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("got %q, not %q: %+v", got, test.want, p)
			}
			if p.Answer == Equal && (p.Refused == 0 || len(p.Differences) > 0) || p.Answer == Different && len(p.Differences) == 0 {
				t.Errorf("contradicts itself: %+v", p)
			}
		})
	}
}

func numbers(p Policy) string {
	var digits []string
	for _, n := range []int{p.Documents, p.Refused, p.Differing, p.Tolerated} {
		digits = append(digits, string(rune('0'+n)))
	}
	return strings.Join(digits, " ")
}

// TestAdmitsGood: a policy that refuses what a control is there to admit is not like it,
// however much of the rest both refuse.
func TestAdmitsGood(t *testing.T) {
	for letters, want := range map[string]Answer{"aarrrrr": Equal, "arrrrrr": Different, "rrrrrra": Inexpressible} {
		table := tableOf(map[string]string{"foreign-1": letters, "one": "aarrrrr", "two": "aaaaaaa", "three": "aaaaaaa"})
		for i := range 2 {
			table.documents[i].Origin = "controls/one" + goodDocuments
		}
		f := &foreign{name: "foreign-1"}
		table.identify(f)
		if f.found.Answer != want {
			t.Errorf("%s is %s, not %s", letters, f.found.Answer, want)
		}
	}
}

// TestLookUps: a control that looks objects up, which are not there, is not compared.
func TestLookUps(t *testing.T) {
	c, err := newCatalogue(nil, "devel", time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	controls := newTable(c, nil).controls
	if slices.Contains(controls, "require-network-policy") || !slices.Contains(controls, "require-labels") {
		t.Errorf("compared are %v", controls)
	}
}
