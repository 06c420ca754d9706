package profile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/regular"
)

// Limits of a source in bytes. Ten thousand namespaces with network rules have 3 MiB.
const (
	// MaxFile is the size of one file.
	MaxFile = 8 << 20
	// MaxSource is the size of all files that are read.
	MaxSource = 32 << 20
)

// reader reads each file once, up to MaxFile, and caches it.
type reader struct {
	fsys fs.FS
	data map[string][]byte
	size int
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
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: regular.ErrType}
	}
	if err := regular.Check(info, MaxFile); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	if r.size += int(info.Size()); r.size > MaxSource {
		return nil, fmt.Errorf("%s is not read: the files of the source have more than %d MiB", name, MaxSource>>20)
	}
	data, err := io.ReadAll(io.LimitReader(f, info.Size())) // it may grow
	if err != nil {
		return nil, err
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
		if errors.Is(err, regular.ErrType) || errors.Is(err, regular.ErrSize) {
			return fmt.Sprintf("%s %v", p.Path, p.Err)
		}
		return fmt.Sprintf("%s: %v", p.Path, p.Err)
	}
	return err.Error()
}
