package generator

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

const (
	tenants = "  extends: [multi-tenant]\n  registries: {allowed: [ghcr.io]}\n  controls: {restrict-flux-sources: {parameters: {urls: [https://github.com/acme]}}}\n"
	// impersonated, elsewhere and both are what the account that applies depends on.
	impersonated = "  flux: {serviceAccountName: flux-reconciler}\n"
	elsewhere    = "  flux: {namespace: gitops}\n"
	reconciler   = "  deployers: [system:serviceaccount:flux-system:flux-reconciler]\n"
	controllers  = "  deployers: [system:serviceaccount:flux-system:kustomize-controller]\n"
	enforcing    = "stage: enforce, allowSkip: true"
)

// A build that lets another account apply is refused, until a build before it has let
// that account in.
func TestApplierChange(t *testing.T) {
	for name, tt := range map[string]struct {
		before, after string // of the profile
		stage         string // before; empty for enforcing
		refused       bool
	}{
		"impersonation at once":               {before: "", after: impersonated, refused: true},
		"impersonation in two steps":          {before: reconciler, after: impersonated},
		"by a group":                          {before: "  deployers: [{group: \"system:serviceaccounts:flux-system\"}]\n", after: impersonated},
		"by a group of another namespace":     {before: "  deployers: [{group: \"system:serviceaccounts:gitops\"}]\n", after: impersonated, refused: true},
		"a user of that name":                 {before: "  deployers: [flux-reconciler]\n", after: impersonated, refused: true},
		"no impersonation any more":           {before: impersonated, after: "", refused: true},
		"no impersonation, in two steps":      {before: impersonated + controllers, after: ""},
		"another account":                     {before: impersonated, after: "  flux: {serviceAccountName: other}\n", refused: true},
		"another namespace of Flux":           {before: "", after: elsewhere, refused: true},
		"another namespace, in two steps":     {before: "  deployers: [system:serviceaccount:gitops:kustomize-controller]\n", after: elsewhere},
		"the same account, named by the user": {before: "", after: controllers},
		"nothing is enforced yet":             {before: "", after: impersonated, stage: "stage: audit"},
		"the guards are off": {after: impersonated,
			before: "  extends: [restricted]\n  controls: {restrict-policy-exceptions: {enabled: false}, protect-tier-labels: {enabled: false}}\n"},
		"by an override of the environment": {before: "", after: "", stage: "", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			base, environment := tenants, enforcing
			if strings.Contains(tt.before, "extends:") {
				base = ""
			}
			if tt.stage != "" {
				environment = tt.stage
			}
			h.ok(h.build(base+tt.before, environment))
			if name == "by an override of the environment" {
				environment += ", overrides: {flux: {serviceAccountName: flux-reconciler}}"
			}
			problems := h.build(tenants+tt.after, environment)
			if !tt.refused {
				h.ok(problems)
				return
			}
			h.want(problems, "applier-change")
			if text := problems.Err().Error(); !strings.Contains(text, "first add system:serviceaccount:") || !strings.Contains(text, "spec.deployers") {
				t.Errorf("the message does not name the steps: %s", text)
			}
		})
	}
}

// A cluster that goes to another environment, or whose environment gets another name, is
// still guarded by what is enforced in it.
func TestApplierOfMovedCluster(t *testing.T) {
	const c1, c2 = ", clusters: [c1]", ", clusters: [c2]"
	impersonates := ", overrides: {flux: {serviceAccountName: flux-reconciler}}"
	for name, tt := range map[string]struct {
		profile       string
		before, after map[string]string
		refused       bool
	}{
		"to one that impersonates":   {tenants, map[string]string{"a": "ring: 1, " + enforcing + c1, "b": "ring: 1, " + enforcing + impersonates + c2}, map[string]string{"b": "ring: 1, " + enforcing + impersonates + ", clusters: [c1, c2]"}, true},
		"from one that impersonates": {tenants, map[string]string{"a": "ring: 1, " + enforcing + impersonates + c1, "b": "ring: 1, " + enforcing + c2}, map[string]string{"b": "ring: 1, " + enforcing + ", clusters: [c1, c2]"}, true},
		"to one like it":             {tenants, map[string]string{"a": "ring: 1, " + enforcing + c1, "b": "ring: 1, " + enforcing + c2}, map[string]string{"b": "ring: 1, " + enforcing + ", clusters: [c1, c2]"}, false},
		"renamed":                    {tenants, map[string]string{"a": "ring: 1, " + enforcing + c1}, map[string]string{"b": "ring: 1, " + enforcing + impersonates + c1}, true},
		"renamed, and let in before": {tenants + reconciler, map[string]string{"a": "ring: 1, " + enforcing + c1}, map[string]string{"b": "ring: 1, " + enforcing + impersonates + c1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.ok(h.buildAll(tt.profile, tt.before))
			problems := h.buildAll(tt.profile, tt.after)
			if tt.refused {
				h.want(problems, "applier-change")
				return
			}
			h.ok(problems)
			if said := fmt.Sprint(problems); !strings.Contains(said, "its clusters are in others now") || strings.Contains(said, "finds nothing") {
				t.Errorf("the message about the environment that is gone: %s", said)
			}
		})
	}
}

// A cluster that is in another environment now is not said to be without anything.
func TestClusterMoves(t *testing.T) {
	const base = "  extends: [baseline]\n"
	for name, tt := range map[string]struct {
		after  map[string]string
		want   string
		absent string
	}{
		"to another environment": {map[string]string{"a": "ring: 1, stage: audit, clusters: [c1]", "b": "ring: 1, stage: audit, clusters: [c2, c3]"}, "the cluster c2 moved from a to b", "finds nothing"},
		"to a new environment":   {map[string]string{"a": "ring: 1, stage: audit, clusters: [c1]", "b": "ring: 1, stage: audit, clusters: [c3]", "n": "ring: 1, stage: audit, clusters: [c2]"}, "the cluster c2 moved from a to n", "finds nothing"},
		"away":                   {map[string]string{"a": "ring: 1, stage: audit, clusters: [c1]", "b": "ring: 1, stage: audit, clusters: [c3]"}, "a no longer has the cluster c2: Flux finds nothing", "moved from"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.ok(h.buildAll(base, map[string]string{"a": "ring: 1, stage: audit, clusters: [c1, c2]", "b": "ring: 1, stage: audit, clusters: [c3]"}))
			problems := h.buildAll(base, tt.after)
			h.ok(problems)
			h.want(problems, "cluster-removed")
			if said := fmt.Sprint(problems); !strings.Contains(said, tt.want) || strings.Contains(said, tt.absent) {
				t.Errorf("the message is %s", said)
			}
		})
	}
}

// Until the environment accepts that the old account goes, the switch can be reverted;
// afterwards the revert needs two steps too.
func TestApplierRevert(t *testing.T) {
	for name, tt := range map[string]struct {
		after   string // the switch
		refused bool
	}{
		"before it is accepted": {after: enforcing},
		"after it is accepted":  {after: enforcing + ", changes: 2026-01-03", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.ok(h.build(tenants, enforcing))
			h.ok(h.build(tenants+reconciler, enforcing))
			h.ok(h.build(tenants+impersonated, enforcing))
			h.holds("policies/restrict-policy-exceptions.yaml", "kustomize-controller")
			problems := h.build(tenants+impersonated, tt.after)
			h.ok(problems)
			if !tt.refused {
				h.ok(h.build(tenants+reconciler, enforcing))
				return
			}
			h.want(problems, "deployer-removed")
			if f := h.output["environments/prod/policies/restrict-policy-exceptions.yaml"]; strings.Contains(string(f.Data), "kustomize-controller") {
				t.Error("the controllers of Flux are still deployers")
			}
			h.want(h.build(tenants+reconciler, enforcing+", changes: 2026-01-03"), "applier-change")
			h.ok(h.build(tenants+impersonated+controllers, enforcing+", changes: 2026-01-03"))
			h.ok(h.build(tenants+reconciler, enforcing+", changes: 2026-01-03"))
		})
	}
}

// A lock of an older gatehouse does not say whom the bundle accepts. The contents do, and
// a build that changes nothing of it needs no proof.
func TestApplierOfOlderLock(t *testing.T) {
	forget := func(h *history) {
		lock, err := manifest.DecodeLock(h.output[layout.Lock].Data)
		if err != nil {
			h.Fatal(err)
		}
		env := lock.Environments["prod"]
		env.Deployers = nil
		lock.Environments["prod"] = env
		text, err := lock.Encode()
		if err != nil {
			h.Fatal(err)
		}
		h.output[layout.Lock] = &fstest.MapFile{Data: text}
	}
	without := func(h *history, folder string) {
		for path := range h.output {
			if strings.HasPrefix(path, folder) {
				delete(h.output, path)
			}
		}
	}
	for name, tt := range map[string]struct {
		before, after string
		lost          []string // folders of the output
		refused       bool
	}{
		"nothing changes":                           {before: "", after: ""},
		"nothing changes, the contents are lost":    {before: "", after: "", lost: []string{"contents/"}},
		"a change":                                  {before: "", after: impersonated, refused: true},
		"a change that the contents prove":          {before: reconciler, after: impersonated},
		"a change, the Kustomizations are lost":     {before: "", after: impersonated, lost: []string{"clusters/"}, refused: true},
		"no change, the Kustomizations are lost":    {before: impersonated, after: impersonated, lost: []string{"clusters/"}},
		"a proven change, the contents are lost":    {before: reconciler, after: impersonated, lost: []string{"contents/"}, refused: true},
		"no change, but all that would show it":     {before: impersonated, after: impersonated, lost: []string{"clusters/", "contents/"}, refused: true},
		"a change back to the controllers of Flux":  {before: impersonated, after: "", refused: true},
		"a change back that the contents prove":     {before: impersonated + controllers, after: ""},
		"a change of the namespace":                 {before: "", after: elsewhere, refused: true},
		"a new cluster has no Kustomizations there": {before: impersonated, after: impersonated},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.ok(h.build(tenants+tt.before, enforcing))
			forget(h)
			for _, folder := range tt.lost {
				without(h, folder)
			}
			environment := enforcing
			if strings.HasPrefix(name, "a new cluster") {
				environment += ", clusters: [prod, prod-2]"
			}
			problems := h.build(tenants+tt.after, environment)
			if tt.refused {
				h.want(problems, "applier-change")
			} else {
				h.ok(problems)
			}
		})
	}
}

// The folders before and after switch Flux to impersonation at once.
func TestImpersonationCase(t *testing.T) {
	o := Options{Version: "devel", Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	before, problems := Compile(os.DirFS("testdata/impersonation/before"), ".", o)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	output := fstest.MapFS{}
	for path, text := range bytesOf(t, before) {
		output[path] = &fstest.MapFile{Data: []byte(text)}
	}
	lock, err := manifest.DecodeLock(output[layout.Lock].Data)
	if err != nil {
		t.Fatal(err)
	}
	o.Prior, o.Output = lock, output
	_, problems = Compile(os.DirFS("testdata/impersonation/after"), ".", o)
	h := newHistory(t)
	h.want(problems, "applier-change")
}

// A merge of two branches accepts whom both accepted.
func TestMergedDeployers(t *testing.T) {
	h := newHistory(t)
	h.ok(h.build(tenants, enforcing))
	ours := string(h.output[layout.Lock].Data)
	h.ok(h.build(tenants+reconciler, enforcing))
	theirs := string(h.output[layout.Lock].Data)
	line := func(lock string) string {
		_, rest, _ := strings.Cut(lock, "# prod deployers\n")
		fact, _, _ := strings.Cut(rest, "\n")
		return fact
	}
	if line(ours) == line(theirs) || !strings.Contains(line(theirs), "flux-reconciler") {
		t.Fatalf("the lock does not say whom the bundle accepts: %s", line(theirs))
	}
	merged := strings.Replace(theirs, line(theirs), line(ours)+"\n"+line(theirs), 1)
	h.output[layout.Lock] = &fstest.MapFile{Data: []byte(merged)}
	h.want(h.build(tenants+impersonated, enforcing), "applier-change")
}

// The message points at the field that was changed, also where it is gone.
func TestApplierField(t *testing.T) {
	for name, tt := range map[string]struct{ before, after, path string }{
		"an account":        {"", impersonated, "spec.flux.serviceAccountName"},
		"no account":        {impersonated, "", "spec.flux.serviceAccountName"},
		"a namespace":       {"", elsewhere, "spec.flux.namespace"},
		"its account there": {impersonated, "  flux: {namespace: gitops, serviceAccountName: flux-reconciler}\n", "spec.flux.namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.ok(h.build(tenants+tt.before, enforcing))
			problems := h.build(tenants+tt.after, enforcing)
			h.want(problems, "applier-change")
			for _, d := range problems {
				if d.Code == "applier-change" && (d.Path != tt.path || d.Line == 0) {
					t.Errorf("points at %s: %s", d.Path, d)
				}
			}
		})
	}
}

// What a change of the deployers does is said of users and of groups.
func TestDeployersAreNamed(t *testing.T) {
	const both = "  deployers: [system:serviceaccount:ci:deploy, {group: platform}]\n"
	h := newHistory(t)
	h.ok(h.build(tenants, enforcing))
	if board := string(h.output["README.md"].Data); !strings.Contains(board, "May change what is guarded: `system:serviceaccount:flux-system:helm-controller`, `system:serviceaccount:flux-system:kustomize-controller`, the group `system:masters`.") {
		t.Errorf("the board does not name the deployers: %s", board)
	}
	h.ok(h.build(tenants+both, enforcing))
	if effects := fmt.Sprint(h.effects); !strings.Contains(effects, "prod: accepts as deployers (2): system:serviceaccount:ci:deploy, the group platform") {
		t.Errorf("the effects do not name the deployers: %s", effects)
	}
	h.ok(h.build(tenants+both, enforcing))
	if len(h.effects) > 0 {
		t.Errorf("a build that changes nothing has effects: %v", h.effects)
	}
	problems := h.build(tenants, enforcing)
	h.ok(problems)
	problems = append(problems, h.build(tenants, enforcing+", changes: 2026-01-04")...)
	h.want(problems, "deployer-removed")
	for _, d := range problems {
		if d.Code == "deployer-removed" && (!strings.Contains(d.Hint, "Flux does not apply it") || !strings.Contains(d.Hint, "members of a group")) {
			t.Errorf("the hint is not for both: %s", d)
		}
	}
}
