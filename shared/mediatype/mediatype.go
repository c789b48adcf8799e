// Package mediatype tells what a file is by its bytes. Names and claims of messages
// are chosen by strangers and count for nothing here.
package mediatype

import (
	"bytes"
	"mime"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// Binary is the type of a file that nobody knows.
const Binary = "application/octet-stream"

// What voices are. Only AMR, the narrow-band kind, is what WeCom is known to send.
const (
	AMR         = "audio/amr"
	AMRWideband = "audio/amr-wb"
	SILK        = "audio/silk" // of WeChat; no registered type
)

// Sniff returns the media type of a file by its first bytes, 4 KiB are plenty.
func Sniff(head []byte) string {
	switch { // mimetype takes the first for narrow-band AMR and does not know the second
	case bytes.HasPrefix(head, []byte("#!AMR-WB\n")):
		return AMRWideband
	case bytes.HasPrefix(bytes.TrimPrefix(head, []byte{2}), []byte("#!SILK_V3")): // WeChat puts a 2 before
		return SILK
	}
	return mimetype.Detect(head).String()
}

// inert are types that a browser may show by itself: none can hold a script.
var inert = map[string]bool{
	"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true, "image/bmp": true,
	"video/mp4": true, "audio/mpeg": true, AMR: true, AMRWideband: true, SILK: true, "audio/wav": true, "audio/mp4": true,
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
