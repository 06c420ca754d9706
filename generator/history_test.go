package generator

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator/staging"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// history builds one source after the other into the same output.
type history struct {
	*testing.T
	output fstest.MapFS
	day    int
	// effects of the last build.
	effects []staging.Effect
	extra   string // a document of the source, without its apiVersion
	more    fstest.MapFS
	// files is set if the lock names the files, as that of the writer does.
	files bool
}

// build compiles a profile and one environment, prod, each given as the fields of its
// spec, a day after the build before. It keeps the output unless there is an error.
func (h *history) build(profile, environment string) diag.List {
	h.Helper()
	return h.buildAll(profile, map[string]string{"prod": "ring: 1, " + environment})
}

func (h *history) buildAll(profile string, environments map[string]string) diag.List {
	h.Helper()
	source := fstest.MapFS{"profile.yaml": {Data: []byte("apiVersion: gatehouse.dev/v1alpha1\nkind: Profile\nmetadata: {name: acme}\nspec:\n" + profile)}}
	for name, spec := range environments {
		source[name+".yaml"] = &fstest.MapFile{Data: fmt.Appendf(nil, "apiVersion: gatehouse.dev/v1alpha1\nkind: Environment\nmetadata: {name: %s}\nspec: {%s}\n", name, spec)}
	}
	maps.Copy(source, h.more)
	if h.extra != "" {
		source["extra.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: gatehouse.dev/v1alpha1\n" + h.extra)}
	}
	h.day++
	o := Options{Version: "devel", Now: time.Date(2026, 1, h.day, 12, 0, 0, 0, time.UTC)}
	if h.output != nil {
		lock, err := manifest.DecodeLock(h.output[layout.Lock].Data)
		if err != nil {
			h.Fatal(err)
		}
		o.Prior, o.Output = lock, h.output
	}
	bundle, problems := Compile(source, ".", o)
	if bundle != nil {
		h.effects = bundle.Effects()
		h.output = fstest.MapFS{}
		for path, text := range bytesOf(h.T, bundle) {
			h.output[path] = &fstest.MapFile{Data: []byte(text)}
		}
		if h.files {
			h.lockFiles(bundle)
		}
	}
	return problems
}

// lockFiles adds to the lock what the writer adds: the files, and the objects in them.
func (h *history) lockFiles(bundle *Bundle) {
	h.Helper()
	lock := bundle.Lock
	for _, f := range bundle.Files {
		sum := sha256.Sum256(h.output[f.Path].Data)
		locked := manifest.LockedFile{Path: f.Path, SHA256: hex.EncodeToString(sum[:]), Layer: f.Folder.String()}
		for _, o := range f.Objects {
			locked.Objects = append(locked.Objects, o.ID())
		}
		lock.Files = append(lock.Files, locked)
	}
	text, err := lock.Encode()
	if err != nil {
		h.Fatal(err)
	}
	h.output[layout.Lock].Data = text
}

// ok fails the test if a build has an error.
func (h *history) ok(problems diag.List) {
	h.Helper()
	if err := problems.Err(); err != nil {
		h.Fatal(err)
	}
}

// want fails the test unless a build found a code.
func (h *history) want(problems diag.List, code string) {
	h.Helper()
	if !slices.ContainsFunc(problems, func(d diag.Diagnostic) bool { return d.Code == code }) {
		h.Errorf("no %s in %v", code, problems)
	}
}

// holds fails the test unless a file of the environment holds a text.
func (h *history) holds(path, text string) {
	h.Helper()
	f := h.output["environments/prod/"+path]
	if f == nil || !strings.Contains(string(f.Data), text) {
		h.Errorf("%s does not hold %q: %v", path, text, f)
	}
}

func newHistory(t *testing.T) *history { return &history{T: t} }

// climb builds a profile at one stage after the other.
func (h *history) climb(profile string, stages ...string) {
	h.Helper()
	for _, stage := range stages {
		h.ok(h.build(profile, "stage: "+stage))
	}
}

// Flux applies Namespaces before policies: a namespace does not leave a tier that enforces
// for one that only begins to.
func TestMoveWaitsForItsTier(t *testing.T) {
	h := newHistory(t)
	in := func(tier string) string {
		return "  controls: {disallow-host-path: {}, default-deny: {enabled: false}}\n  namespaces: [{name: edge, tier: " + tier + "}]\n"
	}
	h.climb(in("platform"), "audit", "enforce-platform")
	for range 2 {
		h.ok(h.build(in("apps"), "stage: enforce"))
		h.holds("namespaces/edge.yaml", "gatehouse.dev/tier: platform")
	}
	h.ok(h.build(in("apps"), "stage: enforce, changes: 2026-01-04"))
	h.holds("namespaces/edge.yaml", "gatehouse.dev/tier: apps")
}

func TestTierIsGone(t *testing.T) {
	const label = "  controls: {require-labels: {parameters: {labels: [team]}}}\n"
	h := newHistory(t)
	h.climb("  extends: [baseline]\n  tiers: [platform, edge, apps]\n  namespaces: [{name: shop, tier: edge}]\n", "audit", "enforce-platform")
	h.ok(h.build("  extends: [baseline]\n  tiers: [platform, edge, apps]\n  namespaces: [{name: shop, tier: edge}]\n"+label, "stage: enforce-platform"))
	// A line that accepts something else does not accept the move.
	h.ok(h.build("  extends: [baseline]\n  tiers: [platform, apps]\n  namespaces: [{name: shop, tier: platform}]\n"+label, "stage: enforce-platform, changes: 2026-01-03"))
	h.holds("policies/require-labels.yaml", "failureAction: Enforce")
	h.holds("namespaces/shop.yaml", "gatehouse.dev/tier: apps")
}

func TestLastTierChanges(t *testing.T) {
	const ladder = "  rollout: {stages: [{name: audit, audit: [platform, apps]}, {name: half, enforce: [platform], audit: [apps]}]}\n"
	for name, tiers := range map[string]string{"swapped": "[apps, platform]", "the same": "[platform, apps]"} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.climb("  extends: [baseline]\n  tiers: [platform, apps]\n"+ladder, "audit", "half")
			problems := h.build("  extends: [baseline]\n  tiers: "+tiers+"\n"+ladder, "stage: half")
			if name == "the same" {
				h.ok(problems)
				return
			}
			h.want(problems, "tiers-changed")
		})
	}
}

// A line of the environment accepts what was audited until its day, and nothing of what
// the same commit adds.
func TestPodSecurityIsNotAcceptedByTheWay(t *testing.T) {
	const base, all = "  extends: [baseline]\n", "  controls: {restrict-image-registries: {}}\n"
	h := newHistory(t)
	profile := func(registries, level string) string {
		return base + all + "  registries: {allowed: [" + registries + "]}\n  namespaces: [{name: shop" + level + "}]\n"
	}
	h.climb(profile("ghcr.io, quay.io", ""), "audit", "enforce-platform", "enforce")
	h.holds("namespaces/shop.yaml", "pod-security.kubernetes.io/enforce: baseline")
	h.ok(h.build(profile("ghcr.io", ""), "stage: enforce"))
	h.ok(h.build(profile("ghcr.io", ", podSecurity: restricted"), "stage: enforce, changes: 2026-01-04"))
	h.holds("namespaces/shop.yaml", "pod-security.kubernetes.io/enforce: baseline")
	h.holds("namespaces/shop.yaml", "pod-security.kubernetes.io/warn: restricted")
	h.ok(h.build(profile("ghcr.io", ", podSecurity: restricted"), "stage: enforce, changes: 2026-01-06"))
	h.holds("namespaces/shop.yaml", "pod-security.kubernetes.io/enforce: restricted")
}

func TestSoakHoldsForMoves(t *testing.T) {
	const soak = "  extends: [baseline]\n  rollout: {soak: 3d}\n"
	h := newHistory(t)
	h.ok(h.build(soak+"  namespaces: [{name: shop}]\n", "stage: audit"))
	h.day = 10
	moved := soak + "  namespaces: [{name: shop, tier: platform}]\n"
	h.ok(h.build(soak+"  namespaces: [{name: shop}]\n", "stage: enforce-platform"))
	h.ok(h.build(moved, "stage: enforce-platform"))
	h.want(h.build(moved, "stage: enforce-platform, changes: 2026-01-12"), "soak")
	h.day = 20
	h.ok(h.build(moved, "stage: enforce-platform, changes: 2026-01-12"))
	h.holds("namespaces/shop.yaml", "gatehouse.dev/tier: platform")
}

// What loosens in a change takes effect at once, although the rest waits.
func TestPartOfAChangeLoosens(t *testing.T) {
	h := newHistory(t)
	profile := func(registries string) string {
		return "  controls: {restrict-image-registries: {}, restrict-policy-exceptions: {}}\n  registries: {allowed: [" + registries + "]}\n"
	}
	h.climb(profile("ghcr.io, quay.io")+"  deployers: [jane]\n", "audit", "enforce-platform", "enforce")
	h.ok(h.build(profile("ghcr.io, docker.io")+"  deployers: [john]\n", "stage: enforce"))
	h.holds("policies/restrict-image-registries.yaml", "docker")
	h.holds("policies/restrict-image-registries.yaml", "quay")
	for _, deployer := range []string{"jane", "john"} {
		h.holds("policies/restrict-policy-exceptions.yaml", deployer)
	}
	h.ok(h.build(profile("ghcr.io, docker.io")+"  deployers: [john]\n", "stage: enforce, changes: 2026-01-05"))
	for path, f := range h.output {
		if strings.HasPrefix(path, "environments/prod/policies/") && (strings.Contains(string(f.Data), "quay") || strings.Contains(string(f.Data), "jane")) {
			t.Errorf("%s still has what is gone", path)
		}
	}
}

// A list that may not become empty is not made empty by the way.
func TestPartOfAChangeKeepsTheSchema(t *testing.T) {
	h := newHistory(t)
	profile := func(label string) string {
		return "  controls: {require-labels: {parameters: {labels: [" + label + "]}}}\n"
	}
	h.climb(profile("owner"), "audit", "enforce-platform", "enforce")
	h.ok(h.build(profile("team"), "stage: enforce"))
	h.holds("policies/require-labels.yaml", "owner")
	h.holds("policies/require-labels-next.yaml", "team")
}

// A content that is enforced in one tier keeps its object when another one comes: a new
// object answers some moments after the old one is changed.
func TestContentsKeepTheirObjects(t *testing.T) {
	h := newHistory(t)
	profile := func(label, kind string) string {
		return "  controls: {require-labels: {parameters: {labels: [" + label + "]}}}\n  kyverno: {policyType: " + kind + "}\n"
	}
	h.climb(profile("first", "ClusterPolicy"), "audit", "enforce-platform")
	h.ok(h.build(profile("second", "ClusterPolicy"), "stage: enforce-platform"))
	h.ok(h.build(profile("second", "ClusterPolicy"), "stage: enforce"))
	for _, kind := range []string{"ClusterPolicy", "ValidatingPolicy"} {
		h.ok(h.build(profile("third", kind), "stage: enforce"))
		h.holds("policies/require-labels.yaml", "first")
		h.holds("policies/require-labels-next.yaml", "second")
		h.holds("policies/require-labels-next.yaml", "failureAction: Enforce")
	}
	h.ok(h.build(profile("third", "ClusterPolicy"), "stage: enforce"))
	h.ok(h.build(profile("third", "ClusterPolicy"), "stage: enforce, changes: 2026-01-08"))
	h.holds("policies/require-labels.yaml", "third")
	h.holds("policies/require-labels.yaml", "failureAction: Enforce")
}

// On the way back to ClusterPolicies each has its own name from the beginning: the last
// step removes what is in CEL, and replaces nothing.
func TestWayBackKeepsObjects(t *testing.T) {
	h := newHistory(t)
	profile := func(kind string) string {
		return "  controls: {require-labels: {parameters: {labels: [owner]}}}\n  kyverno: {policyType: " + kind + "}\n"
	}
	h.climb(profile("ValidatingPolicy"), "audit", "enforce-platform", "enforce")
	h.ok(h.build(profile("ClusterPolicy"), "stage: enforce"))
	h.holds("policies/require-labels.yaml", "failureAction: Audit")
	for _, changes := range []string{"2026-01-04", "2026-01-05"} {
		h.ok(h.build(profile("ClusterPolicy"), "stage: enforce, changes: "+changes))
		h.holds("policies/require-labels.yaml", "failureAction: Enforce")
	}
}

func TestExceptionNamespaceStays(t *testing.T) {
	h := newHistory(t)
	h.climb("  extends: [baseline]\n", "audit", "enforce-platform")
	h.want(h.build("  extends: [baseline]\n  exceptions: {namespace: waivers}\n", "stage: enforce-platform"), "exceptions-namespace")
	h.ok(h.build("  extends: [baseline]\n  exceptions: {namespace: waivers}\n", "stage: audit"))
}

// A day of changes counts once, even if the line goes away in between.
func TestDayCountsOnce(t *testing.T) {
	h := newHistory(t)
	profile := func(registries string) string {
		return "  controls: {restrict-image-registries: {}}\n  registries: {allowed: [" + registries + "]}\n"
	}
	h.climb(profile("a.io, b.io, c.io"), "audit", "enforce-platform", "enforce")
	h.ok(h.build(profile("a.io, b.io"), "stage: enforce"))
	h.want(h.build(profile("a.io, b.io"), "stage: enforce, changes: 2026-01-03"), "changes-nothing")
	h.ok(h.build(profile("a.io, b.io"), "stage: enforce, changes: 2026-01-04"))
	h.holds("policies/restrict-image-registries.yaml", "failureAction: Enforce")
	h.day = 3 // a branch of that day
	h.ok(h.build(profile("a.io"), "stage: enforce"))
	h.ok(h.build(profile("a.io"), "stage: enforce, changes: 2026-01-04"))
	h.holds("policies/restrict-image-registries-next.yaml", "failureAction: Audit")
}

// What a rule demands besides signatures is audited before it is enforced, and a demand that goes takes effect at once.
func TestAttestationsAreStaged(t *testing.T) {
	h := newHistory(t)
	profile := func(attestations string) string {
		return "  kyverno: {policyType: ClusterPolicy}\n  tiers: [apps]\n  controls: {verify-images: {}}\n  trust:\n    attestors: [{name: k, keyless: {issuer: https://example.com, subject: a}}]\n" +
			"    images: [{name: x, references: [a.io/x], attestors: [k], attestations: [" + attestations + "]}]\n"
	}
	const sbom, built, elsewhere = `{type: "https://spdx.dev/Document"}`, `{type: "https://slsa.dev/provenance/v1", conditions: [{path: by, equals: 1}]}`, `{type: "https://slsa.dev/provenance/v1", conditions: [{path: by, equals: 2}]}`
	const policy, next = "policies/verify-images-x.yaml", "policies/verify-images-x-next.yaml"
	h.climb(profile(sbom), "audit", "enforce")
	h.ok(h.build(profile(sbom+", "+built), "stage: enforce"))
	h.holds(policy, "spdx.dev")
	h.holds(next, "contains(`[1]`, by)")
	h.holds(next, "failureAction: Audit")
	h.ok(h.build(profile(sbom+", "+built), "stage: enforce, changes: 2026-01-04"))
	h.holds(policy, "contains(`[1]`, by)")
	h.ok(h.build(profile(sbom+", "+elsewhere), "stage: enforce, changes: 2026-01-04"))
	h.holds(policy, "contains(`[1]`, by)")
	h.holds(next, "contains(`[2]`, by)")
	h.ok(h.build(profile(built), "stage: enforce, changes: 2026-01-04"))
	h.holds(policy, "contains(`[1]`, by)")
	if text := string(h.output["environments/prod/"+policy].Data); strings.Contains(text, "spdx.dev") || h.output["environments/prod/"+next] != nil {
		t.Errorf("a demand that is gone is still enforced: %s", text)
	}
}

// A namespace cannot be enforced by a move from a tier that audits nothing.
func TestMoveFromATierThatIsOff(t *testing.T) {
	const ladder = "  extends: [baseline]\n  tiers: [platform, lab, apps]\n  rollout: {stages: [{name: audit, audit: [platform, apps]}, {name: half, enforce: [platform], audit: [apps]}]}\n"
	h := newHistory(t)
	h.climb(ladder+"  namespaces: [{name: shop, tier: lab}]\n", "audit", "half")
	moved := ladder + "  namespaces: [{name: shop, tier: platform}]\n"
	h.ok(h.build(moved, "stage: half"))
	h.want(h.build(moved, "stage: half, changes: 2026-01-03"), "stage-skip")
	h.holds("namespaces/shop.yaml", "gatehouse.dev/tier: lab")
}

// A new DNS can be reached at once, and the old one until the environment accepts.
func TestDNSMoves(t *testing.T) {
	const shop = "  extends: [baseline]\n  namespaces: [{name: shop, tier: platform}]\n"
	h := newHistory(t)
	h.climb(shop, "audit", "enforce-platform")
	moved := shop + "  network: {dns: {namespace: openshift-dns, pods: {}, ports: [5353/UDP]}}\n"
	for range 2 { // the second build changes nothing
		h.ok(h.build(moved, "stage: enforce-platform"))
		h.holds("network/shop.yaml", "openshift-dns")
		h.holds("network/shop.yaml", "kube-dns")
	}
	h.ok(h.build(moved, "stage: enforce-platform, changes: 2026-01-03"))
	h.holds("network/shop.yaml", "openshift-dns")
	if strings.Contains(string(h.output["environments/prod/network/shop.yaml"].Data), "kube-dns") {
		t.Error("the old DNS is still open")
	}
}

// A name that a later build will need is refused by the first one.
func TestReservedNames(t *testing.T) {
	const trust = "  controls: {verify-images: {}}\n  trust:\n    attestors: [{name: k, keyless: {issuer: https://example.com, subject: a}}]\n    images: [{name: x, references: [a.io/x], attestors: [k]}, {name: x-%s, references: [a.io/y], attestors: [k]}]\n"
	for suffix, reserved := range map[string]bool{"next": true, "audit": true, "other": false} {
		problems := newHistory(t).build(fmt.Sprintf(trust, suffix), "stage: audit")
		if got := slices.ContainsFunc(problems, func(d diag.Diagnostic) bool { return d.Code == "name-reserved" && d.Line > 0 }); got != reserved {
			t.Errorf("x-%s: %v", suffix, problems)
		}
	}
}

// What comes and goes is said.
func TestMovesAreSaid(t *testing.T) {
	h := newHistory(t)
	both := map[string]string{"prod": "ring: 1, stage: audit, clusters: [eu]", "dev": "ring: 1, stage: audit"}
	h.ok(h.buildAll("  extends: [baseline]\n  namespaces: [{name: shop}]\n", both))
	delete(both, "dev")
	both["prod"] = "ring: 1, stage: enforce-platform, clusters: [us]"
	problems := h.buildAll("  extends: [baseline]\n  controls: {restrict-sysctls: {enabled: false}}\n  namespaces: [{name: cart}]\n", both)
	h.ok(problems)
	for _, code := range []string{"environment-removed", "cluster-added", "cluster-removed", "namespace-added", "namespace-removed", "policy-removed"} {
		h.want(problems, code)
	}
}

// A lock of the first format does not have exceptions: the build says that a narrower one
// takes effect at once. After one build of the same source, it waits.
func TestNarrowedAfterTheFirstLock(t *testing.T) {
	const profile = "  extends: [baseline]\n"
	first := func(h *history) {
		h.output[layout.Lock] = &fstest.MapFile{Data: []byte(`{"version":1,"environments":{"prod":{"stage":"enforce","policies":{"disallow-host-ports":{"apps":"Enforce","platform":"Enforce"}}}},"files":[]}`)}
	}
	exception := func(h *history, more string) diag.List {
		h.extra = "kind: Exception\nmetadata: {name: x}\nspec: {controls: [disallow-host-ports], match: {namespaces: [shop], kinds: [Pod], names: [a-*]}, " + more + "reason: r, owner: o, ticket: t, expires: 2026-06-01}\n"
		return h.build(profile, enforcing)
	}
	narrow := "containers: [c], "
	says := func(problems diag.List, code string) bool {
		return slices.ContainsFunc(problems, func(d diag.Diagnostic) bool { return d.Code == code })
	}

	h := newHistory(t)
	h.ok(exception(h, ""))
	first(h)
	problems := exception(h, narrow)
	h.ok(problems)
	h.want(problems, "lock-old")

	h = newHistory(t)
	h.ok(exception(h, ""))
	first(h)
	h.want(exception(h, ""), "lock-old")
	problems = exception(h, narrow)
	h.ok(problems)
	h.want(problems, "change-pending")
	if said := fmt.Sprint(problems); says(problems, "lock-old") || !strings.Contains(said, "exception x") {
		t.Errorf("found %s", said)
	}
	h.holds("exceptions/x-kept.yaml", "name: x-kept")

	// One that audits has nothing to lose.
	h = newHistory(t)
	h.ok(h.build(profile, "stage: audit"))
	h.output[layout.Lock] = &fstest.MapFile{Data: []byte(`{"version":1,"environments":{"prod":{"stage":"audit","policies":{"disallow-host-ports":{"apps":"Audit"}}}},"files":[]}`)}
	if problems := h.build(profile, "stage: audit"); says(problems, "lock-old") {
		t.Errorf("found %v", problems)
	}
}

// Flux does not remove a Namespace, so one that left the source keeps the label of its
// tier, and comes back in that tier. A namespace of others never had the label.
func TestLabelIsLeft(t *testing.T) {
	for existing, want := range map[bool]string{false: "gatehouse.dev/tier: platform", true: ""} {
		t.Run(fmt.Sprint("existing ", existing), func(t *testing.T) {
			profile := func(registries string, listed bool) string {
				text := "  extends: [baseline]\n  tiers: [platform, apps]\n  controls: {restrict-image-registries: {}}\n  registries: {allowed: [" + registries + "]}\n"
				if listed {
					text += fmt.Sprintf("  namespaces: [{name: edge, tier: platform, create: %t}]\n", !existing)
				}
				return text
			}
			h := newHistory(t)
			h.climb(profile("ghcr.io, quay.io", true), "audit", "enforce-platform")
			h.ok(h.build(profile("ghcr.io, quay.io", false), "stage: enforce-platform"))
			h.ok(h.build(profile("ghcr.io", false), "stage: enforce-platform")) // apps audits this, and platform holds what it had
			h.climb(profile("ghcr.io", false), "enforce")
			h.ok(h.build(profile("ghcr.io", true), "stage: enforce"))
			if waits := slices.ContainsFunc(h.locked().Namespaces, func(n manifest.LockedNamespace) bool { return n.Name == "edge" && n.Tier == "apps" }); waits != existing {
				t.Errorf("edge waits in the last tier: %t", waits)
			}
			if want != "" {
				h.holds("namespaces/edge.yaml", want)
			}
		})
	}
}

// locked returns what the lock has of the environment.
func (h *history) locked() manifest.LockedEnvironment {
	h.Helper()
	lock, err := manifest.DecodeLock(h.output[layout.Lock].Data)
	if err != nil {
		h.Fatal(err)
	}
	return lock.Environments["prod"]
}

// scoped is a profile in which one control applies where a scope says.
func scoped(scope string) string {
	return "  namespaces: [{name: edge, tier: platform}, {name: shop, labels: {team: a}}, {name: cart}]\n" +
		"  controls: {disallow-host-path: {" + scope + "}, default-deny: {enabled: false}}\n"
}

// A scope that becomes narrower holds at once, and one that becomes wider is audited first, in
// each kind of policies.
func TestScopeChanges(t *testing.T) {
	h := newHistory(t)
	h.climb(scoped("namespaces: {exclude: [cart]}"), "audit", "enforce-platform", "enforce")
	h.holds("policies/disallow-host-path.yaml", "- cart")
	h.want(h.build(scoped("namespaces: {}"), "stage: enforce"), "change-pending")
	h.holds("policies/disallow-host-path.yaml", "- cart")
	h.holds("policies/disallow-host-path-next.yaml", "failureAction: Audit")
	h.ok(h.build(scoped("namespaces: {}"), "stage: enforce, changes: 2026-01-05"))
	h.gone("policies/disallow-host-path-next.yaml")
	h.ok(h.build(scoped("namespaces: {exclude: [shop]}"), "stage: enforce, changes: 2026-01-05"))
	h.holds("policies/disallow-host-path.yaml", "- shop")
	h.gone("policies/disallow-host-path-next.yaml")
	// What does both is taken apart.
	h.want(h.build(scoped("namespaces: {exclude: [cart]}"), "stage: enforce, changes: 2026-01-05"), "change-pending")
	h.holds("policies/disallow-host-path.yaml", "- cart\n          - shop")
	h.ok(h.build(scoped("namespaces: {exclude: [cart]}"), "stage: enforce, changes: 2026-01-07"))
	// Nothing is left of it.
	h.want(h.build(scoped("namespaces: {include: [cart]}"), "stage: enforce, changes: 2026-01-07"), "change-pending")
	h.holds("policies/disallow-host-path.yaml", "failureAction: Audit")
	if board := string(h.output["README.md"].Data); !strings.Contains(board, "is new here and audited") {
		h.Errorf("the board: %s", board)
	}
	h.ok(h.build(scoped("namespaces: {include: [cart]}"), "stage: enforce, changes: 2026-01-09"))
	h.holds("policies/disallow-host-path.yaml", "failureAction: Enforce")
}

// A namespace that gains a label in the profile comes into the scope that asks for it, and a
// tier more is a change like a namespace more.
func TestScopeByLabelAndTier(t *testing.T) {
	h := newHistory(t)
	labelled := "namespaces: {include: [{labels: {team: a}}]}"
	more := strings.Replace(scoped(labelled), "{name: cart}", "{name: cart, labels: {team: a}}", 1)
	h.climb(scoped(labelled), "audit", "enforce-platform", "enforce")
	h.want(h.build(more, "stage: enforce"), "change-pending")
	h.holds("policies/disallow-host-path.yaml", "namespaces:\n          - shop\n")
	h.holds("policies/disallow-host-path-next.yaml", "- cart\n          - shop")
	h.ok(h.build(scoped(labelled), "stage: enforce"))
	h.gone("policies/disallow-host-path-next.yaml")

	h = newHistory(t)
	h.climb(scoped("tiers: [platform]"), "audit", "enforce-platform", "enforce")
	h.want(h.build(scoped(""), "stage: enforce"), "change-pending")
	h.holds("policies/disallow-host-path.yaml", "action: Audit")
	h.ok(h.build(scoped(""), "stage: enforce, changes: 2026-01-05"))
	if text := string(h.output["environments/prod/policies/disallow-host-path.yaml"].Data); strings.Contains(text, "Audit") {
		t.Errorf("it is audited: %s", text)
	}
}

// Labels choose other namespaces in each environment, and still a later ring does not accept a
// wider scope first.
func TestScopesOfRings(t *testing.T) {
	h := newHistory(t)
	fleet := func(scope string) string {
		return "  namespaces: [{name: shop, labels: {team: a}}, {name: cart, labels: {team: a}, environments: [dev]}, {name: edge}]\n" +
			"  controls: {disallow-host-path: {" + scope + "}, default-deny: {enabled: false}}\n"
	}
	at := func(dev, prod string) map[string]string {
		return map[string]string{"dev": "ring: 1, stage: enforce, allowSkip: true" + dev, "prod": "ring: 2, stage: enforce, allowSkip: true" + prod}
	}
	const include = "namespaces: {include: [edge]}"
	const wider = "namespaces: {include: [edge, {labels: {team: a}}]}"
	h.ok(h.buildAll(fleet(include), at("", "")))
	h.want(h.buildAll(fleet(wider), at("", "")), "change-pending")
	h.want(h.buildAll(fleet(wider), at("", ", changes: 2026-01-02")), "ring-ahead")
	h.ok(h.buildAll(fleet(wider), at(", changes: 2026-01-02", "")))
	h.ok(h.buildAll(fleet(wider), at(", changes: 2026-01-02", ", changes: 2026-01-02")))
}

// A later ring is not stricter for the kind of policies that an earlier one goes back to, and
// still does not accept another kind first.
func TestKindsOfRings(t *testing.T) {
	const profile, native = "  controls: {disallow-host-path: {}}\n", ", overrides: {kyverno: {policyType: ValidatingPolicy}}"
	at := func(dev, prod string) map[string]string {
		return map[string]string{"dev": "ring: 1, clusters: [a], stage: enforce, allowSkip: true" + dev, "prod": "ring: 2, clusters: [b], stage: enforce, allowSkip: true" + prod}
	}
	h := newHistory(t)
	for _, step := range []map[string]string{
		at("", ""),
		at(native, ""), at(native+", changes: 2026-01-02", ""), at(native+", changes: 2026-01-03", ""),
		at(", changes: 2026-01-03", ""), at(", changes: 2026-01-05", ""), at(", changes: 2026-01-06", ""),
	} {
		problems := h.buildAll(profile, step)
		h.ok(problems)
		if slices.ContainsFunc(problems, func(d diag.Diagnostic) bool { return d.Code == "ring-ahead" }) {
			t.Errorf("day %d: %v", h.day, problems)
		}
	}
	h.ok(h.buildAll(profile, at(native+", changes: 2026-01-06", native)))
	h.want(h.buildAll(profile, at(native+", changes: 2026-01-06", native+", changes: 2026-01-08")), "ring-ahead")
}

// An attestor that an image rule accepts, too, is accepted at once although the kind of
// policies waits. Another one instead of it is said, since images then need both.
func TestKindAndAttestor(t *testing.T) {
	profile := func(attestors string) string {
		return "  controls: {verify-images: {}, restrict-image-registries: {}}\n  registries: {allowed: [ghcr.io/acme]}\n  trust:\n" +
			"    attestors: [{name: a, keys: {kms: awskms:///alias/a}}, {name: b, keys: {kms: awskms:///alias/b}}]\n" +
			"    images: [{name: acme, references: [ghcr.io/acme/*], attestors: " + attestors + "}]\n"
	}
	const old, native = "stage: enforce, allowSkip: true", "stage: enforce, allowSkip: true, overrides: {kyverno: {policyType: ValidatingPolicy}}"
	for name, c := range map[string]struct {
		attestors string
		atOnce    bool
	}{
		"one more":    {"{count: 1, of: [a, b]}", true},
		"another one": {"[b]", false},
		"the same":    {"[a]", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.ok(h.build(profile("[a]"), old))
			problems := h.build(profile(c.attestors), native)
			h.ok(problems)
			h.ok(h.build(profile(c.attestors), native)) // what holds is read from what is kept
			h.holds("policies/verify-images-acme.yaml", "awskms:///alias/a")
			if got := strings.Contains(string(h.output["environments/prod/policies/verify-images-acme.yaml"].Data), "awskms:///alias/b"); got != c.atOnce {
				t.Errorf("what is enforced accepts b: %t", got)
			}
			said := slices.ContainsFunc(problems, func(d diag.Diagnostic) bool { return d.Code == "policy-type-attestors" })
			if said != (name == "another one") {
				t.Errorf("%v", problems)
			}
		})
	}
}

// gone fails the test if the environment has a file.
func (h *history) gone(path string) {
	h.Helper()
	if f := h.output["environments/prod/"+path]; f != nil {
		h.Errorf("%s is there: %s", path, f.Data)
	}
}

// limitsOf returns the file with the limits of a namespace; empty if there is none.
func (h *history) limitsOf(namespace string) string {
	if f := h.output["environments/prod/limits/"+namespace+".yaml"]; f != nil {
		return string(f.Data)
	}
	return ""
}

// Nothing audits a quota: it holds from the stage that enforces the tier, and what allows
// less waits for the environment. What allows more holds at once.
func TestLimitsAreStaged(t *testing.T) {
	const (
		audit, enforce = "stage: audit", "stage: enforce-platform"
		head           = "  extends: [baseline]\n  namespaces:\n    - name: shop\n      tier: platform\n"
		container      = "      limitRange: {limits: [{type: Container, "
	)
	steps := []struct {
		name, profile, environment string
		want, never                []string
	}{
		{"audited", head + "      resourceQuota: {hard: {pods: 10}}\n", audit, nil, []string{"ResourceQuota"}},
		{"enforced", head + "      resourceQuota: {hard: {pods: 10}}\n", enforce, []string{`pods: "10"`}, nil},
		{"raised", head + "      resourceQuota: {hard: {pods: 12}}\n", enforce, []string{`pods: "12"`}, nil},
		{"lowered and another", head + "      resourceQuota: {hard: {pods: 5, services: 3}}\n", enforce, []string{`pods: "12"`}, []string{"services"}},
		{"accepted too early", head + "      resourceQuota: {hard: {pods: 5, services: 3}}\n", enforce + ", changes: 2026-01-01", []string{`pods: "12"`}, []string{"services"}},
		{"accepted", head + "      resourceQuota: {hard: {pods: 5, services: 3}}\n", enforce + ", changes: 2026-01-05", []string{`pods: "5"`, `services: "3"`}, nil},
		{"a range comes", head + "      resourceQuota: {hard: {pods: 5}}\n" + container + "max: {memory: 4Gi}, default: {memory: 1Gi}}]}\n", enforce + ", changes: 2026-01-05",
			[]string{`pods: "5"`}, []string{"LimitRange", "services"}},
		{"it is accepted", head + "      resourceQuota: {hard: {pods: 5}}\n" + container + "max: {memory: 4Gi}, default: {memory: 1Gi}}]}\n", enforce + ", changes: 2026-01-08",
			[]string{"      memory: 1Gi\n", "      memory: 4Gi\n"}, nil},
		{"its maximum is raised, its default is left out", head + "      resourceQuota: {hard: {pods: 5}}\n" + container + "max: {memory: 8Gi}}]}\n", enforce + ", changes: 2026-01-08",
			[]string{"default:\n      memory: 1Gi\n", "max:\n      memory: 8Gi\n"}, nil},
		{"the same", head + "      resourceQuota: {hard: {pods: 5}}\n" + container + "max: {memory: 8Gi}}]}\n", enforce + ", changes: 2026-01-08",
			[]string{"default:\n      memory: 1Gi\n", "max:\n      memory: 8Gi\n"}, nil},
		{"accepted, and a quota that needs defaults", head + "      resourceQuota: {hard: {limits.memory: 9Gi}}\n" + container + "max: {memory: 8Gi}}]}\n", enforce + ", changes: 2026-01-11",
			[]string{"default:\n      memory: 8Gi\n"}, []string{"limits.memory"}},
		{"it is accepted", head + "      resourceQuota: {hard: {limits.memory: 9Gi}}\n" + container + "max: {memory: 8Gi}}]}\n", enforce + ", changes: 2026-01-12",
			[]string{"limits.memory: 9Gi"}, nil},
		{"the range goes, and the quota needs it", head + "      resourceQuota: {hard: {limits.memory: 9Gi}}\n", enforce + ", changes: 2026-01-12",
			[]string{"limits.memory: 9Gi", "default:\n      memory: 8Gi\n"}, []string{"max:"}},
		{"both go, but for the default", head, enforce + ", changes: 2026-01-12", []string{"default:\n      memory: 8Gi\n"}, []string{"limits.memory: 9Gi"}},
		{"it is accepted", head, enforce + ", changes: 2026-01-14", nil, []string{"kind"}},
		{"they come back", head + "      resourceQuota: {hard: {pods: 10}}\n", enforce + ", changes: 2026-01-12", nil, []string{"kind"}},
		{"back to audit", head + "      resourceQuota: {hard: {pods: 10}}\n", audit + ", changes: 2026-01-12", nil, []string{"kind"}},
		{"and up again", head + "      resourceQuota: {hard: {pods: 10}}\n", enforce + ", changes: 2026-01-12", []string{`pods: "10"`}, nil},
	}
	h := newHistory(t)
	for _, step := range steps {
		h.ok(h.build(step.profile, step.environment))
		file := h.limitsOf("shop")
		for _, want := range step.want {
			if !strings.Contains(file, want) {
				t.Errorf("day %d, %s: no %q in\n%s", h.day, step.name, want, file)
			}
		}
		for _, never := range step.never {
			if strings.Contains(file, never) {
				t.Errorf("day %d, %s: %q in\n%s", h.day, step.name, never, file)
			}
		}
	}
	if got := fmt.Sprint(h.effects); !strings.Contains(got, "applies the resource quota of") {
		t.Errorf("the build does not say that the quota begins: %v", got)
	}
}

// Each case has what is enforced, what the source says on the next day, and how the stage
// reads then.
func TestLimitsWait(t *testing.T) {
	quota := func(hard string) string { return "resourceQuota: {hard: {" + hard + "}}" }
	limits := func(items string) string { return "limitRange: {limits: [" + items + "]}" }
	for name, c := range map[string]struct {
		before, now, accepts string
		want                 []string
		waits                bool
	}{
		"another text":              {quota("pods: 10, cpu: 1000"), quota(`pods: "+10", cpu: 1e3`), "", []string{`pods: "+10"`}, false},
		"another text of a minimum": {limits("{type: Pod, min: {cpu: 1000}}"), limits(`{type: Pod, min: {cpu: "1E3"}}`), "", []string{`cpu: "1E3"`}, false},
		"another text of a default": {limits("{type: Container, default: {cpu: 1000}}"), limits(`{type: Container, default: {cpu: "1E3"}}`), "", []string{`cpu: "1E3"`}, false},
		"another name":              {quota("cpu: 4, count/secrets: 5"), quota("requests.cpu: 4, secrets: 6"), "", []string{`requests.cpu: "4"`, `    secrets: "6"`}, false},
		"another name and less":     {quota("cpu: 4"), quota("requests.cpu: 2"), "", []string{`requests.cpu: "4"`}, true},
		"two names, the least":      {quota("cpu: 4, requests.cpu: 2"), quota("cpu: 3"), "", []string{`cpu: "3"`}, false},
		"Pods that have ended":      {quota("pods: 4"), quota("count/pods: 4"), "", nil, true},
		"less, of a later day":      {quota("pods: 10"), quota("pods: 2"), "2026-01-03", []string{`pods: "10"`}, true},
		"a default that Pods need":  {limits("{type: Container, default: {memory: 1Gi}}, {type: Pod, max: {memory: 8Gi}}"), limits("{type: Pod, max: {memory: 8Gi}}"), "", []string{"default:\n      memory: 1Gi\n"}, true},
		"a default that a ratio needs": {limits("{type: Container, default: {cpu: 1}, maxLimitRequestRatio: {cpu: 2}}"), limits("{type: Container, maxLimitRequestRatio: {cpu: 2}}"), "",
			[]string{"default:\n      cpu: \"1\"\n"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			const head = "  extends: [baseline]\n  namespaces:\n    - name: shop\n      tier: platform\n      "
			h := newHistory(t)
			h.climb(head+c.before+"\n", "audit", "enforce-platform")
			stage := "stage: enforce-platform"
			if c.accepts != "" { // what waits since the day before
				h.ok(h.build(head+quota("pods: 8")+"\n", stage))
				stage += ", changes: " + c.accepts
			}
			h.ok(h.build(head+c.now+"\n", stage))
			for _, want := range c.want {
				if !strings.Contains(h.limitsOf("shop"), want) {
					t.Errorf("no %q in\n%s", want, h.limitsOf("shop"))
				}
			}
			if waits := strings.Contains(string(h.output[layout.Lock].Data), `"waits"`); waits != c.waits {
				t.Errorf("it waits: %t\n%s", waits, h.limitsOf("shop"))
			}
		})
	}
}

// What a network no longer lets through waits from the day on that closes it, and not from
// that of another change.
func TestRulesWaitForTheirDay(t *testing.T) {
	rules := func(ports string) string {
		return "  controls: {default-deny: {}}\n  namespaces: [{name: shop, tier: platform, network: {ingress: [{from: {anywhere: true}, ports: [" + ports + "]}]}}]\n"
	}
	h := newHistory(t)
	network := func() string { return string(h.output["environments/prod/network/shop.yaml"].Data) }
	h.climb(rules("80/TCP, 443/TCP, 8080/TCP"), "audit", "enforce-platform")
	h.ok(h.build(rules("80/TCP, 443/TCP"), "stage: enforce-platform"))
	h.ok(h.build(rules("443/TCP"), "stage: enforce-platform, changes: 2026-01-03"))
	if !strings.Contains(network(), "port: 80\n") {
		t.Errorf("port 80 is closed by the acceptance of an earlier change:\n%s", network())
	}
	h.ok(h.build(rules("443/TCP"), "stage: enforce-platform, changes: 2026-01-04"))
	if strings.Contains(network(), "port: 80\n") {
		t.Errorf("port 80 is open:\n%s", network())
	}
}

// A merge of two branches limits nothing more than each of them.
func TestLimitsAfterAMerge(t *testing.T) {
	const head = "  extends: [baseline]\n  namespaces:\n    - name: shop\n      tier: platform\n      resourceQuota: {hard: "
	h := newHistory(t)
	h.climb(head+"{pods: 10, services: 5}}\n", "audit", "enforce-platform")
	lock := h.output["gatehouse.lock"].Data
	more := strings.Replace(string(lock), `{"pods":"10","services":"5"}`, `{"pods":"20","secrets":"5"}`, 1)
	if more == string(lock) {
		t.Fatalf("the lock does not hold the quota:\n%s", lock)
	}
	var line string
	for l := range strings.Lines(more) {
		if strings.Contains(l, `"secrets":"5"`) {
			line = l
		}
	}
	h.output["gatehouse.lock"].Data = []byte(string(lock) + "\n# merged\n" + line)
	h.ok(h.build(head+"{pods: 10, services: 5, secrets: 5}}\n", "stage: enforce-platform"))
	if file := h.limitsOf("shop"); !strings.Contains(file, `hard:`+"\n"+`    pods: "20"`+"\n") || strings.Contains(file, "services") {
		t.Errorf("after the merge:\n%s", file)
	}
}
