package manifest

import "bytes"

// Part is a part of a text file, with its last line end.
type Part struct {
	Name string
	Text []byte
}

// firstPart is the name of what is before the first heading.
const firstPart = "top"

// Parts splits Markdown before each heading of the second level. The name of a part is
// its heading with the mark.
func Parts(text []byte) []Part {
	parts := []Part{{Name: firstPart}}
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("## ")) {
			parts = append(parts, Part{Name: string(bytes.TrimRight(line, "\r\n"))})
		}
		last := &parts[len(parts)-1]
		last.Text = append(last.Text, line...)
	}
	return parts
}
