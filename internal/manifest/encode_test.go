package manifest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// random returns a value of words that YAML may or may not read as strings.
func random(r *rand.Rand, depth int) any {
	words := []string{
		"a", "allow-dns", "kubernetes.io/metadata.name", "10.0.0.0/8", "TCP", "v1", "e3", "x_y", "b2", "b10", "B", "a-b", "a.b", "a/b", "z-1", "z1", "latest",
		"", "yes", "No", "OFF", "y", "null", "~", "1e3", "0x1", "1_000", "2001-01-01", "12:30", "::/0", "2001:db8::/32", "- a", "a: b", "a #b", "#", "*", "&a", "!t", "{", "[", "a,b", "'", "\"",
		"two words", "line\nline", " lead", "trail ", "tab\t", "é", "\u2028", "a:", ":a", "?", "? a", "|", ">", "%", "@", "`", "=", "<<", ".5", ".inf", "a.", "-", "--", "---", "...", "+1", "1.", "1.2.3.4", "0.0.0.0/0",
	}
	if depth > 0 {
		switch r.IntN(3) {
		case 0:
			m := map[string]any{}
			for range r.IntN(5) {
				m[words[r.IntN(len(words))]] = random(r, depth-1)
			}
			return m
		case 1:
			list := make([]any, r.IntN(4))
			for i := range list {
				list[i] = random(r, depth-1)
			}
			return list
		}
	}
	switch r.IntN(8) {
	case 0:
		return []any{true, false, nil}[r.IntN(3)]
	case 1:
		return []any{int64(0), int64(-1), int64(65535), int64(1) << 60}[r.IntN(4)]
	case 2:
		return []any{8080.0, 0.5, 1e15, 1e21, -3.0, 1e6}[r.IntN(6)]
	case 3:
		return words[r.IntN(len(words))]
	}
	return words[r.IntN(17)]
}

// If quick writes a value, it writes the same as sigs.k8s.io/yaml.
func TestQuickAgreesWithYAML(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	wrote := 0
	for range 30_000 {
		m := map[string]any{"kind": random(r, 3), "spec": random(r, 4)}
		var b bytes.Buffer
		if !(quick{&b}).mapping(m, 0) {
			continue
		}
		wrote++
		want, err := yaml.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Fatalf("%#v: %s", m, diff)
		}
	}
	if wrote < 3000 {
		t.Errorf("it wrote only %d: too few to mean something", wrote)
	}
}

func networkPolicy() Object {
	return Object{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
		"metadata": map[string]any{"name": "allow-ingress-from-web-8080-tcp", "namespace": "team-00017", "labels": map[string]any{"app.kubernetes.io/managed-by": "gatehouse"}},
		"spec": map[string]any{
			"podSelector": map[string]any{}, "policyTypes": []any{"Ingress", "Egress"},
			"ingress": []any{map[string]any{
				"from":  []any{map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": "web"}}}, map[string]any{"ipBlock": map[string]any{"cidr": "10.0.0.0/8"}}},
				"ports": []any{map[string]any{"port": int64(8080), "protocol": "TCP"}},
			}},
		},
	}
}

// The most common objects are written by quick.
func TestQuickKnowsNetworkPolicies(t *testing.T) {
	var b bytes.Buffer
	if !(quick{&b}).mapping(networkPolicy(), 0) {
		t.Error("it does not")
	}
}

// A value that quick does not support leaves no partial output.
func TestEncodeFallsBack(t *testing.T) {
	f := File{Path: "x.yaml", Objects: []Object{{"a": "b", "c": "two words: yes"}, {"a": "b"}, {}}}
	got, err := f.Encode()
	want := fmt.Sprintf("%s\n---\na: b\nc: 'two words: yes'\n---\na: b\n---\n{}\n", Header)
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

func BenchmarkEncode(b *testing.B) {
	o := networkPolicy()
	for b.Loop() {
		if _, err := (File{Path: "x.yaml", Objects: []Object{o, o, o}}).Encode(); err != nil {
			b.Fatal(err)
		}
	}
}
