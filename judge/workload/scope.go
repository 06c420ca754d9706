package workload

import (
	"slices"
	"strings"
)

// clusterKinds are the kinds of Kubernetes itself that have no namespace.
var clusterKinds = []string{
	"APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding", "ClusterTrustBundle",
	"CustomResourceDefinition", "DeviceClass", "FlowSchema", "IPAddress", "IngressClass", "MutatingAdmissionPolicy",
	"MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass",
	"PriorityLevelConfiguration", "ResourceSlice", "RuntimeClass", "SelfSubjectAccessReview", "SelfSubjectReview",
	"SelfSubjectRulesReview", "ServiceCIDR", "StorageClass", "StorageVersionMigration", "SubjectAccessReview", "TokenReview",
	"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration", "VolumeAttachment",
	"VolumeAttributesClass",
}

// namespaced tells whether an object without a namespace gets that of the one
// who applies it: the kinds of Kubernetes and Flux are known; of other kinds
// nobody can tell from a file, and they stay as they are.
func namespaced(apiVersion, kind string) bool {
	group, _, found := strings.Cut(apiVersion, "/")
	if !found {
		group = ""
	}
	if builtin := !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io"); builtin {
		return !slices.Contains(clusterKinds, kind)
	}
	return strings.HasSuffix(group, ".toolkit.fluxcd.io")
}
