package profile

import (
	"testing"
	"testing/fstest"
	"time"
)

// FuzzLoad: no source makes load, default and parse panic or run for ever, and everything that
// they find has a code and a file.
func FuzzLoad(f *testing.F) {
	for _, c := range hostileSources() {
		if text := c.files["p.yaml"]; len(text) < 4<<10 {
			f.Add(text)
		}
	}
	f.Add(smallest + "spec: {extends: [hardened], exceptions: {maxDays: 1}, namespaces: [{name: a, network: {ingress: [{from: {namespace: b}, ports: [80/TCP]}]}}]}\n" + environment)
	f.Add(smallest + "spec: {trust: {attestors: [{name: a, keys: {kms: 'awskms:///alias/a'}}], images: [{name: i, references: ['a/*'], attestors: [a]}]}}\n" + environment)
	f.Add(smallest + "spec: {}\n" + environment + "---\nkind: Exception\nmetadata: {name: x}\nspec: {controls: [disallow-host-path], match: {namespaces: [a], kinds: [Pod], names: ['*']}, reason: r, owner: o, expires: 9999-12-31}\n")
	f.Fuzz(func(t *testing.T, text string) {
		begin := time.Now()
		in, problems := Load(fstest.MapFS{"p.yaml": {Data: []byte(text)}}, ".", "")
		if in != nil {
			_, found := Parse(Default(*in), time.Date(2027, 1, 15, 0, 0, 0, 0, time.UTC))
			problems = append(problems, found...)
		}
		for _, d := range problems {
			if d.Code == "" || d.Summary == "" || d.File == "" {
				t.Errorf("%+v says too little", d)
			}
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%d bytes took %v", len(text), took)
		}
	})
}
