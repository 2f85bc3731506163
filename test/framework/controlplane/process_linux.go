package controlplane

import "syscall"

// endWithParent has the kernel end a child when its parent ends, in a process
// group of its own so that a Ctrl-C reaches the parent alone.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
