//go:build windows || (unix && !aix && !solaris)

package output

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestHold(t *testing.T) {
	dir := t.TempDir()
	release, err := Hold(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 3*holdLook)
	defer cancel()
	if _, err := Hold(soon, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second build got the folder: %v", err)
	}
	begin := time.Now()
	time.AfterFunc(4*holdLook, release)
	second, err := Hold(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if time.Since(begin) < 3*holdLook {
		t.Error("it did not wait")
	}
	second()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left: %v", left, err)
	}
	if release, err := Hold(t.Context(), filepath.Join(dir, "absent")); err != nil {
		t.Error(err)
	} else {
		release()
	}
}
