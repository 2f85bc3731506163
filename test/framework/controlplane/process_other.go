//go:build !linux

package controlplane

import "syscall"

// endWithParent gives a child a process group of its own. Only Linux can end it
// with its parent, so elsewhere a killed parent leaves it running.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
