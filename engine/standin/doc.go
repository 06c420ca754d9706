// Package standin stands in for the services that image rules use outside of the cluster:
// a registry for every host name, and keys and a certificate authority that sign as
// cosign does. Everything is in memory and independent of the services of sigstore. Its
// keys cannot be used or trusted outside of this process.
package standin
