// Package kyverno emits what Kyverno runs and runs by: policies, exceptions,
// public keys, the HelmRelease that installs it, and the roles that its
// controllers need. The plan has decided everything; only the shape of Kyverno's
// API is decided here.
package kyverno
