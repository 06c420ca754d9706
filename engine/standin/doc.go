// Package standin stands in for what image rules ask outside of the cluster: a
// registry for every host name, keys and a certificate authority that sign as
// cosign does. All of it is in memory and knows no service of sigstore, and
// nobody outside of this process can trust or use its keys.
package standin
