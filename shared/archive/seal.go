package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

// Segments, events and the headers of pages carry their own SHA-256, which is checked
// before anything in them is believed. Parquet has checksums for the content of
// data pages only: one flipped bit in a header or the footer makes the library
// return other values, ask for more memory than there is, or follow a number as
// an address. JSON has none at all.
//
// The digest stands in the bytes as 64 hex digits. It is that of the bytes with
// zeros in their place.

// Unsealed is the digest's place before it is known.
var Unsealed = strings.Repeat("0", hex.EncodedLen(sha256.Size))

// What stands before the digest in JSON: the last member; strings cannot hold it,
// since their quotes are escaped.
const (
	headerSeal = `"header_sha256":"`
	eventSeal  = `"event_sha256":"`
)

// Seal writes the digest of doc into it.
func Seal(doc []byte, prefix string) error {
	at, err := sealPlace(doc, prefix)
	if err != nil {
		return err
	}
	copy(doc[at:], sealOf(doc, at))
	return nil
}

// CheckSeal compares doc with the digest in it.
func CheckSeal(doc []byte, prefix string) error {
	at, err := sealPlace(doc, prefix)
	if err != nil {
		return err
	}
	if string(doc[at:at+len(Unsealed)]) != sealOf(doc, at) {
		return errors.New("differs from its own SHA-256")
	}
	return nil
}

// sealPlace is where doc has its digest.
func sealPlace(doc []byte, prefix string) (int, error) {
	// The last one: text of messages stands before.
	at := bytes.LastIndex(doc, []byte(prefix))
	if at += len(prefix); at < len(prefix) || len(doc)-at < len(Unsealed) {
		return 0, errors.New("has no SHA-256 of its own")
	}
	return at, nil
}

func sealOf(doc []byte, at int) string {
	h := sha256.New()
	h.Write(doc[:at])
	h.Write([]byte(Unsealed))
	h.Write(doc[at+len(Unsealed):])
	return hex.EncodeToString(h.Sum(nil))
}
