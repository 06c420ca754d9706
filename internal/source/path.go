package source

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// step is a part of a path: a key, or in brackets a key or an index.
type step struct {
	name    string
	bracket bool
}

// index of a list. ok is false for what can only be a key.
func (s step) index() (i int, ok bool) {
	i, err := strconv.Atoi(s.name)
	return i, s.bracket && err == nil && strconv.Itoa(i) == s.name && i >= 0
}

// parsePath reads a path as Positions has them: spec.controls[require-labels].stage.
func parsePath(path string) (steps []step, err error) {
	if path == "" {
		return nil, errors.New("the path is empty")
	}
	for rest := path; rest != ""; {
		var s step
		switch {
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return nil, errors.New("the path has a [ without ]")
			}
			s, rest = step{name: rest[1:end], bracket: true}, rest[end+1:]
		case rest[0] == '.' && len(steps) > 0, len(steps) == 0:
			rest = strings.TrimPrefix(rest, ".")
			end := len(rest)
			if i := strings.IndexAny(rest, ".[]"); i >= 0 {
				end = i
			}
			s, rest = step{name: rest[:end]}, rest[end:]
		default:
			return nil, fmt.Errorf("the path is malformed at %q", rest)
		}
		if s.name == "" {
			return nil, errors.New("the path has an empty part")
		}
		steps = append(steps, s)
	}
	return steps, nil
}
