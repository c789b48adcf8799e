package localstore

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"wecom-archive/shared/store"
)

// escapeKeys says that the file system of this machine takes keys for one that are
// two (case, forms of Unicode), or does not take all.
const escapeKeys = runtime.GOOS == "windows" || runtime.GOOS == "darwin"

// names tells how keys are files.
type names struct {
	escape bool // what file systems cannot tell apart is written as %xx
}

// path is where the object lies below its bucket's folder.
func (n names) path(key string) string {
	if !n.escape {
		return filepath.FromSlash(key)
	}
	parts := strings.Split(key, "/")
	for i, part := range parts {
		parts[i] = escapePart(part)
	}
	return filepath.Join(parts...)
}

// part is what a file or folder of this name stands for between the slashes of a
// key. ok is false if no key has that name.
func (n names) part(name string) (part string, ok bool) {
	if !n.escape {
		return name, store.CheckObjectKey(name) == nil
	}
	part = unescapePart(name)
	return part, escapePart(part) == name && store.CheckObjectKey(part) == nil
}

// escapePart writes %xx for each byte that a file system might not take, or not
// tell from another. What ours are made of stays: small letters, digits, and signs.
func escapePart(part string) string {
	var b strings.Builder
	device := store.IsDevice(part)
	for i := range len(part) {
		c := part[i]
		last := i == len(part)-1 && (c == '.' || c == ' ')
		switch {
		case c <= ' ' && c != ' ', c > '~', c >= 'A' && c <= 'Z', strings.IndexByte(`%<>:"|?*\`, c) >= 0, last, device && i == 0:
			fmt.Fprintf(&b, "%%%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unescapePart(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		var c byte
		if name[i] == '%' && i+2 < len(name) {
			if _, err := fmt.Sscanf(name[i+1:i+3], "%02x", &c); err == nil {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(name[i])
	}
	return b.String()
}
