package pipeline_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/api"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/person"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/store"
	"wecom-archive/shared/viewer"
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

// TestNothingSecretLeaks: neither the log of a run with all kinds of trouble, nor
// the index, the events and the access records that it leaves have message text,
// ciphertext, keys, secrets or sdkfileids.
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
			return reading.Read(raw, msgid, at)
		}
	}
	w.boot(panics).mustFinish(t)
	w.reopen(t, nil)
	w.look(t)
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
	public := map[string]string{
		"the log": logged, "the index": index.String(),
		"an event":         w.textBelow(t, archive.EventsPrefix),
		"an access record": w.textBelow(t, archive.AccessPrefix),
	}
	for where, text := range public {
		if len(text) < 100 {
			t.Errorf("%s is %q: the run was too easy", where, text)
		}
	}
	forbid := func(what, text string) {
		t.Helper()
		if len(text) < 8 {
			return
		}
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		for where, public := range public {
			if strings.Contains(public, text) || strings.Contains(public, string(quoted[1:len(quoted)-1])) {
				t.Errorf("%s has %s", where, what)
			}
		}
	}
	hidden := traces{}
	forbid("the secret", secret)
	hidden.add("the secret", []byte(secret))
	files := 0
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
			hidden.add("an sdkfileid", []byte(f.FileID))
			forbid("the name of a file", f.Name)
		}
	}
	if files == 0 {
		t.Error("no message refers to a file")
	}
	opened := 0
	for _, page := range s.pages {
		envelopes, err := archive.ParseStored(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range envelopes {
			forbid("an encrypted key", e.EncryptRandomKey)
			forbid("an encrypted message", e.EncryptChatMsg[:min(len(e.EncryptChatMsg), 40)])
			if key := openRandomKey(e); key != nil {
				opened++
				forbid("a random key", string(key))
				hidden.add("a random key", key)
			}
		}
	}
	if opened < w.corp.Len()/2 {
		t.Errorf("only %d random keys could be opened", opened)
	}
	for _, key := range rsaKeys() {
		for _, number := range []*big.Int{key.D, key.Primes[0], key.Primes[1]} {
			forbid("a private key", number.String())
		}
		hidden.add("a private key", privatePart(t, key))
	}
	for where, text := range public {
		for what := range hidden.in(text) {
			t.Errorf("%s has %s", where, what)
		}
	}
}

// look reads every conversation through the API, as decrypted, so that it is
// recorded; and asks for what is refused.
func (w *world) look(t *testing.T) {
	t.Helper()
	const token = "token-of-the-auditor"
	catalog := catalog.New(w.index)
	api := viewer.New(viewer.Config{
		Objects: w.objects, Catalog: catalog, Now: w.Now, Log: w.log,
		Access: &access.Recorder{Objects: w.objects, Now: w.Now, NewID: rand.Text},
		Auth:   api.StaticToken(token, person.Person{Subject: "auditor", Roles: []person.Role{person.Auditor}}),
	})
	get := func(path string) (status, size int) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		answer := httptest.NewRecorder()
		api.ServeHTTP(answer, r)
		return answer.Code, answer.Body.Len()
	}
	shown := 0
	for back := range 7 {
		ids, err := catalog.Conversations.ActiveConversations(t.Context(), archive.Day(w.Now().AddDate(0, 0, -back)), "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			path := "/v1/conversations/" + url.PathEscape(id) + "/messages"
			status, size := get(path + "?raw=true")
			if status != http.StatusOK {
				t.Fatalf("%s answers %d", path, status)
			}
			shown += size
			get(path + "?cursor=none")
		}
	}
	if shown < 10_000 {
		t.Errorf("only %d bytes were looked at", shown)
	}
}

// textBelow is all that lies below a prefix of the bucket, with its keys.
func (w *world) textBelow(t *testing.T, prefix string) string {
	t.Helper()
	var all strings.Builder
	for info, err := range w.objects.List(t.Context(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := store.ReadObject(t.Context(), w.objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(info.Key + "\n" + string(body) + "\n")
	}
	return all.String()
}

// openRandomKey is what RSA carries in an envelope; nil if no key of ours opens it.
func openRandomKey(e archive.Envelope) []byte {
	sealed, err := base64.StdEncoding.DecodeString(e.EncryptRandomKey)
	if err != nil {
		return nil
	}
	for _, key := range rsaKeys() {
		//lint:ignore SA1019 WeCom encrypts with PKCS#1 v1.5
		if opened, err := rsa.DecryptPKCS1v15(nil, key, sealed); err == nil {
			return opened
		}
	}
	return nil
}

// privatePart is the DER of a key from its private exponent on: what is before is
// public. PKCS#8 holds the same bytes.
func privatePart(t *testing.T, key *rsa.PrivateKey) []byte {
	t.Helper()
	der := x509.MarshalPKCS1PrivateKey(key)
	at := bytes.Index(der, key.D.Bytes())
	if at < 0 {
		t.Fatal("the private exponent is not in the DER")
	}
	return der[at:]
}
