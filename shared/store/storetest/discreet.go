package storetest

import (
	"bytes"
	"testing"
)

// Bounds of what an error may say of bytes that it refuses.
const (
	longestError = 1000 // bytes
	longestQuote = 24   // more of them in a row are taken for a quotation
)

// Discreet fails if an error quotes the bytes that it is about, which may be what people
// said or a key, or if it grows with them: errors go to logs.
func Discreet(t testing.TB, err error, outside []byte) {
	t.Helper()
	if err == nil {
		return
	}
	said := []byte(err.Error())
	if len(said) > longestError {
		t.Fatalf("an error of %d bytes: %.200s…", len(said), said)
	}
	for i := 0; i+longestQuote <= len(said); i++ {
		if bytes.Contains(outside, said[i:i+longestQuote]) {
			t.Fatalf("the error quotes what it refuses: %s", said)
		}
	}
}
