package fluxtree

import (
	"bytes"
	"regexp"
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
	// kind and name are empty where they are not in the usual place.
	kind, name string
}

var (
	kindOf = regexp.MustCompile(`(?m)^kind:[ \t]*["']?(\w+)`)
	nameOf = regexp.MustCompile(`(?m)^metadata:(?:[ \t]*\{[^\n]*?\bname:|(?:\n[ \t]+[^\n]*|\n[ \t]*)*?\n[ \t]+name:)[ \t]*["']?([^"'\s,}]+)`)
)

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
	if line := closest(documents, kind, name); line > 0 {
		return line
	}
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

// closest returns the line of the document of a kind whose name is the longest part of a name: what is
// left is a prefix or suffix. It is 0 if there is no such document, or several.
func closest(documents []document, kind, name string) int {
	var best document
	several := false
	for _, d := range documents {
		if d.kind != kind || d.name == "" || !strings.Contains(name, d.name) || len(d.name) < len(best.name) {
			continue
		}
		several = len(d.name) == len(best.name)
		best = d
	}
	if several {
		return 0
	}
	return best.line
}

// split returns the documents of a file with the lines of their first content.
func split(data []byte) []document {
	var documents []document
	begin, number := 0, 0
	var text strings.Builder
	flush := func() {
		if begin > 0 {
			d := document{line: begin, text: text.String()}
			if m := kindOf.FindStringSubmatch(d.text); m != nil {
				d.kind = m[1]
			}
			if m := nameOf.FindStringSubmatch(d.text); m != nil {
				d.name = m[1]
			}
			documents = append(documents, d)
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
