//go:build !linux || !(amd64 || arm64)

package decrypt

// RunHost runs the calling process as a child of a Pool, if args say so. Here
// there are no pools.
func RunHost([]string) (status int, host bool) { return 0, false }
