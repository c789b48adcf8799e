//go:build !linux || !(amd64 || arm64)

package financesdk

// RunHost runs the calling process as a child of a Pool, if args say so. Here
// there are no pools.
func RunHost([]string) (status int, host bool) { return 0, false }

func hide() error { return ErrUnsupported }

// GLIBC is the version of this machine's C library. Here it is none.
func GLIBC() string { return "" }
