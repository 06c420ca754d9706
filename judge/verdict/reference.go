package verdict

import (
	"regexp"
	"slices"
	"strings"
)

// repositoryText is a repository with its registry, as Kyverno and registries read it.
var repositoryText = regexp.MustCompile(`^(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+)(:[0-9]+)?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+$`)

// fillings are what a wildcard may stand for: a part of a name, or what is missing to a name with a registry.
func fillings() []string { return []string{"any", "/any", "gatehouse.invalid/any"} }

// repositories are one repository for each glob of an image rule, and the globs
// for which none was found.
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

// filled is the repository of a glob, with a text in the place of each wildcard.
func filled(glob, text string) string {
	repository := strings.TrimSuffix(strings.TrimSuffix(glob, ":*"), "@*")
	return strings.ReplaceAll(repository, "*", text)
}

// covers tells whether globs are about all images of a repository that a registry can have.
func covers(globs []string, repository string) bool {
	_, path, _ := strings.Cut(repository, "/")
	return repositoryText.MatchString(repository) && len(path) > 1 && matchesAny(globs, repository+":x") && matchesAny(globs, repository+"@sha256:x")
}

// matchesAny compares as Kyverno does: a * is any text.
func matchesAny(globs []string, image string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(glob), `\*`, `.*`)
		return regexp.MustCompile(`^` + pattern + `$`).MatchString(image)
	})
}

// uncovered are repositories that no glob is about: longer names, and another registry.
func uncovered(globs, repositories []string) []string {
	out := []string{"uncovered.gatehouse.invalid/any"}
	for _, repository := range repositories {
		out = append(out, repository+"2")
	}
	return slices.DeleteFunc(out, func(r string) bool { return matchesAny(globs, r+":x") || matchesAny(globs, r+"@sha256:x") })
}
