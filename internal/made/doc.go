// Package made makes the metadata of the objects that the controllers of
// Kubernetes create, as the API server gets them: names, owner references, labels and
// users. It follows the code of kube-controller-manager 1.36 (pkg/controller): what it
// returns is what arrives, so that a test of an admission rule asks with nothing else.
package made
