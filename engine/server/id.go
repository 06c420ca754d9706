package server

import (
	"regexp"
	"strconv"
)

// idPattern matches the id at the beginning of a request that cannot be read as a whole.
var idPattern = regexp.MustCompile(`^\s*\{\s*"id"\s*:\s*([0-9]+)`)

// idOf returns the id of a line that is not a valid request; 0 if it has none.
func idOf(line []byte) uint64 {
	match := idPattern.FindSubmatch(line)
	if match == nil {
		return 0
	}
	id, err := strconv.ParseUint(string(match[1]), 10, 64)
	if err != nil {
		return 0
	}
	return id
}
