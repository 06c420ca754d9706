package kyverno

import (
	"encoding/json"
	"maps"
	"slices"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/apis/kustomize"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gatehouse-dev/gatehouse/api/v1alpha1"
	"github.com/gatehouse-dev/gatehouse/generator/plan"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// The Kyverno that is installed. The version is exact: chart 3.9 is the last one
// with full support for ClusterPolicy, and 3.9.1 (Kyverno 1.19.1) the first one
// whose webhook checks CEL exceptions of every version
// (docs/kyverno-traps.md#which-version).
const (
	chartRepository = "https://kyverno.github.io/kyverno/"
	chartName       = "kyverno"
	chartVersion    = "3.9.1"
	// releaseName determines the names of the chart's Deployments. The graph waits for
	// one of them.
	releaseName = "kyverno"
)

// Install emits what Kyverno needs to run and to read what the policies match:
//
//   - environments/<env>/kyverno/{helmrepository,helmrelease}.yaml, unless
//     Kyverno is already installed;
//   - environments/<env>/kyverno-rbac/reports-controller.yaml, if the policies
//     match more than Kyverno may read by default.
//
// It emits nothing where there is no Kyverno.
//
// It does not emit the namespaces of Kyverno and of the exceptions. If Kyverno is
// already installed, its configuration must match [Values].
func Install(p *plan.Plan) []manifest.File {
	var files []manifest.File
	for _, env := range p.Environments {
		if env.Kyverno.Absent {
			continue
		}
		if env.Kyverno.Install {
			folder := layout.Folder{Environment: env.Name, Kind: layout.Kyverno}
			files = append(files,
				manifest.File{Path: folder.File("helmrepository"), Folder: folder, Objects: []manifest.Object{object(repository(env))}},
				manifest.File{Path: folder.File("helmrelease"), Folder: folder, Objects: []manifest.Object{object(release(p, env))}})
		}
		folder := layout.Folder{Environment: env.Name, Kind: layout.KyvernoRBAC}
		for _, role := range []struct {
			controller, short string
			resources         map[string][]string
		}{{"admission-controller", "admission", admissionRules(env)}, {"reports-controller", "reports", reportsRules(env)}} {
			if len(role.resources) > 0 {
				files = append(files, manifest.File{
					Path: folder.File(role.controller), Folder: folder, Objects: []manifest.Object{readRole(role.controller, role.short, role.resources)},
				})
			}
		}
	}
	return files
}

// repository returns the chart repository that the README of the chart names.
func repository(env plan.Environment) *sourcev1.HelmRepository {
	return &sourcev1.HelmRepository{
		TypeMeta:   metav1.TypeMeta{APIVersion: sourcev1.GroupVersion.String(), Kind: sourcev1.HelmRepositoryKind},
		ObjectMeta: metav1.ObjectMeta{Name: releaseName, Namespace: env.Flux.Namespace},
		Spec:       sourcev1.HelmRepositorySpec{URL: chartRepository, Interval: metav1.Duration{Duration: env.Flux.Interval}},
	}
}

// release returns the HelmRelease. It is in Flux's namespace, because the service
// account that Flux impersonates is there. Helm's own state is with Kyverno.
//
// A failed install is retried and never undone: Helm undoes an install by
// uninstalling, which would delete the CRDs, and with them every policy of the
// cluster. A failed upgrade is rolled back to the Kyverno that worked.
func release(p *plan.Plan, env plan.Environment) *helmv2.HelmRelease {
	retry := &metav1.Duration{Duration: env.Flux.RetryInterval}
	remediateLast, rollback := true, helmv2.RollbackRemediationStrategy
	return &helmv2.HelmRelease{
		TypeMeta:   metav1.TypeMeta{APIVersion: helmv2.GroupVersion.String(), Kind: helmv2.HelmReleaseKind},
		ObjectMeta: metav1.ObjectMeta{Name: releaseName, Namespace: env.Flux.Namespace},
		Spec: helmv2.HelmReleaseSpec{
			Chart: &helmv2.HelmChartTemplate{Spec: helmv2.HelmChartTemplateSpec{
				Chart:     chartName,
				Version:   chartVersion,
				SourceRef: helmv2.CrossNamespaceObjectReference{Kind: sourcev1.HelmRepositoryKind, Name: releaseName},
			}},
			ReleaseName:        releaseName,
			TargetNamespace:    env.Kyverno.Namespace,
			StorageNamespace:   env.Kyverno.Namespace,
			ServiceAccountName: env.Flux.ServiceAccountName,
			Interval:           metav1.Duration{Duration: env.Flux.Interval},
			Timeout:            &metav1.Duration{Duration: env.Flux.Timeout},
			Install: &helmv2.Install{
				CRDs:     helmv2.CreateReplace,
				Strategy: &helmv2.InstallStrategy{Name: string(helmv2.ActionStrategyRetryOnFailure), RetryInterval: retry},
			},
			Upgrade: &helmv2.Upgrade{
				CRDs:        helmv2.CreateReplace,
				Remediation: &helmv2.UpgradeRemediation{Retries: 3, RemediateLastFailure: &remediateLast, Strategy: &rollback},
			},
			// What is changed by hand returns, since what Kyverno is told decides what policies
			// mean. The number of replicas does not: in an emergency it is scaled down.
			DriftDetection: &helmv2.DriftDetection{Mode: helmv2.DriftDetectionEnabled, Ignore: []helmv2.IgnoreRule{
				{Paths: []string{"/spec/replicas"}, Target: &kustomize.Selector{Kind: "Deployment"}},
			}},
			Values: &apiextensionsv1.JSON{Raw: mustJSON(Values(p, env))},
		},
	}
}

// Locked returns what the lock says about the Kyverno of an environment, for bootstrap
// and uninstall. [Values] sets the same namespaces.
func Locked(p *plan.Plan, env plan.Environment) *manifest.LockedKyverno {
	l := &manifest.LockedKyverno{Absent: env.Kyverno.Absent, SystemNamespaces: env.SystemNamespaces, ExceptionNamespace: p.ExceptionNamespace}
	if l.Absent {
		return l
	}
	l.Namespace = env.Kyverno.Namespace
	if env.Kyverno.Version != v1alpha1.KyvernoVersion {
		l.Version = env.Kyverno.Version
	}
	if env.Kyverno.Install {
		l.Release = &manifest.LockedRelease{Namespace: env.Flux.Namespace, Name: releaseName}
	}
	return l
}

// Values returns the values of the chart in an environment. It has each setting that a safety invariant
// or the meaning of a policy depends on, even if it is the default. It leaves out
// forceFailurePolicyIgnore on purpose: that would let everything pass while Kyverno
// is down.
//
// The values of the profile are beside them.
func Values(p *plan.Plan, env plan.Environment) map[string]any {
	locked := Locked(p, env)
	return merged(env.Kyverno.Values, map[string]any{
		"admissionController":  map[string]any{"replicas": env.Kyverno.Replicas},
		"backgroundController": secondary(env),
		"cleanupController":    secondary(env),
		"reportsController":    secondary(env),
		"config": map[string]any{
			// With Kyverno down, the API server still admits what the cluster needs to
			// come up again: it does not call the webhook for these namespaces at all.
			// An exclude in a rule would not help, it is evaluated by Kyverno.
			"webhooks": map[string]any{"namespaceSelector": map[string]any{"matchExpressions": []any{
				map[string]any{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": list(locked.SystemNamespaces)},
			}}},
			"excludeKyvernoNamespace": true,
			// The background scan does not use the webhook; it skips what is filtered here.
			"resourceFiltersIncludeNamespaces": list(unfiltered(env)),
		},
		"crds": map[string]any{
			"install": true,
			// An uninstall must not delete every policy and report of the cluster.
			"annotations": map[string]any{"helm.sh/resource-policy": "keep"},
		},
		"features": map[string]any{
			"policyExceptions": map[string]any{"enabled": true, "namespace": locked.ExceptionNamespace},
			"policyReports":    map[string]any{"enabled": true},
			"backgroundScan":   map[string]any{"enabled": true, "skipResourceFilters": false},
			// Nodes can register while Kyverno is down (kyverno#16177).
			"excludeBootstrapResources": map[string]any{"enabled": true},
			// An admission policy that Kyverno derives would not know the webhook's
			// namespaces, and so would reach the system namespaces.
			"generateValidatingAdmissionPolicy": map[string]any{"enabled": false},
		},
		// Else the admin of a namespace could write policies that act with Kyverno's rights.
		"rbac": map[string]any{"roles": map[string]any{"aggregate": map[string]any{"admin": false}}},
		// Webhooks that outlive Kyverno block the API server.
		"webhooksCleanup": map[string]any{"enabled": true},
	})
}

// merged returns values with decided ones in their place. A value may be null, which makes
// Helm forget the default.
func merged(values, decided map[string]any) map[string]any {
	out := maps.Clone(values)
	if out == nil {
		out = map[string]any{}
	}
	for key, value := range decided {
		below, isMap := value.(map[string]any)
		if given, has := out[key].(map[string]any); has && isMap {
			value = merged(given, below)
		}
		out[key] = value
	}
	return out
}

// secondary returns the values of a controller that elects a leader: two replicas are
// enough.
func secondary(env plan.Environment) map[string]any {
	return map[string]any{"enabled": true, "replicas": min(2, env.Kyverno.Replicas)}
}

// unfiltered returns the system namespaces that the chart's own filters do not have.
func unfiltered(env plan.Environment) []string {
	filtered := []string{"kube-node-lease", "kube-public", "kube-system", env.Kyverno.Namespace}
	return slices.DeleteFunc(slices.Clone(env.SystemNamespaces), func(ns string) bool { return slices.Contains(filtered, ns) })
}

// object turns a typed object that this package made into a manifest. It cannot
// fail: the types are Flux's and hold plain data.
func object(v any) manifest.Object {
	o, err := manifest.From(v)
	if err != nil {
		panic(err)
	}
	return o
}

func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}
