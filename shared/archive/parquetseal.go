package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

// A segment carries its own SHA-256, which is checked before anything in it is
// believed: Parquet has checksums for the content of data pages only, and one
// flipped bit in a header or the footer makes the library return other values,
// ask for more memory than there is, or follow a number as an address.
//
// The digest stands in the footer's metadata as 64 hex digits. It is that of the
// file with zeros in their place.

// unsealed is the digest's place before it is known.
var unsealed = strings.Repeat("0", hex.EncodedLen(sha256.Size))

// sealPrefix is what stands before the digest: the end of the key, and the Thrift
// header of a string of 64 bytes.
const sealPrefix = metaSHA256 + "\x18\x40"

// seal writes a file's digest into it.
func seal(file []byte) error {
	at, err := sealPlace(file)
	if err != nil {
		return err
	}
	copy(file[at:], sealOf(file, at))
	return nil
}

// checkSeal compares a file with the digest in it.
func checkSeal(file []byte) error {
	at, err := sealPlace(file)
	if err != nil {
		return err
	}
	if string(file[at:at+len(unsealed)]) != sealOf(file, at) {
		return errors.New("differs from the SHA-256 in its footer")
	}
	return nil
}

// sealPlace is where a file has its digest.
func sealPlace(file []byte) (int, error) {
	// The last one: text of messages stands before.
	at := bytes.LastIndex(file, []byte(sealPrefix))
	if at += len(sealPrefix); at < len(sealPrefix) || len(file)-at < len(unsealed) {
		return 0, errors.New("no SHA-256 in the footer")
	}
	return at, nil
}

func sealOf(file []byte, at int) string {
	h := sha256.New()
	h.Write(file[:at])
	h.Write([]byte(unsealed))
	h.Write(file[at+len(unsealed):])
	return hex.EncodeToString(h.Sum(nil))
}
