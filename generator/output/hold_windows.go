package output

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// hold reports whether the program has the folder now, until release is called. Windows
// locks no folders: a mutex with the identity of the folder stands for it. It exists as
// long as a program has it open.
func hold(f *os.File) (release func(), held bool) {
	var id windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &id); err != nil {
		return func() {}, true // this file system has no identities
	}
	name, err := windows.UTF16PtrFromString(fmt.Sprintf(`Global\gatehouse-%08x-%08x%08x`, id.VolumeSerialNumber, id.FileIndexHigh, id.FileIndexLow))
	if err != nil {
		return func() {}, true
	}
	mutex, err := windows.CreateMutex(nil, false, name)
	if mutex != 0 {
		release = func() { _ = windows.CloseHandle(mutex) } // it is open
	}
	switch {
	case errors.Is(err, windows.ERROR_ALREADY_EXISTS), errors.Is(err, windows.ERROR_ACCESS_DENIED): // of another user
		if release != nil {
			release()
		}
		return nil, false
	case err != nil:
		return func() {}, true
	}
	return release, true
}
