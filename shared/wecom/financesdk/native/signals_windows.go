package native

import "syscall"

// ownGroup puts a child in a group of its own: Ctrl-C is for the parent, which ends
// its children in order.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// fromOutside says whether only other processes send the signal. Windows has none.
func fromOutside(syscall.Signal) bool { return false }
