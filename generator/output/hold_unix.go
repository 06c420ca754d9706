//go:build unix && !aix && !solaris

package output

import (
	"errors"
	"os"
	"syscall"
)

// hold reports whether the program has the folder now, until f is closed.
func hold(f *os.File) (release func(), held bool) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return func() {}, !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR)
}
