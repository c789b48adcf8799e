//go:build sdk

package decrypt_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/financesdk/decrypt"
	"wecom-archive/shared/wecom/wecomtest"
)

// page is a page of a simulated corp, ready for DecryptData.
func page(t testing.TB, messages int) (corp *wecomtest.Corp, batch []wecom.Sealed) {
	t.Helper()
	now := time.Now()
	corp, err := wecomtest.New(wecomtest.Config{
		Corp: "ww5117a9e0c0ffee01", Secret: "secret", Unmetered: true, KeyChanges: []int{},
		Extents: []wecomtest.Extent{{Count: messages, From: now.Add(-time.Hour), To: now}},
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := corp.UploadKey(&key.PublicKey); err != nil {
		t.Fatal(err)
	}
	reply, err := corp.GetChatData(t.Context(), 0, messages)
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Chatdata []struct {
			Key     string `json:"encrypt_random_key"`
			Message string `json:"encrypt_chat_msg"`
		} `json:"chatdata"`
	}
	if err := json.Unmarshal(reply, &parsed); err != nil {
		t.Fatal(err)
	}
	for _, e := range parsed.Chatdata {
		sealed, err := base64.StdEncoding.DecodeString(e.Key)
		if err != nil {
			t.Fatal(err)
		}
		//lint:ignore SA1019 WeCom wraps random keys with PKCS #1 v1.5 and nothing else.
		random, err := rsa.DecryptPKCS1v15(nil, key, sealed)
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, wecom.Sealed{Key: string(random), Message: e.Message})
	}
	return corp, batch
}

func TestDecryptsTheCorp(t *testing.T) {
	corp, batch := page(t, 300)
	p, _ := open(t, decrypt.Config{Path: standin(t)})
	opened, err := p.DecryptData(t.Context(), batch)
	if err != nil || len(opened) != 300 {
		t.Fatalf("%d, %v", len(opened), err)
	}
	for i, o := range opened {
		want, err := corp.Served(i)
		if err != nil {
			t.Fatal(err)
		}
		if o.Err != nil || string(o.Raw) != string(want.Raw) {
			t.Errorf("message %d: %d bytes, want %d: %v", i, len(o.Raw), len(want.Raw), o.Err)
		}
	}
	batch[7].Message = batch[8].Message
	if opened, err = p.DecryptData(t.Context(), batch[:10]); err != nil || !isCode(opened[7].Err, 10008) {
		t.Errorf("another message's key: %v, %v", opened[7].Err, err)
	}
}

// What a message costs: of the library's work, the same through the process
// boundary. The stand-in's echo is nearly free, so the difference is the cost of
// the boundary.
func BenchmarkDecrypt(b *testing.B) {
	path := standin(b)
	lib, err := decrypt.Load(path)
	if err != nil {
		b.Fatal(err)
	}
	p, _ := open(b, decrypt.Config{Path: path})
	_, sealed := page(b, 1000)
	echo := echoes(1000)
	for i := range echo {
		echo[i].Message += strings.Repeat("x", 740)
	}
	for _, work := range []struct {
		name  string
		batch []wecom.Sealed
	}{{"echo", echo}, {"messages", sealed}} {
		size := 0
		for _, s := range work.batch {
			size += len(s.Message)
		}
		perMessage := func(b *testing.B, n int) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/message")
			b.ReportMetric(float64(size)/float64(len(work.batch)), "bytes/message")
		}
		b.Run(work.name+"/direct", func(b *testing.B) {
			for b.Loop() {
				for _, s := range work.batch {
					if _, err := lib.DecryptData(s); err != nil {
						b.Fatal(err)
					}
				}
			}
			perMessage(b, len(work.batch))
		})
		for _, size := range []int{1, 50, 1000} {
			b.Run(fmt.Sprintf("%s/process-%d", work.name, size), func(b *testing.B) {
				for b.Loop() {
					if _, err := p.DecryptData(b.Context(), work.batch[:size]); err != nil {
						b.Fatal(err)
					}
				}
				perMessage(b, size)
			})
		}
	}
}
