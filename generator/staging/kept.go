package staging

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/layout"
	"github.com/gatehouse-dev/gatehouse/internal/manifest"
)

// Written holds the hashes of what gatehouse wrote at each path of an output.
type Written map[string][]string

// WrittenIn returns what the lock of an output says, and the journal of a build that did
// not finish. It returns nil if the lock does not say it.
func WrittenIn(lock *manifest.Lock, output fs.FS) Written {
	if lock == nil || len(lock.Files) == 0 {
		return nil
	}
	files := lock.Files
	if output != nil {
		if data, err := fs.ReadFile(output, layout.Journal); err == nil {
			if journal, err := manifest.DecodeLock(data); err == nil {
				files = slices.Concat(files, journal.Files)
			}
		}
	}
	w := Written{}
	for _, f := range files {
		w[f.Path] = append(w[f.Path], f.SHA256)
	}
	return w
}

// check returns an error if gatehouse did not write data at a path. The name of a content
// does not show every edit: it has no hash of texts and parameters.
func (w Written) check(path string, data []byte) error {
	sum := sha256.Sum256(data)
	switch {
	case w == nil || slices.Contains(w[path], hex.EncodeToString(sum[:])):
		return nil
	case len(w[path]) > 0:
		return errors.New("it was edited since gatehouse wrote it")
	}
	return errors.New("gatehouse did not write it")
}

// read reads a content that an earlier build kept.
func read(output fs.FS, written Written, hash string) (Content, error) {
	data, err := fs.ReadFile(output, path(hash))
	if err != nil {
		return Content{}, fmt.Errorf("reading what is enforced: %w", err)
	}
	c, err := decode(data, hash)
	if err == nil {
		err = written.check(path(hash), data)
	}
	if err != nil {
		return Content{}, fmt.Errorf("reading %s: %w", path(hash), err)
	}
	return c, nil
}

// decode decodes the file of a content, and checks that it is the one with the hash.
func decode(data []byte, hash string) (c Content, err error) {
	if line := manifest.FirstMarker(data); line > 0 {
		return c, fmt.Errorf("line %d: it has a merge conflict", line)
	}
	objects, err := manifest.Parse(data)
	if err != nil {
		return c, err
	}
	if len(objects) != 1 {
		return c, fmt.Errorf("it holds %d documents, not one", len(objects))
	}
	raw, err := json.Marshal(objects[0])
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, err
	}
	integers(c.Body)
	integers(c.Parameters)
	if got := c.Hash(); got != hash {
		return c, fmt.Errorf("the file was edited, its content is %s", got)
	}
	return c, nil
}
