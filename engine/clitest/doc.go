// Package clitest runs upstream's `kyverno test` over the tests that gatehouse
// emits. It consists of tests: one keeps the recorded results of the catalogue
// (go test ./clitest -run TestResults -update), the others run the command
// itself, in this process, over compiled repositories.
package clitest
