//go:build linux || darwin

package localstore

import (
	"errors"

	"golang.org/x/sys/unix"
)

// extendedAttribute reads an attribute of a file, if it has it.
func extendedAttribute(path, name string) (value string, found bool, err error) {
	text := make([]byte, 4096)
	n, err := unix.Getxattr(path, name, text)
	switch {
	case errors.Is(err, noAttribute), errors.Is(err, unix.ENOTSUP):
		return "", false, nil
	case err != nil:
		return "", false, err
	}
	return string(text[:n]), true, nil
}
