package fluxtree

import (
	"bytes"
	"strings"
)

// lines finds the line of an object in its file by what the text of the documents says. It
// parses nothing: the line of a finding is a help, and the file is certain.
type lines struct {
	disk *Disk
	// files have the documents of the files that were looked at.
	files map[string][]document
}

type document struct {
	line int
	text string
}

// of returns the line where the document of an object begins; 0 if that is not clear. id is
// its kind and its name, which kustomize may have given a prefix or suffix.
func (l *lines) of(file, id string) int {
	if l.files == nil {
		l.files = map[string][]document{}
	}
	documents, known := l.files[file]
	if !known {
		if data, err := l.disk.ReadFile(file); err == nil {
			documents = split(data)
		}
		l.files[file] = documents
	}
	if len(documents) == 1 {
		return documents[0].line
	}
	kind, name, _ := strings.Cut(id, " ")
	found := 0
	for _, d := range documents {
		if !strings.Contains(d.text, kind) || !strings.Contains(d.text, name) {
			continue
		}
		if found > 0 {
			return 0
		}
		found = d.line
	}
	return found
}

// split returns the documents of a file with the lines of their first content.
func split(data []byte) []document {
	var documents []document
	begin, number := 0, 0
	var text strings.Builder
	flush := func() {
		if begin > 0 {
			documents = append(documents, document{begin, text.String()})
		}
		begin = 0
		text.Reset()
	}
	for line := range bytes.Lines(data) {
		number++
		if bytes.HasPrefix(line, []byte("---")) {
			flush()
			continue
		}
		if content := bytes.TrimSpace(line); begin == 0 && len(content) > 0 && content[0] != '#' {
			begin = number
		}
		if begin > 0 {
			text.Write(line)
		}
	}
	flush()
	return documents
}
