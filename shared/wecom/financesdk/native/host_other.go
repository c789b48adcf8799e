//go:build !linux || !(amd64 || arm64)

package native

func hide() error { return ErrUnsupported }

// GLIBC is the version of this machine's C library. Here it is none.
func GLIBC() string { return "" }
