package profile

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/source"
)

const (
	typeMeta    = "apiVersion: gatehouse.dev/v1alpha1\n"
	smallest    = typeMeta + "kind: Profile\nmetadata: {name: x}\n"
	environment = "---\nkind: Environment\nmetadata: {name: dev}\nspec: {ring: 1, stage: audit}\n"
)

// hostileSources returns sources that ask for more than a build gives, and the code of the
// problem of each.
func hostileSources() map[string]struct {
	files map[string]string
	code  string
} {
	one := func(text, code string) struct {
		files map[string]string
		code  string
	} {
		return struct {
			files map[string]string
			code  string
		}{map[string]string{"p.yaml": text}, code}
	}
	doubled := map[string]string{}
	for i := range 40 {
		next := fmt.Sprintf("./p%d.yaml", i+1)
		doubled[fmt.Sprintf("p%d.yaml", i)] = smallest + "spec: {extends: [" + next + ", " + next + "]}\n"
	}
	doubled["p40.yaml"] = smallest + "spec: {gatehose: x}\n"
	all := map[string]struct {
		files map[string]string
		code  string
	}{
		"extends twice":    {doubled, "unknown-field"},
		"many files":       {map[string]string{}, "source-unreadable"},
		"many bytes":       {map[string]string{}, "source-unreadable"},
		"large file":       one(strings.Repeat("#", MaxFile+1), "source-unreadable"),
		"extends many":     one(smallest+"spec: {extends: ["+strings.Repeat("baseline,", 10_000)+"]}\n", "extends-many"),
		"many values":      one(smallest+"spec: {owners: ["+strings.Repeat("a,", source.MaxValues)+"]}\n", "yaml-limit"),
		"many documents":   one(strings.Repeat("---\na: 1\n", source.MaxDocuments+1), "yaml-limit"),
		"broken documents": one(strings.Repeat("---\n[\n", source.MaxDocuments+1), "yaml-limit"),
		"ended documents":  one(strings.Repeat("a\n...\n", source.MaxDocuments+1), "yaml-limit"),
		"deep":             one(smallest+"spec: "+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+"\n", "yaml-limit"),
		"too deep":         one(smallest+"spec: "+strings.Repeat("[", 1<<20)+"\n", "yaml-syntax"),
		"deep mappings":    one(smallest+"spec: "+strings.Repeat("{a: ", 5000)+strings.Repeat("}", 5000)+"\n", "yaml-limit"),
		"long keys":        one(smallest+"spec: {? "+strings.Repeat("k", 1<<20)+" : ["+strings.Repeat("1,", 100_000)+"]}\n", "yaml-limit"),
		"long paths":       one(smallest+"spec: "+strings.Repeat("{"+strings.Repeat("k", source.MaxKey)+": ", 90)+"["+strings.Repeat("1,", 100_000)+"]"+strings.Repeat("}", 90)+"\n", "yaml-limit"),
		"unknown keys":     one(smallest+"spec:\n"+manyKeys(200_000), "unknown-field"),
		"wrong values":     one(smallest+"spec: {owners: ["+strings.Repeat("a,", 200_000)+"]}\n"+environment, "owner-invalid"),
		"aliases":          one(smallest+"spec:\n  a0: &a0 [x, x]\n"+laughs(40), "yaml-alias"),
		"many placed":      one(smallest+"spec: {namespaces: ["+numbered("{name: n%d}, ", 1000)+"]}\n"+numbered("---\nkind: Environment\nmetadata: {name: e%d}\nspec: {ring: 1, stage: audit}\n", 900), "source-large"),
	}
	for i := range maxFiles + 1 {
		all["many files"].files[fmt.Sprintf("%d.yaml", i)] = "#\n"
	}
	for i := range MaxSource/MaxFile + 1 {
		all["many bytes"].files[fmt.Sprintf("%d.yaml", i)] = strings.Repeat("#", MaxFile-1)
	}
	return all
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func manyKeys(n int) string { return numbered("  key%d: 1\n", n) }

// laughs returns lists that double the one before.
func laughs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  a%d: &a%d [*a%d, *a%d]\n", i+1, i+1, i, i)
	}
	return b.String()
}

// TestLimits: each source ends with its problem, in bounded memory and time.
func TestLimits(t *testing.T) {
	for name, c := range hostileSources() {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for file, text := range c.files {
				fsys[file] = &fstest.MapFile{Data: []byte(text)}
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			in, problems := Load(fsys, ".", "")
			if in != nil && !problems.HasErrors() {
				_, problems = Parse(Default(*in), time.Date(2027, 1, 15, 0, 0, 0, 0, time.UTC))
			}
			found := 0
			for _, p := range problems {
				if p.Code == c.code {
					found++
				}
			}
			if found == 0 || found > 2000 {
				t.Errorf("%d problems have the code %s of %d; the first is %.300v", found, c.code, len(problems), problems[:min(1, len(problems))])
			}
			if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 2<<30 {
				t.Errorf("it took %d MiB", (after.TotalAlloc-before.TotalAlloc)>>20)
			}
		})
	}
}
