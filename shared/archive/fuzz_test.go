package archive_test

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

const goodReply = `{"errcode":0,"errmsg":"ok","chatdata":[` +
	`{"seq":11,"msgid":"1_2_external","publickey_ver":1,"encrypt_random_key":"AAAA","encrypt_chat_msg":"BBBB"},` +
	`{"seq":14,"msgid":"3_4","publickey_ver":2,"encrypt_random_key":"CCCC","encrypt_chat_msg":"DDDD"}]}`

// FuzzDecodePage: whatever is stored under a page's key, reading it gives the
// bytes that the header vouches for, or an error that says what is wrong.
func FuzzDecodePage(f *testing.F) {
	good, err := archive.EncodePage(archive.PageHeader{SeqAsked: 10, LastSeq: 14, FirstSeq: 11, Count: 2, PulledAt: time.UnixMilli(0)}, []byte(goodReply))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	again, err := archive.EncodePage(archive.PageHeader{SeqAsked: 10, LastSeq: 14, FirstSeq: 11, Count: 2, PulledAt: time.UnixMilli(0), Alternate: 1, Until: 15, Stem: "2026-11-20"}, []byte(goodReply))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(again)
	f.Add(good[:len(good)-3])
	f.Add(good[:20])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, stored []byte) {
		page, err := archive.DecodePage(stored)
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
				t.Fatalf("neither damaged nor newer: %v", err)
			}
			return
		}
		if int64(len(page.Reply)) != page.Header.Size || page.Header.LastSeq <= page.Header.SeqAsked {
			t.Fatalf("header %+v of a reply of %d bytes", page.Header, len(page.Reply))
		}
		again, err := archive.EncodePage(page.Header, page.Reply)
		if err != nil {
			t.Fatal(err)
		}
		dec, err := zstd.NewReader(bytes.NewReader(again))
		if err != nil {
			t.Fatal(err)
		}
		defer dec.Close()
		var plain bytes.Buffer
		if _, err := plain.ReadFrom(dec); err != nil || !bytes.Equal(plain.Bytes(), page.Reply) {
			t.Fatalf("a zstd tool reads something else: %v", err)
		}
	})
}

// FuzzParseReply covers replies and the envelopes in them: what passes for a
// page lies after the seq asked and moves the cursor forward, by believable
// steps.
func FuzzParseReply(f *testing.F) {
	f.Add([]byte(goodReply), uint64(10))
	f.Add([]byte(`{"errcode":0,"errmsg":"ok","chatdata":[]}`), uint64(0))
	f.Add([]byte(`{"errcode":301042,"errmsg":"not allow to access from your ip"}`), uint64(7))
	f.Add([]byte(`{"errcode":0,"chatdata":[{"seq":9223372036854775808},{"seq":12}]}`), uint64(10))
	f.Add([]byte(`{"errcode":0,"chatdata":[{"seq":18446744073709551616},{"seq":"12"},{"seq":-1},{"seq":1e3},5,null]}`), uint64(0))
	f.Add([]byte(`<html>`), uint64(1))
	limits := archive.DefaultSeqLimits()
	f.Fuzz(func(t *testing.T, reply []byte, asked uint64) {
		r, err := archive.ParseReply(reply, asked, limits)
		if err != nil {
			return
		}
		if r.Errcode != 0 {
			t.Fatalf("errcode %d passes", r.Errcode)
		}
		if len(r.Envelopes) == 0 {
			return
		}
		if r.FirstSeq <= asked || r.LastSeq < r.FirstSeq || r.LastSeq > math.MaxInt64 {
			t.Fatalf("asked %d, got %d to %d", asked, r.FirstSeq, r.LastSeq)
		}
		if asked > 0 && r.FirstSeq-asked > limits.MaxJump {
			t.Fatalf("jumped from %d to %d", asked, r.FirstSeq)
		}
		for i, e := range r.Envelopes {
			if e.Position != i || (e.HasSeq && (uint64(e.Seq) <= asked || uint64(e.Seq) > r.LastSeq)) || e.PublicKeyVer < -1 {
				t.Fatalf("envelope %d: %+v", i, e)
			}
		}
	})
}
