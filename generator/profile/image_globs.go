package profile

import "strings"

// wider returns an image that a glob of an exception covers although it reads as if it
// did not: a * stands for any characters, those that end a name, a host or a path too. It
// returns none if each * is at the end of the glob, and begins a tag, a digest, or the rest
// of a path.
func wider(glob string) string {
	star := strings.Index(glob, "*")
	if star < 0 || everyName(glob) {
		return ""
	}
	before, after := glob[:star], strings.TrimLeft(glob[star:], "*")
	fill := func(text string) string { return before + text + strings.ReplaceAll(after, "*", "x") }
	slash := strings.LastIndex(before, "/")
	switch {
	case star == 0:
		return fill("registry.example/x")
	case slash < 0 && strings.ContainsAny(before, ".:") && (strings.Contains(after, "/") || !strings.Contains(before, ":")):
		return fill(".registry.example/x") // a star in the host
	case strings.ContainsAny(before[slash+1:], ":@"):
		return "" // in the tag or the digest, which have no slash
	case before[len(before)-1] != '/':
		return fill("-other/x")
	case strings.Contains(after, "/") && strings.Count(before, "/") == 1:
		return fill("other/x") // in place of the owner
	}
	return ""
}
