package store

import (
	"fmt"
	"mime"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Rules of the ports that every adapter enforces alike, so that what works on
// one works on all.

const (
	// MaxObjectKey bounds keys of objects, in bytes.
	MaxObjectKey = 900
	// MaxPresign bounds how long a URL of PresignGet works: S3 takes no more.
	MaxPresign = 7 * 24 * time.Hour

	maxFileName = 199 // bytes, of a downloaded file; one more for what is put before it
)

// CheckObjectKey refuses keys that the port does not take. S3 would take more,
// but parts that a path cannot have get lost in proxies, browsers and downloads.
func CheckObjectKey(key string) error {
	if key == "" || len(key) > MaxObjectKey || !utf8.ValidString(key) {
		return fmt.Errorf("the key is not 1 to %d bytes of UTF-8", MaxObjectKey)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("the key has %q between slashes", part)
		}
	}
	return nil
}

// Attachment is a Content-Disposition that makes a browser save a file under a
// name that a stranger chose: no path, no control characters, nothing that cannot be
// seen or turns the reading direction, nothing that Windows reads as a device or as
// another name, and RFC 2231 encoding for what is not ASCII.
func Attachment(fileName string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": fileNameOf(fileName)})
}

func fileNameOf(claimed string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), strings.ContainsRune(`/\<>:"|?*`, r),
			unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) && r != zeroWidthJoiner: // which emoji need
			return '_'
		}
		return r
	}, strings.ToValidUTF8(claimed, "\uFFFD"))
	name = strings.TrimSpace(name)
	if ext := path.Ext(name); len(name) > maxFileName && len(ext) < 20 {
		name = strings.ToValidUTF8(name[:maxFileName-len(ext)], "") + ext
	} else if len(name) > maxFileName {
		name = strings.ToValidUTF8(name[:maxFileName], "")
	}
	// Windows drops these from the end: "a.exe. " would be run as a.exe.
	name = strings.TrimRightFunc(name, func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
	switch {
	case name == "": // or it was this folder, or the one above
		return "download"
	case IsDevice(name):
		return "_" + name
	}
	return name
}

const zeroWidthJoiner = '\u200D'

// IsDevice says that Windows takes files of this name, whatever their extension,
// for a device.
func IsDevice(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimSpace(base))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, ok := strings.CutPrefix(base, "COM")
	if !ok {
		port, ok = strings.CutPrefix(base, "LPT")
	}
	return ok && utf8.RuneCountInString(port) == 1 && strings.ContainsAny(port, "0123456789¹²³")
}

// CheckItems refuses items that the index does not take, and two with the same
// key.
func CheckItems(items ...Item) error {
	type key struct{ partition, sort string }
	seen := make(map[key]bool, len(items))
	for _, item := range items {
		if err := CheckIndexKey(item.Partition, item.Sort); err != nil {
			return err
		}
		if len(item.Value) > MaxIndexValue {
			return fmt.Errorf("value of %d bytes, at most %d fit", len(item.Value), MaxIndexValue)
		}
		k := key{item.Partition, item.Sort}
		if seen[k] {
			return fmt.Errorf("item %q of %q twice in one call", item.Sort, item.Partition)
		}
		seen[k] = true
	}
	return nil
}

// CheckIndexKey refuses partition and sort keys that the index does not take.
func CheckIndexKey(keys ...string) error {
	for _, key := range keys {
		if key == "" || len(key) > MaxIndexKey || !utf8.ValidString(key) {
			return fmt.Errorf("key of %d bytes is not 1 to %d bytes of UTF-8", len(key), MaxIndexKey)
		}
	}
	return nil
}
