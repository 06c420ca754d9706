package controlplane

import "syscall"

// childAttributes puts a child into a separate process group and ends it when this process
// ends, even if it is killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
