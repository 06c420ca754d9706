package plan

// NamespaceFile is the name of the file with what belongs to one namespace. It
// is NAME.yaml, but for the name that kustomize takes for an index.
func NamespaceFile(namespace string) string {
	if namespace == "kustomization" {
		return "kustomization_.yaml" // no namespace has an underscore
	}
	return namespace + ".yaml"
}
