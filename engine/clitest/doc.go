// Package clitest runs upstream's `kyverno test` over the tests that gatehouse
// emits. It contains only tests: one checks the recorded results of the catalogue
// (go test ./clitest -run TestResults -update updates them), the others run the command
// in this process over compiled repositories.
package clitest
