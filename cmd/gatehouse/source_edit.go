package main

import (
	"bytes"
	"io/fs"
)

// with returns the source with another content of one file, which stays as it is on the disk.
func (s *source) with(name string, data []byte) *source {
	edited := *s
	edited.fsys = editedFS{s.fsys, name, data}
	return &edited
}

// editedFS is a file system with another content of one file.
type editedFS struct {
	fs.FS
	name string
	data []byte
}

// Open implements [fs.FS].
func (e editedFS) Open(name string) (fs.File, error) {
	f, err := e.FS.Open(name)
	if err != nil || name != e.name {
		return f, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &editedFile{File: f, info: editedInfo{info, int64(len(e.data))}, Reader: bytes.NewReader(e.data)}, nil
}

// editedFile is the open file.
type editedFile struct {
	fs.File
	*bytes.Reader
	info fs.FileInfo
}

// Read reads the other content.
func (f *editedFile) Read(p []byte) (int, error) { return f.Reader.Read(p) }

// Stat returns the size of the other content.
func (f *editedFile) Stat() (fs.FileInfo, error) { return f.info, nil }

type editedInfo struct {
	fs.FileInfo
	size int64
}

// Size implements [fs.FileInfo].
func (i editedInfo) Size() int64 { return i.size }
