package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/generator"
	"github.com/gatehouse-dev/gatehouse/generator/output"
	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// base is the output as it is in a revision of Git.
type base struct {
	ctx    context.Context
	dir    string
	commit string
	prefix string // of the output in the repository; with a slash at its end, or empty
}

// openBase finds a revision of the repository that dir is in.
func openBase(ctx context.Context, dir, revision string) (*base, error) {
	if revision == "" || strings.HasPrefix(revision, "-") {
		return nil, usagef("--base: %q is not a revision, such as origin/main", revision)
	}
	b := &base{ctx: ctx, dir: dir}
	prefix, err := b.git("rev-parse", "--show-prefix")
	if err != nil {
		return nil, fmt.Errorf("--base: %s is not in a repository of Git: %w", dir, err)
	}
	b.prefix = strings.TrimSuffix(prefix, "\n")
	commit, err := b.git("rev-parse", "--verify", "--end-of-options", revision+"^{commit}")
	if err != nil {
		hint := "is it spelled right?"
		if shallow, e := b.git("rev-parse", "--is-shallow-repository"); e == nil && strings.TrimSpace(shallow) == "true" {
			hint = "this is a shallow clone: fetch the revision first, such as with git fetch --depth=1 origin main:refs/remotes/origin/main"
		}
		return nil, fmt.Errorf("--base: the repository has no commit %s (%s): %w", revision, hint, err)
	}
	b.commit = strings.TrimSpace(commit)
	return b, nil
}

// git runs git in the output. It changes nothing, and fetches nothing.
func (b *base) git(args ...string) (string, error) {
	cmd := exec.CommandContext(b.ctx, "git", append([]string{"--no-optional-locks", "--no-replace-objects", "-C", b.dir}, args...)...)
	cmd.Env = append(cmd.Environ(), "GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("git is not on the PATH")
	}
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.Join(strings.Fields(errOut.String()), " "))
	}
	return string(out), nil
}

// Open implements fs.FS. Files are only read as a whole.
func (b *base) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.ErrUnsupported}
}

// ReadFile implements fs.ReadFileFS for a file of the output.
func (b *base) ReadFile(name string) ([]byte, error) {
	listed, err := b.git("ls-tree", "-l", "-z", "--full-tree", b.commit, "--", b.prefix+name)
	if err != nil {
		return nil, err
	}
	about, _, _ := strings.Cut(strings.TrimSuffix(listed, "\x00"), "\t")
	fields := strings.Fields(about) // mode, type, object, size
	if len(fields) == 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if len(fields) != 4 || fields[1] != "blob" || !strings.HasPrefix(fields[0], "100") {
		return nil, fmt.Errorf("%s is not a regular file in %s", name, b.commit)
	}
	if size, err := strconv.ParseInt(fields[3], 10, 64); err != nil || size > output.MaxFile {
		return nil, fmt.Errorf("%s is larger than %d MiB in %s", name, output.MaxFile>>20, b.commit)
	}
	text, err := b.git("cat-file", "blob", fields[2])
	return []byte(text), err
}

// lock returns the lock of the output; nil if the revision has none.
func (b *base) lock() (*manifest.Lock, error) {
	data, err := b.ReadFile(layout.Lock)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--base: %w", err)
	}
	return manifest.DecodeLock(data)
}

// prepare makes the revision what a build compares the source with, instead of the output as
// it is. What the build notes gets the day that the lock of the output has for it: the day on
// which it was built, unless that is before the revision or in the future.
func (b *base) prepare(o *generator.Options) error {
	before, err := b.lock()
	if err != nil {
		return err
	}
	built, err := b.day()
	if err != nil {
		return err
	}
	if o.Prior != nil {
		days := append([]string{""}, o.Prior.Days()...)
		if day := days[len(days)-1]; day >= built && day <= o.Now.UTC().Format(time.DateOnly) {
			if o.Day, err = time.Parse(time.DateOnly, day); err != nil {
				return fmt.Errorf("reading %s: %w", layout.Lock, err)
			}
		}
	}
	o.Prior, o.Output = before, b
	return nil
}

// day returns the day of the revision in UTC.
func (b *base) day() (string, error) {
	text, err := b.git("show", "--no-patch", "--no-show-signature", "--format=%ct", b.commit)
	if err != nil {
		return "", fmt.Errorf("--base: %w", err)
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return "", fmt.Errorf("--base: the date of %s: %w", b.commit, err)
	}
	return time.Unix(seconds, 0).UTC().Format(time.DateOnly), nil
}
