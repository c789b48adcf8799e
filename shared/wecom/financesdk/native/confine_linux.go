//go:build linux && (amd64 || arm64)

package native

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hide makes the memory of the calling process unreadable for others of the same
// user, and its files below /proc, and switches its core dumps off.
func hide() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hiding the process's memory: %w", err)
	}
	return nil
}

// confine gives up what the library does not need, and starts the executable
// again in that state; it returns only if that fails. The second start matters:
// capabilities belong to a thread, and only what this thread executes has hers in
// all its threads.
func confine(mode string) error {
	runtime.LockOSThread()
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("switching core dumps off: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up new privileges: %w", err)
	}
	if err := dropCapabilities(); err != nil {
		return fmt.Errorf("giving up capabilities: %w", err)
	}
	if err := closeOnExec(); err != nil {
		return fmt.Errorf("closing descriptors: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("leaving the folder: %w", err)
	}
	unix.Umask(0o077)
	return fmt.Errorf("starting the confined process: %w", unix.Exec(self, []string{argv0, hostArg, mode, confinedArg}, nil))
}

func dropCapabilities() error {
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		// EPERM: not ours to drop, and so not ours to gain. EINVAL: this kernel has none such.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}

// closeOnExec marks all descriptors but the first three. Whoever started the
// parent may have left some open that the next program inherits.
func closeOnExec() error {
	folder, err := os.Open("/proc/self/fd")
	if err != nil {
		return err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// settle does in the confined process what an exec would undo, and checks that it
// is confined: content must not reach a process that is not.
func settle() error {
	if err := hide(); err != nil {
		return err
	}
	if on, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || on != 1 {
		return errors.New("new privileges are not given up")
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core.Max != 0 {
		return errors.New("core dumps are on")
	}
	// Go's runtime would turn a deadly signal into exit status 2. The kernel's own
	// way of ending the process says which signal it was.
	for _, signal := range []unix.Signal{unix.SIGABRT, unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGSYS} {
		var action [4]uint64 // struct sigaction of the kernel: handler, flags, restorer, mask; 0 is SIG_DFL
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signal), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0); errno != 0 {
			return fmt.Errorf("resetting signal %d: %w", signal, errno)
		}
	}
	return nil
}

// takePipes moves the pipes away from stdin and stdout, which the library might
// read or print to.
func takePipes() (in, out *os.File, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer null.Close()
	var moved [2]*os.File
	for fd := range moved {
		to, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, nil, err
		}
		moved[fd] = os.NewFile(uintptr(to), "pipe")
	}
	for fd := range 3 {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return nil, nil, err
		}
	}
	return moved[0], moved[1], nil
}
