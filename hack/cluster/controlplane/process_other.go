//go:build unix && !linux

package controlplane

import "syscall"

// childAttributes puts a child into a group of its own. Only Linux can let it die
// with us when we are killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
