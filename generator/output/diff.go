package output

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
	"github.com/gatehouse-dev/gatehouse/internal/parallel"
	"github.com/gatehouse-dev/gatehouse/internal/regular"
)

// priorOutput is what gatehouse knows that it wrote into a folder.
type priorOutput struct {
	lock    manifest.Lock
	journal manifest.Lock
	files   map[string]written
}

// written is what gatehouse wrote at a path.
type written struct {
	// hashes of all that it wrote there, of files and of parts; none if the path is not
	// its own.
	hashes []string
	// merged is set if the lock has several of one part: gatehouse wrote one on each
	// branch, and Git may have made another file of them.
	merged bool
	// parts are the names of the parts that the lock has.
	parts map[string]bool
}

// add notes what a lock or a journal has of the path.
func (w *written) add(f manifest.LockedFile, lock bool) {
	if lock {
		w.merged = w.merged || w.parts[f.Part]
		if w.parts == nil {
			w.parts = map[string]bool{}
		}
		w.parts[f.Part] = true
	}
	w.hashes = append(w.hashes, f.SHA256)
}

// isMergeOf reports whether Git may have made data of what gatehouse wrote on two
// branches: it could not merge a place, or took each part from one of them.
func (w written) isMergeOf(data []byte) bool {
	if manifest.HasMarkers(data) {
		return true
	}
	return !w.parts[""] && !slices.ContainsFunc(manifest.Parts(data), func(p manifest.Part) bool {
		return !slices.Contains(w.hashes, sumOf(p.Text))
	})
}

func readPrior(root *os.Root) (*priorOutput, error) {
	p := &priorOutput{files: map[string]written{}}
	for _, lock := range []*manifest.Lock{&p.lock, &p.journal} { // the lock first: see merged
		name := map[*manifest.Lock]string{&p.lock: layout.Lock, &p.journal: layout.Journal}[lock]
		read, err := readLock(root, name)
		if err != nil {
			return nil, err
		}
		if read == nil {
			continue
		}
		*lock = *read
		for _, f := range read.Files {
			if err := checkPath(f.Path); err != nil {
				return nil, fmt.Errorf("reading %s: %w", name, err)
			}
			w := p.files[f.Path]
			w.add(f, lock == &p.lock)
			p.files[f.Path] = w
		}
	}
	return p, nil
}

// journalWith returns the journal of a build that makes the changes. It keeps what
// earlier, unfinished builds may have written.
func (p *priorOutput) journalWith(changes []manifest.LockedFile) manifest.Lock {
	j := manifest.Lock{Files: slices.Clone(p.journal.Files)}
	for _, c := range changes {
		if !slices.Contains(p.files[c.Path].hashes, c.SHA256) {
			j.Files = append(j.Files, manifest.LockedFile{Path: c.Path, SHA256: c.SHA256})
		}
	}
	return j
}

func readLock(root *os.Root, name string) (*manifest.Lock, error) {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && info.IsDir() {
		err = regular.ErrType
	}
	if err == nil {
		err = regular.Check(info, MaxFile)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	data, err := root.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	lock, err := manifest.DecodeLock(data)
	if errors.Is(err, manifest.ErrHalfResolved) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w (restore %s from Git: it says which files gatehouse wrote)", err, name)
	}
	return lock, nil
}

// checkLock returns what is wrong with the lock of the folder; empty if it is this one.
func checkLock(root *os.Root, lock manifest.Lock) (string, error) {
	want, err := lock.Encode()
	if err != nil {
		return "", err
	}
	got, err := root.ReadFile(layout.Lock)
	switch line := manifest.FirstMarker(got); {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("reading %s: %w", layout.Lock, err)
	case line > 0:
		return fmt.Sprintf("has a merge conflict in line %d, which a build resolves", line), nil
	case string(got) != string(want):
		return "differs", nil
	}
	return "", nil
}

// state is how a path differs from what it should hold.
type state int

const (
	unchanged state = iota
	missing
	outdated  // ours, with other content
	obsolete  // ours, no longer needed
	edited    // ours, but edited
	orphan    // ours, but edited; no longer needed
	foreign   // not ours
	link      // a symbolic link or a device
	folder    // a folder where a file is needed
	notFolder // a link or file where a folder is needed
)

func (s state) String() string {
	return [...]string{
		unchanged: "unchanged", missing: "missing", outdated: "differs", obsolete: "no longer needed",
		edited: "was edited since gatehouse wrote it", orphan: "was edited since gatehouse wrote it, and is no longer needed",
		foreign: "was not written by gatehouse", link: "is not a regular file",
		folder: "is a folder, but must be a file", notFolder: "is not a folder",
	}[s]
}

// isConflict reports whether the state needs a decision of the user. For most states, force is that decision.
func (s state) isConflict(force bool) bool {
	return s == folder || s == notFolder || s >= edited && !force
}

// finding is a path that is not as it should be.
type finding struct {
	path  string
	state state
}

// diff is how a folder differs from what it should hold.
type diff struct {
	files   []manifest.LockedFile   // what it should hold
	parts   [][]manifest.LockedFile // of each file that the lock has in parts
	states  []state                 // of each file
	dirs    dirStates               // of the folders of the files
	gone    []finding               // what gatehouse wrote and does not need: obsolete or orphan, by path
	emptied []string                // folders that may be empty now, deepest first
}

// compare reads the folder and encodes the files. It passes the bytes of each file
// that is not as it should be to stage, unless stage is nil. It keeps no bytes.
func compare(ctx context.Context, root *os.Root, prior *priorOutput, files []manifest.File, stage func(i int, sum string, data []byte) error) (*diff, error) {
	if err := checkPaths(files); err != nil {
		return nil, err
	}
	d := &diff{files: make([]manifest.LockedFile, len(files)), parts: make([][]manifest.LockedFile, len(files)),
		states: make([]state, len(files)), dirs: dirStates{}}
	for _, f := range files {
		if err := d.dirs.check(root, path.Dir(f.Path)); err != nil {
			return nil, err
		}
	}
	err := parallel.Do(ctx, len(files), func(i int) error {
		data, err := files[i].Encode()
		if err != nil {
			return err
		}
		d.files[i] = lockedFile(files[i], data)
		if files[i].InParts {
			d.parts[i] = lockedParts(files[i].Path, data)
		}
		if d.states[i], err = d.dirs.fileState(root, d.files[i], prior.files[files[i].Path]); err != nil {
			return fmt.Errorf("reading the output: %w", err)
		}
		if stage == nil || d.states[i] == unchanged || d.states[i].isConflict(true) {
			return nil
		}
		if err := stage(i, d.files[i].SHA256, data); err != nil {
			return fmt.Errorf("writing %s: %w", files[i].Path, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d, d.findGone(root, prior)
}

// locked returns the files as the lock has them.
func (d *diff) locked() []manifest.LockedFile {
	var all []manifest.LockedFile
	for i, f := range d.files {
		if d.parts[i] != nil {
			all = append(all, d.parts[i]...)
		} else {
			all = append(all, f)
		}
	}
	return all
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func lockedParts(path string, data []byte) []manifest.LockedFile {
	var all []manifest.LockedFile
	for _, p := range manifest.Parts(data) {
		all = append(all, manifest.LockedFile{Path: path, Part: p.Name, SHA256: sumOf(p.Text)})
	}
	return all
}

func lockedFile(f manifest.File, data []byte) manifest.LockedFile {
	locked := manifest.LockedFile{Path: f.Path, SHA256: sumOf(data), Layer: f.Folder.String()}
	if !f.Folder.Applied() {
		return locked
	}
	for _, o := range f.Objects {
		// An index of kustomize is read by Flux, not applied.
		if !strings.HasPrefix(o.APIVersion(), "kustomize.config.k8s.io/") {
			locked.Objects = append(locked.Objects, o.ID())
		}
	}
	return locked
}

// dirStates holds the state of each folder: unchanged, missing or notFolder.
type dirStates map[string]state

// check determines the state of a folder and its parents, once. A folder below one
// that is missing or not a folder has the same state.
func (d dirStates) check(root *os.Root, dir string) error {
	if _, known := d[dir]; known || dir == "." {
		return nil
	}
	above := path.Dir(dir)
	if err := d.check(root, above); err != nil {
		return err
	}
	d[dir] = d[above] // the zero value, unchanged, for the root
	if d[dir] != unchanged {
		return nil
	}
	info, err := root.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d[dir] = missing
	case err != nil:
		return fmt.Errorf("reading the output: %w", err)
	case !info.IsDir():
		d[dir] = notFolder
	}
	return nil
}

// with returns the folders in a state, parents first.
func (d dirStates) with(s state) []string {
	var dirs []string
	for dir, is := range d {
		if is == s {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}

// fileState returns how the path of a file differs from the file.
func (d dirStates) fileState(root *os.Root, f manifest.LockedFile, ours written) (state, error) {
	if s := d[path.Dir(f.Path)]; s != unchanged {
		return s, nil
	}
	info, err := root.Lstat(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing, nil
	case err != nil:
		return 0, err
	case info.IsDir():
		return folder, nil
	case !info.Mode().IsRegular():
		return link, nil
	}
	sum, err := hashOf(root, f.Path)
	switch {
	case err != nil:
		return 0, err
	case sum == f.SHA256:
		return unchanged, nil
	case info.Size() == 0 || ours.merged || slices.Contains(ours.hashes, sum):
		return outdated, nil
	case len(ours.hashes) == 0:
		return foreign, nil
	}
	data, err := root.ReadFile(f.Path)
	if err == nil && ours.isMergeOf(data) {
		return outdated, nil
	}
	return edited, err
}

func hashOf(root *os.Root, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// findGone finds what gatehouse wrote and no longer needs. If a path is not a regular
// file now, gatehouse did not write it, and findGone leaves it alone.
func (d *diff) findGone(root *os.Root, prior *priorOutput) error {
	needed := map[string]bool{}
	for _, f := range d.files {
		for name := f.Path; name != "." && !needed[name]; name = path.Dir(name) {
			needed[name] = true
		}
	}
	dirs := dirStates{}
	emptied := map[string]bool{}
	for name, ours := range prior.files {
		if needed[name] {
			continue
		}
		if err := dirs.check(root, path.Dir(name)); err != nil {
			return err
		}
		switch s, err := dirs.fileState(root, manifest.LockedFile{Path: name}, ours); {
		case err != nil:
			return fmt.Errorf("reading the output: %w", err)
		case s == outdated:
			d.gone = append(d.gone, finding{name, obsolete})
		case s == edited:
			d.gone = append(d.gone, finding{name, orphan})
		}
		for dir := path.Dir(name); dir != "." && !needed[dir] && !emptied[dir]; dir = path.Dir(dir) {
			emptied[dir] = true
		}
	}
	for dir := range emptied {
		if dirs[dir] == unchanged {
			d.emptied = append(d.emptied, dir)
		}
	}
	slices.SortFunc(d.gone, func(a, b finding) int { return strings.Compare(a.path, b.path) })
	slices.Sort(d.emptied)
	slices.Reverse(d.emptied) // a folder sorts after those above it
	return nil
}

// findings returns every path that is not as it should be.
func (d *diff) findings() []finding {
	found := slices.Clone(d.gone)
	for i, s := range d.states {
		if s != unchanged && s != notFolder {
			found = append(found, finding{d.files[i].Path, s})
		}
	}
	for _, dir := range d.dirs.with(notFolder) {
		if d.dirs[path.Dir(dir)] != notFolder {
			found = append(found, finding{dir, notFolder})
		}
	}
	return found
}

// stale returns what differs, sorted by path.
func (d *diff) stale() []Stale {
	return asStale(d.findings())
}

// conflicts returns what Write must not touch, sorted by path.
func (d *diff) conflicts(force bool) []Stale {
	return asStale(slices.DeleteFunc(d.findings(), func(f finding) bool { return !f.state.isConflict(force) }))
}

func asStale(found []finding) []Stale {
	stale := make([]Stale, len(found))
	for i, f := range found {
		stale[i] = Stale{f.path, f.state.String()}
	}
	slices.SortFunc(stale, func(a, b Stale) int { return strings.Compare(a.Path, b.Path) })
	return stale
}

// changes returns the files to write.
func (d *diff) changes() []manifest.LockedFile {
	var files []manifest.LockedFile
	for i, s := range d.states {
		if s != unchanged {
			files = append(files, d.files[i])
		}
	}
	return files
}

func (d *diff) result() Result {
	written := len(d.changes())
	return Result{Written: written, Unchanged: len(d.files) - written, Removed: len(d.gone)}
}

// apply removes what is no longer needed, and renames staged files into place. It
// cannot be cancelled, because that would leave half of a tree.
func (d *diff) apply(disk disk) error {
	for _, f := range d.gone {
		if err := disk.Remove(f.path); err != nil {
			return fmt.Errorf("removing %s: %w", f.path, err)
		}
	}
	for _, dir := range d.emptied {
		// ErrExist means that the folder is not empty: it holds other files.
		if err := disk.Remove(dir); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("removing %s: %w", dir, err)
		}
	}
	for _, dir := range d.dirs.with(missing) {
		if err := disk.Mkdir(dir); err != nil {
			return fmt.Errorf("creating %s: %w", dir, err)
		}
	}
	return parallel.Do(context.Background(), len(d.files), func(i int) error {
		if d.states[i] == unchanged {
			return nil
		}
		if err := disk.Rename(stagedName(i, d.files[i].SHA256), d.files[i].Path); err != nil {
			return fmt.Errorf("writing %s: %w", d.files[i].Path, err)
		}
		return nil
	})
}
