package decode_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom"
)

const corpID = "wwdecode"

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 3)
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return keys
})

// openPort is a keyring port that wraps nothing.
type openPort struct{ store.Keyring }

func (openPort) Wrap(_ context.Context, _ store.KeyContext, pkcs8 []byte) ([]byte, error) {
	return pkcs8, nil
}

func (openPort) Unwrap(_ context.Context, _ store.KeyContext, wrapped []byte) ([]byte, error) {
	return wrapped, nil
}

// library opens what seal made: the message names the key that it wants.
type library struct {
	err   error
	short bool // one result too few
}

func (l *library) DecryptData(_ context.Context, batch []wecom.Sealed) ([]wecom.Opened, error) {
	if l.err != nil {
		return nil, l.err
	}
	var opened []wecom.Opened
	for _, s := range batch {
		raw, ok := strings.CutPrefix(s.Message, lockOf(s.Key))
		o := wecom.Opened{Raw: []byte(raw)}
		if !ok {
			o = wecom.Opened{Err: wecom.NewSDKError("DecryptData", 10008)}
		}
		opened = append(opened, o)
	}
	if l.short {
		opened = opened[1:]
	}
	return opened, nil
}

func lockOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// envelope is what the page says; zero values are left out.
type envelope struct {
	Seq    json.RawMessage `json:"seq"`
	MsgID  string          `json:"msgid"`
	KeyVer any             `json:"publickey_ver,omitempty"`
	Key    string          `json:"encrypt_random_key"`
	Msg    string          `json:"encrypt_chat_msg"`
}

// seal encrypts a message of a version to a key of ours.
func seal(t *testing.T, key int, seq int, version any, raw string) envelope {
	t.Helper()
	random := strings.Repeat("k", 80) + fmt.Sprintf("%08d", seq)
	//lint:ignore SA1019 WeCom encrypts with PKCS#1 v1.5.
	block, err := rsa.EncryptPKCS1v15(rand.Reader, &rsaKeys()[key].PublicKey, []byte(random))
	if err != nil {
		t.Fatal(err)
	}
	return envelope{
		Seq: json.RawMessage(fmt.Sprint(seq)), MsgID: msgid(seq), KeyVer: version,
		Key: base64.StdEncoding.EncodeToString(block), Msg: lockOf(random) + raw,
	}
}

func msgid(seq int) string { return fmt.Sprintf("%d_1795400000000", seq) }

// message is a text message with its own msgid.
func message(seq int) string {
	return fmt.Sprintf(`{"msgid":%q,"action":"send","from":"anna","tolist":["wmbob"],"msgtime":1795400000000,"msgtype":"text","text":{"content":"hello"}}`, msgid(seq))
}

// world is an archiver with two keys of ours and a page to work on.
type world struct {
	objects *storetest.Objects
	index   *storetest.Index
	catalog *catalog.Catalog
	library *library
	read    reading.Func
}

func newWorld(t *testing.T) *world {
	t.Helper()
	index := storetest.NewIndex()
	w := &world{objects: storetest.NewObjects(), index: index, catalog: catalog.New(index), library: &library{}}
	for i, key := range rsaKeys()[:2] {
		w.addKey(t, i, key)
	}
	return w
}

func (w *world) addKey(t *testing.T, i int, key *rsa.PrivateKey) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	// Keys are tried in the order of their making: key 0 first.
	if _, err := w.ring(noon.Add(time.Duration(i)*time.Second)).Import(t.Context(), keyID(i), text); err != nil {
		t.Fatal(err)
	}
}

func keyID(i int) string { return fmt.Sprintf("key-%d", i) }

func (w *world) ring(now time.Time) *keyring.Ring {
	return keyring.New(keyring.Config{
		Corp: corpID, Objects: w.objects, Port: openPort{}, Keys: w.catalog.Keys, Now: func() time.Time { return now },
	})
}

func (w *world) findings() *damage.Book {
	return damage.New(w.objects, w.catalog.Table, corpID, func() time.Time { return noon })
}

func (w *world) archiver() *decode.Archiver {
	return decode.New(decode.Config{
		Corp: corpID, Program: "test", Objects: w.objects, Lock: w.objects, Keys: w.ring(noon), Library: w.library,
		Conversations: w.catalog.Conversations, People: w.catalog.People, Consents: w.catalog.Consents,
		Media: w.catalog.Media, Pages: w.catalog.Pages, Holes: w.catalog.Journal, Findings: w.findings(),
		Read: w.read, Now: func() time.Time { return noon }, Log: slog.New(slog.DiscardHandler), Workers: 2,
	})
}

// page stores the reply with these envelopes and returns its key.
func (w *world) page(t *testing.T, asked uint64, envelopes ...envelope) string {
	t.Helper()
	reply, err := json.Marshal(map[string]any{"errcode": 0, "errmsg": "ok", "chatdata": envelopes})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := archive.EncodePage(archive.PageHeader{
		Corp: corpID, SeqAsked: asked, Limit: 1000, FirstSeq: asked + 1, LastSeq: asked + 100,
		Count: len(envelopes), PulledAt: noon, Run: "r",
	}, reply)
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, archive.PageKey(asked), stored)
	return archive.PageKey(asked)
}

func (w *world) put(t *testing.T, key string, body []byte) {
	t.Helper()
	if err := w.objects.PutIfAbsent(t.Context(), key, bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
}

// handle archives a page and returns what became of its envelopes, "seq:outcome".
func (w *world) handle(t *testing.T, key string) string {
	t.Helper()
	if err := w.archiver().Handle(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, rows := range w.parts(t, key) {
		for _, r := range rows {
			out = append(out, fmt.Sprintf("%d:%s", r.Seq, r.Outcome))
		}
	}
	return strings.Join(out, " ")
}

// parts are the rows of each stored part of a page's segment.
func (w *world) parts(t *testing.T, pageKey string) [][]archive.Row {
	t.Helper()
	asked, _ := archive.ParsePageKey(pageKey)
	var parts [][]archive.Row
	for n := 0; ; n++ {
		key := archive.SegmentKey(noon, asked, n)
		if _, err := w.objects.Head(t.Context(), key); err != nil {
			return parts
		}
		body, err := store.ReadObject(t.Context(), w.objects, key)
		if err != nil {
			t.Fatal(err)
		}
		_, rows, err := segment.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, rows)
	}
}

// bindings are the known bindings, "version=key", and checks that each one is an
// event, too.
func (w *world) bindings(t *testing.T) string {
	t.Helper()
	known, err := w.catalog.Keys.Bindings(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, b := range known {
		out = append(out, fmt.Sprintf("%d=%s", b.PublicKeyVer, b.Key))
		var event archive.KeyBinding
		if _, err := archive.GetEvent(t.Context(), w.objects, archive.BindingKey(b, noon), &event); err != nil || event != b {
			t.Errorf("binding %+v, its event is %+v: %v", b, event, err)
		}
	}
	return strings.Join(out, " ")
}
