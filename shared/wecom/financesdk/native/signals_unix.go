//go:build unix

package native

import "syscall"

// ownGroup puts a child in a group of its own: Ctrl-C is for the parent, which ends
// its children in order.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// fromOutside says whether only other processes send the signal, like that of a machine
// out of memory.
func fromOutside(s syscall.Signal) bool {
	switch s {
	case syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2:
		return true
	}
	return false
}
