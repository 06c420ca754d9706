package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
)

// migrating is the example acme, which has image rules too, on a day.
type migrating struct {
	*testing.T
	source, output string
	day            int
}

func newMigrating(t *testing.T) *migrating {
	m := &migrating{t, filepath.Join(t.TempDir(), "acme"), filepath.Join(t.TempDir(), "out"), 1}
	if err := os.CopyFS(m.source, os.DirFS("../../examples/acme")); err != nil {
		t.Fatal(err)
	}
	m.run("build")
	return m
}

// run returns what a command prints that succeeds.
func (m *migrating) run(args ...string) string {
	m.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.Fatalf("gatehouse %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (m *migrating) try(args ...string) (string, error) {
	args = append(args, m.source, "-o", m.output, "--now", fmt.Sprintf("2026-11-%02d", m.day))
	out, err := exec.Command("gatehouse", args...).CombinedOutput()
	return string(out), err
}

// wants fails the test unless a command prints some texts.
func (m *migrating) wants(args []string, texts ...string) {
	m.Helper()
	got := m.run(args...)
	for _, text := range texts {
		if !strings.Contains(got, text) {
			m.Fatalf("gatehouse %s, on day %d: no %q in\n%s", strings.Join(args, " "), m.day, text, got)
		}
	}
}

// TestMigrateExample goes to each kind of policies and back to the first: every step is
// made on the day after the one before.
func TestMigrateExample(t *testing.T) {
	m := newMigrating(t)
	for _, to := range append(catalog.CELTargets(), catalog.ClusterPolicy) {
		for _, want := range []string{" audit beside them since ", " enforce since ", ": has "} {
			m.day++
			for _, environment := range []string{"dev", "staging"} {
				m.wants([]string{"migrate", "--to", to, "-e", environment}, want)
			}
		}
		m.run("build", "--check")
	}
}

// TestMigrateTurnsBack turns back on the way: the steps that are announced are those that
// are made, and two are not made on one day.
func TestMigrateTurnsBack(t *testing.T) {
	m := newMigrating(t)
	there := []string{"migrate", "--to", "ValidatingPolicy", "-e", "dev"}
	back := []string{"migrate", "--to", "ClusterPolicy", "-e", "dev"}
	look := append([]string{"--dry-run"}, back...)
	look[0], look[1] = look[1], look[0]
	m.wants([]string{"migrate", "--dry-run", "--to", "ValidatingPolicy", "-e", "prod"}, "  1. spec.overrides.kyverno.policyType: ValidatingPolicy: ClusterPolicies, which enforce nothing, are removed")

	m.day++
	m.run(there...)
	m.wants(look, "dev (ring 1): ClusterPolicies enforce, ValidatingPolicies audit beside them\n", "1. spec.overrides.kyverno.policyType: ClusterPolicy: ValidatingPolicies, which enforce nothing, are removed")
	m.day++
	m.run(there...)
	m.wants(look, "dev (ring 1): ValidatingPolicies and ClusterPolicies enforce\n", "1. spec.overrides.kyverno.policyType: ClusterPolicy: both go on enforcing", "2. spec.changes: a later day: ValidatingPolicies are removed")
	m.wants(back, "dev: ValidatingPolicies and ClusterPolicies enforce since 2026-11-03")
	if out, err := m.try(back...); err == nil || !strings.Contains(out, "go on from 2026-11-04") {
		t.Errorf("a second step on the same day: %v\n%s", err, out)
	}
	m.day++
	m.wants(back, "dev: has ClusterPolicies")
}
