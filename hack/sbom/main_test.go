package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestRun describes the test program itself, which holds this module and no other.
func TestRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run([]string{"-created", "2026-11-22T01:00:00+01:00", self}, &out); err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if d.Creation.Created != "2026-11-22T00:00:00Z" {
		t.Errorf("created %s, want the given time in UTC", d.Creation.Created)
	}
	var locators []string
	for _, p := range d.Packages {
		locators = append(locators, p.Refs[0].Locator)
	}
	for _, want := range []string{"pkg:golang/github.com/gatehouse-dev/gatehouse", "pkg:golang/stdlib@1."} {
		if !strings.Contains(strings.Join(locators, "\n"), want) {
			t.Errorf("no %s among %v", want, locators)
		}
	}
	if len(d.Relationships) != len(d.Packages) {
		t.Errorf("%d relationships for %d packages", len(d.Relationships), len(d.Packages))
	}
}

func TestRunRefuses(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no program", []string{"-created", "2026-11-22T00:00:00Z"}, "takes one program, got 0"},
		{"no time", []string{"x"}, "-created: "},
		{"no Go program", []string{"-created", "2026-11-22T00:00:00Z", "main_test.go"}, "reading the build information: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := run(test.args, &bytes.Buffer{}); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("error %v, want %s…", err, test.want)
			}
		})
	}
}
