package proof_test

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/diag"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
	"github.com/gatehouse-dev/gatehouse/templates"
)

// situation is what a profile says beside its controls: one namespace, and references
// of an image rule.
type situation struct {
	namespace object
	images    []string
}

func situations() map[string]situation {
	listed := func(name string, more object) object {
		namespace := object{"name": name, "labels": object{"owner": "team-a"}}
		maps.Copy(namespace, more)
		return namespace
	}
	return map[string]situation{
		"a namespace":          {namespace: listed("shop", nil)},
		"a platform namespace": {namespace: listed("shop", object{"tier": "platform"})},
		"an open namespace":    {namespace: listed("shop", object{"network": object{"defaultDeny": false, "dns": false}})},
		"an unowned namespace": {namespace: object{"name": "shop"}},
		"default":              {namespace: listed("default", nil)},
		"an image rule":        {namespace: listed("shop", nil), images: []string{"registry.example.net/team/*"}},
	}
}

// otherValues are values that a profile could set in place of those that gatehouse derives.
func otherValues() map[string]any {
	return map[string]any{
		"deployers": []any{"jane@example.com"}, "deployers.groups": []any{"jane"}, "deployers.appliers": []any{}, "kyverno.cleanup": "jane", "exceptions.namespace": "elsewhere", "kyverno.namespace": "elsewhere", "flux.namespace": "elsewhere",
		"systemNamespaces": []any{"kube-system"}, "tiers": []any{"one"}, "environments": []any{"one"},
	}
}

// settings are the parameters of controls, by id.
type settings map[string]map[string]any

// compileAt builds a profile with the controls enforced, in a situation. An exception
// is there for the object that it becomes.
func compileAt(t *testing.T, s situation, controls settings, files fstest.MapFS) (*generator.Bundle, diag.List) {
	t.Helper()
	on := object{"disallow-host-path": object{}}
	for id, parameters := range controls {
		on[id] = object{"parameters": parameters}
	}
	spec := object{"namespaces": []any{s.namespace}, "controls": on}
	if s.images != nil {
		on["verify-images"] = object{}
		spec["trust"] = object{
			"attestors": []any{object{"name": "kms", "keys": object{"kms": "awskms:///alias/release"}}},
			"images":    []any{object{"name": "rule", "references": s.images, "attestors": []any{"kms"}}},
		}
	}
	fsys := fstest.MapFS{}
	if maps.Copy(fsys, files); files != nil {
		spec["catalogs"] = []any{"catalog"}
	}
	for name, document := range map[string]object{
		"profile.yaml": {"kind": "Profile", "metadata": object{"name": "proof"}, "spec": spec},
		"prod.yaml":    {"kind": "Environment", "metadata": object{"name": enforced}, "spec": object{"ring": 1, "stage": "enforce", "allowSkip": true}},
		"exception.yaml": {"kind": "Exception", "metadata": object{"name": "agent"}, "spec": object{
			"controls": []any{"disallow-host-path"}, "match": object{"namespaces": []any{"shop"}, "kinds": []any{"Pod"}, "names": []any{"agent"}},
			"reason": "reads logs", "owner": "team-a", "expires": "2027-03-31"}},
	} {
		document["apiVersion"] = v1alpha1.Group + "/v1alpha1"
		fsys[name] = &fstest.MapFile{Data: encode(t, document)}
	}
	return generator.Compile(fsys, ".", generator.Options{Version: "test", Now: builtAt()})
}

// contradicts reports whether a control contradicts a situation.
func contradicts(t *testing.T, s situation, id string, parameters map[string]any) bool {
	t.Helper()
	_, problems := compileAt(t, s, settings{id: parameters}, nil)
	for _, p := range problems {
		if p.Severity == diag.Error && p.Code != "contradiction" {
			t.Errorf("%s: the profile does not build: %s", id, p)
		}
	}
	return problems.HasErrors()
}

// wantApplied wants the deployer to be able to apply each object of a bundle.
func wantApplied(t *testing.T, k cluster, bundle *generator.Bundle) {
	t.Helper()
	for _, f := range bundle.Files {
		for _, o := range f.Objects {
			if f.Folder.Applied() && !strings.HasPrefix(o.APIVersion(), "kustomize.config.k8s.io/") {
				applyBoth(t, k, o)
			}
		}
	}
}

// impossible returns what a policy never admits in the namespace of a situation: any
// Pod, or any with an image of the rule.
func impossible(t *testing.T, k cluster, policy string, good []catalog.Case, s situation) []string {
	t.Helper()
	namespace := s.namespace["name"].(string)
	pods := plainPods(good)
	images := []string{""}
	for _, reference := range s.images {
		images = append(images, strings.TrimSuffix(reference, "*")+"app:1@sha256:"+strings.Repeat("a", 64))
	}
	var out []string
	for _, image := range images {
		admitted := func(pod catalog.Case) bool {
			return !k.ask(t, only(policy, requestOf(t, withImage(moved(t, pod, namespace), image)))).Blocked
		}
		if len(pods) > 0 && !slices.ContainsFunc(pods, admitted) {
			out = append(out, fmt.Sprintf("no Pod is admitted in %s with image %q", namespace, image))
		}
	}
	return out
}

// withImage gives every container of a Pod an image; empty changes nothing.
func withImage(pod catalog.Case, image string) catalog.Case {
	for _, kind := range containerKinds() {
		for _, container := range containersOf(pod.Object, kind) {
			if image != "" {
				container.(map[string]any)["image"] = image
			}
		}
	}
	return pod
}

// TestContradictions holds each control at Enforce against what a profile can list.
// What the engine never admits must have been an error of the build: the claims of the
// controls are complete.
func TestContradictions(t *testing.T) {
	controls := builtin(t)
	var refused []string
	for _, name := range sortedKeys(situations()) {
		t.Run(name, func(t *testing.T) {
			s, together := situations()[name], settings{}
			for _, c := range controls {
				if contradicts(t, s, c.ID, c.ExampleParameters) {
					refused = append(refused, name+": "+c.ID)
				} else {
					together[c.ID] = c.ExampleParameters
				}
			}
			bundle, problems := compileAt(t, s, together, nil)
			if problems.HasErrors() {
				t.Fatal(problems.Err())
			}
			k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
			wantApplied(t, k, bundle)
			for _, c := range controls {
				if _, on := together[c.ID]; on {
					for _, what := range impossible(t, k, c.ID, c.good, s) {
						t.Errorf("it builds, but under %s %s", c.ID, what)
					}
				}
			}
		})
	}
	want := []string{
		"an image rule: restrict-image-registries",
		"an open namespace: require-network-policy",
		"an unowned namespace: require-namespace-labels",
		"default: disallow-default-namespace",
	}
	if diff := cmp.Diff(want, refused); diff != "" {
		t.Errorf("what does not build (-want +got):\n%s", diff)
	}
}

// TestContradictingParameters sets each parameter that gatehouse derives. If it builds,
// the deployer can apply what was built.
func TestContradictingParameters(t *testing.T) {
	var refused []string
	s, together := situations()["a namespace"], settings{}
	for _, c := range builtin(t) {
		together[c.ID] = maps.Clone(c.ExampleParameters)
		for _, parameter := range sortedKeys(c.Parameters.Properties) {
			other := otherValues()[c.Parameters.Properties[parameter].From]
			if other == nil {
				continue
			}
			set := map[string]any{}
			maps.Copy(set, c.ExampleParameters)
			if set[parameter] = other; contradicts(t, s, c.ID, set) {
				refused = append(refused, c.ID+": "+parameter)
				continue
			}
			if together[c.ID] == nil {
				together[c.ID] = map[string]any{}
			}
			together[c.ID][parameter] = other
		}
	}
	bundle, problems := compileAt(t, s, together, nil)
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	wantApplied(t, newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced)), bundle)
	want := []string{
		"protect-network-policies: appliers", "protect-tier-labels: appliers", "require-namespace-labels: exclude",
		"restrict-policy-exceptions: appliers", "restrict-policy-exceptions: namespace",
	}
	if diff := cmp.Diff(want, refused); diff != "" {
		t.Errorf("what does not build (-want +got):\n%s", diff)
	}
}

// TestUnclaimedContradiction shows that the engine finds what a control does not claim:
// a copy of disallow-default-namespace without its claims builds, and admits nothing.
func TestUnclaimedContradiction(t *testing.T) {
	const original, copied = "disallow-default-namespace", "unclaimed"
	files := fstest.MapFS{}
	err := fs.WalkDir(templates.FS(), "controls/"+original, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(templates.FS(), name)
		changed := strings.NewReplacer("name: "+original, "name: "+copied, "  refuses: {namespaces: [default]}\n", "").Replace(string(text))
		files[strings.Replace(name, "controls/"+original, "catalog/"+copied, 1)] = &fstest.MapFile{Data: []byte(changed)}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s := situations()["default"]
	bundle, problems := compileAt(t, s, settings{copied: nil}, files)
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	for _, c := range builtin(t) {
		if c.ID == original && len(impossible(t, k, copied, c.good, s)) == 0 {
			t.Error("the test shows nothing: a Pod is admitted in default")
		}
	}
}

// TestReservedLabels: with labels that are demanded and reserved, only deployers can
// create a Namespace, whatever labels it has.
func TestReservedLabels(t *testing.T) {
	s := situation{namespace: object{"name": "shop", "create": false}}
	bundle, problems := compileAt(t, s, settings{"require-namespace-labels": {"labels": []any{"owner", "gatehouse.dev/tier"}}, "protect-tier-labels": nil}, nil)
	if problems.HasErrors() || !slices.ContainsFunc(problems, func(p diag.Diagnostic) bool { return p.Code == "contradiction" }) {
		t.Errorf("want a warning of the contradiction, got %v", problems)
	}
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, enforced))
	labels := object{"owner": "team-a", "gatehouse.dev/tier": "apps", "gatehouse.dev/environment": enforced}
	for name, labels := range map[string]object{"with them": labels, "without them": {"owner": "team-a"}} {
		namespace := object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": "shop", "labels": labels}}
		request := protocol.EvaluateParams{Resource: encode(t, namespace), UserInfo: protocol.UserInfo{Username: "developer@example.com"}}
		if got := k.ask(t, request); !got.Blocked {
			t.Errorf("%s, a tenant can create it: %s", name, verdict(got))
		}
		request.UserInfo, request.Resource = deployer(), encode(t, asFluxApplies(t, namespace, "flux-system"))
		if got := k.ask(t, request); got.Blocked && name == "with them" {
			t.Errorf("%s, a deployer cannot create it: %s", name, verdict(got))
		}
	}
}
