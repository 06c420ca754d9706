package kinds

import "slices"

// table holds all kinds. It is never changed.
var table = slices.Concat(kubernetes(), kyverno(), flux(), others())

// kubernetes returns the kinds of Kubernetes itself. Reads are those that the
// chart of Kyverno grants, by its own roles and by its binding to the ClusterRole view.
func kubernetes() []Kind {
	v1 := []string{"v1"}
	return []Kind{
		{Kind: "Binding", Plural: "bindings", Scope: Namespaced, Versions: v1},
		{Kind: "ComponentStatus", Plural: "componentstatuses", Scope: Cluster, Versions: v1},
		{Kind: "ConfigMap", Plural: "configmaps", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Kind: "Endpoints", Plural: "endpoints", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Kind: "Event", Plural: "events", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Kind: "LimitRange", Plural: "limitranges", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Kind: "Namespace", Plural: "namespaces", Scope: Cluster, Versions: v1, KyvernoReads: true},
		{Kind: "Node", Plural: "nodes", Scope: Cluster, Versions: v1},
		{Kind: "PersistentVolume", Plural: "persistentvolumes", Scope: Cluster, Versions: v1},
		{Kind: "PersistentVolumeClaim", Plural: "persistentvolumeclaims", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Kind: "Pod", Plural: "pods", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Kind: "PodTemplate", Plural: "podtemplates", Scope: Namespaced, Versions: v1},
		{Kind: "ReplicationController", Plural: "replicationcontrollers", Scope: Namespaced, Versions: v1, Makes: []string{"Pod"}, Account: "replication-controller", KyvernoReads: true},
		{Kind: "ResourceQuota", Plural: "resourcequotas", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Kind: "Secret", Plural: "secrets", Scope: Namespaced, Versions: v1},
		{Kind: "Service", Plural: "services", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Kind: "ServiceAccount", Plural: "serviceaccounts", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicy", Plural: "mutatingadmissionpolicies", Scope: Cluster, Versions: v1},
		{Group: "admissionregistration.k8s.io", Kind: "MutatingAdmissionPolicyBinding", Plural: "mutatingadmissionpolicybindings", Scope: Cluster, Versions: v1},
		{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration", Plural: "mutatingwebhookconfigurations", Scope: Cluster, Versions: v1},
		{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicy", Plural: "validatingadmissionpolicies", Scope: Cluster, Versions: v1, InForce: ObservedGeneration},
		{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicyBinding", Plural: "validatingadmissionpolicybindings", Scope: Cluster, Versions: v1},
		{Group: "admissionregistration.k8s.io", Kind: "ValidatingWebhookConfiguration", Plural: "validatingwebhookconfigurations", Scope: Cluster, Versions: v1},
		{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition", Plural: "customresourcedefinitions", Scope: Cluster, Versions: v1},
		{Group: "apiregistration.k8s.io", Kind: "APIService", Plural: "apiservices", Scope: Cluster, Versions: v1},
		{Group: "apps", Kind: "ControllerRevision", Plural: "controllerrevisions", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Group: "apps", Kind: "DaemonSet", Plural: "daemonsets", Scope: Namespaced, Versions: v1, Makes: []string{"Pod"}, Account: "daemon-set-controller", KyvernoReads: true},
		{Group: "apps", Kind: "Deployment", Plural: "deployments", Scope: Namespaced, Versions: v1, Makes: []string{"ReplicaSet", "Pod"}, Account: "deployment-controller", KyvernoReads: true},
		{Group: "apps", Kind: "ReplicaSet", Plural: "replicasets", Scope: Namespaced, Versions: v1, Makes: []string{"Pod"}, Account: "replicaset-controller", KyvernoReads: true},
		{Group: "apps", Kind: "StatefulSet", Plural: "statefulsets", Scope: Namespaced, Versions: v1, Makes: []string{"Pod"}, Account: "statefulset-controller", KyvernoReads: true},
		{Group: "authentication.k8s.io", Kind: "SelfSubjectReview", Plural: "selfsubjectreviews", Scope: Cluster, Versions: v1},
		{Group: "authentication.k8s.io", Kind: "TokenReview", Plural: "tokenreviews", Scope: Cluster, Versions: v1},
		{Group: "authorization.k8s.io", Kind: "LocalSubjectAccessReview", Plural: "localsubjectaccessreviews", Scope: Namespaced, Versions: v1},
		{Group: "authorization.k8s.io", Kind: "SelfSubjectAccessReview", Plural: "selfsubjectaccessreviews", Scope: Cluster, Versions: v1},
		{Group: "authorization.k8s.io", Kind: "SelfSubjectRulesReview", Plural: "selfsubjectrulesreviews", Scope: Cluster, Versions: v1},
		{Group: "authorization.k8s.io", Kind: "SubjectAccessReview", Plural: "subjectaccessreviews", Scope: Cluster, Versions: v1},
		{Group: "autoscaling", Kind: "HorizontalPodAutoscaler", Plural: "horizontalpodautoscalers", Scope: Namespaced, Versions: []string{"v2", "v1"}, KyvernoReads: true},
		{Group: "batch", Kind: "CronJob", Plural: "cronjobs", Scope: Namespaced, Versions: v1, Makes: []string{"Job", "Pod"}, Account: "cronjob-controller", KyvernoReads: true},
		{Group: "batch", Kind: "Job", Plural: "jobs", Scope: Namespaced, Versions: v1, Makes: []string{"Pod"}, Account: "job-controller", KyvernoReads: true},
		{Group: "certificates.k8s.io", Kind: "CertificateSigningRequest", Plural: "certificatesigningrequests", Scope: Cluster, Versions: v1},
		{Group: "certificates.k8s.io", Kind: "ClusterTrustBundle", Plural: "clustertrustbundles", Scope: Cluster, Versions: []string{"v1beta1"}},
		{Group: "certificates.k8s.io", Kind: "PodCertificateRequest", Plural: "podcertificaterequests", Scope: Namespaced, Versions: []string{"v1beta1"}},
		{Group: "coordination.k8s.io", Kind: "Lease", Plural: "leases", Scope: Namespaced, Versions: v1},
		{Group: "coordination.k8s.io", Kind: "LeaseCandidate", Plural: "leasecandidates", Scope: Namespaced, Versions: []string{"v1beta1"}},
		{Group: "discovery.k8s.io", Kind: "EndpointSlice", Plural: "endpointslices", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Group: "events.k8s.io", Kind: "Event", Plural: "events", Scope: Namespaced, Versions: v1},
		{Group: "flowcontrol.apiserver.k8s.io", Kind: "FlowSchema", Plural: "flowschemas", Scope: Cluster, Versions: v1},
		{Group: "flowcontrol.apiserver.k8s.io", Kind: "PriorityLevelConfiguration", Plural: "prioritylevelconfigurations", Scope: Cluster, Versions: v1},
		{Group: "networking.k8s.io", Kind: "IPAddress", Plural: "ipaddresses", Scope: Cluster, Versions: v1},
		{Group: "networking.k8s.io", Kind: "Ingress", Plural: "ingresses", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Group: "networking.k8s.io", Kind: "IngressClass", Plural: "ingressclasses", Scope: Cluster, Versions: v1},
		{Group: "networking.k8s.io", Kind: "NetworkPolicy", Plural: "networkpolicies", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Group: "networking.k8s.io", Kind: "ServiceCIDR", Plural: "servicecidrs", Scope: Cluster, Versions: v1},
		{Group: "node.k8s.io", Kind: "RuntimeClass", Plural: "runtimeclasses", Scope: Cluster, Versions: v1},
		{Group: "policy", Kind: "PodDisruptionBudget", Plural: "poddisruptionbudgets", Scope: Namespaced, Versions: v1, KyvernoReads: true},
		{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole", Plural: "clusterroles", Scope: Cluster, Versions: v1},
		{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding", Plural: "clusterrolebindings", Scope: Cluster, Versions: v1},
		{Group: "rbac.authorization.k8s.io", Kind: "Role", Plural: "roles", Scope: Namespaced, Versions: v1},
		{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding", Plural: "rolebindings", Scope: Namespaced, Versions: v1},
		{Group: "resource.k8s.io", Kind: "DeviceClass", Plural: "deviceclasses", Scope: Cluster, Versions: v1},
		{Group: "resource.k8s.io", Kind: "DeviceTaintRule", Plural: "devicetaintrules", Scope: Cluster, Versions: []string{"v1beta2"}},
		{Group: "resource.k8s.io", Kind: "ResourceClaim", Plural: "resourceclaims", Scope: Namespaced, Versions: v1},
		{Group: "resource.k8s.io", Kind: "ResourceClaimTemplate", Plural: "resourceclaimtemplates", Scope: Namespaced, Versions: v1},
		{Group: "resource.k8s.io", Kind: "ResourceSlice", Plural: "resourceslices", Scope: Cluster, Versions: v1},
		{Group: "scheduling.k8s.io", Kind: "PriorityClass", Plural: "priorityclasses", Scope: Cluster, Versions: v1},
		{Group: "storage.k8s.io", Kind: "CSIDriver", Plural: "csidrivers", Scope: Cluster, Versions: v1},
		{Group: "storage.k8s.io", Kind: "CSINode", Plural: "csinodes", Scope: Cluster, Versions: v1},
		{Group: "storage.k8s.io", Kind: "CSIStorageCapacity", Plural: "csistoragecapacities", Scope: Namespaced, Versions: v1},
		{Group: "storage.k8s.io", Kind: "StorageClass", Plural: "storageclasses", Scope: Cluster, Versions: v1},
		{Group: "storage.k8s.io", Kind: "VolumeAttachment", Plural: "volumeattachments", Scope: Cluster, Versions: v1},
		{Group: "storage.k8s.io", Kind: "VolumeAttributesClass", Plural: "volumeattributesclasses", Scope: Cluster, Versions: v1},
		{Group: "storagemigration.k8s.io", Kind: "StorageVersionMigration", Plural: "storageversionmigrations", Scope: Cluster, Versions: []string{"v1beta1"}},
	}
}

// kyverno returns the kinds that the Kyverno chart installs, and its reports.
func kyverno() []Kind {
	v1 := []string{"v1"}
	return []Kind{
		{Group: "kyverno.io", Kind: "ClusterPolicy", Plural: "clusterpolicies", Scope: Cluster, Versions: []string{"v1", "v2beta1"}, InForce: ReadyCondition, KyvernoReads: true, Legacy: true},
		{Group: "kyverno.io", Kind: "Policy", Plural: "policies", Scope: Namespaced, Versions: []string{"v1", "v2beta1"}, InForce: ReadyCondition, KyvernoReads: true, Legacy: true},
		{Group: "kyverno.io", Kind: "PolicyException", Plural: "policyexceptions", Scope: Namespaced, Versions: []string{"v2", "v2beta1"}, KyvernoReads: true, Legacy: true},
		{Group: "kyverno.io", Kind: "CleanupPolicy", Plural: "cleanuppolicies", Scope: Namespaced, Versions: []string{"v2", "v2beta1"}, Legacy: true},
		{Group: "kyverno.io", Kind: "ClusterCleanupPolicy", Plural: "clustercleanuppolicies", Scope: Cluster, Versions: []string{"v2", "v2beta1"}, Legacy: true},
		{Group: "kyverno.io", Kind: "GlobalContextEntry", Plural: "globalcontextentries", Scope: Cluster, Versions: []string{"v2", "v2beta1", "v2alpha1"}, KyvernoReads: true},
		{Group: "kyverno.io", Kind: "UpdateRequest", Plural: "updaterequests", Scope: Namespaced, Versions: []string{"v2"}},
		{Group: "policies.kyverno.io", Kind: "ValidatingPolicy", Plural: "validatingpolicies", Scope: Cluster, Versions: []string{"v1", "v1beta1", "v1alpha1"}, InForce: ReadyStatus, KyvernoReads: true},
		{Group: "policies.kyverno.io", Kind: "NamespacedValidatingPolicy", Plural: "namespacedvalidatingpolicies", Scope: Namespaced, Versions: []string{"v1", "v1beta1"}, InForce: ReadyStatus, KyvernoReads: true},
		{Group: "policies.kyverno.io", Kind: "ImageValidatingPolicy", Plural: "imagevalidatingpolicies", Scope: Cluster, Versions: []string{"v1", "v1beta1", "v1alpha1"}, InForce: ReadyStatus, KyvernoReads: true},
		{Group: "policies.kyverno.io", Kind: "NamespacedImageValidatingPolicy", Plural: "namespacedimagevalidatingpolicies", Scope: Namespaced, Versions: []string{"v1", "v1beta1"}, InForce: ReadyStatus, KyvernoReads: true},
		{Group: "policies.kyverno.io", Kind: "MutatingPolicy", Plural: "mutatingpolicies", Scope: Cluster, Versions: []string{"v1", "v1beta1", "v1alpha1"}, InForce: ReadyStatus, KyvernoReads: true},
		{Group: "policies.kyverno.io", Kind: "NamespacedMutatingPolicy", Plural: "namespacedmutatingpolicies", Scope: Namespaced, Versions: []string{"v1", "v1beta1"}, InForce: ReadyStatus, KyvernoReads: true},
		{Group: "policies.kyverno.io", Kind: "GeneratingPolicy", Plural: "generatingpolicies", Scope: Cluster, Versions: []string{"v1", "v1beta1", "v1alpha1"}, InForce: ReadyStatus, KyvernoReads: true},
		{Group: "policies.kyverno.io", Kind: "NamespacedGeneratingPolicy", Plural: "namespacedgeneratingpolicies", Scope: Namespaced, Versions: []string{"v1", "v1beta1"}, InForce: ReadyStatus, KyvernoReads: true},
		{Group: "policies.kyverno.io", Kind: "DeletingPolicy", Plural: "deletingpolicies", Scope: Cluster, Versions: []string{"v1", "v1beta1", "v1alpha1"}, InForce: ReadyStatus},
		{Group: "policies.kyverno.io", Kind: "NamespacedDeletingPolicy", Plural: "namespaceddeletingpolicies", Scope: Namespaced, Versions: []string{"v1", "v1beta1"}, InForce: ReadyStatus},
		{Group: "policies.kyverno.io", Kind: "PolicyException", Plural: "policyexceptions", Scope: Namespaced, Versions: []string{"v1", "v1beta1", "v1alpha1"}, KyvernoReads: true},
		{Group: "reports.kyverno.io", Kind: "ClusterEphemeralReport", Plural: "clusterephemeralreports", Scope: Cluster, Versions: v1},
		{Group: "reports.kyverno.io", Kind: "EphemeralReport", Plural: "ephemeralreports", Scope: Namespaced, Versions: v1},
		{Group: "wgpolicyk8s.io", Kind: "ClusterPolicyReport", Plural: "clusterpolicyreports", Scope: Cluster, Versions: []string{"v1alpha2"}},
		{Group: "wgpolicyk8s.io", Kind: "PolicyReport", Plural: "policyreports", Scope: Namespaced, Versions: []string{"v1alpha2"}},
	}
}

// flux returns the kinds of Flux and of the Flux operator.
func flux() []Kind {
	v1 := []string{"v1"}
	return []Kind{
		{Group: "kustomize.toolkit.fluxcd.io", Kind: "Kustomization", Plural: "kustomizations", Scope: Namespaced, Versions: v1},
		{Group: "source.toolkit.fluxcd.io", Kind: "Bucket", Plural: "buckets", Scope: Namespaced, Versions: v1},
		{Group: "source.toolkit.fluxcd.io", Kind: "ExternalArtifact", Plural: "externalartifacts", Scope: Namespaced, Versions: v1},
		{Group: "source.toolkit.fluxcd.io", Kind: "GitRepository", Plural: "gitrepositories", Scope: Namespaced, Versions: v1},
		{Group: "source.toolkit.fluxcd.io", Kind: "HelmChart", Plural: "helmcharts", Scope: Namespaced, Versions: v1},
		{Group: "source.toolkit.fluxcd.io", Kind: "HelmRepository", Plural: "helmrepositories", Scope: Namespaced, Versions: v1},
		{Group: "source.toolkit.fluxcd.io", Kind: "OCIRepository", Plural: "ocirepositories", Scope: Namespaced, Versions: v1},
		{Group: "helm.toolkit.fluxcd.io", Kind: "HelmRelease", Plural: "helmreleases", Scope: Namespaced, Versions: []string{"v2"}},
		{Group: "notification.toolkit.fluxcd.io", Kind: "Alert", Plural: "alerts", Scope: Namespaced, Versions: []string{"v1beta3"}},
		{Group: "notification.toolkit.fluxcd.io", Kind: "Provider", Plural: "providers", Scope: Namespaced, Versions: []string{"v1beta3"}},
		{Group: "notification.toolkit.fluxcd.io", Kind: "Receiver", Plural: "receivers", Scope: Namespaced, Versions: v1},
		{Group: "image.toolkit.fluxcd.io", Kind: "ImagePolicy", Plural: "imagepolicies", Scope: Namespaced, Versions: v1},
		{Group: "image.toolkit.fluxcd.io", Kind: "ImageRepository", Plural: "imagerepositories", Scope: Namespaced, Versions: v1},
		{Group: "image.toolkit.fluxcd.io", Kind: "ImageUpdateAutomation", Plural: "imageupdateautomations", Scope: Namespaced, Versions: v1},
		{Group: "source.extensions.fluxcd.io", Kind: "ArtifactGenerator", Plural: "artifactgenerators", Scope: Namespaced, Versions: []string{"v1beta1"}},
		{Group: "fluxcd.controlplane.io", Kind: "FluxInstance", Plural: "fluxinstances", Scope: Namespaced, Versions: v1},
		{Group: "fluxcd.controlplane.io", Kind: "FluxReport", Plural: "fluxreports", Scope: Namespaced, Versions: v1},
		{Group: "fluxcd.controlplane.io", Kind: "ResourceSet", Plural: "resourcesets", Scope: Namespaced, Versions: v1},
		{Group: "fluxcd.controlplane.io", Kind: "ResourceSetInputProvider", Plural: "resourcesetinputproviders", Scope: Namespaced, Versions: v1},
	}
}

// others returns the kinds of other projects that policies guard: those that apply what
// sources of Flux hold, and network policies. Policies in CEL name resources, which only
// the table knows.
func others() []Kind {
	antrea, cilium, cluster := "crd.antrea.io", "cilium.io", "policy.networking.k8s.io"
	table := []Kind{
		{Group: "infra.contrib.fluxcd.io", Kind: "Terraform", Plural: "terraforms", Scope: Namespaced, Versions: []string{"v1alpha2", "v1alpha1"}},
		{Group: cilium, Kind: "CiliumNetworkPolicy", Plural: "ciliumnetworkpolicies", Scope: Namespaced, Versions: []string{"v2"}},
		{Group: cilium, Kind: "CiliumClusterwideNetworkPolicy", Plural: "ciliumclusterwidenetworkpolicies", Scope: Cluster, Versions: []string{"v2"}},
		{Group: antrea, Kind: "NetworkPolicy", Plural: "networkpolicies", Scope: Namespaced, Versions: []string{"v1beta1"}},
		{Group: antrea, Kind: "ClusterNetworkPolicy", Plural: "clusternetworkpolicies", Scope: Cluster, Versions: []string{"v1beta1"}},
		{Group: cluster, Kind: "AdminNetworkPolicy", Plural: "adminnetworkpolicies", Scope: Cluster, Versions: []string{"v1alpha1"}},
		{Group: cluster, Kind: "BaselineAdminNetworkPolicy", Plural: "baselineadminnetworkpolicies", Scope: Cluster, Versions: []string{"v1alpha1"}},
		{Group: cluster, Kind: "ClusterNetworkPolicy", Plural: "clusternetworkpolicies", Scope: Cluster, Versions: []string{"v1alpha2"}},
	}
	// Calico has its kinds twice: behind its own API server, and as they are stored.
	for _, group := range []string{"projectcalico.org", "crd.projectcalico.org"} {
		versions := []string{"v3"}
		if group != "projectcalico.org" {
			versions = []string{"v1"}
		}
		table = append(table,
			Kind{Group: group, Kind: "NetworkPolicy", Plural: "networkpolicies", Scope: Namespaced, Versions: versions},
			Kind{Group: group, Kind: "GlobalNetworkPolicy", Plural: "globalnetworkpolicies", Scope: Cluster, Versions: versions},
			Kind{Group: group, Kind: "StagedNetworkPolicy", Plural: "stagednetworkpolicies", Scope: Namespaced, Versions: versions},
			Kind{Group: group, Kind: "StagedGlobalNetworkPolicy", Plural: "stagedglobalnetworkpolicies", Scope: Cluster, Versions: versions},
			Kind{Group: group, Kind: "StagedKubernetesNetworkPolicy", Plural: "stagedkubernetesnetworkpolicies", Scope: Namespaced, Versions: versions},
		)
	}
	return table
}
