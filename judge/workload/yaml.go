package workload

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	yamlnode "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"

	"github.com/gatehouse-dev/gatehouse/internal/source"
)

const codeYAML = "yaml-syntax"

// readYAML gives the objects of a stream of YAML documents on. A document that
// is not YAML ends the reading: nobody knows where the next one begins.
func readYAML(in *bufio.Reader, s sink) error {
	docs := documents{in: in}
	for {
		text, line, err := docs.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		object, err := toJSON(text, line)
		if err != nil {
			return err
		}
		if string(object) == "null" {
			continue
		}
		lines := itemLines{text: text, first: line}
		if err := s.add(object, line, header{}, lines.of); err != nil {
			return err
		}
	}
}

// documents splits a YAML stream at its markers.
type documents struct {
	in   *bufio.Reader
	line int    // that was read last, from 1
	open string // what stood behind the marker of the next document
}

// next returns the next document that is not empty, and the line of the file in
// which its first value stands; io.EOF after the last one.
func (d *documents) next() (text []byte, first int, err error) {
	begin := d.line + 1
	if d.open != "" {
		text, begin = append(text, d.open...), d.line
		d.open = ""
	}
	for {
		line, err := d.readLine(maxDocument - len(text))
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		rest, marker := cutMarker(line)
		if !marker {
			text = append(text, line...)
		}
		if !marker && err == nil {
			continue
		}
		if at := firstContent(text); at >= 0 {
			d.open = rest
			return padded(text, at), begin + at, nil
		}
		if err != nil {
			return nil, 0, io.EOF
		}
		text, begin = append(text[:0], rest...), d.line
		if rest == "" {
			begin++
		}
	}
}

// padded drops the lines before the first value, so that lines in the text count from it.
func padded(text []byte, lines int) []byte {
	for range lines {
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	return text
}

// readLine reads a line with its end. It is a problem if it has more than limit bytes.
func (d *documents) readLine(limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := d.in.ReadSlice('\n')
		if len(line)+len(part) > limit {
			return nil, tooLarge(d.line + 1)
		}
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if len(line) > 0 {
			d.line++
		}
		return line, err
	}
}

// cutMarker tells whether a line begins or ends a document, and what it holds
// behind the marker.
func cutMarker(line []byte) (rest string, marker bool) {
	text := strings.TrimRight(string(line), "\r\n")
	if text == "..." || strings.HasPrefix(text, "... ") {
		return "", true
	}
	after, ok := strings.CutPrefix(text, "---")
	if !ok || after != "" && after[0] != ' ' && after[0] != '\t' {
		return "", false
	}
	if trimmed := strings.TrimSpace(after); trimmed == "" || trimmed[0] == '#' {
		return "", true
	}
	return "   " + after + "\n", true
}

// firstContent is the index of the first line that is neither empty, a comment
// nor a directive; -1 if there is none.
func firstContent(text []byte) int {
	i := 0
	for line := range bytes.Lines(text) {
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 && trimmed[0] != '#' && line[0] != '%' {
			return i
		}
		i++
	}
	return -1
}

var yamlLine = regexp.MustCompile(`line (\d+): ?`)

// toJSON reads a document as kubectl and Flux do: as YAML 1.1, and no key twice.
func toJSON(text []byte, first int) (object json.RawMessage, err error) {
	defer func() {
		if r := recover(); r != nil { // the YAML library panics on some malformed input
			object, err = nil, problemAt(first, codeYAML, "", "not readable as YAML: %v", r)
		}
	}()
	object, err = yaml.YAMLToJSONStrict(text)
	if err == nil {
		return object, nil
	}
	message := err.Error()
	line, hint := first, ""
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		n, _ := strconv.Atoi(m[1]) // the expression takes digits only
		line = first + max(n, 1) - 1
		message = strings.Replace(message, m[0], "", 1)
	}
	if bytes.Contains(text, []byte("{{")) {
		hint = helmHint
	}
	message = strings.TrimPrefix(message, "error converting YAML to JSON: ")
	message = strings.TrimPrefix(strings.TrimPrefix(message, "yaml: "), "unmarshal errors:")
	message = strings.Join(strings.Fields(message), " ")
	return nil, problemAt(line, codeYAML, hint, "%s", message)
}

// itemLines finds the lines of the items of a list, when it is asked.
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
		return l.first // the libraries do not agree: then it is somewhere in the document
	}
	return l.first + l.items[i].Line - 1
}
