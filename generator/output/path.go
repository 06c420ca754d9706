package output

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// checkPaths refuses paths that could leave the output, that do not mean the same on
// every file system, or that collide. The error names all of them.
func checkPaths(files []manifest.File) error {
	var errs []error
	folded := make(map[string]string, len(files))
	for _, f := range files {
		if err := checkPath(f.Path); err != nil {
			errs = append(errs, err)
			continue
		}
		key := strings.ToLower(f.Path)
		if other, taken := folded[key]; taken {
			errs = append(errs, fmt.Errorf("two files would be one on some file systems: %s and %s", other, f.Path))
		}
		folded[key] = f.Path
	}
	dirs := map[string]string{}
	for _, f := range files {
		for dir := path.Dir(f.Path); dir != "." && dir != "/"; dir = path.Dir(dir) {
			key := strings.ToLower(dir)
			if other, known := dirs[key]; known {
				if other != dir {
					errs = append(errs, fmt.Errorf("two folders would be one on some file systems: %s and %s", other, dir))
				}
				break
			}
			dirs[key] = dir
			if file, taken := folded[key]; taken {
				errs = append(errs, fmt.Errorf("%s would be a file and the folder of %s", file, f.Path))
			}
		}
	}
	return errors.Join(errs...)
}

func checkPath(name string) error {
	switch {
	case !fs.ValidPath(name) || name == ".":
		return fmt.Errorf("%q is not a path inside the output", name)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%q contains unprintable characters", name)
	case strings.ContainsAny(name, `\:*?"<>|`):
		return fmt.Errorf("%q contains characters that some file systems do not allow", name)
	}
	switch first, _, _ := strings.Cut(strings.ToLower(name), "/"); first {
	case layout.Lock, layout.Journal, layout.Staging, ".git":
		return fmt.Errorf("%q is reserved", name)
	}
	return nil
}
