package profile

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuiltins(t *testing.T) {
	catalog, problems := Catalog(nil, "", "")
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	from := map[string][]string{}
	for _, b := range Builtins() {
		if len(b.Controls) == 0 || b.Description == "" || strings.Contains(b.Description, "#") {
			t.Errorf("%+v", b)
		}
		for _, c := range b.Controls {
			if _, ok := catalog.Control(c.ID); !ok {
				t.Errorf("%s: there is no control %s", b.Name, c.ID)
			}
			if !slices.Contains(from[b.Name], c.From) {
				from[b.Name] = append(from[b.Name], c.From)
			}
		}
		slices.Sort(from[b.Name])
	}
	want := map[string][]string{
		"baseline": {"baseline", "default"}, "restricted": {"baseline", "default", "restricted"}, "supply-chain": {"default", "supply-chain"},
		"hardened": {"baseline", "default", "hardened", "restricted", "supply-chain"}, "multi-tenant": {"baseline", "default", "multi-tenant"},
	}
	if diff := cmp.Diff(want, from); diff != "" {
		t.Errorf("the profiles that controls come from (-want +got):\n%s", diff)
	}
}
