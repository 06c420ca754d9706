package charts

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// cache is a folder with charts that were pulled; empty for none. The name of a file is a hash of where the chart came
// from, and the digest of what is in it.
type cache string

// read returns the chart with a name; nil if it is not there, if it is not what was written, or if it has another digest
// than the given one, which may be empty.
func (c cache) read(digest string, name ...string) []byte {
	if c == "" {
		return nil
	}
	files, err := os.ReadDir(string(c))
	if err != nil {
		return nil // it is made when something is written
	}
	for _, f := range files {
		written, found := strings.CutPrefix(f.Name(), prefix(name))
		if !found || !f.Type().IsRegular() {
			continue
		}
		in, err := os.Open(filepath.Join(string(c), f.Name()))
		if err != nil {
			continue
		}
		data, err := readAll(in, maxArchive)
		_ = in.Close() // it was read
		if err != nil {
			continue
		}
		sum := sha256.Sum256(data)
		if got := hex.EncodeToString(sum[:]); got+".tgz" == written && (digest == "" || digest == got) {
			return data
		}
	}
	return nil
}

// write keeps a chart under a name.
func (c cache) write(data []byte, name ...string) error {
	if c == "" {
		return nil
	}
	if err := os.MkdirAll(string(c), 0o755); err != nil {
		return fmt.Errorf("the cache of charts: %w", err)
	}
	file, err := os.CreateTemp(string(c), ".new-*")
	if err != nil {
		return fmt.Errorf("the cache of charts: %w", err)
	}
	_, err = file.Write(data)
	if closed := file.Close(); err == nil {
		err = closed
	}
	sum := sha256.Sum256(data)
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(string(c), prefix(name)+hex.EncodeToString(sum[:])+".tgz"))
	}
	if err != nil {
		_ = os.Remove(file.Name()) // what went wrong before matters more
		return fmt.Errorf("the cache of charts: %w", err)
	}
	return nil
}

// prefix returns how the file of a chart begins.
func prefix(name []string) string {
	sum := sha256.Sum256([]byte(strings.Join(name, "\n")))
	return hex.EncodeToString(sum[:16]) + "-"
}
