package catalog_test

import (
	"regexp"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/templates"
)

// complianceIDs holds the form of the ids of each framework.
var complianceIDs = map[string]*regexp.Regexp{
	"cis-kubernetes": regexp.MustCompile(`^[1-5](\.\d+){1,2}$`),
	"nsa-cisa":       regexp.MustCompile(`^[A-Z][A-Za-z, -]+$`),
	"soc2":           regexp.MustCompile(`^(CC|A|C|PI|P)\d\.\d+$`),
	"iso-27001":      regexp.MustCompile(`^A\.[5-8]\.\d+$`),
	"pci-dss":        regexp.MustCompile(`^\d+(\.\d+){1,3}$`),
}

// withoutCompliance holds the controls that no framework requires, and why.
var withoutCompliance = map[string]string{
	"require-probes": "about availability during rollouts, which none of the frameworks makes a rule for workloads",
}

// TestBuiltin checks every built-in control.
func TestBuiltin(t *testing.T) {
	set, problems := catalog.Load(templates.FS(), "controls")
	for _, p := range problems {
		t.Error(p)
	}
	if len(set.Controls) == 0 {
		t.Fatal("there are no built-in controls")
	}
	for _, c := range set.Controls {
		t.Run(c.ID, func(t *testing.T) {
			for _, p := range c.Verify() {
				t.Error(p)
			}
			if reason := withoutCompliance[c.ID]; (len(c.Compliance) == 0) != (reason != "") {
				t.Errorf("maps to %d compliance frameworks, reason for none: %q", len(c.Compliance), reason)
			}
			for framework, ids := range c.Compliance {
				for _, id := range ids {
					if form := complianceIDs[framework]; form == nil || !form.MatchString(id) {
						t.Errorf("%s does not number anything %q", framework, id)
					}
				}
			}
		})
	}
}
