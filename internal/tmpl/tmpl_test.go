package tmpl

import (
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func params() map[string]any {
	return map[string]any{
		"name":  "acme",
		"count": int64(3),
		"on":    true,
		"list":  []any{"b", "a"},
		"empty": []any{},
		"map":   map[string]any{"k": "v"},
	}
}

func TestRender(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"string is quoted":         {`a: << .name >>`, `a: "acme"`},
		"number":                   {`a: << .count >>`, `a: 3`},
		"boolean":                  {`a: << .on >>`, `a: true`},
		"list":                     {`a: << .list >>`, `a: ["b","a"]`},
		"empty list":               {`a: << .empty >>`, `a: []`},
		"map":                      {`a: << .map >>`, `a: {"k":"v"}`},
		"in a sequence":            {"- << .name >>", `- "acme"`},
		"in a flow sequence":       {`a: [<< .name >>, << .count >>]`, `a: ["acme", 3]`},
		"in a flow mapping":        {`a: {b: << .name >>}`, `a: {b: "acme"}`},
		"before a comment":         {`a: << .name >> # why`, `a: "acme" # why`},
		"on a line of its own":     {"a:\n  << .name >>", "a:\n  \"acme\""},
		"two documents":            {"a: << .name >>\n---\nb: << .name >>", "a: \"acme\"\n---\nb: \"acme\""},
		"Kyverno variables stay":   {`a: "{{ request.object.spec }}"`, `a: "{{ request.object.spec }}"`},
		"declaration":              {`<< $x := .name >>a: << $x >>`, `a: "acme"`},
		"template comment":         {`a: 1 <</* note */>>`, `a: 1 `},
		"no HTML escapes":          {`a: << "<b>&" >>`, `a: "<b>&"`},
		"condition inside":         {`a: << and .on .name >>`, `a: "acme"`},
		"printf and join":          {`a: << printf "one of: %s" (join ", " .list) >>`, `a: "one of: b, a"`},
		"split":                    {`a: << split "." "x.y" >>`, `a: ["x","y"]`},
		"splitList":                {`a: << splitList "." "x.y" >>`, `a: ["x","y"]`},
		"first, last and rest":     {`a: [<< first .list >>, << last .list >>, << rest .list >>]`, `a: ["b", "a", ["a"]]`},
		"case and trimming":        {`a: << " Ab " | trim | lower | trimPrefix "a" | upper >>`, `a: "B"`},
		"trimSuffix and replace":   {`a: << "a-b.c" | trimSuffix ".c" | replace "-" "_" >>`, `a: "a_b"`},
		"quote is text":            {`a: << quote "x" >>`, `a: "\"x\""`},
		"lists":                    {`a: << concat .list (list "a") | uniq | sortAlpha >>`, `a: ["a","b"]`},
		"default and empty":        {`a: [<< default "d" "" >>, << empty .empty >>]`, `a: ["d", true]`},
		"has, len, index and dict": {`a: [<< has "a" .list >>, << len .list >>, << index .list 1 >>, << dict "x" 1 >>]`, `a: [true, 2, "a", {"x":1}]`},
		"prefixEach":               {`a: << prefixEach "x/" .list >>`, `a: ["x/b","x/a"]`},
		"suffixEach":               {`a: << suffixEach ":*" .list >>`, `a: ["b:*","a:*"]`},
		"regexQuote":               {`a: << regexQuote "a.b" >>`, `a: "a\\.b"`},
		"alternation quotes":       {`a: << alternation (list "a.b" "c") >>`, `a: "(a\\.b|c)"`},
		"mapOf sorts":              {`a: << mapOf .list "?*" >>`, `a: {"a":"?*","b":"?*"}`},
		"own Kyverno variable":     {`a: << printf "%s: {{ join('%s', x) }} $(y)" .name (first .list) >>`, `a: "acme: {{ join('b', x) }} $(y)"`},
		"own variable, declared":   {"<< $x := list `{{ v }}` >>a: << join \",\" $x >>", `a: "{{ v }}"`},
		"own variable, nested":     {`a: << printf "%s" (upper (lower "{{ V }}")) >>`, `a: "{{ V }}"`},
		"hand-made encoding":       {`a: << gatehouseJSON .name >>`, `a: "\"acme\""`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Render("t.yaml", []byte(tt.text), params(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"range":                     {"a: 1\n<< range .list >>- << . >>\n<< end >>", "t.yaml:2:9: range is not allowed"},
		"if":                        {"<< if .on >>a: 1<< end >>", "t.yaml:1:6: if is not allowed"},
		"with":                      {"<< with .on >>a: 1<< end >>", "with is not allowed"},
		"template":                  {`<< template "x" >>`, "template is not allowed"},
		"define":                    {`<< define "x" >>a: 1<< end >>`, "define and block are not allowed"},
		"block":                     {`<< block "x" . >>a: 1<< end >>`, "not allowed"},
		"in double quotes":          {`a: "<< .name >>"`, "t.yaml"},
		"in single quotes":          {`a: '<< .name >>'`, "t.yaml:1:7: << .name >> must stand as a whole"},
		"in a literal block":        {"a: |\n  b: << .name >>", "must stand as a whole"},
		"in a folded block":         {"a: >-\n  - << .name >>", "must stand as a whole"},
		"inside plain text":         {`a: foo << .name >>`, "must stand as a whole"},
		"behind a comma in text":    {`a: foo, << .name >>`, "must stand as a whole"},
		"followed by text":          {`a: << .name >>x`, "t.yaml"},
		"glued to a dash":           {`a: x-<< .name >>`, "must stand as a whole"},
		"as a key":                  {`<< .name >>: 1`, "must stand as a whole"},
		"as a flow key":             {`a: {<< .name >>: 1}`, "must stand as a whole"},
		"in a comment":              {`a: 1 # << .name >>`, "must stand as a whole"},
		"behind a tag":              {`a: !!str << .count >>`, "must stand as a whole"},
		"missing parameter":         {`a: << .nam >>`, `no entry for key "nam"`},
		"unknown function":          {`a: << env "HOME" >>`, `function "env" not defined`},
		"random function":           {`a: << randInt 0 9 >>`, "not defined"},
		"clock":                     {`a: << now >>`, "not defined"},
		"Go function not listed":    {`a: << html .name >>`, "not defined"},
		"broken action":             {"a: 1\nb: << .name", "t.yaml:2"},
		"index out of range":        {`a: << index .list 9 >>`, "out of range"},
		"first of no list":          {`a: << first .name >>`, "first"},
		"join of numbers":           {`a: << join "," (list 1) >>`, "not a string"},
		"alternation of no list":    {`a: << alternation .name >>`, "not a list of strings"},
		"printf flags":              {`a: << printf "%5s" .name >>`, "only %s"},
		"printf wrong type":         {`a: << printf "%d" .name >>`, "does not fit"},
		"printf too few values":     {`a: << printf "%s %s" .name >>`, "2 verbs for 1 values"},
		"Kyverno variable in value": {`a: << printf "{%s" "{ request }}" >>`, "Kyverno would evaluate"},
		"not YAML":                  {"a: << .name >>\n b: [", "t.yaml: not YAML"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Render("t.yaml", []byte(tt.text), params(), nil)
			if err == nil {
				t.Fatalf("no error; rendered:\n%s", got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not contain %q", err, tt.want)
			}
		})
	}
}

func TestRenderRefusesValues(t *testing.T) {
	tests := map[string]any{
		"variable":             "a {{ request.object }}",
		"closing braces":       "a }}",
		"reference":            "$(./../secret)",
		"carriage return":      "a\rb",
		"tab":                  "a\tb",
		"next line":            "a\u0085b",
		"delete":               "a\x7f",
		"nul":                  "a\x00",
		"byte order mark":      "\uFEFFa",
		"non-character":        "a\uFFFF",
		"a mark":               "\uFDD0 request.object \uFDD1",
		"invalid UTF-8":        "a\xff",
		"in a list":            []any{"fine", "{{ x }}"},
		"as a key":             map[string]any{"{{ x }}": 1},
		"deep in a map":        map[string]any{"a": []any{map[string]any{"b": "{{ x }}"}}},
		"a value that is code": func() {},
	}
	for name, value := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := Render("t.yaml", []byte("a: << .v >>"), map[string]any{"v": value}, nil); err == nil {
				t.Errorf("rendered %q", got)
			}
		})
	}
}

func TestRenderRefusesVariablesMadeOfPieces(t *testing.T) {
	for _, text := range []string{`a: << printf "{%s}" .v >>`, `a: << list "{" .v | join "" >>`, `a: << suffixEach "}" (list .v) >>`} {
		if got, err := Render("t.yaml", []byte(text), map[string]any{"v": "{request}"}, nil); err == nil {
			t.Errorf("%s rendered %s", text, got)
		}
	}
}

// TestRenderIsBounded: values that grow with each action end in an error, soon and in little
// memory.
func TestRenderIsBounded(t *testing.T) {
	times := func(action string) string {
		return `<< $x := "ab" >>` + strings.Repeat("<< "+action+" >>", 60) + "a: << $x >>"
	}
	for name, text := range map[string]string{
		"printf":              times(`$x = printf "%s%s" $x $x`),
		"join":                times(`$x = join $x (list "a" $x "b")`),
		"join, long":          `<< $x := "ab" >>` + strings.Repeat(`<< $x = printf "%s%s" $x $x >>`, 20) + `a: << join $x (split "" $x) >>`,
		"replace":             times(`$x = replace "a" $x $x`),
		"replace, long":       `<< $x := "aa" >>` + strings.Repeat(`<< $x = printf "%s%s" $x $x >>`, 20) + `a: << replace "a" $x $x >>`,
		"prefixEach":          `<< $x := "aa" >>` + strings.Repeat(`<< $x = printf "%s%s" $x $x >>`, 20) + `a: << prefixEach $x (split "" $x) >>`,
		"quote":               times(`$x = quote $x $x`),
		"lists in lists":      `<< $x := list "a" >>` + strings.Repeat("<< $x = list $x $x >>", 60) + "a: << $x >>",
		"dicts":               `<< $x := dict "a" 1 >>` + strings.Repeat(`<< $x = dict "a" $x "b" $x >>`, 60) + "a: << $x >>",
		"concat":              `<< $x := list "a" >>` + strings.Repeat("<< $x = concat $x $x >>", 60) + "a: << $x >>",
		"alternation":         `<< $x := list "a" >>` + strings.Repeat("<< $x = list (alternation $x) (alternation $x) >>", 60) + "a: << $x >>",
		"mapOf":               `<< $x := "a" >>` + strings.Repeat(`<< $x = mapOf (list "a" "b") $x >>`, 60) + "a: << $x >>",
		"printed often":       `<< $x := "aa" >>` + strings.Repeat(`<< $x = printf "%s%s" $x $x >>`, 20) + strings.Repeat("- << $x >>\n", 5000),
		"parentheses":         "a: << " + strings.Repeat("(", maxTemplate/2),
		"parentheses, closed": "a: << " + strings.Repeat("(", maxTemplate/3) + "1" + strings.Repeat(")", maxTemplate/3) + " >>",
		"large":               strings.Repeat("a: 1\n", maxTemplate),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			out, err := Render("t.yaml", []byte(text), params(), nil)
			if err == nil {
				t.Errorf("it rendered %d bytes", len(out))
			}
			if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 1<<30 {
				t.Errorf("it took %d MiB: %.100s", (after.TotalAlloc-before.TotalAlloc)>>20, err)
			}
		})
	}
}

func TestEmptyAlternationMatchesNothing(t *testing.T) {
	pattern, err := alternation([]any{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"", "a", "\n"} {
		if mustCompile(t, "^"+pattern+"$").MatchString(s) {
			t.Errorf("%s matches %q", pattern, s)
		}
	}
}

// fuzzTemplate puts one string into every place that a template offers.
const fuzzTemplate = `
plain: << .v >>
list:
  - << .v >>
  - {flow: << .v >>, more: [<< .v >>]}
next:
  << .v >>
inside: << list .v (dict "k" .v) >>
longer: << printf "<%s>" .v >>
last: end
`

func FuzzRender(f *testing.F) {
	for _, seed := range []string{"", "a", "\"", "'", "a: b", "- a", "\n- b", "# c", "a #c", "{", "}", "[", "{{", "}}", "<<", ">>",
		"<< .v >>", "\\", "\\n", "\n", "\r", "\t", "\x00", "\u0085", "\u2028", "\uFEFF", "\uFFFE", "😀", "\xff", "---\n", "...", "&a", "*a", "!t",
		"|", ">", "%YAML 1.1", "null", "true", "1e3", "0x1", "2026-01-01", "$(a)", "\uFDD0a\uFDD1", "=", "~", strings.Repeat("x", 2000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		out, err := Render("fuzz.yaml", []byte(fuzzTemplate), map[string]any{"v": v}, nil)
		if err != nil {
			return
		}
		want := map[string]any{
			"plain":  v,
			"list":   []any{v, map[string]any{"flow": v, "more": []any{v}}},
			"next":   v,
			"inside": []any{v, map[string]any{"k": v}},
			"longer": "<" + v + ">",
			"last":   "end",
		}
		var got map[string]any
		if err := yaml.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q does not parse: %v\n%s", v, err, out)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q changed the document (-want +got)\n%s", v, diff)
		}
	})
}

func mustCompile(t *testing.T, pattern string) *regexp.Regexp {
	t.Helper()
	re, err := regexp.Compile(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return re
}
