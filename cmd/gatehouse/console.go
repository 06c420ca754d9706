package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/gatehouse-dev/gatehouse/internal/plain"
	"github.com/gatehouse-dev/gatehouse/rollout"
)

// clearLine moves to the start of the line and clears it.
const clearLine = "\r\x1b[K"

// console prints messages line by line and, on a terminal, shows the current
// activity below them. It is safe for concurrent use.
type console struct {
	w  io.Writer
	mu sync.Mutex
	// columns returns the width of the terminal, which may be resized. It is nil if
	// a line cannot be redrawn.
	columns func() int
	// shown is true if the last line is a status.
	shown bool
}

func newConsole(w io.Writer) *console {
	if messages, ok := w.(*plain.Writer); ok { // the console escapes what it prints
		w = messages.W
	}
	c := &console{w: w}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || !redraws(os.Getenv) {
		return c
	}
	c.columns = func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 { // unknown on a serial line
			return 80
		}
		return width
	}
	return c
}

// redraws reports whether a terminal can redraw a line: CI systems keep every
// version of it, and dumb terminals cannot.
func redraws(getenv func(string) string) bool {
	return getenv("CI") == "" && getenv("TERM") != "dumb"
}

// line prints a line.
func (c *console) line(text string) {
	c.done()
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(c.w, onOneLine(text))
}

// status replaces the last line. It is cut to the width of the terminal, because a
// line that wraps could not be cleared.
func (c *console) status(text string) {
	if c.columns == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown = true
	fmt.Fprint(c.w, clearLine+cut(onOneLine(text), c.columns()-1)) // the last column wraps on some terminals
}

// done removes the status, if there is one.
func (c *console) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown {
		fmt.Fprint(c.w, clearLine)
	}
	c.shown = false
}

// log returns the console for package rollout.
func (c *console) log() rollout.Log { return rollout.Log{Line: c.line, Status: c.status} }

// onOneLine returns a message, which may quote a cluster, as a line.
func onOneLine(text string) string {
	return plain.Line(strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ").Replace(text))
}

// cut shortens text to the given number of columns.
func cut(text string, columns int) string {
	used, end := 0, 0 // end of what fits before an ellipsis
	for i, r := range text {
		if used < columns {
			end = i
		}
		used++
		if r >= firstWide {
			used++
		}
	}
	if used <= columns {
		return text
	}
	return text[:end] + "…"
}

// firstWide is the first rune that may take two columns (Unicode, annex 11).
const firstWide = 0x1100
