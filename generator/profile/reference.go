package profile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	referenceText = regexp.MustCompile(`^[a-z0-9*._/:-]+$`)
	// dockerHub lists the names of one registry: a rule for one of them must hold
	// for all. Kyverno uses the short name for an image without a registry.
	dockerHub = []string{"docker.io", "index.docker.io", "registry-1.docker.io"}
)

// expandReference expands a reference into globs that cannot be bypassed. Kyverno
// matches repo:tag or repo@digest, never both (docs/image-traps.md#references), so a
// repository becomes repo:* and repo@*. A repository of Docker Hub is listed under
// each of its names.
func expandReference(ref string) ([]string, error) {
	repository := strings.TrimSuffix(strings.TrimSuffix(ref, ":*"), "@*")
	slash := strings.LastIndex(repository, "/")
	switch {
	case ref == "*":
		return []string{"*"}, nil
	case strings.ToLower(ref) != ref:
		return nil, fmt.Errorf("%q has upper-case letters; references are lower case", ref)
	case strings.Contains(repository, "@") || strings.Contains(repository[slash+1:], ":"):
		return nil, fmt.Errorf("%q names a tag or digest: the same image written the other way would not be verified", ref)
	case !referenceText.MatchString(repository) || strings.Contains(repository, "//") || strings.HasPrefix(repository, "/") || strings.HasSuffix(repository, "/"):
		return nil, fmt.Errorf("%q is not an image reference", ref)
	}
	var globs []string
	for _, full := range registryNames(repository) {
		if strings.HasSuffix(full, "*") {
			globs = append(globs, full)
		} else {
			globs = append(globs, full+":*", full+"@*")
		}
	}
	return globs, nil
}

// registryNames returns the repository with its registry, under each name of the registry.
func registryNames(repository string) []string {
	host, rest, found := strings.Cut(repository, "/")
	if found && !strings.ContainsAny(host, ".:*") && host != "localhost" || !found && !strings.ContainsAny(host, "*") {
		host, rest = dockerHub[0], repository
	}
	if !slices.Contains(dockerHub, host) {
		return []string{repository}
	}
	// nginx is docker.io/library/nginx, but Kyverno expands it to docker.io/nginx.
	rests := []string{rest}
	if official, ok := strings.CutPrefix(rest, "library/"); ok {
		rests = append(rests, official)
	} else if !strings.Contains(rest, "/") {
		rests = append(rests, "library/"+rest)
	}
	var names []string
	for _, h := range dockerHub {
		for _, r := range rests {
			names = append(names, h+"/"+r)
		}
	}
	return names
}
