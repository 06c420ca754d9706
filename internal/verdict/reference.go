package verdict

import (
	"regexp"
	"slices"
	"strings"
)

// repositoryText is a repository with its registry, as Kyverno and registries read it.
var repositoryText = regexp.MustCompile(`^(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+)(:[0-9]+)?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+$`)

// repositories are one repository for each glob of an image rule, and the globs
// for which none was found.
func repositories(globs []string) (found, without []string) {
	for _, glob := range globs {
		i := slices.IndexFunc([]string{"x", "/x", "gatehouse.invalid/x"}, func(text string) bool { return covers(globs, filled(glob, text)) })
		if i < 0 {
			without = append(without, glob)
			continue
		}
		repository := filled(glob, []string{"x", "/x", "gatehouse.invalid/x"}[i])
		if !slices.Contains(found, repository) {
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

// covers tells whether a glob is about all images of a repository.
func covers(globs []string, repository string) bool {
	return repositoryText.MatchString(repository) && matchesAny(globs, repository+":x") && matchesAny(globs, repository+"@sha256:x")
}

// matchesAny compares as Kyverno does: a * is any text.
func matchesAny(globs []string, image string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(glob), `\*`, `.*`)
		return regexp.MustCompile(`^` + pattern + `$`).MatchString(image)
	})
}

// uncovered is a repository that no glob is about; false if they are about all.
func uncovered(globs, repositories []string) (string, bool) {
	for _, repository := range append([]string{repositories[0] + "2"}, "gatehouse.invalid/uncovered", "uncovered.invalid/x") {
		if !matchesAny(globs, repository+":x") && !matchesAny(globs, repository+"@sha256:x") {
			return repository, true
		}
	}
	return "", false
}
