package proof_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/catalog"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	protocol "github.com/gatehouse-dev/gatehouse/judge/engine"
)

// deployer is the account that applies the repository.
func deployer() protocol.UserInfo {
	return protocol.UserInfo{
		Username: "system:serviceaccount:flux-system:kustomize-controller",
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:flux-system", "system:authenticated"},
	}
}

// asFluxApplies returns a copy of an object as kustomize-controller sends it for a
// Kustomization of a namespace.
func asFluxApplies(t testing.TB, o object, namespace string) object {
	t.Helper()
	out := clone(t, o)
	metadata := out["metadata"].(object)
	labels, _ := metadata["labels"].(object)
	if labels == nil {
		labels = object{}
	}
	labels["kustomize.toolkit.fluxcd.io/name"], labels["kustomize.toolkit.fluxcd.io/namespace"] = "gatehouse-policies", namespace
	metadata["labels"] = labels
	return out
}

// strictExample is examples/acme, which extends the profile hardened, with
// every environment at the strictest stage.
func strictExample(t *testing.T) *generator.Bundle { return strict(t, "acme") }

// strictExamples are the example in each kind of policies, and the one without Kyverno.
func strictExamples(t *testing.T) map[string]*generator.Bundle {
	t.Helper()
	acme := strictExample(t)
	all := map[string]*generator.Bundle{catalog.ClusterPolicy: acme, "without Kyverno": strict(t, "without-kyverno")}
	for _, target := range catalog.CELTargets() {
		bundle, problems := acme.WithPolicyType(target)
		if problems.HasErrors() {
			t.Fatal(problems.Err())
		}
		all[target] = bundle
	}
	return all
}

// strict is an example with every environment at the strictest stage.
func strict(t *testing.T, example string) *generator.Bundle {
	t.Helper()
	stage := regexp.MustCompile(`(?m)^  stage: .*$`)
	fsys := fstest.MapFS{}
	source := os.DirFS("../../examples/" + example)
	err := fs.WalkDir(source, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(source, name)
		if strings.HasPrefix(name, "environments/") {
			text = stage.ReplaceAll(text, []byte("  stage: enforce"))
		}
		fsys[name] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	bundle, problems := generator.Compile(fsys, ".", generator.Options{Version: "test", Now: builtAt(), Unstaged: true})
	if problems.HasErrors() {
		t.Fatal(problems.Err())
	}
	return bundle
}

// TestBundleAppliesItself has the deployer create and update everything that
// the bundle consists of, under the policies of its last environment
// (docs/safety.md#deployer-and-system-namespaces).
func TestBundleAppliesItself(t *testing.T) {
	for name, bundle := range strictExamples(t) {
		t.Run(name, func(t *testing.T) {
			kinds := []string{"Namespace", "NetworkPolicy", "Kustomization"}
			switch name {
			case catalog.ClusterPolicy:
				kinds = append(kinds, "ClusterPolicy", "PolicyException", "ConfigMap", "HelmRelease", "ClusterRole", "ResourceQuota", "LimitRange")
			case catalog.ValidatingPolicy:
				kinds = append(kinds, "ValidatingPolicy", "HelmRelease", "ClusterRole")
			default:
				kinds = append(kinds, "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
			}
			testAppliesItself(t, bundle, kinds)
		})
	}
}

// testAppliesItself applies a bundle that has some kinds under its own policies. Its
// environments are all at the strictest stage, and the last one has the most of them.
func testAppliesItself(t *testing.T, bundle *generator.Bundle, has []string) {
	env := bundle.Plan.Environments[len(bundle.Plan.Environments)-1]
	all := applied(bundle, env.Name)
	k := newCluster(t, bundle.Plan.ExceptionNamespace, all)
	for _, f := range bundle.Files {
		if strings.HasPrefix(f.Path, "clusters/") {
			all = append(all, f.Objects...)
		}
	}
	kinds := map[string]int{}
	for _, o := range all {
		if o.Kind() == "Kustomization" && strings.HasPrefix(o.APIVersion(), "kustomize.config.k8s.io/") {
			continue // a file for kustomize, not an object
		}
		kinds[o.Kind()]++
		applyBoth(t, k, o)
	}
	for _, kind := range has {
		if kinds[kind] == 0 {
			t.Errorf("the bundle has no %s: the test shows less than it says", kind)
		}
	}
}

// applyBoth creates an object and updates an older form of it.
func applyBoth(t *testing.T, k cluster, o manifest.Object) {
	t.Helper()
	o = asFluxApplies(t, o, "flux-system")
	create := protocol.EvaluateParams{Resource: encode(t, o), UserInfo: deployer()}
	if got := k.ask(t, create); got.Blocked {
		t.Errorf("the deployer cannot create %s: %s", o.ID(), verdict(got))
	}
	older := clone(t, o)
	older.Metadata()["annotations"] = object{"before": "yes"}
	update := create
	update.Operation, update.OldResource = protocol.Update, encode(t, older)
	if got := k.ask(t, update); got.Blocked {
		t.Errorf("the deployer cannot update %s: %s", o.ID(), verdict(got))
	}
}

// TestSystemNamespaces puts everything that some control refuses into the
// namespaces that a cluster cannot do without.
func TestSystemNamespaces(t *testing.T) {
	for name, bundle := range strictExamples(t) {
		if name != catalog.ValidatingAdmissionPolicy { // without Kyverno they are the same
			t.Run(name, func(t *testing.T) { testSystemNamespaces(t, bundle) })
		}
	}
}

func testSystemNamespaces(t *testing.T, bundle *generator.Bundle) {
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, "prod"))
	env, _ := bundle.Plan.Environment("prod")
	namespaces := []string{"kube-system", "flux-system"}
	if !env.Kyverno.Absent {
		namespaces = append(namespaces, "kyverno")
	}
	for _, c := range builtin(t) {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			for _, bad := range c.bad {
				if bad.ClusterScoped {
					continue
				}
				for _, namespace := range namespaces {
					request := in("", requestOf(t, moved(t, bad, namespace)))
					if got := k.ask(t, request); got.Blocked {
						t.Errorf("%s is refused in %s: %s", bad.Name, namespace, verdict(got))
					}
				}
			}
		})
	}
	t.Run("outside of them the same Pod is refused", func(t *testing.T) {
		if got := k.ask(t, in("", requestOf(t, faultyPod("x", "somewhere")))); !got.Blocked {
			t.Error("the test shows nothing: the policies admit a privileged Pod")
		}
	})
}

// TestTenantCannotOpen lets a user who is not a deployer try to get around the
// policies: by the labels that decide the tier, and by an exception.
func TestTenantCannotOpen(t *testing.T) {
	bundle := strictExample(t)
	k := newCluster(t, bundle.Plan.ExceptionNamespace, applied(bundle, "prod"))
	tenant := protocol.UserInfo{Username: "developer@example.com", Groups: []string{"system:authenticated"}}
	namespace := func(labels object) object {
		return object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": "payments", "labels": labels}}
	}
	was := object{"owner": "team-payments", "gatehouse.dev/environment": "prod", "gatehouse.dev/tier": "platform"}
	for name, labels := range map[string]object{
		"other tier": {"owner": "team-payments", "gatehouse.dev/environment": "prod", "gatehouse.dev/tier": "apps"},
		"no tier":    {"owner": "team-payments", "gatehouse.dev/environment": "prod"},
	} {
		request := protocol.EvaluateParams{Operation: protocol.Update, Resource: encode(t, namespace(labels)), OldResource: encode(t, namespace(was)), UserInfo: tenant}
		if got := k.ask(t, request); !got.Blocked {
			t.Errorf("%s: a tenant may change the tier: %s", name, verdict(got))
		}
		request.UserInfo, request.Resource = deployer(), encode(t, asFluxApplies(t, namespace(labels), "flux-system"))
		if got := k.ask(t, request); got.Blocked && name == "other tier" {
			t.Errorf("%s: the deployer may not: %s", name, verdict(got))
		}
	}
	for _, o := range applied(bundle, "prod") {
		if o.Kind() != "PolicyException" {
			continue
		}
		if got := k.ask(t, protocol.EvaluateParams{Resource: encode(t, o), UserInfo: tenant}); !got.Blocked {
			t.Errorf("a tenant may create the exception %s: %s", o.Name(), verdict(got))
		}
	}
}
