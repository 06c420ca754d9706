package workload

import (
	"bufio"
	"bytes"
	"errors"

	yamlnode "go.yaml.in/yaml/v3"

	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/source"
)

const codeYAML = "yaml-syntax"

// readYAML passes the objects of a stream of YAML documents to the sink.
func readYAML(in *bufio.Reader, s sink) error {
	for doc, err := range manifest.Documents(in) {
		if err != nil {
			return yamlProblem(doc, err)
		}
		lines := itemLines{text: doc.Text, first: doc.Line}
		if err := s.add(doc.JSON, doc.Line, header{}, lines.of); err != nil {
			return err
		}
	}
	return nil
}

// yamlProblem returns an error about the text of a document as a problem, and
// others as they are.
func yamlProblem(doc manifest.Document, err error) error {
	var at *manifest.LineError
	switch {
	case !errors.As(err, &at):
		return err
	case errors.Is(err, manifest.ErrTooLarge):
		return tooLarge(at.Line)
	}
	if bytes.Contains(doc.Text, []byte("{{")) {
		return problemAt(at.Line, codeYAML, helmHint, "seems to be a template that is not rendered: %v", at.Err)
	}
	return problemAt(at.Line, codeYAML, "", "%v", at.Err)
}

// itemLines finds the lines of the items of a list on demand.
type itemLines struct {
	text  []byte
	first int
	items []*yamlnode.Node
	read  bool
}

func (l *itemLines) of(i int) int {
	if !l.read {
		l.read = true
		var root yamlnode.Node
		if err := yamlnode.Unmarshal(l.text, &root); err == nil && len(root.Content) > 0 {
			if items := source.Lookup(root.Content[0], "items"); items != nil {
				l.items = items.Content
			}
		}
	}
	if i >= len(l.items) {
		return l.first // the libraries disagree: it is somewhere in the document
	}
	return l.first + l.items[i].Line - 1
}
