package workload

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// FuzzFiles: no workload makes the reader panic or run for ever. What it yields is JSON with a
// type, and what it finds has a code.
func FuzzFiles(f *testing.F) {
	for _, seed := range []string{
		"", "{", "[{}]", "a: [", "\ufeff{}", "--- {}\n...\n--- |\n x\n", "&a [*a]", "? {a: b}\n: c\n",
		"apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\nspec: x\n", "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List, items: [{}]}]\n",
		`{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"a"}},null,1]}`, `{"items":[{}],"kind":"List"}` + "\n{}",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: 1}\n", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", strings.Repeat("[", 10_001), strings.Repeat(`{"a":`, 10_001),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		begin := time.Now()
		problems, err := NewFiles([]Input{stream("f", text)}, nil, "default").Each(t.Context(), func(w Workload) error {
			if !json.Valid(w.Object) || w.Kind == "" || w.APIVersion == "" {
				t.Errorf("%+v is no object", w)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		for _, d := range problems {
			if d.Code == "" || d.Summary == "" {
				t.Errorf("%+v says too little", d)
			}
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%d bytes took %v", len(text), took)
		}
	})
}

// FuzzCluster: no answer of an API server makes the reader panic or run for ever.
func FuzzCluster(f *testing.F) {
	for _, answer := range answers() {
		f.Add(answer)
	}
	for _, seed := range []string{"", "null", "[]", "{", `{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"same"},"items":[{"metadata":{"name":1}},null,[]]}`, `{"items":{}}`, `{"metadata":[]}`, "\x1b[2J"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		for _, path := range []string{"/api/v1/pods?limit=500", "/api/v1/namespaces", "/api/v1", "/apis"} {
			server := &apiServer{answers: answers()}
			server.answers[path] = answer
			c := clusterOf(t, server)
			yielded := 0
			_, _ = c.Each(t.Context(), func(w Workload) error { // an error is fine
				if yielded++; yielded > 100_000 {
					t.Fatal("it does not end")
				}
				return nil
			})
		}
	})
}
