package controlplane

import "syscall"

// childAttributes puts a child into a group of its own and lets it die with us,
// also when we are killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
