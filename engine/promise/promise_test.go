package promise_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
)

var (
	histories = flag.Int("histories", 120, "number of random histories")
	seed      = flag.Uint64("seed", 1, "seed of the first history; 0 takes the clock")
)

const edits = 10

// TestPromise edits a source at random, builds after each edit, and asks the engine: no
// object that was admitted is refused unless the environment's own file changed, and
// nothing is enforced that was not audited.
func TestPromise(t *testing.T) {
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	t.Logf("%d histories of %d edits, from -seed %d", *histories, edits, first)
	o := &observer{seen: map[[32]byte]map[string][2][]string{}}
	var built, refused, tightened atomic.Int64
	t.Run("histories", func(t *testing.T) {
		for worker := range 2 {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for i := worker; i < *histories && !t.Failed(); i += 2 {
					h := newHistory(t, o, first+uint64(i))
					h.run()
					built.Add(h.built)
					refused.Add(h.refused)
					tightened.Add(h.tightened)
				}
			})
		}
	})
	t.Logf("%d builds, %d refused by gatehouse, %d made an environment stricter by its own file; %d states asked", built.Load(), refused.Load(), tightened.Load(), len(o.seen))
	if built.Load() < 3*refused.Load() {
		t.Error("most edits are refused: the histories show little")
	}
	if *histories >= 100 && tightened.Load() < int64(*histories)/4 {
		t.Error("environments hardly become stricter: the histories show little")
	}
}

// TestMain lets the collector run less often: most of the time goes into small objects.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

// history is a random one.
type history struct {
	*testing.T
	*rand.Rand
	seed      uint64
	day       int
	source    source
	past      []source
	output    *output
	clusters  [2]*cluster
	observer  *observer
	seen      [2]seen
	log       []string
	merging   bool
	built     int64
	refused   int64
	tightened int64
}

func newHistory(t *testing.T, o *observer, seed uint64) *history {
	h := &history{T: t, Rand: rand.New(rand.NewPCG(seed, 1)), seed: seed, observer: o, clusters: [2]*cluster{{}, {}}}
	h.source = source{
		Registries: []string{"ghcr.io/acme", "quay.io/acme"}, Labels: []string{"owner"},
		Controls:   map[string]control{"restrict-image-registries": {}, "require-labels": {}, "house-rule": {}, "default-deny": {}},
		Namespaces: map[string]namespace{"shop": {Tier: "apps", Ports: []int{80, 443}}, "edge": {Tier: "platform", Ports: []int{443}}},
		Exceptions: map[string]exception{}, Keys: []string{"k0"}, Images: []string{"ghcr.io/acme/*"},
		Soak: h.IntN(2) * 2, PolicyType: pick(h.Rand, policyTypes()),
		Envs: [2]environment{{Stage: h.IntN(4), Controls: map[string]int{}}, {Stage: h.IntN(3), Controls: map[string]int{}}},
	}
	// The first build may enforce; after it, the promises hold.
	first := h.source
	first.Envs[0].Skip, first.Envs[1].Skip = true, true
	first.Envs[1].Stage = min(first.Envs[0].Stage, first.Envs[1].Stage)
	h.source.Envs[1].Stage = first.Envs[1].Stage
	out, problems := build(t, first, nil, 0)
	if out == nil {
		t.Fatalf("seed %d: %v", seed, problems.Err())
	}
	h.take(out)
	return h
}

// take applies an output to the clusters.
func (h *history) take(out *output) {
	h.output = out
	for i, name := range envNames() {
		h.clusters[i].apply(out, name)
		env, _ := out.bundle.Plan.Environment(name)
		h.seen[i] = h.observer.look(h.T, h.clusters[i], env)
	}
}

func (h *history) run() {
	for range edits {
		h.day += h.IntN(4)
		next, what, loosens := h.edit(h.source)
		h.log = append(h.log, fmt.Sprintf("day %d: %s", h.day, what))
		h.step(next, loosens)
		if h.Failed() {
			h.Logf("seed %d:\n%s", h.seed, strings.Join(h.log, "\n"))
			return
		}
	}
}

// step builds an edited source and compares what people see.
func (h *history) step(next source, loosens bool) {
	out, problems := build(h.T, next, h.output, h.day)
	if out == nil {
		h.refused++
		h.log = append(h.log, "  refused: "+problems.Err().Error())
		if loosens {
			h.Errorf("a loosening is refused: %v", problems.Err())
		}
		return
	}
	h.built++
	if h.IntN(5) == 0 {
		h.checkFixed(next, out)
	}
	h.check(next, out)
	h.past, h.source = append(h.past, h.source), next
}

// checkFixed builds again, later: nothing may change.
func (h *history) checkFixed(s source, out *output) {
	again, problems := build(h.T, s, out, h.day+1+h.IntN(30))
	if again == nil {
		h.Errorf("the same source does not build again: %v", problems.Err())
		return
	}
	if diff := cmp.Diff(out.files(h.T), again.files(h.T)); diff != "" {
		h.Errorf("a second build changes (-first +second):\n%s", diff)
	}
}

func (h *history) check(next source, out *output) {
	before, source := h.seen, h.source
	clusters := [2]*cluster{h.clusters[0].clone(), h.clusters[1].clone()}
	h.take(out)
	for i, name := range envNames() {
		h.instants(name, clusters[i], i)
		tightened, unaudited := stricter(before[i], h.seen[i])
		own := !reflect.DeepEqual(source.Envs[i], next.Envs[i])
		if own && len(tightened) > 0 {
			h.tightened++
		}
		if !own && len(tightened) > 0 {
			h.Errorf("%s gets stricter, and its own file did not change: %s", name, strings.Join(tightened, "; "))
		}
		if len(unaudited) > 0 {
			h.Errorf("%s enforces what it did not audit: %s", name, strings.Join(unaudited, "; "))
		}
	}
}

// instants asks about what is in the cluster for a moment while Flux applies an output:
// what is refused before and after is refused then, and what is admitted, admitted.
func (h *history) instants(name string, from *cluster, i int) {
	env, _ := h.output.bundle.Plan.Environment(name)
	before := h.observer.look(h.T, from, env)
	for what, c := range from.instants(h.clusters[i]) {
		verdicts := h.observer.look(h.T, c, env).Refused
		for pod := range h.observer.verdicts(h.T, c) {
			was, will, now := before.Refused[pod], h.seen[i].Refused[pod], verdicts[pod]
			switch {
			case len(was) > 0 && len(will) > 0 && len(now) == 0:
				h.Errorf("%s: for a moment (%s), Pod %s is admitted, which was refused by %v and will be by %v", name, what, pod, was, will)
			case len(was) == 0 && len(will) == 0 && len(now) > 0 && !from.movesAndChanges(h.clusters[i]):
				h.Errorf("%s: for a moment (%s), Pod %s is refused by %v", name, what, pod, now)
			}
		}
	}
}

// edit returns an edited copy of a source, what the edit is, and whether it can only loosen.
func (h *history) edit(s source) (next source, what string, loosens bool) {
	all := []func(source) (source, string, bool){
		h.merge, h.raise, h.raise, h.raise, h.raise, h.raise, h.lower, h.ownStage, h.accept, h.accept, h.accept, h.accept, h.accept, h.registry, h.label, h.control, h.maxStage, h.house,
		h.scope, h.scope, h.scope, h.tiers, h.team, h.namespace, h.tier, h.network, h.limits, h.limits, h.podSecurity, h.exception, h.exception, h.policyType, h.policyType, h.policyType, h.key, h.image, h.system, h.revert, h.nothing,
	}
	if h.merging { // its sides are single edits
		all = all[1:]
	}
	return all[h.IntN(len(all))](s)
}

func (h *history) today() string {
	return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, h.day).Format(time.DateOnly)
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// toggle returns the list with an item, or without it if it had it.
func toggle(list []string, item string) []string {
	if i := slices.Index(list, item); i >= 0 {
		return slices.Delete(slices.Clone(list), i, i+1)
	}
	return append(slices.Clone(list), item)
}

func (h *history) raise(s source) (source, string, bool) {
	i := h.IntN(2)
	s.Envs[i].Stage = min(s.Envs[i].Stage+1, 3)
	return s, fmt.Sprintf("raise %s to %s", envNames()[i], stages()[s.Envs[i].Stage]), false
}

func (h *history) lower(s source) (source, string, bool) {
	i := h.IntN(2)
	s.Envs[i].Stage = h.IntN(s.Envs[i].Stage + 1)
	return s, fmt.Sprintf("lower %s to %s", envNames()[i], stages()[s.Envs[i].Stage]), true
}

func (h *history) ownStage(s source) (source, string, bool) {
	i, id := h.IntN(2), pick(h.Rand, ids())
	s.Envs[i].Controls = maps.Clone(s.Envs[i].Controls)
	if _, has := s.Envs[i].Controls[id]; has {
		delete(s.Envs[i].Controls, id)
		return s, fmt.Sprintf("%s: %s follows the stage", envNames()[i], id), false
	}
	s.Envs[i].Controls[id] = h.IntN(4)
	return s, fmt.Sprintf("%s: %s at %s", envNames()[i], id, stages()[s.Envs[i].Controls[id]]), false
}

func (h *history) accept(s source) (source, string, bool) {
	i := h.IntN(2)
	s.Envs[i].Changes = h.today()
	return s, fmt.Sprintf("%s accepts changes up to %s", envNames()[i], s.Envs[i].Changes), false
}

func (h *history) registry(s source) (source, string, bool) {
	name := pick(h.Rand, []string{"ghcr.io/acme", "quay.io/acme", "docker.io/acme"})
	more := !slices.Contains(s.Registries, name)
	if next := toggle(s.Registries, name); len(next) > 0 {
		s.Registries = next
	}
	return s, fmt.Sprintf("registries %v", s.Registries), more
}

func (h *history) label(s source) (source, string, bool) {
	if next := toggle(s.Labels, pick(h.Rand, []string{"owner", "app.kubernetes.io/name"})); len(next) > 0 {
		s.Labels = next
	}
	return s, fmt.Sprintf("labels %v", s.Labels), false
}

func (h *history) control(s source) (source, string, bool) {
	id := pick(h.Rand, ids())
	s.Controls = maps.Clone(s.Controls)
	if _, on := s.Controls[id]; on {
		delete(s.Controls, id)
		return s, id + " off", false
	}
	s.Controls[id] = control{}
	return s, id + " on", false
}

func (h *history) maxStage(s source) (source, string, bool) {
	id := pick(h.Rand, slices.Sorted(maps.Keys(s.Controls)))
	s.Controls = maps.Clone(s.Controls)
	c := s.Controls[id]
	c.MaxStage = pick(h.Rand, []string{"", "audit", "enforce-platform"})
	s.Controls[id] = c
	return s, fmt.Sprintf("%s at most %q", id, c.MaxStage), false
}

// scope changes the namespaces to which a control, or the image rule, applies. To exclude one
// more only loosens.
func (h *history) scope(s source) (source, string, bool) {
	scopable := slices.DeleteFunc(slices.Sorted(maps.Keys(s.Controls)), func(id string) bool { return id == "default-deny" || id == "require-network-policy" })
	if len(scopable) == 0 || h.IntN(6) == 0 {
		before := s.Signed
		s.Signed = h.scoped(s.Signed)
		return s, fmt.Sprintf("image rule: %+v", s.Signed), excludesMore(before, s.Signed)
	}
	id := pick(h.Rand, scopable)
	before := s.Controls[id]
	s.Controls = maps.Clone(s.Controls)
	s.Controls[id] = h.scoped(before)
	return s, fmt.Sprintf("%s: %+v", id, s.Controls[id]), excludesMore(before, s.Controls[id])
}

// excludesMore reports whether a scope leaves out one more namespace than before, in whatever
// tier. Labels that no namespace has are an error.
func excludesMore(before, after control) bool {
	return after.Exclude && (before.Exclude || len(before.Namespaces) == 0) && len(after.Namespaces) > len(before.Namespaces) &&
		len(after.Tiers) == 0 && !slices.Contains(after.Namespaces, "team:a")
}

// scoped returns a control with one namespace more or less, or with the other direction.
func (h *history) scoped(c control) control {
	switch {
	case h.IntN(6) == 0 && len(c.Namespaces) > 0:
		c.Exclude = !c.Exclude
	case h.IntN(8) == 0:
		c.Namespaces = nil
	case len(c.Namespaces) == 0:
		c.Exclude, c.Namespaces = h.IntN(2) == 0, []string{pick(h.Rand, namespaceNames())}
	default:
		c.Namespaces = toggle(c.Namespaces, pick(h.Rand, append(namespaceNames(), "team:a")))
	}
	return c
}

// tiers limits a control to a tier, or not.
func (h *history) tiers(s source) (source, string, bool) {
	id := pick(h.Rand, slices.Sorted(maps.Keys(s.Controls)))
	c := s.Controls[id]
	c.Tiers = pick(h.Rand, [][]string{nil, {"platform"}, {"apps"}})
	s.Controls = maps.Clone(s.Controls)
	s.Controls[id] = c
	return s, fmt.Sprintf("%s in tiers %v", id, c.Tiers), false
}

// team changes the label of a namespace, by which scopes may choose it.
func (h *history) team(s source) (source, string, bool) {
	return h.change(s, func(n *namespace) { n.Team = pick(h.Rand, []string{"", "a", "a", "b"}) })
}

func (h *history) house(s source) (source, string, bool) {
	s.House = h.IntN(4)
	return s, fmt.Sprintf("house-rule version %d", s.House), false
}

func (h *history) namespace(s source) (source, string, bool) {
	name := pick(h.Rand, namespaceNames()[:4])
	s.Namespaces = maps.Clone(s.Namespaces)
	if _, has := s.Namespaces[name]; has {
		delete(s.Namespaces, name)
		return s, "namespace " + name + " removed", false
	}
	s.Namespaces[name] = namespace{Tier: pick(h.Rand, []string{"platform", "apps"}), Ports: []int{443}}
	return s, fmt.Sprintf("namespace %s added: %v", name, s.Namespaces[name]), false
}

// change edits one namespace, if there is one.
func (h *history) change(s source, edit func(*namespace)) (source, string, bool) {
	names := slices.Sorted(maps.Keys(s.Namespaces))
	if len(names) == 0 {
		return h.nothing(s)
	}
	name := pick(h.Rand, names)
	n := s.Namespaces[name]
	edit(&n)
	s.Namespaces = maps.Clone(s.Namespaces)
	s.Namespaces[name] = n
	return s, fmt.Sprintf("namespace %s: %+v", name, n), false
}

func (h *history) tier(s source) (source, string, bool) {
	return h.change(s, func(n *namespace) { n.Tier = map[string]string{"platform": "apps", "apps": "platform"}[n.Tier] })
}

func (h *history) network(s source) (source, string, bool) {
	return h.change(s, func(n *namespace) {
		if h.IntN(4) == 0 {
			n.Open = !n.Open
			return
		}
		port := pick(h.Rand, []int{80, 443, 8080})
		n.Ports = slices.Clone(n.Ports)
		if i := slices.Index(n.Ports, port); i >= 0 {
			n.Ports = slices.Delete(n.Ports, i, i+1)
		} else {
			n.Ports = append(n.Ports, port)
		}
	})
}

// limits changes a quantity of a quota or a limit range, or removes it. No minimum is above
// a default, and no default above a maximum.
func (h *history) limits(s source) (source, string, bool) {
	return h.change(s, func(n *namespace) {
		of := pick(h.Rand, []*map[string]int{&n.Quota, &n.Quota, &n.Max, &n.Min, &n.Default})
		resource, most := "cpu", 3
		if of == &n.Quota {
			resource, most = pick(h.Rand, []string{"requests.cpu", "pods", "count/jobs.batch"}), 9
		}
		changed := maps.Clone(*of)
		if changed == nil {
			changed = map[string]int{}
		}
		from := map[*map[string]int]int{&n.Max: 8, &n.Default: 4}[of]
		if changed[resource] = from + 1 + h.IntN(most); h.IntN(3) == 0 {
			delete(changed, resource)
		}
		*of = changed
	})
}

func (h *history) podSecurity(s source) (source, string, bool) {
	return h.change(s, func(n *namespace) { n.PodSecurity = pick(h.Rand, []string{"", "privileged", "baseline", "restricted"}) })
}

func (h *history) exception(s source) (source, string, bool) {
	name := pick(h.Rand, []string{"x", "y"})
	s.Exceptions = maps.Clone(s.Exceptions)
	if _, has := s.Exceptions[name]; has && h.IntN(2) == 0 {
		delete(s.Exceptions, name)
		return s, "exception " + name + " removed", false
	}
	_, had := s.Exceptions[name]
	s.Exceptions[name] = exception{
		Control:   pick(h.Rand, []string{"restrict-image-registries", "require-labels", "disallow-latest-tag", "house-rule"}),
		Namespace: pick(h.Rand, namespaceNames()[:4]), Names: pick(h.Rand, [][]string{{"*"}, {"registry", "old"}, {"latest"}}),
	}
	return s, fmt.Sprintf("exception %s: %v", name, s.Exceptions[name]), !had && len(s.Exceptions) == 1
}

func (h *history) key(s source) (source, string, bool) {
	if next := toggle(s.Keys, pick(h.Rand, keys()).name); len(next) > 0 {
		s.Keys = next
	}
	return s, fmt.Sprintf("keys %v", s.Keys), false
}

func (h *history) image(s source) (source, string, bool) {
	s.Images = toggle(s.Images, pick(h.Rand, []string{"ghcr.io/acme/*", "quay.io/acme/*"}))
	return s, fmt.Sprintf("images %v", s.Images), false
}

// policyType changes the kind of policies of an environment, or of all that have no own.
func (h *history) policyType(s source) (source, string, bool) {
	if h.IntN(3) == 0 {
		s.PolicyType = pick(h.Rand, policyTypes())
		return s, "policies of the kind " + s.PolicyType, false
	}
	i := h.IntN(2)
	s.Envs[i].PolicyType = pick(h.Rand, append(policyTypes(), ""))
	return s, fmt.Sprintf("%s: policies of the kind %q", envNames()[i], s.Envs[i].PolicyType), false
}

func (h *history) system(s source) (source, string, bool) {
	s.System = toggle(s.System, "unlisted")
	return s, fmt.Sprintf("system namespaces %v", s.System), false
}

// revert takes an earlier source, as after git revert of the source alone.
func (h *history) revert(s source) (source, string, bool) {
	if len(h.past) == 0 {
		return h.nothing(s)
	}
	i := h.IntN(len(h.past))
	return h.past[i], fmt.Sprintf("back to the source after edit %d", i), false
}

func (h *history) nothing(s source) (source, string, bool) { return s, "nothing", true }

// merge builds an edit on a branch, another one on the main branch, and merges them as
// Git does: field by field, and the lock line by line. What one of the branches refuses
// may be refused after the merge, as if that branch came first.
func (h *history) merge(s source) (source, string, bool) {
	h.merging = true
	defer func() { h.merging = false }()
	base := h.output
	branch, what, _ := h.edit(s)
	out, _ := build(h.T, branch, base, h.day)
	if out == nil {
		return h.nothing(s)
	}
	main, mainWhat, _ := h.edit(s)
	h.log = append(h.log, fmt.Sprintf("day %d: on main: %s", h.day, mainWhat))
	h.step(main, false)
	if h.Failed() || h.output == base {
		return h.nothing(s)
	}
	for i, name := range envNames() {
		c := cluster{objects: h.clusters[i].objects}
		c.apply(out, name)
		env, _ := out.bundle.Plan.Environment(name)
		h.seen[i] = either(h.seen[i], h.observer.look(h.T, &c, env))
	}
	h.output = &output{h.output.bundle, mergeFiles(base.kept, h.output.kept, out.kept)}
	return mergeSource(s, main, branch), "merge of " + what, false
}

// mergeSource takes of each field what one side changed; the branch wins.
func mergeSource(base, main, branch source) source {
	out := main
	b, m, o := reflect.ValueOf(base), reflect.ValueOf(branch), reflect.ValueOf(&out).Elem()
	for i := range b.NumField() {
		if b.Type().Field(i).Name != "Envs" && !reflect.DeepEqual(b.Field(i).Interface(), m.Field(i).Interface()) {
			o.Field(i).Set(m.Field(i))
		}
	}
	for i := range out.Envs {
		if !reflect.DeepEqual(base.Envs[i], branch.Envs[i]) {
			out.Envs[i] = branch.Envs[i]
		}
	}
	return out
}

// mergeFiles merges the lock as merge=union does, and keeps the contents of both sides.
func mergeFiles(base, ours, theirs fstest.MapFS) fstest.MapFS {
	out := maps.Clone(ours)
	for path, f := range theirs {
		if out[path] == nil && strings.HasPrefix(path, layout.Contents+"/") {
			out[path] = f
		}
	}
	lines := func(fsys fstest.MapFS) []string { return strings.SplitAfter(string(fsys[layout.Lock].Data), "\n") }
	was, a, b := lines(base), lines(ours), lines(theirs)
	var merged []string
	for _, line := range slices.Concat(a, b) {
		kept := !slices.Contains(was, line) || slices.Contains(a, line) && slices.Contains(b, line)
		if kept && !slices.Contains(merged, line) {
			merged = append(merged, line)
		}
	}
	out[layout.Lock] = &fstest.MapFile{Data: []byte(strings.Join(merged, ""))}
	return out
}
