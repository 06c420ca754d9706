package verdict

import (
	"regexp"
	"slices"
	"strings"
)

// repositoryText matches a repository with its registry, as Kyverno and registries read it.
var repositoryText = regexp.MustCompile(`^(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+)(:[0-9]+)?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+$`)

// fillings are what a wildcard may stand for: a part of a name, or what is missing to a name with a registry.
func fillings() []string { return []string{"any", "/any", "gatehouse.invalid/any"} }

// repositories returns one repository for each glob of an image rule, and the globs for
// which it found none.
func repositories(globs []string) (found, without []string) {
	for _, glob := range globs {
		i := slices.IndexFunc(fillings(), func(text string) bool { return covers(globs, filled(glob, text)) })
		if i < 0 {
			without = append(without, glob)
		} else if repository := filled(glob, fillings()[i]); !slices.Contains(found, repository) {
			found = append(found, repository)
		}
	}
	return found, without
}

// filled returns the repository of a glob with each wildcard replaced by the text.
func filled(glob, text string) string {
	repository := strings.TrimSuffix(strings.TrimSuffix(glob, ":*"), "@*")
	return strings.ReplaceAll(repository, "*", text)
}

// covers reports whether the globs match every image that a registry can hold in the
// repository.
func covers(globs []string, repository string) bool {
	_, path, _ := strings.Cut(repository, "/")
	return repositoryText.MatchString(repository) && len(path) > 1 && matchesAny(globs, repository+":x") && matchesAny(globs, repository+"@sha256:x")
}

// matchesAny reports whether one of the globs matches, as in Kyverno: * matches any text.
func matchesAny(globs []string, image string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(glob), `\*`, `.*`)
		return regexp.MustCompile(`^` + pattern + `$`).MatchString(image)
	})
}

// uncovered returns repositories that no glob matches: longer names, and another registry.
func uncovered(globs, repositories []string) []string {
	out := []string{"uncovered.gatehouse.invalid/any"}
	for _, repository := range repositories {
		out = append(out, repository+"2")
	}
	return slices.DeleteFunc(out, func(r string) bool { return matchesAny(globs, r+":x") || matchesAny(globs, r+"@sha256:x") })
}
