// Package regular reads folders that others fill. It opens regular files of a bounded size,
// and folders; to open a pipe or a device could wait for ever.
package regular

import (
	"errors"
	"fmt"
	"io/fs"
)

// ErrType is wrapped by the error about what is neither a regular file nor a folder.
var ErrType = errors.New("is not a regular file")

// ErrSize is wrapped by the error about a file that is too large.
var ErrSize = errors.New("is too large")

// FS returns fsys without what is neither a regular file nor a folder, and without files of
// more than max bytes: to open them is an error. They are still listed.
func FS(fsys fs.FS, max int64) fs.FS { return guarded{fsys, max} }

type guarded struct {
	fsys fs.FS
	max  int64
}

// Open implements [fs.FS].
func (g guarded) Open(name string) (fs.File, error) {
	info, err := fs.Stat(g.fsys, name)
	if err == nil {
		err = Check(info, g.max)
	}
	if err != nil {
		return nil, pathError(name, err)
	}
	return g.fsys.Open(name)
}

// Stat implements [fs.StatFS]: it does not open the file.
func (g guarded) Stat(name string) (fs.FileInfo, error) { return fs.Stat(g.fsys, name) }

// ReadDir implements [fs.ReadDirFS].
func (g guarded) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(g.fsys, name) }

// Check returns an error about a file that must not be opened.
func Check(info fs.FileInfo, max int64) error {
	switch {
	case info.IsDir():
		return nil
	case !info.Mode().IsRegular():
		return ErrType
	case info.Size() > max:
		return fmt.Errorf("%w: it has %s, and at most %s are read", ErrSize, size(info.Size()), size(max))
	}
	return nil
}

func size(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20)
}

func pathError(name string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p
	}
	return &fs.PathError{Op: "open", Path: name, Err: err}
}
