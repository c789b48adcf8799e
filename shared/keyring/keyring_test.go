package keyring_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

const corpID = "ww5117a9e0c0ffee01"

// countingPort counts how often a private key is opened.
type countingPort struct {
	store.Keyring
	mu      sync.Mutex
	unwraps int
}

func (p *countingPort) Unwrap(ctx context.Context, kc store.KeyContext, wrapped []byte) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unwraps++
	return p.Keyring.Unwrap(ctx, kc, wrapped)
}

type fixture struct {
	objects *storetest.Objects
	index   *storetest.Index
	port    *countingPort
	now     time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	port, err := localstore.OpenKeyring(filepath.Join(t.TempDir(), "wrapping.key"))
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{storetest.NewObjects(), storetest.NewIndex(), &countingPort{Keyring: port}, time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
}

// ring is a new process with the same stores.
func (f *fixture) ring() *keyring.Ring {
	return keyring.New(keyring.Config{Corp: corpID, Objects: f.objects, Port: f.port, Keys: catalog.New(f.index).Keys, Now: func() time.Time {
		f.now = f.now.Add(time.Second)
		return f.now
	}})
}

func (f *fixture) create(t *testing.T, id string) *rsa.PublicKey {
	t.Helper()
	rec, err := f.ring().Create(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	public, err := keyring.ParsePublicPEM([]byte(rec.PublicPEM))
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func seal(t *testing.T, public *rsa.PublicKey, plain string) []byte {
	t.Helper()
	//lint:ignore SA1019 WeCom wraps random keys so (docs/wecom.md, "Decryption").
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, public, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

var randomKey = strings.Repeat("k", 88)

func ids(keys []*keyring.Key) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.ID)
	}
	return out
}

func TestCandidatesAndBinding(t *testing.T) {
	f, ctx := newFixture(t), t.Context()
	publics := map[string]*rsa.PublicKey{}
	for _, id := range []string{"b-first", "a-second", "c-third"} {
		publics[id] = f.create(t, id)
	}
	ring := f.ring()
	keys, bound, err := ring.Candidates(ctx, 1)
	if err != nil || bound || !slices.Equal(ids(keys), []string{"b-first", "a-second", "c-third"}) {
		t.Fatalf("%v, %v, %v; want all in order of their making", ids(keys), bound, err)
	}
	if opened, err := keys[1].OpenRandomKey(seal(t, publics["a-second"], randomKey)); err != nil || opened != randomKey {
		t.Errorf("%q, %v", opened, err)
	}
	if err := ring.Bind(ctx, 1, keys[0], "msg-1"); err != nil {
		t.Fatal(err)
	}
	if keys, bound, err = ring.Candidates(ctx, 1); err != nil || !bound || !slices.Equal(ids(keys), []string{"b-first"}) {
		t.Errorf("%v, %v, %v after binding", ids(keys), bound, err)
	}
	// Other versions: keys without one first, but a key may have been uploaded twice.
	if keys, bound, err = ring.Candidates(ctx, 2); err != nil || bound || !slices.Equal(ids(keys), []string{"a-second", "c-third", "b-first"}) {
		t.Errorf("%v, %v, %v for another version", ids(keys), bound, err)
	}
	if f.port.unwraps != 3 {
		t.Errorf("%d private keys were opened, want each once", f.port.unwraps)
	}
	var binding archive.KeyBinding
	found := false
	for info, err := range f.objects.List(ctx, archive.EventsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := archive.GetEvent(ctx, f.objects, info.Key, &binding); err != nil {
			t.Fatal(err)
		}
		found = true
	}
	if !found || binding.Key != "b-first" || binding.PublicKeyVer != 1 || binding.MsgID != "msg-1" {
		t.Errorf("event of the binding: %v, %+v", found, binding)
	}
}

// TestKeyMadeLater: a running archiver finds keys that are made after it started.
func TestKeyMadeLater(t *testing.T) {
	f, ring := newFixture(t), (*keyring.Ring)(nil)
	ring = f.ring()
	if keys, _, err := ring.Candidates(t.Context(), 1); err != nil || len(keys) != 0 {
		t.Fatalf("%v, %v", ids(keys), err)
	}
	f.create(t, "late")
	if keys, _, err := ring.Candidates(t.Context(), 1); err != nil || len(keys) != 1 {
		t.Errorf("%v, %v", ids(keys), err)
	}
}

func TestOpenRandomKeyRefuses(t *testing.T) {
	f := newFixture(t)
	mine, other := f.create(t, "mine"), f.create(t, "other")
	keys, _, err := f.ring().Candidates(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, sealed := range map[string][]byte{
		"of another key":           seal(t, other, randomKey),
		"short: kills the library": seal(t, mine, "twelve chars"),
		"not printable":            seal(t, mine, strings.Repeat("k", 40)+"\x00"),
		"empty":                    seal(t, mine, ""),
		"no RSA block":             []byte("short"),
		"nothing":                  nil,
	} {
		if opened, err := keys[0].OpenRandomKey(sealed); !errors.Is(err, keyring.ErrNotOpened) {
			t.Errorf("%s: %q, %v", name, opened, err)
		}
	}
}

func TestImport(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"pkcs1": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)},
		"pkcs8": {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		f := newFixture(t)
		rec, err := f.ring().Import(t.Context(), name, pem.EncodeToMemory(block))
		if err != nil || !rec.Imported {
			t.Fatalf("%s: %+v, %v", name, rec, err)
		}
		keys, _, err := f.ring().Candidates(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if opened, err := keys[0].OpenRandomKey(seal(t, &private.PublicKey, randomKey)); err != nil || opened != randomKey {
			t.Errorf("%s: %q, %v", name, opened, err)
		}
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"1024 bits": pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(weak)}),
		"no PEM":    []byte("MIIE"),
		"no key":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}),
	} {
		if _, err := newFixture(t).ring().Import(t.Context(), "bad", text); err == nil {
			t.Errorf("%s was imported", name)
		}
	}
}

// TestCreateTwice: an id that is taken keeps its key.
func TestCreateTwice(t *testing.T) {
	f := newFixture(t)
	f.create(t, "one")
	first, err := f.ring().Record(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.ring().Create(t.Context(), "one")
	if !errors.Is(err, store.ErrExists) || again.Fingerprint != first.Fingerprint {
		t.Errorf("%v; the stored key must stay", err)
	}
	if recs, err := f.ring().Records(t.Context()); err != nil || len(recs) != 1 || recs[0].ID != "one" {
		t.Errorf("%+v, %v", recs, err)
	}
	if _, err := f.ring().Record(t.Context(), "two"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a key that is not there: %v", err)
	}
}

// TestDamagedRecord: a key that cannot be read leaves the others in use; a keyring
// that does not answer is an error, since the key may be the one that is needed.
func TestDamagedRecord(t *testing.T) {
	f := newFixture(t)
	f.create(t, "good")
	if err := f.objects.PutIfAbsent(t.Context(), archive.KeyRecordKey("bad"), strings.NewReader("{")); err != nil {
		t.Fatal(err)
	}
	keys, _, err := f.ring().Candidates(t.Context(), 1)
	if err != nil || !slices.Equal(ids(keys), []string{"good"}) {
		t.Errorf("%v, %v", ids(keys), err)
	}
	f.port.Keyring = deadPort{f.port.Keyring}
	if keys, _, err := f.ring().Candidates(t.Context(), 1); !errors.Is(err, errDead) {
		t.Errorf("%v, %v from a keyring that does not answer", ids(keys), err)
	}
}

var errDead = errors.New("does not answer")

type deadPort struct{ store.Keyring }

func (deadPort) Unwrap(context.Context, store.KeyContext, []byte) ([]byte, error) {
	return nil, errDead
}
