//go:build unix

package regular

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestFS(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"small": "12345678", "large": "123456789"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Skip(err)
	}
	for link, to := range map[string]string{"to-small": "small", "to-pipe": "pipe", "loop": "loop", "up": "."} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir) // the path of a socket is short
	socket, err := net.Listen("unix", "socket")
	if err != nil {
		t.Skip(err)
	}
	defer socket.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, fsys := range []fs.FS{os.DirFS(dir), root.FS()} {
		for name, want := range map[string]error{
			"small": nil, "to-small": nil, ".": nil, "up": nil, "large": ErrSize, "pipe": ErrType, "to-pipe": ErrType, "socket": ErrType, "absent": fs.ErrNotExist, "loop": syscall.ELOOP,
		} {
			f, err := FS(fsys, 8).Open(name)
			if err == nil {
				f.Close()
			}
			if !errors.Is(err, want) && name != "loop" || (err == nil) != (want == nil) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
			if _, ok := errors.AsType[*fs.PathError](err); err != nil && !ok {
				t.Errorf("%s: the error has no path: %v", name, err)
			}
		}
	}
}
