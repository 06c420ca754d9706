// Package proof asks the real Kyverno engine what the policies mean that
// gatehouse compiles. It consists of tests: a profile goes through
// generator.Compile, the objects of one environment go into the evaluator, and
// admission requests come out admitted or refused.
//
//   - catalogue_test.go: every built-in control, at every stage, in every tier.
//   - update_test.go: no update makes a good object violate.
//   - adversary_test.go: the same faults in other containers and controllers.
//   - autogen_test.go: the rules that gatehouse thinks Kyverno derives.
//   - exceptions_test.go: exceptions exempt what they name, until their end.
//   - images_test.go: signatures, in a registry inside the test.
//   - bundle_test.go: nothing that is emitted locks the cluster out.
package proof
