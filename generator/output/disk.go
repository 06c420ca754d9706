package output

import (
	"errors"
	"io/fs"
	"os"
)

// disk has every operation with which the writer changes the output. Each can fail,
// and a crash can happen between any two. Names have slashes and cannot leave the
// folder.
type disk interface {
	// Mkdir creates a folder whose parent exists. The folder may exist.
	Mkdir(name string) error
	// Create writes a new file; sync waits until it is on the disk.
	Create(name string, data []byte, sync bool) error
	// Rename moves a file over another.
	Rename(from, to string) error
	// Remove deletes a file or an empty folder, if it exists.
	Remove(name string) error
	// RemoveAll deletes a folder and everything in it, if it exists.
	RemoveAll(name string) error
}

// rootDisk is a real folder.
type rootDisk struct{ root *os.Root }

func (d rootDisk) Mkdir(name string) error {
	if err := d.root.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (d rootDisk) Create(name string, data []byte, sync bool) (err error) {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if sync {
		return f.Sync()
	}
	return nil
}

func (d rootDisk) Rename(from, to string) error { return d.root.Rename(from, to) }

func (d rootDisk) Remove(name string) error {
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d rootDisk) RemoveAll(name string) error { return d.root.RemoveAll(name) }
