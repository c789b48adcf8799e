//go:build sdk

package financesdk_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"wecom-archive/shared/wecom/financesdk"
	"wecom-archive/shared/wecom/financesdk/native"
	"wecom-archive/shared/wecom/financesdk/nativetest"
	"wecom-archive/shared/wecom/wecomtest"
)

func TestMedia(t *testing.T) {
	p, log := open(t, financesdk.Config{Path: standin(t), Corp: "ww1", Secret: "secret", NetworkTimeout: time.Second})
	for _, size := range []int{0, 1, 512 << 10, 512<<10 + 1, 3_000_000} {
		var file []byte
		index, parts := "", 0
		for last := false; !last; parts++ {
			s, err := p.GetMediaData(t.Context(), fmt.Sprintf("!bytes:%d", size), index)
			if err != nil {
				t.Fatal(err)
			}
			file, index, last = append(file, s.Data...), s.Next, s.Last
		}
		if !bytes.Equal(file, content(size)) || parts != max(1, (size+512<<10-1)>>19) {
			t.Errorf("%d bytes: %d came in %d parts", size, len(file), parts)
		}
	}
	for id, code := range map[string]int{"": 10000, "CtUnknown": 10005, "!code:10003": 10003, "!code:10010": 10010} {
		if s, err := p.GetMediaData(t.Context(), id, ""); !isCode(err, code) || s.Data != nil {
			t.Errorf("file %q: %v, want %d", id, err, code)
		}
	}
	var death *native.Death
	if _, err := p.GetMediaData(t.Context(), "!segv", ""); !errors.As(err, &death) || death.Signal != syscall.SIGSEGV || log.Deaths() != 1 {
		t.Errorf("crash: %v", err)
	}
	if s, err := p.GetMediaData(t.Context(), "!bytes:5", ""); err != nil || len(s.Data) != 5 {
		t.Errorf("after it: %v", err)
	}
}

// content is what the stand-in serves as a file.
func content(size int) []byte {
	out := make([]byte, size)
	for i := range out {
		out[i] = byte(uint32(i) * 2654435761 >> 24)
	}
	return out
}

// newCorp makes a simulated corp and an address where the stand-in reaches it.
func newCorp(t testing.TB, messages int) (corp *wecomtest.Corp, proxy string) {
	t.Helper()
	now := time.Now()
	corp, err := wecomtest.New(wecomtest.Config{
		Corp: "ww5117a9e0c0ffee01", Secret: "s&cret=1 2%", Unmetered: true, KeyChanges: []int{},
		Extents: []wecomtest.Extent{{Count: messages, From: now.Add(-time.Hour), To: now}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(corp.SDKHandler())
	t.Cleanup(server.Close)
	return corp, server.URL
}

func TestChats(t *testing.T) {
	corp, proxy := newCorp(t, 1500)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := corp.UploadKey(&key.PublicKey); err != nil {
		t.Fatal(err)
	}
	c := financesdk.Config{Path: standin(t), Corp: "ww5117a9e0c0ffee01", Secret: "s&cret=1 2%", Proxy: proxy, NetworkTimeout: 5 * time.Second}
	p, log := open(t, c)
	want, err := corp.GetChatData(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.GetChatData(t.Context(), 0, 1000); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, want %d: %v", len(got), len(want), err)
	}
	for code := 10001; code <= 10011; code++ {
		corp.Fail(1, wecomtest.SDKCode(code))
		if reply, err := p.GetChatData(t.Context(), 0, 10); !isCode(err, code) || reply != nil {
			t.Errorf("code %d: %v", code, err)
		}
	}
	if _, err := p.GetChatData(t.Context(), 0, 1001); !isCode(err, 10000) {
		t.Errorf("limit: %v", err)
	}
	var death *native.Death
	corp.Fail(1, wecomtest.SDKOrder("abort"))
	if _, err := p.GetChatData(t.Context(), 0, 10); !errors.As(err, &death) || death.Op != "GetChatData" || log.Deaths() != 1 {
		t.Errorf("crash: %v", err)
	}
	if _, err := p.GetChatData(t.Context(), 0, 10); err != nil {
		t.Errorf("after it: %v", err)
	}
	c.Secret = "another"
	other, err := financesdk.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if reply, err := other.GetChatData(t.Context(), 0, 10); err != nil || !bytes.Contains(reply, []byte("40001")) {
		t.Errorf("wrong secret: %s, %v", reply, err)
	}
}

// TestMediaOfTheCorp: files of the simulated corp come through the library whole, and
// its refusals as they are.
func TestMediaOfTheCorp(t *testing.T) {
	_, proxy := newCorp(t, 1)
	c := financesdk.Config{Path: standin(t), Corp: "ww5117a9e0c0ffee01", Secret: "s&cret=1 2%", Proxy: proxy, NetworkTimeout: 5 * time.Second}
	p, _ := open(t, c)
	for n, size := range []int64{0, 1, wecomtest.MediaSlice, wecomtest.MediaSlice + 1, 3_000_000} {
		id, want := wecomtest.MakeFile(wecomtest.FormBinary, size, wecomtest.Plain, uint64(n))
		sum, got, index := md5.New(), int64(0), ""
		for last := false; !last; {
			slice, err := p.GetMediaData(t.Context(), id, index)
			if err != nil {
				t.Fatal(err)
			}
			sum.Write(slice.Data)
			got, index, last = got+int64(len(slice.Data)), slice.Next, slice.Last
		}
		if got != size || hex.EncodeToString(sum.Sum(nil)) != want {
			t.Errorf("%d bytes of %d, MD5 %x, want %s", got, size, sum.Sum(nil), want)
		}
	}
	plain, _ := wecomtest.MakeFile(wecomtest.FormBinary, 9, wecomtest.Plain, 9)
	never, _ := wecomtest.MakeFile(wecomtest.FormBinary, 9, wecomtest.Never, 9)
	expired, _ := wecomtest.MakeFile(wecomtest.FormBinary, 9, wecomtest.Expired, 9)
	for id, code := range map[string]int{"CtUnknown": 10005, never: 10002, expired: 10010} {
		if _, err := p.GetMediaData(t.Context(), id, ""); !isCode(err, code) {
			t.Errorf("%v, want %d", err, code)
		}
	}
	if _, err := p.GetMediaData(t.Context(), plain, "Range:bytes=9-10"); !isCode(err, 10000) {
		t.Errorf("an index behind the end: %v", err)
	}
	if s, err := p.GetMediaData(t.Context(), plain, ""); err != nil || len(s.Data) != 9 || !s.Last {
		t.Errorf("a small one: %v", err)
	}
}

// TestMemory fetches 2,000 slices of media.
func TestMemory(t *testing.T) {
	p, log := open(t, financesdk.Config{Path: standin(t), Corp: "ww1", Secret: "secret"})
	nativetest.MemoryIsFlat(t, log, 400, 2_000, func() error {
		_, err := p.GetMediaData(context.Background(), "!bytes:600000", "")
		return err
	})
}
