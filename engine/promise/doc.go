// Package promise tests the promises of docs/staging.md with random histories of edits
// and the real Kyverno engine. It has no code besides its tests.
package promise
