package profile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// maxFileSize is the maximal size of one file of a source.
const maxFileSize = 64 << 20

// reader reads each file once, up to maxFileSize, and caches it.
type reader struct {
	fsys fs.FS
	data map[string][]byte
}

func newReader(fsys fs.FS) *reader { return &reader{fsys: fsys, data: map[string][]byte{}} }

// Open implements [fs.FS]. It does not use the cache; ReadFile does.
func (r *reader) Open(name string) (fs.File, error) { return r.fsys.Open(name) }

// ReadFile implements [fs.ReadFileFS] with the cache.
func (r *reader) ReadFile(name string) ([]byte, error) { return r.read(name) }

func (r *reader) read(name string) ([]byte, error) {
	if data, ok := r.data[name]; ok {
		return data, nil
	}
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("%s is outside the source", name)
	}
	f, err := r.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxFileSize>>20)
	}
	r.data[name] = data
	return data, nil
}

// leaves reports whether os.Root refused to follow a name, because it leaves the root. os
// exports no error for that.
func leaves(err error) bool {
	p, ok := errors.AsType[*fs.PathError](err)
	return ok && p.Err != nil && strings.Contains(p.Err.Error(), "path escapes from parent")
}

// plainError returns the text of an error without the name of the system call.
func plainError(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return p.Path + " does not exist"
		case leaves(err):
			return p.Path + " is a symbolic link to something outside the source"
		case errors.Is(err, fs.ErrPermission):
			return p.Path + " cannot be read: permission denied"
		}
		return fmt.Sprintf("%s: %v", p.Path, p.Err)
	}
	return err.Error()
}
