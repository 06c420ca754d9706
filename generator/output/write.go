// Package output writes a compiled repository into a folder, and reports how the
// folder differs from it. It never touches what gatehouse did not write. It writes
// each file as a whole, and the lock last. If it is interrupted, the next build
// completes the tree.
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

// MaxFile is the size in bytes of the largest file of an output that is read. The lock of a
// hundred thousand namespaces is smaller.
const MaxFile = 256 << 20

// Options adjust Write.
type Options struct {
	// Force overwrites files that gatehouse did not write, or that were edited. A
	// folder where a file is needed, and a link where a folder is needed, remain
	// conflicts.
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

// String returns `path: reason`.
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

// Write writes files and the lock into dir. It adds the list of files to the lock.
//
// Write changes only what gatehouse wrote before. By the lock in dir, gatehouse wrote
// a file if the file has a hash that gatehouse wrote at that path, or is empty: then
// there is nothing to lose. Any other file at a needed path is a ConflictError, unless
// it already has the right content: then Write adopts it. Write removes files of
// gatehouse that are no longer needed, and folders that become empty. It does not
// touch files that are up to date.
//
// The next build completes a build that dies at any moment, even if the source
// changed in between:
//
//  1. Write all new content to a staging folder. A conflict, a full disk or an
//     encoding error stops the build here, and the output is unchanged.
//  2. Add the hashes of what will be written to a journal next to the lock, so that
//     the next build knows which files gatehouse wrote.
//  3. Remove obsolete files, and rename staged files into place.
//  4. Rename the lock into place, and remove the journal.
//
// Cancelling the context stops a build during the first step only. The other steps
// are short, and always run to the end.
//
// Lock and journal are synced to disk before they get their names. Other files are
// not: after a loss of power a file may be empty, and the next build writes it again.
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

// Check returns what Write would change in dir, sorted by path. It returns nothing if
// dir is up to date. It writes nothing.
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
	lock.Files = diff.locked()
	if reason, err := checkLock(root, lock); err != nil {
		return nil, err
	} else if reason != "" {
		stale = append(stale, Stale{layout.Lock, reason})
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
	lock.Files = diff.locked()
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
	wrong, err := checkLock(root, lock)
	if err != nil {
		return err
	}
	if wrong != "" {
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

// stagedName contains the hash, so that two builds in one folder at the same time,
// which are not allowed, cannot put content under a wrong name.
func stagedName(i int, sum string) string {
	return path.Join(layout.Staging, strconv.Itoa(i)+"-"+sum[:16])
}
