package fluxtree

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/kinds"
	"github.com/gatehouse-dev/gatehouse/judge/engine"
)

// Codes of problems about HelmReleases.
const (
	// CodeRender: the chart is at hand, and cannot be rendered.
	CodeRender = "helm-render"
	// CodeSchema: its values do not match the schema of the chart; as a warning: they were not checked.
	CodeSchema = "helm-schema"
	// CodeRelease is the code of a warning: the release is not judged.
	CodeRelease = "helm-release"
	// CodePart is the code of a warning: values of the release are not known.
	CodePart = "helm-values"
	// CodeMade is the code of a warning: what it makes is made in the cluster.
	CodeMade = "flux-made"
	// CodeRendered is the code of a note about the chart that was taken.
	CodeRendered = "helm-rendered"
)

// Between the name of a HelmRelease and what is said of it, in the text of a problem.
const (
	SaidNotJudged = ": not judged: "
	SaidPart      = ": judged in part: "
	SaidRendered  = ": rendered: "
)

// GiveOrPull is in what is said of a release whose chart could be pulled.
const GiveOrPull = "give it with --charts, or let it be pulled with --pull"

// notRendered is said where nothing renders.
const notRendered = "its chart is not rendered"

// Place collects what is applied in one place, such as a cluster: HelmReleases, and what they
// are made of. Each release is rendered once all the rest was read.
type Place struct {
	helm *Helm
	// repository has charts; nil if there is none. other says which source is not the repository, and see makes
	// it what a source has of it.
	repository *Repository
	other      func(ref reference, missing bool) string
	see        func(ref reference)

	configs    map[string]Object // ConfigMaps and Secrets
	namespaces map[string]bool   // those that something applies
	size       int               // of them
	lost       bool              // some were too many
	sources    map[string]json.RawMessage
	apis       []string        // what CustomResourceDefinitions add
	serves     map[string]bool // those
	// pending are to be rendered, and done were.
	pending, done []*release
	seen          map[string]bool
	// made is what is to be said of objects that others make more of.
	made Problems
}

// release is a HelmRelease that waits.
type release struct {
	Object
	depth int
	// apis is how many API versions its chart was told of, yielded what it made, and said what
	// is to be said of it.
	apis    int
	yielded map[[sha256.Size]byte]bool
	said    Problems
	// id has its namespace and name, and after those of the releases that it depends on.
	id    string
	after []string
}

// maxConfigs bounds the ConfigMaps and Secrets that are kept in one place, in bytes.
const maxConfigs = 64 << 20

// maxCharts bounds charts that make HelmReleases of charts, and so on.
const maxCharts = 10

// NewPlace returns a place without a repository: no chart is read from one.
func NewPlace(helm *Helm) *Place {
	return &Place{helm: helm, configs: map[string]Object{}, namespaces: map[string]bool{}, serves: map[string]bool{}, sources: map[string]json.RawMessage{}, seen: map[string]bool{}}
}

// Note takes what matters for releases of an object that is applied.
func (p *Place) Note(o Object) { p.note(o, 0) }

func (p *Place) note(o Object, depth int) {
	h, err := headerOf(o.JSON)
	if err != nil {
		return // a problem for who judges it
	}
	key := func() string {
		return h.Kind + "/" + cmp.Or(h.Metadata.Namespace, cmp.Or(o.Namespace, defaultNamespace)) + "/" + h.Metadata.Name
	}
	switch {
	case h.is(operatorGroup, "ResourceSet"):
		p.made.Add(diag.Diagnostic{Severity: diag.Warning, Code: CodeMade, Position: o.At,
			Summary: strings.Replace(key(), "/", " ", 1) + SaidNotJudged + "the Flux operator makes its objects in the cluster"}, o.Roots()...)
	case h.is(helmGroup, "HelmRelease"):
		if depth > 0 && p.seen[key()] {
			return // of a chart that makes itself
		}
		p.seen[key()] = true
		id := cmp.Or(h.Metadata.Namespace, o.Namespace, defaultNamespace)
		r := &release{Object: o, depth: depth, yielded: map[[sha256.Size]byte]bool{}, id: id + "/" + h.Metadata.Name, after: dependencies(o.JSON, id)}
		p.twice(r)
		p.pending = append(p.pending, r)
	case h.is("", "Namespace"):
		p.namespaces[h.Metadata.Name] = true
	case p.helm == nil:
	case h.is("", "ConfigMap"), h.is("", "Secret"):
		p.keep(key(), o)
	case kinds.Group(h.APIVersion) == sourceGroup:
		p.sources[key()] = o.JSON
	case h.Kind == "CustomResourceDefinition":
		for _, version := range engine.Served(o.JSON) {
			if !p.serves[version] {
				p.serves[version] = true
				p.apis = append(p.apis, version)
			}
		}
	}
}

// twice warns about another release of the same name in the same cluster that says something else.
func (p *Place) twice(r *release) {
	if r.Root == "" {
		return // files of several clusters, maybe
	}
	for _, other := range slices.Concat(p.done, p.pending) {
		if other.id == r.id && other.cluster == r.cluster && !bytes.Equal(specOf(other.JSON), specOf(r.JSON)) {
			p.made.Add(diag.Diagnostic{Severity: diag.Warning, Code: CodeTwice, Position: r.At,
				Summary: "HelmRelease " + r.id + ": " + fmt.Sprintf(saidTwice, other.At)}, r.Roots()...)
			return
		}
	}
}

// specOf returns the text of the field spec.
func specOf(object json.RawMessage) json.RawMessage {
	var content struct {
		Spec json.RawMessage `json:"spec"`
	}
	_ = json.Unmarshal(object, &content) // it was read before
	return content.Spec
}

// keep keeps a ConfigMap or Secret, as long as there are not too many.
func (p *Place) keep(key string, o Object) {
	size := len(o.JSON)
	for _, other := range o.Renderings {
		size += len(other)
	}
	if p.lost = p.lost || p.size+size > maxConfigs; p.lost {
		return
	}
	p.size += size
	p.configs[key] = o
}

// Render renders the releases that were noted, and calls yield for each object that they
// apply. What it yields is not noted by itself. It stops at the first error of yield.
//
// A chart may bring a CustomResourceDefinition that another one asks for, and which is first in
// the cluster is not known. So a release that was rendered before is rendered once more, and
// what it makes then is yielded, too.
func (p *Place) Render(ctx context.Context, problems *Problems, yield func(Object) error) error {
	defer func() {
		for _, r := range p.done {
			*problems = append(*problems, r.said...)
		}
		*problems = append(*problems, p.made...)
	}()
	for range maxCharts {
		for len(p.pending) > 0 {
			at := max(slices.IndexFunc(p.pending, func(r *release) bool { return !p.waits(r) }), 0)
			next := p.pending[at]
			p.pending = slices.Delete(p.pending, at, at+1)
			if !slices.Contains(p.done, next) {
				p.done = append(p.done, next)
			}
			next.apis, next.said = len(p.apis), nil
			if err := p.render(ctx, next, p.once(next, yield)); err != nil {
				return err
			}
		}
		for _, r := range p.done {
			if r.apis < len(p.apis) {
				p.pending = append(p.pending, r)
			}
		}
	}
	return nil
}

// once yields and notes what a release makes and did not make before.
func (p *Place) once(r *release, yield func(Object) error) func(Object) error {
	return func(o Object) error {
		sum := sha256.Sum256(o.JSON)
		if r.yielded[sum] {
			return nil
		}
		r.yielded[sum] = true
		p.note(o, r.depth+1)
		return yield(o)
	}
}

// waits reports whether a release depends on another one that is not rendered yet.
func (p *Place) waits(r *release) bool {
	return slices.ContainsFunc(p.pending, func(other *release) bool { return other.id != r.id && slices.Contains(r.after, other.id) })
}

// render renders one release.
func (p *Place) render(ctx context.Context, r *release, yield func(Object) error) error {
	notJudged := func(format string, args ...any) error {
		r.say(diag.Warning, CodeRelease, SaidNotJudged+fmt.Sprintf(format, args...))
		return nil
	}
	if p.helm == nil || p.helm.Renderer == nil {
		return notJudged(notRendered)
	}
	if r.depth > maxCharts {
		return notJudged("more than %d charts make each other", maxCharts)
	}
	for _, u := range r.Unknown {
		if decides(u.Keys) {
			return notJudged("not known is %s: %s", cmp.Or(u.Path, "what it is"), u.Why)
		}
	}
	first, err := r.parse()
	if err != nil {
		r.say(diag.Error, CodeRender, ": "+err.Error())
		return nil
	}
	first.Metadata.Namespace = namespaceOf(r.Object)
	p.ask(first)
	c, err := p.chart(ctx, first)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return notJudged("%s", ErrorText(err, ""))
	}
	in, err := p.inputs(r, first)
	if err != nil {
		return notJudged("%s", ErrorText(err, ""))
	}
	out, err := p.objects(ctx, r, c, in)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && len(in.unknown) > 0:
		return notJudged("its values are not known: %s; with others: %s", strings.Join(in.unknown, "; "), ErrorText(err, ""))
	case err != nil:
		code, why := failure(err)
		r.say(diag.Error, code, why)
		return nil
	}
	r.say(diag.Warning, CodeRendered, SaidRendered+c.taken(out.version))
	if len(in.unknown) > 0 {
		r.say(diag.Warning, CodePart, SaidPart+strings.Join(in.unknown, "; "))
	}
	if out.unchecked != "" {
		r.say(diag.Warning, CodeSchema, ": its values were not checked: "+out.unchecked)
	}
	for _, o := range out.objects {
		if h, _ := headerOf(o.JSON); o.IfMissing && p.namespaces[h.Metadata.Name] {
			continue
		}
		if err := yield(o); err != nil {
			return err
		}
	}
	return nil
}

// say notes what is to be said of a release.
func (r *release) say(severity diag.Severity, code, text string) {
	var elsewhere bool
	if h, err := r.parse(); err == nil {
		elsewhere = h.Spec.KubeConfig != nil
	} else {
		elsewhere = saysElsewhere(r.JSON)
	}
	r.said.Add(diag.Diagnostic{Severity: severity, Code: code, Position: r.At, Summary: "HelmRelease " + r.id + text}, rootsOf(r.Root, r.Elsewhere || elsewhere)...)
}

// failure returns what is said of a release that cannot be rendered.
func failure(err error) (code, why string) {
	if failed, ok := errors.AsType[*engine.Error](err); ok && failed.Code == engine.CodeSchema {
		return CodeSchema, ": Helm refuses to install it: " + ErrorText(err, "")
	}
	return CodeRender, ": cannot be rendered: " + ErrorText(err, "")
}

// parse returns the release with the first value for what is not known that makes sense there.
func (r *release) parse() (*helmRelease, error) {
	first, err := parseRelease(r.JSON)
	for _, other := range r.Renderings {
		if err == nil {
			break
		}
		if one, failed := parseRelease(other); failed == nil {
			return one, nil
		}
	}
	return first, err
}

// by names a release, and what applies it.
func (r *release) by(h *helmRelease) string {
	by := "HelmRelease " + h.id()
	if r.By != "" {
		by += " of " + r.By
	}
	return by
}

func namespaceOf(o Object) string {
	h, _ := headerOf(o.JSON) // it was read before
	return cmp.Or(h.Metadata.Namespace, o.Namespace, defaultNamespace)
}

// Whys says of fields why they are not known, each text once.
func Whys(fields []Unknown) []string {
	var all []string
	for _, f := range fields {
		text := f.Why
		if f.Path != "" {
			text = f.Path + ": " + f.Why
		}
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}
