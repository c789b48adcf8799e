package callback_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/callback"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store/storetest"
)

type vector struct {
	Token, Key, Corp, Timestamp, Nonce, Message, Sealed, Signature string
}

func vectors(t testing.TB) []vector {
	t.Helper()
	doc, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(doc, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func newCipher(t testing.TB, v vector) *callback.Cipher {
	t.Helper()
	c, err := callback.NewCipher(v.Token, v.Key, v.Corp)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestVectors: an independent implementation made them; see testdata/vectors.go.
func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		c := newCipher(t, v)
		if got, err := c.Open(v.Signature, v.Timestamp, v.Nonce, v.Sealed); err != nil || string(got) != v.Message {
			t.Errorf("%s: %q, %v", v.Nonce, got, err)
		}
		if got := c.Seal([16]byte([]byte("0123456789abcdef")), []byte(v.Message)); got != v.Sealed {
			t.Errorf("%s: sealed is %s, want %s", v.Nonce, got, v.Sealed)
		}
		if _, err := c.Open(v.Signature, v.Timestamp, v.Nonce+"1", v.Sealed); !errors.Is(err, callback.ErrSignature) {
			t.Errorf("another nonce: %v", err)
		}
		other := v
		other.Corp = "ww0000000000000000"
		if _, err := newCipher(t, other).Open(v.Signature, v.Timestamp, v.Nonce, v.Sealed); !errors.Is(err, callback.ErrOtherCorp) {
			t.Errorf("another corp: %v", err)
		}
	}
}

func TestShapes(t *testing.T) {
	v := vectors(t)[0]
	for _, c := range []struct{ token, key, corp string }{
		{"", v.Key, v.Corp}, {"ab", v.Key, v.Corp}, {"ab cd", v.Key, v.Corp},
		{v.Token, v.Key[:42], v.Corp}, {v.Token, v.Key + "A", v.Corp}, {v.Token, v.Key[:42] + "=", v.Corp}, {v.Token, v.Key, ""},
	} {
		if _, err := callback.NewCipher(c.token, c.key, c.corp); err == nil {
			t.Errorf("%+v is taken", c)
		} else if strings.Contains(err.Error(), v.Key[:42]) {
			t.Error("the error quotes the key")
		}
	}
}

// endpoint is a handler on ports in memory, whose clock stands at the time of the
// vectors. It counts wakes.
type endpoint struct {
	*callback.Handler
	v       vector
	cipher  *callback.Cipher
	objects *storetest.Objects
	catalog *catalog.Catalog
	now     time.Time
	log     bytes.Buffer

	mu     sync.Mutex
	wakes  []time.Duration
	broken error
}

func (e *endpoint) Wake(_ context.Context, delay time.Duration) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.broken != nil {
		return e.broken
	}
	e.wakes = append(e.wakes, delay)
	return nil
}

func newEndpoint(t testing.TB) *endpoint {
	t.Helper()
	e := &endpoint{v: vectors(t)[0], now: time.Unix(1767000003, 0), objects: storetest.NewObjects(), catalog: catalog.New(storetest.NewIndex())}
	e.cipher = newCipher(t, e.v)
	e.Handler = callback.New(callback.Config{
		Corp: e.v.Corp, Cipher: func(context.Context, *callback.Cipher) (*callback.Cipher, error) { return e.cipher, nil },
		Objects: e.objects, People: e.catalog.People, Consents: e.catalog.Consents, Journal: e.catalog.Journal, Waker: e,
		Now: func() time.Time { return e.now }, Log: slog.New(slog.NewTextHandler(&e.log, nil)),
	})
	return e
}

func (e *endpoint) do(method, nonce, sealed, body string) *httptest.ResponseRecorder {
	timestamp := strconv.FormatInt(e.now.Unix(), 10)
	q := url.Values{"msg_signature": {e.cipher.Signature(timestamp, nonce, sealed)}, "timestamp": {timestamp}, "nonce": {nonce}}
	if method == http.MethodGet {
		q.Set("echostr", sealed)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(method, "/callback?"+q.Encode(), strings.NewReader(body)))
	return w
}

// post sends a message as WeCom does.
func (e *endpoint) post(nonce, message string) int {
	sealed := e.cipher.Seal([16]byte{1}, []byte(message))
	return e.do(http.MethodPost, nonce, sealed, callback.Body(e.v.Corp, sealed)).Code
}

func TestURLIsVerified(t *testing.T) {
	e := newEndpoint(t)
	if w := e.do(http.MethodGet, "n", e.cipher.Seal([16]byte{2}, []byte("1616140317555161061")), ""); w.Code != 200 || w.Body.String() != "1616140317555161061" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

const approved, notify = 5, 4 // of the vectors

// TestEventIsKept: once, whole, and as a locked object that can be found again.
func TestEventIsKept(t *testing.T) {
	e := newEndpoint(t)
	message := vectors(t)[approved].Message
	if status := e.post("n", message); status != 200 {
		t.Fatal(status, e.log.String())
	}
	list, err := e.catalog.Journal.Callbacks(t.Context(), 10)
	if err != nil || len(list) != 1 || list[0].UserID != "li.na" || list[0].ChangeType != "msg_audit_approved" || string(list[0].XML) != message {
		t.Fatalf("%+v, %v", list, err)
	}
	var stored archive.Callback
	if _, err := archive.GetEvent(t.Context(), e.objects, archive.CallbackKey(list[0]), &stored); err != nil || string(stored.XML) != message {
		t.Errorf("%+v, %v", stored, err)
	}
	consent, err := e.catalog.Consents.ConsentOf(t.Context(), "pair:li.na,wmQx9ZDAAAexampleCust01")
	if err != nil || len(consent.People) != 1 || consent.People[0].Status != archive.ConsentAgreed || !consent.People[0].Since.Equal(list[0].SentAt) {
		t.Errorf("consent: %+v, %v", consent, err)
	}
	if strings.Contains(e.log.String(), "li.na") || len(e.wakes) != 0 {
		t.Errorf("log %s, wakes %v", e.log.String(), e.wakes)
	}
	if status := e.post("n", message); status != http.StatusForbidden {
		t.Errorf("a replay: %d", status)
	}
	if status := e.post("n2", message); status != 200 { // WeCom sends again, with a nonce of its own
		t.Errorf("again: %d", status)
	}
	if list, err := e.catalog.Journal.Callbacks(t.Context(), 10); err != nil || len(list) != 1 {
		t.Errorf("kept %d times, %v", len(list), err)
	}
}

// TestFiftyNotifies lead to one pull, and the next one after it to another.
func TestFiftyNotifies(t *testing.T) {
	e := newEndpoint(t)
	message := vectors(t)[notify].Message
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if status := e.post(fmt.Sprint("n", i), message); status != 200 {
				t.Errorf("%d: %d", i, status)
			}
		})
	}
	all.Wait()
	if len(e.wakes) != 1 || e.wakes[0] != callback.DefaultDelay {
		t.Fatalf("wakes: %v", e.wakes)
	}
	e.now = e.now.Add(callback.DefaultDelay)
	if status := e.post("later", message); status != 200 || len(e.wakes) != 2 {
		t.Errorf("%d, %d wakes", status, len(e.wakes))
	}
}

// TestWakeFails: WeCom is to send again, and then it works.
func TestWakeFails(t *testing.T) {
	e := newEndpoint(t)
	message := vectors(t)[notify].Message
	e.broken = errors.New("no queue")
	if status := e.post("n", message); status != 500 {
		t.Errorf("%d", status)
	}
	e.broken = nil
	if status := e.post("n", message); status != 200 || len(e.wakes) != 1 {
		t.Errorf("%d, %d wakes", status, len(e.wakes))
	}
}

func TestRefused(t *testing.T) {
	bomb := `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>`
	inner := func(corp string) string {
		return "<xml><ToUserName>" + corp + "</ToUserName><CreateTime>1767000000</CreateTime><Event>e</Event></xml>"
	}
	cases := map[string]struct {
		send func(e *endpoint) int
		want int
	}{
		"a bomb": {func(e *endpoint) int { return e.do("POST", "n", "", bomb).Code }, 400},
		"an entity": {func(e *endpoint) int {
			return e.do("POST", "n", "", "<xml><Encrypt>&lol;</Encrypt></xml>").Code
		}, 400},
		"a DTD around a good message": {func(e *endpoint) int {
			sealed := e.cipher.Seal([16]byte{}, []byte(inner(e.v.Corp)))
			return e.do("POST", "n", sealed, `<!DOCTYPE xml SYSTEM "http://127.0.0.1/x">`+callback.Body(e.v.Corp, sealed)).Code
		}, 400},
		"too large": {func(e *endpoint) int {
			return e.do("POST", "n", "", "<xml>"+strings.Repeat(" ", callback.MaxBody)+"</xml>").Code
		}, 413},
		"too deep": {func(e *endpoint) int {
			return e.do("POST", "n", "", strings.Repeat("<xml>", 99)+strings.Repeat("</xml>", 99)).Code
		}, 400},
		"an inner bomb": {func(e *endpoint) int { return e.post("n", bomb) }, 400},
		"inner, wrong corp": {func(e *endpoint) int {
			return e.post("n", inner("ww9999"))
		}, 403},
		"outer, wrong corp": {func(e *endpoint) int {
			other, err := callback.NewCipher(e.v.Token, e.v.Key, "ww9999")
			if err != nil {
				return 0
			}
			sealed := other.Seal([16]byte{}, []byte(inner(e.v.Corp)))
			return e.do("POST", "n", sealed, callback.Body(e.v.Corp, sealed)).Code
		}, 403},
		"bad signature": {func(e *endpoint) int {
			sealed := e.cipher.Seal([16]byte{}, []byte(inner(e.v.Corp)))
			return e.do("POST", "n", sealed+"x", callback.Body(e.v.Corp, sealed)).Code
		}, 403},
		"not sealed": {func(e *endpoint) int { return e.do("POST", "n", "AAAA", callback.Body(e.v.Corp, "AAAA")).Code }, 403},
		"no query": {func(e *endpoint) int {
			w := httptest.NewRecorder()
			e.ServeHTTP(w, httptest.NewRequest("POST", "/callback", nil))
			return w.Code
		}, 400},
		"old": {func(e *endpoint) int {
			w := httptest.NewRecorder()
			v := vectors(t)[approved]
			e.now = e.now.Add(callback.Window + time.Second)
			q := url.Values{"msg_signature": {v.Signature}, "timestamp": {v.Timestamp}, "nonce": {v.Nonce}}
			e.ServeHTTP(w, httptest.NewRequest("POST", "/callback?"+q.Encode(), strings.NewReader(callback.Body(v.Corp, v.Sealed))))
			return w.Code
		}, 403},
		"PUT": {func(e *endpoint) int { return e.do("PUT", "n", "", "").Code }, 405},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := newEndpoint(t)
			if got := c.send(e); got != c.want {
				t.Errorf("status %d, want %d: %s", got, c.want, e.log.String())
			}
			if list, err := e.catalog.Journal.Callbacks(t.Context(), 1); err != nil || len(list) != 0 || len(e.wakes) != 0 {
				t.Errorf("it had an effect: %v, %v, %v", list, e.wakes, err)
			}
		})
	}
}

// FuzzOpen: nothing opens that is not signed, and no bytes break the opener.
func FuzzOpen(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Sealed, v.Nonce)
	}
	c := newCipher(f, vectors(f)[0])
	f.Fuzz(func(t *testing.T, sealed, nonce string) {
		message, err := c.Open(c.Signature("1", nonce, sealed), "1", nonce, sealed)
		if err == nil && len(message) > len(sealed) {
			t.Errorf("%d bytes of %d", len(message), len(sealed))
		}
		if _, err := c.Open("", "1", nonce, sealed); !errors.Is(err, callback.ErrSignature) {
			t.Errorf("without a signature: %v", err)
		}
	})
}

// FuzzMessage: whatever is sealed, the answer is one of those documented, and only
// 200 has an effect.
func FuzzMessage(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Message)
	}
	f.Fuzz(func(t *testing.T, message string) {
		e := newEndpoint(t)
		status := e.post("n", message)
		if status != 200 && status != 400 && status != 403 && status != 413 {
			t.Fatalf("status %d: %s", status, e.log.String())
		}
		list, err := e.catalog.Journal.Callbacks(t.Context(), 1)
		if kept := len(list)+len(e.wakes) == 1; err != nil || kept != (status == 200) {
			t.Errorf("status %d, %d kept, %d wakes, %v", status, len(list), len(e.wakes), err)
		}
	})
}
