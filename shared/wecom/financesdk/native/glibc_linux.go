//go:build linux && (amd64 || arm64)

package native

import (
	"github.com/ebitengine/purego"
)

// GLIBC is the version of this machine's C library, as 2.34; empty if it is not
// glibc.
func GLIBC() string {
	handle, err := purego.Dlopen("libc.so.6", purego.RTLD_NOW)
	if err != nil {
		return ""
	}
	if _, err := purego.Dlsym(handle, "gnu_get_libc_version"); err != nil {
		return ""
	}
	var version func() string
	purego.RegisterLibFunc(&version, handle, "gnu_get_libc_version")
	return version()
}
