package localstore

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"wecom-archive/shared/store"
)

// links serves the URLs of PresignGet on this machine, each good for one object,
// under one name, until its time: an HMAC under a key of this process says so.
type links struct {
	objects *Objects
	secret  []byte

	mu     sync.Mutex
	server *http.Server // nil until the first URL is made
	base   string
	closed bool
}

func newLinks(objects *Objects) *links {
	secret := make([]byte, sha256.Size)
	rand.Read(secret) // never fails
	return &links{objects: objects, secret: secret}
}

// make returns a URL, and serves it from now on.
func (l *links) make(key, fileName string, until time.Time) (string, error) {
	base, err := l.serve()
	if err != nil {
		return "", err
	}
	q := url.Values{"key": {key}, "name": {fileName}, "until": {strconv.FormatInt(until.UnixMilli(), 10)}}
	q.Set("signature", hex.EncodeToString(l.sign(q)))
	return base + "/?" + q.Encode(), nil
}

// sign signs all that a URL says. Lengths keep one part from passing into another.
func (l *links) sign(q url.Values) []byte {
	h := hmac.New(sha256.New, l.secret)
	for _, part := range []string{"key", "name", "until"} {
		fmt.Fprintf(h, "%d:%s,", len(q.Get(part)), q.Get(part))
	}
	return h.Sum(nil)
}

func (l *links) serve() (base string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return "", errors.New("the folder is closed")
	}
	if l.server != nil {
		return l.base, nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	l.server = &http.Server{Handler: http.HandlerFunc(l.get), ReadHeaderTimeout: 10 * time.Second}
	l.base = "http://" + listener.Addr().String()
	go func() { _ = l.server.Serve(listener) }() // until close
	return l.base, nil
}

func (l *links) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.server == nil {
		return nil
	}
	return l.server.Close()
}

// get answers with the object. It reads it once before, so that nothing is sent that
// was not put.
func (l *links) get(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "a URL for reading", http.StatusMethodNotAllowed)
		return
	}
	q := r.URL.Query()
	signature, err := hex.DecodeString(q.Get("signature"))
	until, timeErr := strconv.ParseInt(q.Get("until"), 10, 64)
	if err != nil || timeErr != nil || !hmac.Equal(signature, l.sign(q)) || !time.Now().Before(time.UnixMilli(until)) {
		http.Error(w, "not a URL of this archive, or it has expired", http.StatusForbidden)
		return
	}
	o, err := l.objects.open(r.Context(), q.Get("key"))
	if err == nil {
		defer o.Close()
		_, err = l.objects.verify(r.Context(), o)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		http.NotFound(w, r)
		return
	case err != nil:
		http.Error(w, "the object cannot be read, or is damaged", http.StatusGone)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", store.Attachment(q.Get("name")))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, no-store")
	http.ServeContent(w, r, "", o.info.ModTime(), o.File)
}
