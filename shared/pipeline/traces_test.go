package pipeline_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// traces finds secrets in text, whole or in part, raw or encoded: of any 32 bytes
// of a secret in a row it knows at least one piece in each encoding.
type traces map[int]map[string]string // length of the piece, piece, what it is of

const (
	traceWindow = 16 // bytes of a piece; any 31 bytes in a row hold one that begins at a multiple of it
	groupWindow = 15 // the same for base64, which has groups of 3 bytes
	listLen     = 24 // characters of a list of decimal bytes: 16 bytes make at least 31
)

// add makes pieces of a secret; what names it.
func (s traces) add(what string, secret []byte) {
	for i := 0; i+traceWindow <= len(secret); i += traceWindow {
		window := secret[i : i+traceWindow]
		s.note(what+", raw", string(window))
		s.note(what+" in hex", hex.EncodeToString(window))
		s.note(what+" in hex", strings.ToUpper(hex.EncodeToString(window)))
		list := strings.Trim(fmt.Sprint(window), "[]")[:listLen]
		s.note(what+" as a list of bytes", list)
		s.note(what+" as a list of bytes", strings.ReplaceAll(list, " ", ","))
	}
	// A text in base64 may begin at any byte of the secret.
	for begin := range 3 {
		for i := begin; i+groupWindow <= len(secret); i += groupWindow {
			s.note(what+" in base64", base64.StdEncoding.EncodeToString(secret[i:i+groupWindow]))
			s.note(what+" in base64", base64.URLEncoding.EncodeToString(secret[i:i+groupWindow]))
		}
	}
}

func (s traces) note(what, piece string) {
	if s[len(piece)] == nil {
		s[len(piece)] = map[string]string{}
	}
	s[len(piece)][piece] = what
}

// in says which secrets have left a trace in text.
func (s traces) in(text string) map[string]bool {
	found := map[string]bool{}
	for n, pieces := range s {
		for i := 0; i+n <= len(text); i++ {
			if what, ok := pieces[text[i:i+n]]; ok {
				found[what] = true
			}
		}
	}
	return found
}

// TestTraces: 32 bytes from anywhere in a secret are found in every encoding, and
// a whole one in PEM. Without this, that nothing was found would say nothing.
func TestTraces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.SliceOfN(rapid.Byte(), 32, 300).Draw(t, "secret")
		from := rapid.IntRange(0, len(secret)-32).Draw(t, "from")
		part := secret[from : from+32]
		s := traces{}
		s.add("it", secret)
		for name, text := range map[string]string{
			"raw": string(part), "hex": fmt.Sprintf("%x", part), "HEX": fmt.Sprintf("%X", part),
			"list": fmt.Sprint(part), "JSON list": strings.ReplaceAll(fmt.Sprint(part), " ", ","),
			"base64": base64.StdEncoding.EncodeToString(part), "base64url": base64.RawURLEncoding.EncodeToString(part),
			"PEM": string(pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: append([]byte{1}, secret...)})),
		} {
			if len(s.in("log: "+text+".")) == 0 {
				t.Errorf("%s: not found", name)
			}
		}
		if found := s.in("nothing secret is in this text, which is long enough to hold a piece"); len(found) > 0 {
			t.Errorf("found %v where nothing is", found)
		}
	})
}
