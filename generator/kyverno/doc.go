// Package kyverno emits the objects of Kyverno: policies, exceptions, public keys,
// the HelmRelease that installs it, and the roles that its controllers need. The plan
// decides everything; this package only knows the shape of Kyverno's API.
package kyverno
