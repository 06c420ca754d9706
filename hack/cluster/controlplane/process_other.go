//go:build unix && !linux

package controlplane

import "syscall"

// childAttributes puts a child into a separate process group. Only Linux can end it when
// this process is killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
