// Package mediatype tells what a file is by its bytes. Names and claims of messages
// are chosen by strangers and count for nothing here.
package mediatype

import (
	"mime"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// Binary is the type of a file that nobody knows.
const Binary = "application/octet-stream"

// Sniff returns the media type of a file by its first bytes, 4 KiB are plenty.
func Sniff(head []byte) string { return mimetype.Detect(head).String() }

// inert are types that a browser may show by itself: none can hold a script.
var inert = map[string]bool{
	"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true, "image/bmp": true,
	"video/mp4": true, "audio/mpeg": true, "audio/amr": true, "audio/wav": true, "audio/mp4": true,
}

// Safe is the type to serve a file under: its own if that is inert, else Binary, so
// that a page or a drawing with a script in it is a file to save and nothing more.
func Safe(sniffed string) string {
	base, _, err := mime.ParseMediaType(sniffed)
	if err != nil || !inert[strings.ToLower(base)] {
		return Binary
	}
	return strings.ToLower(base)
}
