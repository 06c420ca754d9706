package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// faultyDisk fails at the n-th change, counted from 1. A dying one fails at all
// that follow, as if the process were killed.
type faultyDisk struct {
	disk
	mu    sync.Mutex
	n     int
	dying bool
}

var errFault = errors.New("injected fault")

const never = 1 << 30

func (f *faultyDisk) fails() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n--
	return f.n == 0 || f.n < 0 && f.dying
}

func (f *faultyDisk) Mkdir(name string) error {
	if f.fails() {
		return errFault
	}
	return f.disk.Mkdir(name)
}

func (f *faultyDisk) Create(name string, data []byte, _ bool) error {
	if f.fails() {
		_ = f.disk.Create(name, data[:len(data)/2], false)
		return errFault
	}
	return f.disk.Create(name, data, false) // a test needs no sync
}

func (f *faultyDisk) Rename(from, to string) error {
	if f.fails() {
		return errFault
	}
	return f.disk.Rename(from, to)
}

func (f *faultyDisk) Remove(name string) error {
	if f.fails() {
		return errFault
	}
	return f.disk.Remove(name)
}

func (f *faultyDisk) RemoveAll(name string) error {
	if f.fails() {
		return errFault
	}
	return f.disk.RemoveAll(name)
}

// faultyBuild builds with a fault and reports whether there was one.
func faultyBuild(t *testing.T, dir string, files []manifest.File, n int, dying bool) bool {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	d := &faultyDisk{disk: rootDisk{root}, n: n, dying: dying}
	_, err = writeTree(t.Context(), root, d, files, manifest.Lock{}, Options{})
	if err != nil && !errors.Is(err, errFault) {
		t.Fatalf("fault %d: %v", n, err)
	}
	if err == nil && d.n <= 0 {
		t.Fatalf("fault %d was swallowed", n)
	}
	return err != nil
}

// wholeFiles fails if a file outside the staging folder is not as one of the builds wrote it.
func wholeFiles(t *testing.T, dir string, builds ...[]manifest.File) {
	t.Helper()
	known := map[string]bool{}
	for _, files := range builds {
		for _, f := range files {
			known[f.Path+"="+string(f.Text)] = true
		}
	}
	for name, content := range tree(t, dir) {
		if strings.HasSuffix(name, "/") || strings.HasPrefix(name, layout.Staging) || name == "theirs/x" {
			continue
		}
		if name == layout.Lock || name == layout.Journal {
			if _, err := manifest.DecodeLock([]byte(content)); err != nil {
				t.Error(err)
			}
			continue
		}
		if !known[name+"="+content] {
			t.Errorf("%s holds %q", name, content)
		}
	}
}

// A build that fails or dies at any change is completed by the next one, also
// if that one has another source, and if it fails as well.
func TestWriteDirSurvivesAnyFault(t *testing.T) {
	clean := func(files []manifest.File) map[string]string {
		dir := t.TempDir()
		put(t, dir, "theirs/x", "theirs")
		build(t, dir, files)
		return tree(t, dir)
	}
	for _, dying := range []bool{false, true} {
		for name, next := range map[string][]manifest.File{"same source": second, "changed source": third, "reverted source": first} {
			t.Run(fmt.Sprintf("%s, dying %v", name, dying), func(t *testing.T) {
				want := clean(next)
				for _, prior := range [][]manifest.File{nil, first} {
					for n := 1; ; n++ {
						dir := t.TempDir()
						put(t, dir, "theirs/x", "theirs")
						if prior != nil {
							faultyBuild(t, dir, prior, never, false)
						}
						failed := faultyBuild(t, dir, second, n, dying)
						wholeFiles(t, dir, prior, second)
						// The second build dies as well, further on each time.
						faultyBuild(t, dir, next, 1+n*7%23, dying)
						wholeFiles(t, dir, prior, second, next)
						faultyBuild(t, dir, next, never, false)
						if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
							t.Fatalf("fault %d: %s", n, diff)
						}
						if !failed {
							if n < 20 {
								t.Fatalf("only %d changes were tried", n-1)
							}
							break
						}
					}
				}
			})
		}
	}
}

// An edit between a crash and the next build is still seen.
func TestEditAfterCrashIsAConflict(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		build(t, dir, first)
		if !faultyBuild(t, dir, second, n, true) {
			break
		}
		put(t, dir, "environments/dev/policies/b.yaml", "theirs")
		_, err := Write(t.Context(), dir, third, manifest.Lock{}, Options{})
		var conflict *ConflictError
		if !errors.As(err, &conflict) || conflict.Conflicts[0].Path != "environments/dev/policies/b.yaml" {
			t.Fatalf("fault %d: got %v", n, err)
		}
	}
}

// fullDisk has no room for the content of files.
type fullDisk struct{ disk }

func (d fullDisk) Create(name string, data []byte, sync bool) error {
	_ = d.disk.Create(name, data[:len(data)/2], sync)
	return &fs.PathError{Op: "write", Path: name, Err: syscall.ENOSPC}
}

func TestFullDiskLosesNothing(t *testing.T) {
	dir := t.TempDir()
	build(t, dir, first)
	before := tree(t, dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, err = writeTree(t.Context(), root, fullDisk{rootDisk{root}}, text("README.md=two"), manifest.Lock{}, Options{})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "README.md") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}
