package profile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// A profile may set values of Kyverno's chart where nothing that gatehouse promises rests on
// them. What is in neither list below is refused too: it was never looked at.
// Paths have dots between keys, and * stands for any key.

// controllers are the keys of Kyverno's four controllers.
var controllers = []string{"admissionController", "backgroundController", "cleanupController", "reportsController"}

// FreeValues returns the paths of the values that a profile may set, with all below them.
// test/upstream renders the chart with each, and compares what safety rests on.
func FreeValues() []string {
	free := []string{
		"global.image.registry", "global.imagePullSecrets", "global.priorityClassName", "global.nodeSelector", "global.tolerations", "global.caCertificates",
		"existingImagePullSecrets", "customLabels", "grafana", "prometheusRule", "crds.customLabels",
		"config.annotations", "config.generateSuccessEvents", "config.successEventActions",
		"metricsConfig.annotations", "metricsConfig.namespaces", "metricsConfig.metricsRefreshInterval", "metricsConfig.bucketBoundaries", "metricsConfig.metricsExposure",
		"features.logging", "features.omitEvents", "features.registryClient.credentialHelpers", "features.ttlController", "features.globalContext",
		"features.backgroundScan.backgroundScanWorkers", "features.backgroundScan.backgroundScanInterval",
	}
	add := func(at string, keys ...string) {
		for _, key := range keys {
			free = append(free, at+"."+key)
		}
	}
	image := []string{"image.registry", "image.repository", "image.pullPolicy"}
	scheduling := []string{"nodeSelector", "tolerations", "podAntiAffinity", "podAffinity", "nodeAffinity", "podAnnotations", "podLabels", "podSecurityContext", "imagePullSecrets"}
	for _, c := range controllers {
		add(c, scheduling...)
		add(c, "antiAffinity", "topologySpreadConstraints", "priorityClassName", "updateStrategy", "podDisruptionBudget", "revisionHistoryLimit",
			"labels", "annotations", "hostNetwork", "dnsPolicy", "dnsConfig", "metricsService", "networkPolicy.enabled", "serviceMonitor",
			"tracing", "metering", "profiling", "rbac.serviceAccount.annotations", "rbac.coreClusterRole.extraResources", "rbac.clusterRole.extraResources")
		if c != "cleanupController" {
			add(c, "caCertificates")
		}
		if c != "admissionController" {
			add(c, "resources", "securityContext")
			add(c, image...)
			continue
		}
		for _, part := range []string{c + ".container", c + ".initContainer"} {
			add(part, "resources", "securityContext")
			add(part, image...)
		}
	}
	for _, job := range []string{"crds.migration", "webhooksCleanup"} {
		add(job, scheduling...)
		add(job, "securityContext")
		add(job, image...)
	}
	add("crds.migration", "podResources")
	add("webhooksCleanup", "resources")
	return free
}

// ReservedValue is a value of the chart that a profile may not set.
type ReservedValue struct {
	Path string
	// Reason is what rests on it.
	Reason string
}

// ReservedValues returns the values on which something rests that gatehouse promises, with all
// below them.
func ReservedValues() []ReservedValue {
	const (
		recovery   = "with Kyverno down, the namespaces of the system, of Flux and of Kyverno must still be able to start Pods"
		skipped    = "Kyverno would not judge what the policies are about"
		reports    = "a stage is raised by what the reports of the stage below say"
		names      = "the graph and bootstrap know Kyverno's objects by their names"
		release    = "the version of Kyverno decides what the policies may contain"
		replicas   = "a webhook that fails closed needs all replicas that spec.kyverno.replicas says"
		told       = "it could change anything that Kyverno is told"
		unattached = "the API server must reach the webhook"
		identity   = "Kyverno's rights are bound to its accounts, and policies let these in by name"
		signatures = "what an image rule verifies depends on it"
	)
	reserved := []ReservedValue{
		{"nameOverride", names}, {"fullnameOverride", names}, {"namespaceOverride", names}, {"config.name", names}, {"config.create", names}, {"metricsConfig.name", names},
		{"config.webhooks", recovery}, {"config.matchConditions", recovery}, {"config.excludeKyvernoNamespace", recovery}, {"features.excludeBootstrapResources", recovery},
		{"config.resourceFilters", skipped}, {"config.resourceFiltersExclude", skipped}, {"config.resourceFiltersExcludeNamespaces", skipped},
		{"config.resourceFiltersInclude", skipped}, {"config.resourceFiltersIncludeNamespaces", skipped},
		{"config.excludeGroups", skipped}, {"config.excludeUsernames", skipped}, {"config.excludeRoles", skipped}, {"config.excludeClusterRoles", skipped},
		{"features.forceFailurePolicyIgnore", "with Kyverno down, everything would be admitted"},
		{"features.autoUpdateWebhooks", "without its webhooks, Kyverno is never asked"},
		{"features.policyExceptions", "anyone who may write where Kyverno looks for exceptions could waive every control"},
		{"features.generateValidatingAdmissionPolicy", "policies that Kyverno derives would reach the system namespaces"},
		{"features.generateMutatingAdmissionPolicy", "policies that Kyverno derives would reach the system namespaces"},
		{"features.protectManagedResources", "Flux could no longer change what Kyverno manages"},
		{"features.policyReports", reports}, {"features.admissionReports", reports}, {"features.aggregateReports", reports}, {"features.reporting", reports},
		{"features.validatingAdmissionPolicyReports", reports}, {"features.mutatingAdmissionPolicyReports", reports},
		{"features.backgroundScan.enabled", reports}, {"features.backgroundScan.skipResourceFilters", reports}, {"openreports", reports}, {"reportsServer", reports},
		{"features.registryClient.allowInsecure", signatures}, {"features.tuf", signatures}, {"config.defaultRegistry", signatures}, {"config.enableDefaultRegistryMutation", signatures},
		{"features.dumpPayload", "Kyverno would write Secrets into its log"},
		{"crds.install", "without its CRDs, all policies of the cluster are deleted"}, {"crds.annotations", "without its CRDs, all policies of the cluster are deleted"},
		{"crds.groups", "without its CRDs, all policies of the cluster are deleted"}, {"crds.reportsServer", reports},
		{"rbac.roles", "the admin of a namespace could write policies that act with Kyverno's rights"},
		{"webhooksCleanup.enabled", "webhooks that outlive Kyverno block the API server"},
		{"upgrade", release}, {"global.templating", release}, {"apiVersionOverride", release},
		{"crds.migration.image.tag", release}, {"webhooksCleanup.image.tag", release}, {"crds.migration.enabled", release}, {"crds.migration.extraArgs", told},
		{"imagePullSecrets", "the chart would write the password that is given here, which is then in Git; create the Secret otherwise, and name it in existingImagePullSecrets"},
		{"global.extraEnvVars", told},
		{"admissionController.autoscaling", replicas}, {"admissionController.service", unattached}, {"admissionController.webhookServer", unattached},
		{"admissionController.createSelfSignedCert", unattached}, {"admissionController.certManager", unattached},
		{"admissionController.container.image.tag", release}, {"admissionController.initContainer.image.tag", release},
		{"admissionController.container.extraArgs", told}, {"admissionController.container.extraEnvVars", told}, {"admissionController.container.lifecycle", told},
		{"admissionController.initContainer.extraArgs", told}, {"admissionController.initContainer.extraEnvVars", told},
		{"admissionController.extraInitContainers", told}, {"admissionController.extraContainers", told}, {"admissionController.extraVolumes", told}, {"admissionController.extraVolumeMounts", told},
	}
	for _, c := range controllers {
		reserved = append(reserved,
			ReservedValue{c + ".replicas", replicas}, ReservedValue{c + ".networkPolicy.ingressFrom", unattached},
			ReservedValue{c + ".rbac.create", identity}, ReservedValue{c + ".rbac.serviceAccount.name", identity}, ReservedValue{c + ".featuresOverride", told})
		if c != "admissionController" {
			reserved = append(reserved, ReservedValue{c + ".enabled", reports}, ReservedValue{c + ".image.tag", release}, ReservedValue{c + ".extraArgs", told}, ReservedValue{c + ".extraEnvVars", told})
		}
	}
	return reserved
}

// chartValues checks values of Kyverno's chart.
func (p *parser) chartValues(field string, values map[string]any) {
	if len(values) == 0 {
		return
	}
	if !p.out.Kyverno.Install {
		p.Warn(field, "kyverno-values-unused", "set them where Kyverno is installed", "the repository does not install Kyverno, so these values of its chart are not used")
		return
	}
	reasons := map[string]string{} // empty for what is free
	for _, path := range FreeValues() {
		reasons[path] = ""
	}
	for _, r := range ReservedValues() {
		reasons[r.Path] = r.Reason
	}
	p.chartValuesBelow(field, "", values, reasons)
}

// chartValuesBelow checks the values below a path that ends with a dot, or the root.
func (p *parser) chartValuesBelow(field, above string, values map[string]any, reasons map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		path, field := above+key, field+"."+key
		reason, known := reasons[path]
		below, isMap := values[key].(map[string]any)
		switch {
		case reason != "":
			p.Report(field, "kyverno-value-reserved", "remove it", "gatehouse decides this value of Kyverno's chart: %s", reason)
		case strings.Contains(key, "."):
			p.Report(field, "kyverno-value-unknown", "write each key below the one before it", "Helm does not take %q apart, so the chart has no such value", key)
		case known:
			p.chartValue(path, field, values[key])
		case isMap && len(keysBelow(path+".", reasons)) > 0:
			p.chartValuesBelow(field, path+".", below, reasons)
		default:
			hint := cmp.Or(diag.DidYouMean(key, keysBelow(above, reasons)), "docs/kyverno-values.md lists them")
			p.Report(field, "kyverno-value-unknown", hint, "not a value of Kyverno's chart that a profile may set")
		}
	}
}

// keysBelow are the keys that paths have below one.
func keysBelow(above string, paths map[string]string) []string {
	var keys []string
	for path := range paths {
		if rest, below := strings.CutPrefix(path, above); below {
			key, _, _ := strings.Cut(rest, ".")
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// verbatim are the free values that may have several lines: the chart knows how to write them.
var verbatim = []string{"prometheusRule.spec", "global.caCertificates.data", "admissionController.caCertificates.data", "backgroundController.caCertificates.data", "reportsController.caCertificates.data"}

// chartValue checks a value that a profile may set.
func (p *parser) chartValue(path, field string, value any) {
	last := path[strings.LastIndex(path, ".")+1:]
	if labels, isMap := value.(map[string]any); isMap && strings.HasSuffix(strings.ToLower(last), "labels") {
		for _, key := range slices.Sorted(maps.Keys(labels)) { // a Service without Pods is a webhook that does not answer
			if strings.HasPrefix(key, "app.kubernetes.io/") {
				p.Report(field, "kyverno-value-reserved", "choose another label", "the chart finds what belongs to Kyverno by %s", key)
			}
		}
	}
	if workers, isNumber := number(value); isNumber && last == "backgroundScanWorkers" && workers < 1 {
		p.Report(field, "kyverno-value-reserved", "at least 1", "a stage is raised by what the reports of the stage below say, and without workers there are none")
	}
	p.chartText(path, field, last, value)
}

// chartText refuses text with which a value would be more than itself: the chart writes many
// values as they are into its YAML. (It runs many as templates, too, and internal/source refuses
// those.) And it refuses what Helm and Flux read in labels and annotations: a hook, for example,
// does not belong to the release.
func (p *parser) chartText(path, field, last string, value any) {
	if slices.ContainsFunc(verbatim, func(v string) bool { return path == v || strings.HasPrefix(path, v+".") }) {
		return
	}
	last = strings.ToLower(last)
	annotations := strings.HasSuffix(last, "annotations")
	text := func(text string) {
		if strings.Contains(text, "\n") && !annotations {
			p.Report(field, "kyverno-value-reserved", "write one line", "a line break could add anything to what Kyverno is told")
		}
	}
	switch value := value.(type) {
	case string:
		text(value)
	case []any:
		for i, item := range value {
			p.chartText(path, fmt.Sprintf("%s[%d]", field, i), last, item)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			text(key)
			if marks := annotations || strings.HasSuffix(last, "labels") && last != "matchlabels"; marks && decides(key) {
				p.Report(field, "kyverno-value-reserved", "remove it", "Helm and Flux read %s: with it, they could leave out or forget what belongs to Kyverno", key)
			}
			below := key
			if annotations {
				below = last
			}
			p.chartText(path+"."+key, field+"."+key, below, value[key])
		}
	}
}

// decides reports whether Helm or Flux read a label or an annotation.
func decides(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	return domain == "helm.sh" || domain == "meta.helm.sh" || domain == "toolkit.fluxcd.io" || strings.HasSuffix(domain, ".toolkit.fluxcd.io")
}

// number returns a value that is a number.
func number(value any) (float64, bool) {
	switch value := value.(type) {
	case float64:
		return value, true
	case int64:
		return float64(value), true
	case int:
		return float64(value), true
	}
	return 0, false
}
