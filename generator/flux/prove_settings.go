package flux

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Limits of Flux: it advises against a shorter interval, and raises a shorter timeout.
const (
	minInterval = time.Minute
	minTimeout  = 30 * time.Second
)

func checkTimes(p *proof) {
	for _, c := range p.clusters {
		for _, n := range c.nodes {
			spec := n.Kustomization.Spec
			checkTime(p, n, "interval", spec.Interval.Duration)
			if spec.RetryInterval == nil {
				p.report(n, codeInterval, "", "has no retryInterval: after a failure it would sleep for a whole interval")
			} else {
				checkTime(p, n, "retryInterval", spec.RetryInterval.Duration)
			}
			if spec.Timeout == nil {
				p.report(n, codeInterval, "", "has no timeout")
			} else {
				checkTime(p, n, "timeout", spec.Timeout.Duration)
			}
			if !n.Folder.Applied() {
				continue // of the workload's own, or those of the layers
			}
			if spec.Interval.Duration > 0 && spec.Interval.Duration < minInterval {
				p.warnTime("interval", "every layer is applied every %s, which loads the API server", spec.Interval.Duration)
			}
			if spec.Timeout != nil && spec.Timeout.Duration > 0 && spec.Timeout.Duration < minTimeout {
				p.warnTime("timeout", "Flux raises a timeout of %s to %s", spec.Timeout.Duration, minTimeout)
			}
		}
	}
}

// checkTime refuses what Flux's CRD refuses, which accepts ms, s, m and h.
func checkTime(p *proof, n *Node, field string, d time.Duration) {
	if d <= 0 || d%time.Millisecond != 0 {
		p.report(n, codeInterval, "must be positive, in ms, s, m or h", "has the %s %s", field, d)
	}
}

// warnTime warns about a field of the profile. The list drops repetitions.
func (p *proof) warnTime(field, format string, args ...any) {
	p.list.Add(diag.Diagnostic{Severity: diag.Warning, Code: codeInterval, Path: "spec.flux." + field, Summary: fmt.Sprintf(format, args...)})
}

// checkSettings is about layers: what a workload may lose or move is for its author to decide.
func checkSettings(p *proof) {
	for _, c := range p.clusters {
		for _, n := range c.nodes {
			if !n.Folder.Applied() {
				continue
			}
			if n.Kustomization.Spec.Force {
				p.report(n, codeForce, "", "has force: a change of an immutable field would delete the object and create it again")
			}
			if ns := n.Kustomization.Spec.TargetNamespace; ns != "" {
				p.report(n, codeTargetNamespace, "", "moves all its objects into the namespace %s", ns)
			}
		}
	}
}

// checkPrune refuses to let Flux delete an object whose deletion destroys more than
// the object.
func checkPrune(p *proof) {
	for _, c := range p.clusters {
		for _, n := range c.nodes {
			if !n.Kustomization.Spec.Prune {
				continue
			}
			content := p.content(n)
			if len(content.unprotected) > 0 {
				p.report(n, codePrune, "", "would delete the namespace %s and all that is in it, once it leaves the profile", content.unprotected[0])
			}
			for _, r := range content.releases {
				switch {
				case r.role == nil:
					p.report(n, codePrune, "", "would uninstall %s, and the table of layers does not say what it is for", r.name)
				case r.role.webhooks:
					p.report(n, codePrune, "", "would uninstall %s while its webhooks still exist", r.name)
				}
			}
		}
	}
}

// checkGates requires that Ready means more than applied for a layer with policies or
// releases that others wait for.
func checkGates(p *proof) {
	for _, c := range p.clusters {
		awaited := map[*Node]bool{}
		for _, n := range c.nodes {
			for _, d := range c.deps(n) {
				awaited[d] = true
			}
		}
		for _, n := range c.nodes {
			spec, content := n.Kustomization.Spec, p.content(n)
			switch {
			case !awaited[n]:
			case len(content.policyKinds()) > 0 && !spec.Wait:
				p.report(n, codeNoWait, "", "does not wait until its policies are in force, but others follow it")
			case len(content.releases) > 0 && !spec.Wait && len(spec.HealthChecks) == 0:
				p.report(n, codeNoWait, "", "does not wait until %s answers, but others follow it", content.releases[0].purpose())
			}
		}
	}
}

func checkHealth(p *proof) {
	for _, c := range p.clusters {
		for _, n := range c.nodes {
			spec, content := n.Kustomization.Spec, p.content(n)
			if spec.Wait && len(spec.HealthChecks) > 0 {
				p.report(n, codeHealthExpr, "", "has healthChecks, which wait: true ignores")
			}
			if len(spec.HealthCheckExprs) > 0 && !spec.Wait && len(spec.HealthChecks) == 0 {
				p.report(n, codeHealthExpr, "", "has healthCheckExprs, which Flux ignores without wait or healthChecks")
			}
			if !n.Folder.Applied() {
				continue
			}
			checkExprs(p, n)
			if !spec.Wait {
				continue
			}
			for _, k := range content.policyKinds() {
				if !slices.ContainsFunc(spec.HealthCheckExprs, func(e exprOf) bool { return kindOf(e) == k }) {
					p.report(n, codeHealthExpr, "", "waits for %s without an expression: Flux would call it ready at once", k.kind)
				}
			}
		}
	}
}

func checkExprs(p *proof, n *Node) {
	seen := map[groupKind]bool{}
	for _, e := range n.Kustomization.Spec.HealthCheckExprs {
		k := kindOf(e)
		switch {
		case k.kind == "":
			p.report(n, codeHealthExpr, "", "judges the whole group %s by one expression", k.group)
		case k.kind == "PolicyException":
			p.report(n, codeHealthExpr, "", "waits for the status of PolicyExceptions, which have none")
		case seen[k]:
			p.report(n, codeHealthExpr, "", "has two expressions for %s", k.kind)
		case strings.TrimSpace(e.Current) == "":
			p.report(n, codeHealthExpr, "", "has no expression for when %s is current", k.kind)
		}
		if e.Failed != "" {
			p.report(n, codeHealthExpr, "", "gives up on %s at the first failure, but a short failure is normal", k.kind)
		}
		seen[k] = true
	}
}

func checkSubstitution(p *proof) {
	for _, c := range p.clusters {
		for _, n := range c.nodes {
			for _, s := range []string{n.Name(), n.Kustomization.Spec.Path} {
				if strings.Contains(s, "${") {
					p.report(n, codeSubstitution, "use only ${env} and ${cluster}, and only in paths", "has a variable that nothing replaces: %s", s)
				}
			}
			if n.Kustomization.Spec.PostBuild == nil {
				continue
			}
			for _, f := range p.files {
				if f.Folder != n.Folder || !n.Folder.Applied() {
					continue
				}
				for _, o := range f.Objects {
					if o.String("metadata", "annotations", substituteAnnotation) != "disabled" && hasVariable(map[string]any(o)) {
						p.report(n, codeSubstitution, "", "replaces variables, and %s holds ${", o.ID())
					}
				}
			}
		}
	}
}

func hasVariable(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, "${")
	case []any:
		return slices.ContainsFunc(v, hasVariable)
	case map[string]any:
		for key, value := range v {
			if strings.Contains(key, "${") || hasVariable(value) {
				return true
			}
		}
	case manifest.Object:
		return hasVariable(map[string]any(v))
	}
	return false
}
