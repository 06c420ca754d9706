package rollout

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/gatehouse-dev/gatehouse/internal/kube"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// The oldest versions that the chart of Kyverno 1.19 accepts (kubeVersion), and that serve
// ValidatingAdmissionPolicies as admissionregistration.k8s.io/v1. Conditions of webhooks, which ValidatingPolicies
// have, use the same library of CEL.
const (
	oldestForKyverno = "1.25.0"
	oldestForCEL     = "1.30.0"
)

// oldest returns the oldest version of Kubernetes that can have the repository, and what
// needs it.
func (t *Target) oldest() (version, needed string) {
	for _, kind := range []string{"ValidatingAdmissionPolicy", "ValidatingPolicy"} {
		if slices.ContainsFunc(t.Policies, func(p manifest.Object) bool { return p.Kind() == kind }) {
			return oldestForCEL, "a " + kind
		}
	}
	return oldestForKyverno, "Kyverno " + t.Kyverno.Version
}

// Level is the severity of a finding.
type Level string

// The levels of a finding. An error keeps bootstrap from applying anything.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Error   Level = "error"
)

// Finding is the result of one check of the cluster.
type Finding struct {
	Level Level
	Text  string
	Hint  string // how to fix it; may be empty
}

// String is one line: level, text, and the hint after a dash.
func (f Finding) String() string {
	line := fmt.Sprintf("%-8s %s", f.Level, f.Text)
	if f.Hint != "" {
		line += " - " + f.Hint
	}
	return line
}

// checks collects findings. A request that fails is a finding too, so that one
// run reports everything.
type checks struct {
	client *kube.Client
	found  []Finding
}

func (c *checks) ok(format string, args ...any) {
	c.found = append(c.found, Finding{OK, fmt.Sprintf(format, args...), ""})
}

func (c *checks) wrong(hint, format string, args ...any) {
	c.found = append(c.found, Finding{Error, fmt.Sprintf(format, args...), hint})
}

func (c *checks) warn(hint, format string, args ...any) {
	c.found = append(c.found, Finding{Warning, fmt.Sprintf(format, args...), hint})
}

// Failed reports whether a finding is an error.
func Failed(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Level == Error })
}

// Check reports whether the cluster is ready for [Bootstrap.Apply], and decides
// whether Flux is installed. One run finds everything that is wrong. It returns an
// error only if the API server does not answer.
func (b *Bootstrap) Check(ctx context.Context) ([]Finding, error) {
	c := &checks{client: b.Client}
	if err := c.kubernetes(ctx, b.Target); err != nil {
		return nil, err
	}
	b.settleFlux(ctx, c)
	b.leaveOwned(ctx, c)
	c.permissions(ctx, b.needs())
	b.checkFlux(ctx, c)
	b.checkSource(ctx, c)
	b.checkRoot(ctx, c)
	b.checkOthers(ctx, c)
	b.checkTaken(ctx, c)
	switch {
	case b.Target.Kyverno.Absent:
		c.ok("Kyverno is not needed")
	case b.Target.Kyverno.Release == nil:
		b.checkKyverno(ctx, c)
	default:
		b.checkNoKyverno(ctx, c)
	}
	b.checkLegacy(ctx, c)
	return c.found, nil
}

func (c *checks) kubernetes(ctx context.Context, t *Target) error {
	text, err := c.client.Version(ctx)
	if err != nil {
		return fmt.Errorf("reaching %s: %w", c.client.Server(), err)
	}
	v, err := version.ParseGeneric(text)
	oldest, needed := t.oldest()
	switch {
	case err != nil, v.Major() == 0: // a local build reports v0.0.0-master
		c.warn("it must be "+oldest+" or later", "Kubernetes at %s reports the version %q", c.client.Server(), text)
	case v.LessThan(version.MustParseGeneric(oldest)):
		c.wrong(needed+" needs "+oldest+" or later", "Kubernetes %s at %s", text, c.client.Server())
	default:
		c.ok("Kubernetes %s at %s", text, c.client.Server())
	}
	return nil
}

// need is a permission.
type need struct {
	verb   string
	object manifest.Object // namespace and name may be empty: all
}

// needs lists the permissions that Apply and Wait use.
func (b *Bootstrap) needs() []need {
	var all []need
	for _, o := range append(slices.Clone(b.Flux), b.Objects...) {
		all = append(all, need{"get", o}, need{"create", o}, need{"patch", o})
	}
	for _, o := range b.Target.watched() {
		all = append(all, need{"list", identity(o.APIVersion(), o.Kind(), o.Namespace(), "")})
	}
	return all
}

// permissions asks the API server about each need, and once about equal ones.
func (c *checks) permissions(ctx context.Context, needs []need) {
	var refused []string
	asked := map[string]bool{}
	for _, n := range needs {
		o := n.object
		attributes := map[string]any{"verb": n.verb, "group": o.Group(), "resource": c.plural(ctx, o), "namespace": o.Namespace()}
		if n.verb != "create" && o.Name() != "" { // a name is not known when an object is created
			attributes["name"] = o.Name()
		}
		key := fmt.Sprint(attributes)
		if asked[key] {
			continue
		}
		asked[key] = true
		review := manifest.Object{
			"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
			"metadata": map[string]any{}, "spec": map[string]any{"resourceAttributes": attributes},
		}
		answer, err := c.client.Create(ctx, review)
		if err != nil {
			c.wrong("", "permissions: %v", err)
			return
		}
		if answer.Value("status", "allowed") != true {
			refused = append(refused, n.verb+" "+strings.TrimSpace(display(o)))
		}
	}
	if len(refused) > 0 {
		c.wrong("bootstrap as an administrator of the cluster", "not permitted: %s", strings.Join(refused, ", "))
		return
	}
	c.ok("permitted: all that is applied and watched")
}

// plural returns the resource name of the kind. It guesses the name of a kind that
// the API server does not serve yet.
func (c *checks) plural(ctx context.Context, o manifest.Object) string {
	if r, err := c.client.Resource(ctx, o.APIVersion(), o.Kind()); err == nil {
		return r.Name
	}
	plural, _ := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(o.APIVersion(), o.Kind()))
	return plural.Resource
}

// checkSource looks for the source if bootstrap does not create it.
func (b *Bootstrap) checkSource(ctx context.Context, c *checks) {
	t := b.Target
	if slices.ContainsFunc(b.Objects, func(o manifest.Object) bool { return o.Kind() == t.SourceKind }) {
		return
	}
	_, err := c.client.Get(ctx, sourceAPI, t.SourceKind, t.Namespace, t.SourceName)
	name := called(t.SourceKind, t.Namespace, t.SourceName)
	switch {
	case kube.IsAbsent(err):
		c.wrong("name the repository with --source-url URL", "the source %s does not exist", name)
	case err != nil:
		c.wrong("", "reading %s: %v", name, err)
	default:
		c.ok("the source %s exists", name)
	}
}

// checkRoot refuses to point the root at another cluster's folder: Flux would then
// prune what this cluster has, policies and what they need in no order.
//
// leaveOwned has checked one that a Kustomization applies.
func (b *Bootstrap) checkRoot(ctx context.Context, c *checks) {
	wanted := b.Target.root()
	live, err := c.client.Get(ctx, wanted.APIVersion(), wanted.Kind(), wanted.Namespace(), wanted.Name())
	if kube.IsAbsent(err) || err == nil && owner(live) != nil {
		return
	}
	if err != nil {
		c.wrong("", "reading %s: %v", display(wanted), err)
		return
	}
	was, is := live.String("spec", "path"), wanted.String("spec", "path")
	if path.Base(path.Dir(was)) != path.Base(path.Dir(is)) {
		c.wrong("check --cluster and --context; to change it, gatehouse uninstall first", "the cluster follows %s, not %s", was, is)
		return
	}
	if fmt.Sprint(live.Value("spec", "sourceRef")) != fmt.Sprint(wanted.Value("spec", "sourceRef")) {
		c.warn("Flux prunes what the new source does not hold", "the cluster follows %s %s now", live.String("spec", "sourceRef", "kind"), live.String("spec", "sourceRef", "name"))
	}
}

func number(v any) int64 {
	n, _ := v.(int64)
	return n
}
