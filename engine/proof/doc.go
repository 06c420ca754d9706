// Package proof tests the policies that gatehouse compiles with the real Kyverno engine.
// It contains only tests: each compiles a profile with generator.Compile, loads the
// objects of one environment into the evaluator, and checks which admission requests it
// admits and refuses.
//
//   - catalogue_test.go: every built-in control, at every stage, in every tier.
//   - update_test.go: no update makes a good object violate.
//   - adversary_test.go: the same faults in other containers and controllers.
//   - autogen_test.go: the rules that gatehouse thinks Kyverno derives.
//   - exceptions_test.go: exceptions exempt what they name, until their end.
//   - targets_test.go: all kinds of policies give the same verdicts.
//   - podsecurity_test.go: levels of the Pod Security Standards, by the library.
//   - costs_test.go: the largest objects that the API server judges.
//   - images_test.go: signatures, in a registry inside the test.
//   - bundle_test.go: nothing that is emitted locks the cluster out.
package proof
