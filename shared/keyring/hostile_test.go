package keyring_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// put stores an object below keys/ as nobody should.
func (f *fixture) put(t *testing.T, key, body string) {
	t.Helper()
	if err := f.objects.PutIfAbsent(t.Context(), key, strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
}

// TestWhatElseLiesBelowKeys: nothing there can be removed, so nothing there may
// stop the archiver.
func TestWhatElseLiesBelowKeys(t *testing.T) {
	f := newFixture(t)
	f.create(t, "good")
	good, err := f.ring().Record(t.Context(), "good")
	if err != nil {
		t.Fatal(err)
	}
	foreign := good
	foreign.ID, foreign.Corp = "foreign", "ww0000000000000000"
	misnamed := good
	doc := func(rec archive.KeyRecord) string {
		b, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	f.put(t, "keys/README.txt", "hello")
	f.put(t, "keys/a/b.json", doc(good))
	f.put(t, "keys/foreign.json", doc(foreign))
	f.put(t, "keys/misnamed.json", doc(misnamed))
	f.put(t, "keys/torn.json", doc(good)[:40])

	ring := f.ring()
	keys, _, err := ring.Candidates(t.Context(), 1)
	if err != nil || !slices.Equal(ids(keys), []string{"good"}) {
		t.Errorf("%v, %v", ids(keys), err)
	}
	recs, err := ring.Records(t.Context())
	if len(recs) != 1 || recs[0].ID != "good" || !errors.Is(err, store.ErrDamaged) {
		t.Errorf("%d records, %v; want the good one, and to be told of the others", len(recs), err)
	}
}

func TestNewerRecord(t *testing.T) {
	f := newFixture(t)
	f.put(t, "keys/later.json", `{"format":2,"id":"later"}`)
	if _, _, err := f.ring().Candidates(t.Context(), 1); !errors.Is(err, archive.ErrNewFormat) {
		t.Errorf("%v; want to be told to update", err)
	}
}

// refusingPort cannot open one key, as when its KMS key is disabled.
type refusingPort struct {
	store.Keyring
	key string
}

func (p refusingPort) Unwrap(ctx context.Context, kc store.KeyContext, wrapped []byte) ([]byte, error) {
	if kc.Key == p.key {
		return nil, errDead
	}
	return p.Keyring.Unwrap(ctx, kc, wrapped)
}

// TestBoundKeyAlone: a bound version needs its own key only.
func TestBoundKeyAlone(t *testing.T) {
	f := newFixture(t)
	f.create(t, "a")
	f.create(t, "b")
	ring := f.ring()
	keys, _, err := ring.Candidates(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Bind(t.Context(), 1, keys[1], "m"); err != nil {
		t.Fatal(err)
	}
	f.port.Keyring = refusingPort{f.port.Keyring, "a"}
	f.port.unwraps = 0
	fresh := f.ring() // as after a restart
	if keys, bound, err := fresh.Candidates(t.Context(), 1); err != nil || !bound || !slices.Equal(ids(keys), []string{"b"}) || f.port.unwraps != 1 {
		t.Errorf("%v, %v, %v, %d keys opened", ids(keys), bound, err, f.port.unwraps)
	}
	if _, _, err := fresh.Candidates(t.Context(), 2); !errors.Is(err, errDead) {
		t.Errorf("an unbound version, which may need the key that does not open: %v", err)
	}
}

// TestBoundKeyGone: a binding to a key that is not there leaves the others to try.
func TestBoundKeyGone(t *testing.T) {
	f := newFixture(t)
	f.create(t, "a")
	if err := catalog.New(f.index).Keys.Bind(t.Context(), archive.KeyBinding{PublicKeyVer: 1, Key: "gone"}); err != nil {
		t.Fatal(err)
	}
	if keys, bound, err := f.ring().Candidates(t.Context(), 1); err != nil || bound || !slices.Equal(ids(keys), []string{"a"}) {
		t.Errorf("%v, %v, %v", ids(keys), bound, err)
	}
}

func TestIDs(t *testing.T) {
	f := newFixture(t)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
	for _, bad := range []string{"", "a/b", "../x", ".hidden", "a b", "密钥", strings.Repeat("k", 65)} {
		if _, err := f.ring().Create(t.Context(), bad); err == nil {
			t.Errorf("%q was created", bad)
		}
		if _, err := f.ring().Import(t.Context(), bad, text); err == nil {
			t.Errorf("%q was imported", bad)
		}
	}
	for info := range f.objects.List(t.Context(), "", "") {
		t.Errorf("%s was stored", info.Key)
	}
	for _, good := range []string{"2026-11-a", "K_1.v2", strings.Repeat("k", 64)} {
		if _, err := f.ring().Import(t.Context(), good, text); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

// TestImportPastes: what people paste, beside the bare key.
func TestImportPastes(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	large, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curveDER, err := x509.MarshalPKCS8PrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	key, publicPEM := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private)), block("PUBLIC KEY", public)
	for name, text := range map[string]string{
		"public key first": publicPEM + key,
		"public key last":  key + publicPEM,
		"from Windows":     "\ufeff" + strings.ReplaceAll(key, "\n", "\r\n"),
		"words around":     "Our key:\n\n" + key + "\nregards\n",
	} {
		if got, err := keyring.ParsePrivatePEM([]byte(text)); err != nil || !got.Equal(private) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"the public key":  publicPEM,
		"a password":      block("ENCRYPTED PRIVATE KEY", []byte{1, 2, 3}),
		"cut off":         key[:len(key)/2],
		"another kind":    block("PRIVATE KEY", curveDER),
		"3072 bits":       block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(large)),
		"bytes missing":   block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private)[:600]),
		"nothing at all":  "",
		"key as a type":   block("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC PRIVATE KEY", []byte{1}),
		"bytes, not text": "\x30\x82\x04\xa4",
	} {
		if _, err := keyring.ParsePrivatePEM([]byte(text)); err == nil {
			t.Errorf("%s was taken", name)
		} else if strings.Contains(err.Error(), "MII") {
			t.Errorf("%s: the error quotes the key", name)
		}
	}
}

// TestFittingPadding: two keys may both open a block, each to a string of the
// right shape; which one is meant, only the message can tell. Here the envelope
// of one key's version carries a block sealed with the other's.
func TestFittingPadding(t *testing.T) {
	f := newFixture(t)
	f.create(t, "mine")
	other := f.create(t, "other")
	keys, _, err := f.ring().Candidates(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	decoy := strings.Repeat("d", 88)
	sealed := seal(t, other, decoy)
	if opened, err := keys[0].OpenRandomKey(sealed); !errors.Is(err, keyring.ErrNotOpened) {
		t.Errorf("mine: %q, %v", opened, err)
	}
	if opened, err := keys[1].OpenRandomKey(sealed); err != nil || opened != decoy {
		t.Errorf("other: %q, %v; the ring must not judge more than the shape", opened, err)
	}
	for _, length := range []int{13, 245} {
		if opened, err := keys[1].OpenRandomKey(seal(t, other, strings.Repeat("d", length))); err != nil || len(opened) != length {
			t.Errorf("%d characters: %q, %v", length, opened, err)
		}
	}
	for _, odd := range [][]byte{make([]byte, 256), bytes.Repeat([]byte{0xff}, 256), make([]byte, 255), make([]byte, 257), append(sealed, 0)} {
		if opened, err := keys[1].OpenRandomKey(odd); !errors.Is(err, keyring.ErrNotOpened) {
			t.Errorf("%d bytes of %#x: %q, %v", len(odd), odd[0], opened, err)
		}
	}
}

// TestManyAtOnce: pages are opened in parallel from the first moment on.
func TestManyAtOnce(t *testing.T) {
	f := newFixture(t)
	public := f.create(t, "a")
	f.create(t, "b")
	sealed := seal(t, public, randomKey)
	ring := keyring.New(keyring.Config{Corp: corpID, Objects: f.objects, Port: f.port, Keys: catalog.New(f.index).Keys, Now: fixedNow})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			keys, _, err := ring.Candidates(t.Context(), int64(i%3))
			if err != nil || len(keys) == 0 {
				t.Errorf("%v, %v", ids(keys), err)
				return
			}
			for _, key := range keys { // after the binding below, a is the last of other versions
				if _, err := key.OpenRandomKey(sealed); (err == nil) != (key.ID == "a") {
					t.Errorf("%s: %v", key.ID, err)
				}
				if i%3 == 1 && key.ID == "a" {
					if err := ring.Bind(t.Context(), 1, key, "m"); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if f.port.unwraps != 2 {
		t.Errorf("%d private keys were opened, want each once", f.port.unwraps)
	}
}

// TestBindBreaksOff: the event is stored before the index says so, and a second
// try completes what the first began.
func TestBindBreaksOff(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		for k := 1; ; k++ {
			f := newFixture(t)
			f.create(t, "a")
			faults := storetest.NewFaults()
			ring := keyring.New(keyring.Config{Corp: corpID, Objects: faults.Objects(f.objects), Port: f.port, Keys: catalog.New(faults.Index(f.index)).Keys, Now: fixedNow})
			keys, _, err := ring.Candidates(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			faults.FailAt(k, when)
			if err := ring.Bind(t.Context(), 1, keys[0], "m"); err == nil {
				if k != 3 {
					t.Errorf("Bind has %d durable operations, want event and index", k-1)
				}
				break
			}
			bound, err := catalog.New(f.index).Keys.Binding(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if events := f.events(t); bound != "" && events != 1 {
				t.Errorf("broken off at %d: bound to %q with %d events", k, bound, events)
			}
			if err := ring.Bind(t.Context(), 1, keys[0], "m"); err != nil {
				t.Fatal(err)
			}
			if events := f.events(t); events != 1 {
				t.Errorf("broken off at %d and done again: %d events", k, events)
			}
		}
	}
}

// TestBindTwice: a fact that is repeated, at whatever time of the day, leaves one
// event.
func TestBindTwice(t *testing.T) {
	f := newFixture(t)
	f.create(t, "a")
	now := fixedNow()
	ring := keyring.New(keyring.Config{Corp: corpID, Objects: f.objects, Port: f.port, Keys: catalog.New(f.index).Keys, Now: func() time.Time { now = now.Add(time.Second); return now }})
	keys, _, err := ring.Candidates(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := ring.Bind(t.Context(), 1, keys[0], "m"); err != nil {
			t.Fatal(err)
		}
	}
	if events := f.events(t); events != 1 {
		t.Errorf("%d events", events)
	}
}

func (f *fixture) events(t *testing.T) (n int) {
	t.Helper()
	for _, err := range f.objects.List(t.Context(), archive.EventsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func fixedNow() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) }
