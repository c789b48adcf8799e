package pipeline_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

// lockedBuffer may be written to by several goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// TestNothingSecretLeaks: neither the log of a run with all kinds of trouble nor
// the index has message text, ciphertext, keys, secrets or sdkfileids.
func TestNothingSecretLeaks(t *testing.T) {
	var log lockedBuffer
	w := newWorld(t, 150, 50, nil)
	w.log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
	for _, f := range []wecomtest.Fault{
		wecomtest.Garbage, wecomtest.Truncated, wecomtest.HTML, wecomtest.SeqMissing, wecomtest.SeqNotAfter,
		wecomtest.SDKCode(10001), wecomtest.Errcode(-1),
	} {
		w.corp.Fail(1, f)
	}
	w.corp.Fail(1, wecomtest.SeqFarAhead)
	w.chats = w.corp.NewClient(corpID, secret)
	if _, err := w.boot(nil).puller.Run(t.Context()); err == nil {
		t.Fatal("no trouble")
	}
	w.chats = w.corp.NewClient(corpID, secret+"x")
	if _, err := w.boot(nil).puller.Run(t.Context()); err == nil {
		t.Fatal("a wrong secret was accepted")
	}
	w.chats = w.corp.NewClient(corpID, secret)
	panics := func(c *decode.Config) {
		c.Library = flaky{c.Library, 1}
		c.Read = func(raw []byte, msgid string, at time.Time) archive.Reading {
			if len(raw)%9 == 0 {
				panic(string(raw))
			}
			return decode.Read(raw, msgid, at)
		}
	}
	w.boot(panics).mustFinish(t)
	w.reopen(t, nil)
	s := w.read(t)

	logged := log.buf.String()
	for _, line := range []string{"archived a page", "bound a key version", "reply is no page", "call failed", "the parser panicked"} {
		if !strings.Contains(logged, line) {
			t.Errorf("the log does not say %q: the run was too easy", line)
		}
	}
	var index strings.Builder
	for _, item := range w.index.All() {
		index.WriteString(item.Partition + "\n" + item.Sort + "\n" + string(item.Value) + "\n")
	}
	files := 0
	forbid := func(what, text string) {
		t.Helper()
		if len(text) < 8 {
			return
		}
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{text, string(quoted[1 : len(quoted)-1])} {
			if strings.Contains(logged, form) {
				t.Errorf("the log has %s", what)
			}
			if strings.Contains(index.String(), form) {
				t.Errorf("the index has %s", what)
			}
		}
	}
	forbid("the secret", secret)
	for i := range w.corp.Len() {
		m, err := w.corp.Served(i)
		if err != nil {
			t.Fatal(err)
		}
		forbid("a message", string(m.Raw))
		parsed := wecom.Parse(m.Raw, m.MsgID, w.Now())
		for _, line := range strings.Split(parsed.Text, "\n") {
			forbid("text of a message", line)
		}
		for _, f := range parsed.Media {
			files++
			forbid("an sdkfileid", f.FileID)
			forbid("the name of a file", f.Name)
		}
	}
	if files == 0 {
		t.Error("no message refers to a file")
	}
	for _, page := range s.pages {
		envelopes, err := archive.ParseStored(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range envelopes {
			forbid("an encrypted key", e.EncryptRandomKey)
			forbid("an encrypted message", e.EncryptChatMsg[:min(len(e.EncryptChatMsg), 40)])
		}
	}
	for _, key := range rsaKeys() {
		forbid("a private key", key.D.String())
	}
}
