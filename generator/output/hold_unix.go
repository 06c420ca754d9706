//go:build unix && !aix && !solaris

package output

import (
	"errors"
	"os"
	"syscall"
)

// hold reports whether the program has the folder now, as long as f is open.
func hold(f *os.File) bool {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR)
}
