package impact

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/judge/workload"
)

// Status is the effect of a control on a workload.
type Status string

// The statuses, most important first.
const (
	// WouldBlock: refused at the next stage, but not at the current one.
	WouldBlock Status = "would-block"
	// Blocked: refused at the current stage already.
	Blocked Status = "blocked"
	// Errored: there is no verdict.
	Errored Status = "error"
	// Unknown: it depends on a field that is not known.
	Unknown Status = "unknown"
	// Warns: a violation that is only reported, even at the next stage.
	Warns Status = "warns"
	// Exempt: an exception covers a violation.
	Exempt Status = "exempt"
	// Unneeded: an exception covers the workload, which has no violation.
	Unneeded Status = "unneeded"
)

func statuses() []Status {
	return []Status{WouldBlock, Blocked, Errored, Unknown, Warns, Exempt, Unneeded}
}

// Finding is what one control says about one workload in one environment. A workload
// without violations has no findings.
type Finding struct {
	Environment string `json:"environment"`
	// Owner is the label owner of the namespace, or the namespace itself.
	Owner     string `json:"owner"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Position of the workload: the file it comes from; empty for a live cluster.
	diag.Position
	// Cluster is the folder of the repository from which Flux applies the workload, and By
	// the Kustomization or HelmRelease that does; empty if it was not read as Flux does.
	Cluster string `json:"cluster,omitempty"`
	By      string `json:"by,omitempty"`
	// Template is the template that made the workload, if its chart is not in the repository:
	// the position is then that of the HelmRelease.
	Template string `json:"template,omitempty"`
	// Control is the id of the control; empty for an error without one.
	Control string   `json:"control,omitempty"`
	Rules   []string `json:"rules,omitempty"`
	Status  Status   `json:"status"`
	// Message is what a user who applies the workload would see, or what is not known.
	Message string `json:"message,omitempty"`
	// Exceptions that exempt the workload.
	Exceptions []Exemption `json:"exceptions,omitempty"`
}

// Exemption is an exception and its end.
type Exemption struct {
	Name string `json:"name"`
	// Until is nil for an exception without an end.
	Until *time.Time `json:"until,omitempty"`
}

// Workload returns kind namespace/name.
func (f Finding) Workload() string {
	return workload.Workload{Kind: f.Kind, Namespace: f.Namespace, Name: f.Name}.ID()
}

const ownerLabel = "owner"

// owner returns the owner of a workload in an environment.
func (b *bump) owner(w workload.Workload) string {
	namespace := w.Namespace
	if w.Kind == "Namespace" {
		namespace = w.Name
	}
	return cmp.Or(b.labels[namespace][ownerLabel], w.NamespaceLabels[ownerLabel], namespace, "(cluster)")
}

// findingsOf compares the verdicts about a workload at the current stage and the next
// one. If the engine could not evaluate it, the finding is an error.
func findingsOf(b *bump, w workload.Workload, before, above engine.Evaluation) []Finding {
	base := Finding{Environment: b.step.Environment, Owner: b.owner(w), Kind: w.Kind, Namespace: w.Namespace, Name: w.Name, Position: w.At, Cluster: w.Root, By: w.By, Template: w.Template}
	if message, failed := failure(above); failed {
		base.Status, base.Message = Errored, message
		return []Finding{base}
	}
	blockedBefore := map[string]bool{}
	if above.Result.Blocked {
		if message, failed := failure(before); failed {
			base.Status, base.Message = Errored, message
			return []Finding{base}
		}
		for _, r := range before.Result.Results {
			blockedBefore[r.Policy] = blockedBefore[r.Policy] || r.Blocks
		}
	}
	byPolicy := map[string]*Finding{}
	for _, r := range above.Result.Results {
		status, said := statusOf(r, blockedBefore[r.Policy])
		if !said {
			continue
		}
		f := byPolicy[r.Policy]
		if f == nil || rank(status) < rank(f.Status) {
			f = new(base)
			f.Control, f.Status = r.Policy, status
			byPolicy[r.Policy] = f
		}
		if f.Status == status {
			f.add(r, b.ends)
		}
	}
	var findings []Finding
	for _, f := range byPolicy {
		if b.deployersExempt[f.Control] && (f.Status == WouldBlock || f.Status == Blocked) {
			f.Message = unique.Make(f.Message + " (deployers are exempt)").Value()
		}
		findings = append(findings, *f)
	}
	if above.Result.Blocked && !slices.ContainsFunc(findings, func(f Finding) bool { return f.Status == WouldBlock || f.Status == Blocked || f.Status == Errored }) {
		base.Status, base.Message = Errored, "the engine refuses it, but names no rule"
		findings = append(findings, base)
	}
	return findings
}

// failure reports whether there is no verdict, and returns the reason.
func failure(e engine.Evaluation) (message string, failed bool) {
	switch {
	case e.Error != nil:
		return e.Error.Message, true
	case e.Result == nil:
		return "the engine gave no answer", true
	}
	return "", false
}

// statusOf returns the status for the result of one rule. said is false if the rule
// found no violation.
func statusOf(r engine.RuleResult, blockedBefore bool) (status Status, said bool) {
	switch {
	case r.Result == engine.OutcomeError:
		return Errored, true
	case r.Blocks && blockedBefore:
		return Blocked, true
	case r.Blocks:
		return WouldBlock, true
	case r.Result == engine.OutcomeFail, r.Result == engine.OutcomeWarn:
		return Warns, true
	case len(r.Exceptions) > 0:
		return Exempt, true
	}
	return "", false
}

func rank(s Status) int { return slices.Index(statuses(), s) }

// add adds the result of a rule to the finding of its policy.
func (f *Finding) add(r engine.RuleResult, ends map[string]time.Time) {
	f.Rules = append(f.Rules, r.Rule)
	if message := strings.Join(strings.Fields(r.Message), " "); f.Status != Exempt && !strings.Contains(f.Message, message) {
		if f.Message != "" {
			message = f.Message + "; " + message
		}
		f.Message = unique.Make(message).Value() // most workloads get the same
	}
	for _, object := range r.Exceptions {
		name := plan.ExceptionOf(object)
		if slices.ContainsFunc(f.Exceptions, func(x Exemption) bool { return x.Name == name }) {
			continue
		}
		exemption := Exemption{Name: name}
		if end := ends[name]; !end.IsZero() {
			exemption.Until = &end
		}
		f.Exceptions = append(f.Exceptions, exemption)
	}
}
