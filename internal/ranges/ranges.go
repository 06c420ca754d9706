// Package ranges finds the version that a range of versions means, as Flux does for charts.
package ranges

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Exact reports whether a text is one version, with or without a v before it.
func Exact(text string) bool {
	_, err := parse(text)
	return err == nil
}

// Valid reports whether a text is a version or a range of versions. Nothing is one, too.
func Valid(text string) bool {
	_, err := semver.NewConstraint(text)
	return text == "" || err == nil
}

// Highest returns the index of the version that a text means: the same text, or else the highest
// version in the range. Nothing means the latest stable version. Of equal versions, newer says
// whether one is taken instead of another. It is an error if there is none.
func Highest(versions []string, wanted string, newer func(i, than int) bool) (int, error) {
	for i, v := range versions {
		if v == wanted && wanted != "" {
			return i, nil
		}
	}
	if wanted == "" {
		wanted = "*"
	}
	constraint, err := semver.NewConstraint(wanted)
	if err != nil {
		return 0, fmt.Errorf("%q is not a range of versions: %w", wanted, err)
	}
	best, at := (*semver.Version)(nil), -1
	for i, text := range versions {
		v, err := parse(text)
		if err != nil || !constraint.Check(v) {
			continue
		}
		if best == nil || v.GreaterThan(best) || v.Equal(best) && newer(i, at) {
			best, at = v, i
		}
	}
	if best == nil {
		return 0, fmt.Errorf("none of its versions is in the range %s", wanted)
	}
	return at, nil
}

func parse(text string) (*semver.Version, error) {
	return semver.StrictNewVersion(strings.TrimPrefix(text, "v"))
}

// Stamp returns a version with other build metadata, as source-controller writes it into a chart.
func Stamp(version, metadata string) (string, error) {
	parsed, err := semver.NewVersion(version)
	if err != nil {
		return "", fmt.Errorf("the version %q: %w", version, err)
	}
	stamped, err := parsed.SetMetadata(metadata)
	if err != nil {
		return "", fmt.Errorf("the metadata %q of a version: %w", metadata, err)
	}
	return stamped.String(), nil
}
