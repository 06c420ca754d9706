// Package output writes a compiled repository into a folder, and tells how the
// folder differs from it. It never touches what gatehouse did not write, writes
// each file whole and the lock last, and leaves a tree that the next build
// completes if it is interrupted.
package output

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/exit"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Options adjust Write.
type Options struct {
	// Force overwrites files that somebody else wrote or edited. A folder in the
	// place of a file, and a link in the place of a folder, stay conflicts.
	Force bool
}

// Result counts files, without the lock.
type Result struct{ Written, Unchanged, Removed int }

// ConflictError lists the files that gatehouse may not touch. Nothing was written.
type ConflictError struct{ Conflicts []Stale }

// ExitCode implements [exit.Coder]: the output is wrong.
func (e *ConflictError) ExitCode() exit.Code { return exit.Wrong }

func (e *ConflictError) Error() string {
	var b strings.Builder
	b.WriteString("nothing was written, because files are in the way (restore or move them, or overwrite them with --force):")
	for _, c := range e.Conflicts {
		b.WriteString("\n  " + c.String())
	}
	return b.String()
}

// Stale is one path of the output that is not as it should be.
type Stale struct{ Path, Reason string }

// String is `path: reason`.
func (s Stale) String() string { return s.Path + ": " + s.Reason }

// ReadLock returns the lock in dir, or nil if there is no lock or no dir.
func ReadLock(dir string) (*manifest.Lock, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the output: %w", err)
	}
	defer root.Close()
	return readLock(root, layout.Lock)
}

// Write makes dir hold files and the lock, which it completes with the list
// of files. It changes only what gatehouse wrote before: by the lock that lies
// in dir, a file is ours if it has a hash that gatehouse wrote at that path (or
// is empty: then there is nothing to lose). Other files at a path that is needed
// are a ConflictError, unless their content is what would be written: those are
// adopted. Files of ours that are no longer needed are removed, and the folders
// that they leave empty. Files that are as they should be are not touched.
//
// A build that dies at any moment is completed by the next one, also if the
// source changed in between:
//
//  1. every new content is written to a staging folder: a conflict, a full disk
//     or an encoding error ends here, with the output as it was;
//  2. the hashes of what will be written are added to a journal beside the lock,
//     so that the next build knows half of a new tree for its own;
//  3. obsolete files are removed, staged ones renamed into place;
//  4. the lock is renamed into place, the journal removed.
//
// Cancelling the context stops a build up to the second step. What is begun after
// it takes a moment and is completed.
//
// Lock and journal are synced to disk before they get their names, other files
// are not: after a loss of power, a file may be empty and is then written again.
func Write(ctx context.Context, dir string, files []manifest.File, lock manifest.Lock, opts Options) (Result, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Result{}, fmt.Errorf("creating the output: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Result{}, fmt.Errorf("opening the output: %w", err)
	}
	defer root.Close()
	return writeTree(ctx, root, rootDisk{root}, files, lock, opts)
}

// Check returns what Write would change in dir, sorted by path; none means
// that dir is up to date. It writes nothing.
func Check(ctx context.Context, dir string, files []manifest.File, lock manifest.Lock) ([]Stale, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return []Stale{{dir, "the folder is missing"}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the output: %w", err)
	}
	defer root.Close()
	prior, err := readPrior(root)
	if err != nil {
		return nil, err
	}
	diff, err := compare(ctx, root, prior, files, nil)
	if err != nil {
		return nil, err
	}
	stale := diff.stale()
	lock.Files = diff.files
	if same, err := holdsLock(root, lock); err != nil {
		return nil, err
	} else if !same {
		stale = append(stale, Stale{layout.Lock, "differs"})
	}
	for _, leftover := range []string{layout.Journal, layout.Staging} {
		if _, err := root.Lstat(leftover); err == nil {
			stale = append(stale, Stale{leftover, "left by a build that did not finish"})
		}
	}
	slices.SortFunc(stale, func(a, b Stale) int { return strings.Compare(a.Path, b.Path) })
	return stale, nil
}

// writeTree is Write with the disk as an argument.
func writeTree(ctx context.Context, root *os.Root, d disk, files []manifest.File, lock manifest.Lock, opts Options) (_ Result, err error) {
	prior, err := readPrior(root)
	if err != nil {
		return Result{}, err
	}
	if err := d.RemoveAll(layout.Staging); err != nil {
		return Result{}, fmt.Errorf("removing what an earlier build left: %w", err)
	}
	if err := d.Mkdir(layout.Staging); err != nil {
		return Result{}, fmt.Errorf("creating a folder for new files: %w", err)
	}
	defer func() {
		if e := d.RemoveAll(layout.Staging); e != nil && err == nil {
			err = fmt.Errorf("removing the folder for new files: %w", e)
		}
	}()
	diff, err := compare(ctx, root, prior, files, func(i int, sum string, data []byte) error {
		return d.Create(stagedName(i, sum), data, false)
	})
	if err != nil {
		return Result{}, err
	}
	if conflicts := diff.conflicts(opts.Force); len(conflicts) > 0 {
		return Result{}, &ConflictError{conflicts}
	}
	lock.Files = diff.files
	if journal := prior.journalWith(diff.changes()); len(journal.Files) > len(prior.journal.Files) {
		if err := putLock(d, layout.Journal, journal); err != nil {
			return Result{}, err
		}
	}
	if err := diff.apply(d); err != nil {
		return Result{}, fmt.Errorf("%w (the output is incomplete: run the build again)", err)
	}
	if err := finish(root, d, lock); err != nil {
		return Result{}, err
	}
	return diff.result(), nil
}

// finish writes the lock if it differs and removes the journal if there is one.
func finish(root *os.Root, d disk, lock manifest.Lock) error {
	same, err := holdsLock(root, lock)
	if err != nil {
		return err
	}
	if !same {
		if err := putLock(d, layout.Lock, lock); err != nil {
			return err
		}
	}
	if _, err := root.Lstat(layout.Journal); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := d.Remove(layout.Journal); err != nil {
		return fmt.Errorf("removing %s: %w", layout.Journal, err)
	}
	return nil
}

func putLock(d disk, name string, lock manifest.Lock) error {
	data, err := lock.Encode()
	if err != nil {
		return err
	}
	staged := path.Join(layout.Staging, name)
	if err := d.Create(staged, data, true); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := d.Rename(staged, name); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// stagedName holds the hash so that two builds at once in one folder, which must
// not be, cannot put a content under a wrong name.
func stagedName(i int, sum string) string {
	return path.Join(layout.Staging, strconv.Itoa(i)+"-"+sum[:16])
}
