//go:build unix

package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/markdown"
)

// figure is a measured number and its limit.
type figure struct {
	what, value string
	// limit is empty if there is none.
	limit string
	over  bool
}

type section struct {
	title, text string
	figures     []figure
}

type report struct{ sections []section }

func (r *report) add(title, text string, figures ...figure) {
	r.sections = append(r.sections, section{title: title, text: text, figures: figures})
}

// err returns an error that lists the figures over their limits.
func (r *report) err() error {
	var over []string
	for _, s := range r.sections {
		for _, f := range s.figures {
			if f.over {
				over = append(over, fmt.Sprintf("%s: %s (limit %s)", f.what, f.value, f.limit))
			}
		}
	}
	if len(over) == 0 {
		return nil
	}
	return fmt.Errorf("over the limit:\n  %s", strings.Join(over, "\n  "))
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Benchmarks

Written by `+"`make bench`"+` in one run; do not edit. Read the ratios: the seconds are those of one machine
(%s, %s/%s, %d cores) that did other work at the same time. A run that exceeds a limit fails.
`, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, s := range r.sections {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", s.title, s.text)
		table := markdown.NewTable(&b, "what", "measured:", "limit:", "")
		for _, f := range s.figures {
			verdict := markdown.Safe("ok")
			switch {
			case f.limit == "":
				verdict = ""
			case f.over:
				verdict = "**over**"
			}
			table.Row(markdown.Prose(f.what), f.value, f.limit, verdict)
		}
	}
	return b.String()
}

// ratio returns a figure for a divided by b; a limit of 0 is no limit.
func ratio(what string, a, b time.Duration, limit float64) figure {
	times := float64(a) / float64(b)
	f := figure{what: what, value: fmt.Sprintf("%.1f×", times)}
	if limit > 0 {
		f.limit, f.over = fmt.Sprintf("%g×", limit), times > limit
	}
	return f
}

// atMost returns a figure in a unit, such as 1e6 and "MB".
func atMost(what string, value, limit, unit float64, name string) figure {
	return figure{
		what: what, over: value > limit,
		value: strings.TrimSpace(fmt.Sprintf("%.4g %s", value/unit, name)),
		limit: strings.TrimSpace(fmt.Sprintf("%.4g %s", limit/unit, name)),
	}
}

// within returns a figure for a duration; a limit of 0 is no limit.
func within(what string, d, limit time.Duration) figure {
	f := figure{what: what, value: duration(d)}
	if limit > 0 {
		f.limit, f.over = duration(limit), d > limit
	}
	return f
}

// duration prints three significant digits.
func duration(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.3g s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3g µs", float64(d)/float64(time.Microsecond))
}
