// Package controlplane runs a private Kubernetes control plane with Kyverno and
// Flux as processes on loopback ports, without containers: etcd, kube-apiserver,
// kube-controller-manager, Kyverno's four controllers, Flux's source and
// kustomize controllers, and a git server.
//
// What is real and what is not:
//
//   - The programs are the released ones, built from the Go modules that
//     hack/cluster/modules pins.
//   - Kyverno is configured by its own chart: the flags, the environment, the
//     ConfigMaps and the RBAC are rendered from the values of a HelmRelease.
//     [ControlPlane.InstallKyverno] lists what running outside of a Pod changes.
//   - Flux is installed by the manifests that `flux install` is made of, and its
//     source and kustomize controllers run with the flags of their Deployments.
//   - Every controller logs in as its own ServiceAccount, so its RBAC applies.
//   - There is no scheduler and no kubelet: Pods are admitted and stored, and stay
//     Pending. Only the Pods of Kyverno's and Flux's own Deployments are marked
//     Ready, each as long as its process is: health checks see what they would see.
//   - helm-controller runs only if [Options] say so. Without it, the caller that applies
//     the HelmRelease of Kyverno calls [ControlPlane.InstallKyverno] with it: no Pod runs
//     that a release could wait for.
package controlplane
