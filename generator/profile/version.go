package profile

import (
	"regexp"

	"github.com/Masterminds/semver/v3"

	"github.com/gatehouse-dev/gatehouse/internal/diag"
)

// checkVersion compares spec.gatehouse with the version of this gatehouse. It reports
// whether this gatehouse may read the source. A version that is not a release is a
// development build, which may read everything.
func (l *loader) checkVersion(in *Input, version string) bool {
	const field = "spec.gatehouse"
	wanted := in.Profile.Value.Spec.Gatehouse
	if wanted == nil {
		return true
	}
	at := in.Profile.Positions.At(field)
	constraint, err := semver.NewConstraint(*wanted)
	if err != nil {
		l.problem(at, "version-constraint", field, `such as ">=0.4"`, "%q is not a constraint on versions", *wanted)
		return true
	}
	constraint.IncludePrerelease = true // a candidate of 0.5.0 has what 0.4 has
	release := released(version)
	if release == nil || constraint.Check(release) {
		return true
	}
	l.problems = nil // what this version does not know may be right
	l.problems.Add(diag.Diagnostic{Code: "version-unfit", Position: at, Path: field,
		Summary: "the source needs gatehouse " + *wanted + "; this is " + release.String(),
		Hint:    "install a version that fits"})
	return false
}

// pseudoVersion is the end of the version that Go gives to a commit without a tag.
var pseudoVersion = regexp.MustCompile(`(^|\.)[0-9]{14}-[0-9a-f]{12}$`)

// released parses the version of a release; nil for any other text.
func released(version string) *semver.Version {
	v, err := semver.NewVersion(version)
	if err != nil || pseudoVersion.MatchString(v.Prerelease()) {
		return nil
	}
	return v
}
