package wecomtest_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/wecom/wecomtest"
)

// noon is the present of these tests.
var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

const (
	corpid = "ww5117a9e0c0ffee01"
	secret = "archive-secret"
)

// keys are two key pairs, made once: making one takes long.
var keys = sync.OnceValue(func() []*rsa.PrivateKey {
	pairs := make([]*rsa.PrivateKey, 2)
	for i := range pairs {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		pairs[i] = key
	}
	return pairs
})

// lastDays is an extent of count messages within the window.
func lastDays(count int) []wecomtest.Extent {
	return []wecomtest.Extent{{Count: count, From: noon.Add(-72 * time.Hour), To: noon}}
}

// open makes a corp without a key; Corp, Secret and Now have defaults.
func open(t testing.TB, config wecomtest.Config) *wecomtest.Corp {
	t.Helper()
	if config.Corp == "" {
		config.Corp, config.Secret = corpid, secret
	}
	if config.Now == nil {
		config.Now = func() time.Time { return noon }
	}
	corp, err := wecomtest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return corp
}

// openWithKeys makes a corp with n keys.
func openWithKeys(t testing.TB, config wecomtest.Config, n int) *wecomtest.Corp {
	t.Helper()
	corp := open(t, config)
	for i := range n {
		version, err := corp.UploadKey(&keys()[i].PublicKey)
		if err != nil || version != i+1 {
			t.Fatalf("upload %d: version %d, %v", i, version, err)
		}
	}
	return corp
}

type envelope struct {
	Seq     uint64 `json:"seq"`
	MsgID   string `json:"msgid"`
	Version int    `json:"publickey_ver"`
	Key     string `json:"encrypt_random_key"`
	Message string `json:"encrypt_chat_msg"`
}

type reply struct {
	Errcode  *int        `json:"errcode"`
	Errmsg   string      `json:"errmsg"`
	Chatdata *[]envelope `json:"chatdata"`
}

type chats interface {
	GetChatData(ctx context.Context, seq uint64, limit int) ([]byte, error)
}

func raw(t testing.TB, c chats, seq uint64, limit int) []byte {
	t.Helper()
	b, err := c.GetChatData(context.Background(), seq, limit)
	if err != nil {
		t.Fatalf("GetChatData(%d, %d): %v", seq, limit, err)
	}
	return b
}

func decode(t testing.TB, b []byte) reply {
	t.Helper()
	var r reply
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatalf("reply %.200q: %v", b, err)
	}
	if r.Errcode == nil {
		t.Fatalf("reply %.200q: no errcode", b)
	}
	return r
}

// page returns the envelopes of a reply that must be good.
func page(t testing.TB, c chats, seq uint64, limit int) []envelope {
	t.Helper()
	r := decode(t, raw(t, c, seq, limit))
	if *r.Errcode != 0 || r.Errmsg != "ok" || r.Chatdata == nil {
		t.Fatalf("GetChatData(%d, %d): errcode %d %q", seq, limit, *r.Errcode, r.Errmsg)
	}
	return *r.Chatdata
}

func errcode(t testing.TB, c chats, seq uint64, limit int) int {
	t.Helper()
	return *decode(t, raw(t, c, seq, limit)).Errcode
}

func served(t testing.TB, c *wecomtest.Corp, index int) wecomtest.Message {
	t.Helper()
	m, err := c.Served(index)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
