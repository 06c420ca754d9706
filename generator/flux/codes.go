package flux

// The codes of the proof's findings. They are stable; docs/lints.md has a
// section for each.
const (
	codeCRDAfterCR           = "graph-crd-after-cr"
	codeCycle                = "graph-cycle"
	codeDangling             = "graph-dangling"
	codeDuplicate            = "graph-duplicate"
	codeExceptionAfterPolicy = "graph-exception-after-policy"
	codeForce                = "graph-force"
	codeHealthExpr           = "graph-health-expr"
	codeIndex                = "graph-index"
	codeInterval             = "graph-interval"
	codeMove                 = "graph-move"
	codeName                 = "graph-name"
	codeNameReserved         = "graph-name-reserved"
	codeNameTooLong          = "graph-name-too-long"
	codeNamespaceAfterObject = "graph-namespace-after-object"
	codeNoWait               = "graph-no-wait"
	codeParentWaits          = "graph-parent-waits"
	codePath                 = "graph-path"
	codePathOverlap          = "graph-path-overlap"
	codePrune                = "graph-prune"
	codeRBACAfterPolicy      = "graph-rbac-after-policy"
	codeRename               = "graph-rename"
	codeStrayYAML            = "graph-stray-yaml"
	codeSubstitution         = "graph-substitution"
	codeTargetNamespace      = "graph-target-namespace"
	codeTwoSources           = "graph-two-sources"
	codeUnapplied            = "graph-unapplied"
	codeUnexecuted           = "graph-unexecuted"
	codeWorkloadEarly        = "graph-workload-early"
)
