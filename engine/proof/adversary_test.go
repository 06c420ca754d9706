package proof_test

import (
	"slices"
	"testing"

	"github.com/gatehouse-dev/gatehouse/generator/catalog"
)

// exemption says where a fault of a control is none, and why.
type exemption struct {
	control string
	place   string // a kind of controller, or of containers
	reason  string
}

// exemptions is the whole list: every other fault counts everywhere.
func exemptions() []exemption {
	return []exemption{
		{"block-ephemeral-containers", "containers", "it is about ephemeral containers"},
		{"block-ephemeral-containers", "initContainers", "it is about ephemeral containers"},
		{"block-ephemeral-containers", sidecars, "it is about ephemeral containers"},
		{"require-probes", "initContainers", "they end, and may not have probes unless they are sidecars"},
		{"require-probes", "ephemeralContainers", "they may not have probes"},
		{"require-probes", "CronJob", "its Pods end by themselves"},
		{"require-probes", "Job", "its Pods end by themselves"},
		{"require-requests-limits", "ephemeralContainers", "they may not have resources"},
		{"require-cpu-limits", "ephemeralContainers", "they may not have resources"},
	}
}

func exempt(control, place string) bool {
	return slices.ContainsFunc(exemptions(), func(e exemption) bool { return e.control == control && e.place == place })
}

// podControls are the controls that judge Pods, in a cluster where all are enforced.
func podControls(t *testing.T) (cluster, []control) {
	t.Helper()
	controls := builtin(t)
	bundle := compile(t, switchedOn(controls), nil)
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	return k, slices.DeleteFunc(controls, func(c control) bool {
		rules := catalog.Rules(policyNamed(t, applied(bundle, enforced), c.ID))
		return !slices.ContainsFunc(rules, func(r catalog.Rule) bool { return slices.Contains(r.Kinds, "Pod") })
	})
}

// refuses asks one policy about one object.
func (k cluster) refuses(t *testing.T, policy string, c catalog.Case) bool {
	t.Helper()
	return k.ask(t, in("apps", only(policy, requestOf(t, c)))).Blocked
}

// TestControllers puts every Pod into every controller: a policy that refuses the Pod refuses its template.
func TestControllers(t *testing.T) {
	k, controls := podControls(t)
	for _, c := range controls {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			for _, kind := range sortedKeys(controllers()) {
				for _, good := range plainPods(c.good) {
					wantGood(t, k, in("apps", only(c.ID, requestOf(t, wrapped(t, good, kind)))))
				}
				for _, bad := range plainPods(c.bad) {
					if k.refuses(t, c.ID, wrapped(t, bad, kind)) == exempt(c.ID, kind) {
						t.Errorf("%s in a %s: refused is %v", bad.Name, kind, exempt(c.ID, kind))
					}
				}
			}
		})
	}
}

// sidecars are init containers that run for as long as the Pod does.
const sidecars = "sidecars"

// TestContainers moves the fault of every bad Pod into every kind of
// containers, between good ones.
func TestContainers(t *testing.T) {
	k, controls := podControls(t)
	for _, c := range controls {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			for _, bad := range plainPods(c.bad) {
				good := replacement(t, k, c, bad)
				if good == nil {
					continue // the fault is not in a container
				}
				for _, from := range containerKinds() {
					lists := map[string][]any{"containers": {good}}
					lists[from] = containersOf(bad.Object, from)
					if len(lists[from]) == 0 || !k.refuses(t, c.ID, withContainers(t, bad, lists)) {
						continue // the fault is in another kind of containers
					}
					for _, to := range append(containerKinds(), sidecars) {
						if k.refuses(t, c.ID, withContainers(t, bad, between(t, good, lists[from], to))) == exempt(c.ID, to) {
							t.Errorf("%s moved from %s to %s: refused is %v", bad.Name, from, to, exempt(c.ID, to))
						}
					}
				}
			}
		})
	}
}

// between puts faulty containers into one kind of containers, a good one before and one behind them.
func between(t *testing.T, good any, faulty []any, to string) map[string][]any {
	t.Helper()
	lists := map[string][]any{"containers": {good}}
	if to == sidecars {
		to, faulty = "initContainers", clone(t, faulty)
		for _, container := range faulty {
			container.(map[string]any)["restartPolicy"] = "Always"
		}
	}
	lists[to] = slices.Concat([]any{named(t, good, "before")}, faulty, []any{named(t, good, "after")})
	return lists
}

// replacement is a container of a good Pod with which the bad Pod would be
// good; nil if no container makes it so.
func replacement(t *testing.T, k cluster, c control, bad catalog.Case) any {
	t.Helper()
	for _, good := range plainPods(c.good) {
		for _, container := range containersOf(good.Object, "containers") {
			if !k.refuses(t, c.ID, withContainers(t, bad, map[string][]any{"containers": {container}})) {
				return container
			}
		}
	}
	return nil
}
