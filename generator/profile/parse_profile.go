package profile

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
)

func (p *parser) flux() {
	f := p.spec.Flux
	p.oneOf("spec.flux.install", "flux-install", *f.Install, []string{"cli", "operator", "none"})
	p.oneOf("spec.flux.source.kind", "flux-source", *f.Source.Kind, []string{"GitRepository", "OCIRepository"})
	p.name("spec.flux.source.name", *f.Source.Name, 63)
	p.name("spec.flux.namespace", *f.Namespace, 63)
	if *f.ServiceAccountName != "" {
		p.name("spec.flux.serviceAccountName", *f.ServiceAccountName, 63)
	}
	p.out.Flux = plan.Flux{
		Namespace: *f.Namespace, SourceKind: *f.Source.Kind, SourceName: *f.Source.Name, ServiceAccountName: *f.ServiceAccountName,
		Path:          p.path("spec.flux.path", *f.Path),
		Interval:      p.duration("spec.flux.interval", *f.Interval, time.Minute),
		RetryInterval: p.duration("spec.flux.retryInterval", *f.RetryInterval, 10*time.Second),
		Timeout:       p.duration("spec.flux.timeout", *f.Timeout, 30*time.Second),
	}
	if *f.Install != defaultFluxInstall {
		p.out.Flux.Install = *f.Install
	}
	if d := f.Decryption; d != nil {
		p.oneOf("spec.flux.decryption.provider", "flux-decryption", d.Provider, []string{"sops"})
		p.out.Flux.DecryptionProvider = d.Provider
		if d.SecretRef != nil {
			p.name("spec.flux.decryption.secretRef.name", d.SecretRef.Name, 63)
			p.out.Flux.DecryptionSecret = d.SecretRef.Name
		}
	}
	p.workloads(f.Workloads)
}

// path parses a path in the Flux source. The result is clean; the root is ".".
func (p *parser) path(field, given string) string {
	clean := path.Clean(given)
	if given == "" || path.IsAbs(given) || strings.Contains(given, `\`) || !fs.ValidPath(clean) {
		p.Report(field, "path-invalid", "a path relative to the root of the source, such as ./policies", "%q is not a path inside the source", given)
	}
	return clean
}

// fluxDuration is the pattern of the Kustomization CRD.
var fluxDuration = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`)

func (p *parser) duration(field, s string, least time.Duration) time.Duration {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil || !fluxDuration.MatchString(s):
		p.Report(field, "duration-invalid", "such as 10m; units ms, s, m, h", "%q is not a duration", s)
	case d < least:
		p.Report(field, "out-of-range", "", "%s is shorter than %s", s, least)
	case d > 24*time.Hour:
		p.Report(field, "out-of-range", "", "%s is longer than a day", s)
	}
	return d
}

func (p *parser) ladder() {
	if len(p.spec.Tiers) == 0 {
		p.Report("spec.tiers", "required", "", "at least one tier is needed")
	}
	for i, t := range p.spec.Tiers {
		p.name(fmt.Sprintf("spec.tiers[%d]", i), t, 40)
	}
	p.distinct("spec.tiers", p.spec.Tiers)
	if len(p.spec.Rollout.Stages) == 0 {
		p.Report("spec.rollout.stages", "required", "", "at least one stage is needed")
	}
	for i, s := range p.spec.Rollout.Stages {
		field := fmt.Sprintf("spec.rollout.stages[%d]", i)
		stage := p.stage(field, s)
		if i > 0 {
			p.stricter(field, p.src.Stages[i-1], stage)
		}
		p.src.Stages = append(p.src.Stages, stage)
	}
	p.distinct("spec.rollout.stages", p.stageNames())
	p.src.Soak = p.days("spec.rollout.soak", *p.spec.Rollout.Soak)
	p.oneOf("spec.rollout.changes", "rollout-changes", *p.spec.Rollout.Changes, []string{stagedChanges, immediateChanges})
	p.src.ImmediateChanges = *p.spec.Rollout.Changes == immediateChanges
}

// The values of spec.rollout.changes.
const (
	stagedChanges    = "staged"
	immediateChanges = "immediate"
)

// days parses a number of days. The lock knows days, no hours.
func (p *parser) days(field, given string) time.Duration {
	number, ok := strings.CutSuffix(given, "d")
	n, err := strconv.ParseUint(number, 10, 16)
	if !ok || err != nil || n > 3650 {
		p.Report(field, "duration-invalid", "such as 7d", "%q is not a number of days", given)
	}
	return time.Duration(n) * 24 * time.Hour
}

func (p *parser) stage(field string, s v1alpha1.Stage) plan.Stage {
	stage := plan.Stage{Name: s.Name, Actions: map[string]plan.Action{}}
	p.name(field+".name", s.Name, 63)
	for list, tiers := range map[string][]string{".audit": s.Audit, ".enforce": s.Enforce} {
		p.distinct(field+list, tiers)
		for j, t := range tiers {
			p.known(fmt.Sprintf("%s%s[%d]", field, list, j), "tier-unknown", "tier", t, p.spec.Tiers)
		}
	}
	for _, t := range s.Enforce {
		if slices.Contains(s.Audit, t) {
			p.Report(field, "ladder-conflict", "", "tier %q is in both audit and enforce", t)
		}
	}
	for _, t := range p.spec.Tiers {
		switch {
		case slices.Contains(s.Enforce, t):
			stage.Actions[t] = plan.Enforce
		case slices.Contains(s.Audit, t):
			stage.Actions[t] = plan.Audit
		default:
			stage.Actions[t] = plan.Off
		}
	}
	return stage
}

// stricter checks that no tier is looser than at the stage before.
func (p *parser) stricter(field string, before, now plan.Stage) {
	for _, t := range p.spec.Tiers {
		if now.Actions[t] < before.Actions[t] {
			p.Report(field, "ladder-order", "stages go from the loosest to the strictest", "tier %q is %s here but %s at the stage before", t, now.Actions[t], before.Actions[t])
		}
	}
}

func (p *parser) stageNames() []string {
	names := make([]string, len(p.src.Stages))
	for i, s := range p.src.Stages {
		names[i] = s.Name
	}
	return names
}

// stageIndex returns the index of a stage. It reports an unknown name through r.
func (p *parser) stageIndex(r *reporter, field, name string) int {
	names := p.stageNames()
	r.known(field, "stage-unknown", "stage", name, names)
	return slices.Index(names, name)
}

func (p *parser) controls() {
	ids := p.src.Catalog.Defined()
	for _, id := range sortedKeys(p.spec.Controls) {
		field, settings := fmt.Sprintf("spec.controls[%s]", id), p.spec.Controls[id]
		if !p.control(field, id, ids) {
			continue
		}
		limit := len(p.src.Stages) - 1
		if settings.MaxStage != nil {
			limit = p.stageIndex(&p.reporter, field+".maxStage", *settings.MaxStage)
		}
		control, ok := p.src.Catalog.Control(id)
		scope := p.scope(field, control, settings)
		if ok && p.enabled(id) {
			p.out.Controls = append(p.out.Controls, Control{Control: control, MaxStage: limit, Scope: scope, Parameters: settings.Parameters, Field: field})
		}
	}
}

// enabled reports whether the profile switches a control on.
func (p *parser) enabled(id string) bool {
	c, ok := p.spec.Controls[id]
	return ok && (c.Enabled == nil || *c.Enabled)
}

// registry is a registry or a repository in it: lower case, no scheme, no tag, no wildcard.
var registry = regexp.MustCompile(`^([a-z0-9]+([.-][a-z0-9]+)*|(([a-z0-9]+(-[a-z0-9]+)*|\*)\.)+[a-z0-9]+(-[a-z0-9]+)*\.[a-z0-9]+(-[a-z0-9]+)*)(:[0-9]{1,5})?(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*$`)

func (p *parser) registries() {
	p.out.Registries = p.spec.Registries.Allowed
	p.distinct("spec.registries.allowed", p.out.Registries)
	for i, r := range p.out.Registries {
		if !registry.MatchString(r) {
			p.Report(fmt.Sprintf("spec.registries.allowed[%d]", i), "registry-invalid", "such as ghcr.io/acme: lower case, no scheme or tag; a * is one name of a host, but for the last two", "%q is not a registry or repository", r)
		}
		if strings.HasPrefix(r, "*.") {
			p.Warn(fmt.Sprintf("spec.registries.allowed[%d]", i), "registry-wildcard", "name whose they are, such as 111122223333.dkr.ecr.*.amazonaws.com", "whoever gets a name at %s can bring images from there", strings.TrimLeft(r, "*."))
		}
	}
}
