package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// read returns the root of each document of a file. A document that is not YAML
// is a problem and hides no other: a line that begins with --- always begins a
// document.
func read(file string, data []byte) ([]root, diag.List) {
	nodes, err := readStream(data)
	if err == nil {
		return rootsOf(nodes), nil
	}
	var roots []root
	var problems diag.List
	for _, p := range split(data) {
		nodes, err := readStream(p.text)
		for _, n := range nodes {
			shift(n, p.line)
		}
		roots = append(roots, rootsOf(nodes)...)
		if err != nil {
			problems.Add(err.problem(file, p.line))
			roots = append(roots, root{apiVersion: apiVersionIn(p.text)})
		}
	}
	if len(problems) == 0 { // what the documents have in common is broken: directives, anchors
		problems.Add(err.problem(file, 0))
	}
	return roots, problems
}

// root is the root of a document. One that could not be read has no node, only
// the apiVersion that its text shows, for the documents after it.
type root struct {
	node       *yaml.Node
	apiVersion string
}

func rootsOf(nodes []*yaml.Node) []root {
	roots := make([]root, len(nodes))
	for i, n := range nodes {
		roots[i].node = n
	}
	return roots
}

var apiVersionLine = regexp.MustCompile(`(?m)^apiVersion:[ \t]+["']?([^\s"'#]+)`)

func apiVersionIn(text []byte) string {
	if m := apiVersionLine.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return ""
}

// readStream reads documents up to the end or to what is not YAML.
func readStream(data []byte) (nodes []*yaml.Node, failed *syntaxError) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	defer func() {
		if r := recover(); r != nil { // the YAML library panics on some malformed input
			failed = &syntaxError{message: fmt.Sprintf("not readable as YAML: %v", r)}
		}
	}()
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nodes, nil
		}
		if err != nil {
			return nodes, syntaxErrorOf(decoder, err, data)
		}
		nodes = append(nodes, document.Content[0])
	}
}

// chunk is a document of a file as text, and the number of lines before it.
type chunk struct {
	text []byte
	line int
}

var documentStart = regexp.MustCompile(`(?m)^---([ \t\r]|$)`)

// split cuts a file before each line that begins a document.
func split(data []byte) []chunk {
	var chunks []chunk
	begin, line := 0, 0
	cut := func(end int) {
		text := data[begin:end]
		chunks = append(chunks, chunk{text: text, line: line})
		begin, line = end, line+len(linesOf(text).starts)-1
	}
	for _, at := range documentStart.FindAllIndex(data, -1) {
		cut(at[0])
	}
	cut(len(data))
	return chunks
}

func shift(n *yaml.Node, lines int) {
	n.Line += lines
	for _, c := range n.Content {
		shift(c, lines)
	}
}

// syntaxError is what the YAML library could not read, and where; the line is 0
// if that is unknown. Lines count from the beginning of the text that was read.
type syntaxError struct {
	message   string
	line, col int
}

func (e *syntaxError) problem(file string, linesBefore int) diag.Diagnostic {
	at := diag.Position{File: file, Line: max(e.line, 1) + linesBefore, Col: max(e.col, 1)}
	return diag.Diagnostic{Code: "yaml-syntax", Position: at, Summary: e.message}
}

func (e *syntaxError) place(at mark) { e.line, e.col = at.line, at.col }

// syntaxErrorOf finds the place of an error. The line in the message of the
// library is that of what surrounds the error, and often the one before that.
// The exact places are in its parser, in fields that it does not export.
func syntaxErrorOf(decoder *yaml.Decoder, err error, data []byte) *syntaxError {
	e := fromMessage(err)
	reader := reflect.ValueOf(decoder).Elem().FieldByName("parser").Elem()
	parser := reader.FieldByName("parser")
	found, around, context := markOf(parser.FieldByName("problem_mark")), markOf(parser.FieldByName("context_mark")), parser.FieldByName("context").String()
	if marks := parser.FieldByName("marks"); context == "while parsing a flow node" && marks.Len() > 0 {
		around = markOf(marks.Index(marks.Len() - 1))
	}
	collection, inFlow := strings.CutPrefix(context, "while parsing a flow ")
	switch {
	case strings.HasPrefix(e.message, "unknown anchor"):
		e.place(markOf(reader.FieldByName("event").FieldByName("start_mark")))
	case context == "" && found == mark{1, 1}:
		e.place(firstUnreadable(data))
	case context == "while scanning a quoted scalar", context == "while scanning a simple key":
		e.place(around) // the quote that is not closed, the key without a colon
	case inFlow && linesOf(data).blankFrom(found):
		e.place(around) // the bracket that is not closed
	case inFlow && found.line > around.line && collection != "node":
		e.message += fmt.Sprintf(" of the flow %s that begins in line %d", collection, around.line)
		e.place(found)
	default:
		e.place(found)
	}
	return e
}

func markOf(v reflect.Value) mark {
	return mark{line: int(v.FieldByName("line").Int()) + 1, col: int(v.FieldByName("column").Int()) + 1}
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

func fromMessage(err error) *syntaxError {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	message = message[len(yamlLine.FindString(message)):]
	return &syntaxError{message: strings.Join(strings.Fields(message), " ")}
}

// firstUnreadable is the place of the first character that YAML does not allow.
func firstUnreadable(data []byte) mark {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0x7f && r < 0xa0 && r != 0x85 || r == 0xfffe || r == 0xffff {
			return linesOf(data).mark(i)
		}
		i += size
	}
	return mark{1, 1}
}
