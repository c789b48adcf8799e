package archive_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"wecom-archive/shared/archive"
)

func TestParseReply(t *testing.T) {
	chatdata := func(envelopes string) string { return `{"errcode":0,"errmsg":"ok","chatdata":[` + envelopes + `]}` }
	seqs := func(all ...string) string {
		var e []string
		for _, s := range all {
			e = append(e, `{"seq":`+s+`,"msgid":"m"}`)
		}
		return chatdata(strings.Join(e, ","))
	}
	tests := []struct {
		name   string
		reply  string
		asked  uint64
		err    error // nil: a page, or the end
		count  int
		last   uint64
		unread int // envelopes without a seq that can be stored
		proves bool
	}{
		{name: "a page", reply: goodReply, asked: 10, count: 2, last: 14},
		{name: "the end", reply: chatdata(""), asked: 10, proves: true},
		{name: "the end, spelt otherwise", reply: `{"ErrCode":0,"ChatData":[]}`, asked: 10, proves: true},
		{name: "the end, without the list", reply: `{"errcode":0,"errmsg":"ok"}`, asked: 10},
		{name: "the end, null", reply: `{"errcode":0,"chatdata":null}`, asked: 10},
		{name: "not in order, doubled", reply: seqs("14", "11", "14"), asked: 10, count: 3, last: 14},
		{name: "white space around", reply: " \n" + goodReply + "\n", asked: 10, count: 2, last: 14},

		{name: "nothing", reply: "", asked: 10, err: archive.ErrNotJSON},
		{name: "HTML", reply: "<html>", asked: 10, err: archive.ErrNotJSON},
		{name: "null", reply: "null", asked: 10, err: archive.ErrNotJSON},
		{name: "a list", reply: "[]", asked: 10, err: archive.ErrNotJSON},
		{name: "chatdata twice", reply: `{"errcode":0,"chatdata":[{"seq":11,"msgid":"m"}],"chatdata":[]}`, asked: 10, err: archive.ErrNotJSON},
		{name: "chatdata twice, then null", reply: `{"errcode":0,"chatdata":[{"seq":11,"msgid":"m"}],"chatdata":null}`, asked: 10, err: archive.ErrNotJSON},
		{name: "chatdata twice, spelt otherwise", reply: `{"errcode":0,"chatdata":[{"seq":11,"msgid":"m"}],"ChatData":[]}`, asked: 10, err: archive.ErrNotJSON},
		{name: "errcode twice", reply: `{"errcode":301042,"errcode":0,"chatdata":[]}`, asked: 10, err: archive.ErrNotJSON},
		{name: "errcode twice, the last null", reply: `{"errcode":0,"chatdata":[],"errcode":null}`, asked: 10, err: archive.ErrNotJSON},
		{name: "null errcode", reply: `{"errcode":null,"chatdata":[]}`, asked: 10, err: archive.ErrNotJSON},
		{name: "no errcode", reply: `{"chatdata":[]}`, asked: 10, err: archive.ErrNotJSON},
		{name: "two replies", reply: goodReply + goodReply, asked: 10, err: archive.ErrNotJSON},
		{name: "chatdata is no list", reply: `{"errcode":0,"chatdata":{"seq":11}}`, asked: 10, err: archive.ErrNotJSON},
		{name: "an errcode", reply: `{"errcode":301042,"errmsg":"ip"}`, asked: 10, err: archive.ErrErrcode},
		{name: "an errcode beside messages", reply: strings.Replace(goodReply, `"errcode":0`, `"errcode":-1`, 1), asked: 10, err: archive.ErrErrcode},

		{name: "at the seq asked", reply: seqs("10", "11"), asked: 10, err: archive.ErrBadSeq},
		{name: "before it", reply: seqs("11", "3"), asked: 10, err: archive.ErrBadSeq},
		{name: "no seq", reply: chatdata(`{"msgid":"m"}`), asked: 10, err: archive.ErrBadSeq},
		{name: "null seq", reply: seqs("null"), asked: 10, err: archive.ErrBadSeq},
		{name: "a string", reply: seqs(`"11"`), asked: 10, err: archive.ErrBadSeq},
		{name: "a fraction", reply: seqs("11.5"), asked: 10, err: archive.ErrBadSeq},
		{name: "negative", reply: seqs("-11"), asked: 10, err: archive.ErrBadSeq},
		{name: "far below int64", reply: seqs("-99999999999999999999999"), asked: 10, err: archive.ErrBadSeq},
		{name: "seq twice", reply: chatdata(`{"seq":11,"msgid":"m","seq":905}`), asked: 10, err: archive.ErrBadSeq},
		{name: "seq twice, in other letters", reply: chatdata(`{"seq":11,"msgid":"m","SEQ":12}`), asked: 10, err: archive.ErrBadSeq},
		{name: "no object", reply: chatdata("7"), asked: 10, err: archive.ErrBadSeq},

		{name: "beyond int64 among others", reply: seqs("11", "9223372036854775808", "12"), asked: 10, count: 3, last: 12, unread: 1},
		{name: "beyond uint64 among others", reply: seqs("11", "99999999999999999999999"), asked: 10, count: 2, last: 11, unread: 1},
		{name: "beyond int64 alone", reply: seqs("9223372036854775808"), asked: 10, err: archive.ErrImplausibleSeq},
		{name: "just believable", reply: seqs("1000000010"), asked: 10, count: 1, last: 1000000010},
		{name: "too far", reply: seqs("1000000011"), asked: 10, err: archive.ErrImplausibleSeq},
		{name: "too far inside", reply: seqs("11", "4611686018427387904"), asked: 10, err: archive.ErrImplausibleSeq},
		{name: "the first pull starts anywhere", reply: seqs("9999999999", "10000000000"), asked: 0, count: 2, last: 10000000000},
		{name: "but not everywhere", reply: seqs("4611686018427387904"), asked: 0, err: archive.ErrImplausibleSeq},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := archive.ParseReply([]byte(test.reply), test.asked, archive.DefaultSeqLimits())
			if !errors.Is(err, test.err) || (test.err == nil && err != nil) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if err != nil {
				return
			}
			if r.ProvesEnd != test.proves {
				t.Errorf("proves the end: %v", r.ProvesEnd)
			}
			unread := 0
			for _, e := range r.Envelopes {
				if !e.HasSeq {
					unread++
				}
			}
			if len(r.Envelopes) != test.count || r.LastSeq != test.last || unread != test.unread {
				t.Errorf("%d envelopes, %d of them without seq, last %d; want %d, %d, %d", len(r.Envelopes), unread, r.LastSeq, test.count, test.unread, test.last)
			}
		})
	}
}

// TestTruncatedReply: a reply cut at any byte is no page.
func TestTruncatedReply(t *testing.T) {
	for n := range len(goodReply) {
		if _, err := archive.ParseReply([]byte(goodReply[:n]), 10, archive.DefaultSeqLimits()); err == nil {
			t.Fatalf("cut at %d, it passes for a page", n)
		}
	}
}

// TestLenientEnvelope: only the seq must be right; everything else is kept as it
// is and judged by the archiver.
func TestLenientEnvelope(t *testing.T) {
	reply := `{"errcode":0,"chatdata":[{"seq":11,"msgid":7,"publickey_ver":"2","encrypt_random_key":null},{"seq":12,"publickey_ver":1.5}]}`
	r, err := archive.ParseReply([]byte(reply), 10, archive.DefaultSeqLimits())
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%+v", r.Envelopes)
	want := "[{Position:0 Seq:11 HasSeq:true MsgID:7 PublicKeyVer:2 EncryptRandomKey: EncryptChatMsg:} {Position:1 Seq:12 HasSeq:true MsgID: PublicKeyVer:-1 EncryptRandomKey: EncryptChatMsg:}]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestErrorsDoNotQuote: reasons are logged and stored, so they hold nothing of
// the reply.
func TestErrorsDoNotQuote(t *testing.T) {
	for _, reply := range []string{"SECRET", `{"errcode":"SECRET"}`, `{"errcode":0,"chatdata":"SECRET"}`, `{"errcode":0,"chatdata":[{"seq":"SECRET"}]}`, `{"errcode":0,"chatdata":["SECRET"]}`} {
		_, err := archive.ParseReply([]byte(reply), 1, archive.DefaultSeqLimits())
		if err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", reply, err)
		}
	}
}
