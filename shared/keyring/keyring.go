// Package keyring holds the corp's RSA keys: it makes and imports them, opens
// the wrapped private halves when the archiver needs them, and knows which
// publickey_ver each belongs to.
//
// WeCom counts versions at each upload of a public key, so the version of a key
// is learned, not known: see decode, which proves a binding by opening a message.
// Only the archiver and the operator's commands import this package.
package keyring

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// Keys are what the index says of them: which opens which publickey_ver, and the public
// halves.
type Keys interface {
	Binding(ctx context.Context, version int64) (key string, err error)
	Bindings(ctx context.Context, limit int) ([]archive.KeyBinding, error)
	Bind(ctx context.Context, b archive.KeyBinding) error
	SavePublicKey(ctx context.Context, k archive.PublicKey) error
}

// Config is what a Ring works with.
type Config struct {
	Corp    string        // corpid
	Objects store.Objects // archive bucket, for keys/ and events/
	Port    store.Keyring // makes and opens wrapped keys
	Keys    Keys
	Now     func() time.Time
	Log     *slog.Logger // nil: none
}

// Ring is the corp's keys. It is safe for concurrent use and opens each private
// key once.
type Ring struct {
	Config

	mu   sync.Mutex
	keys []*Key // by created_at
}

// New returns a Ring. Keys are read when they are first needed.
func New(c Config) *Ring {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Ring{Config: c}
}

// Key is one key pair with its private half open. It never leaves the process.
type Key struct {
	ID      string
	created time.Time
	private *rsa.PrivateKey
}

// ErrNotOpened says that an encrypt_random_key does not open with this key.
var ErrNotOpened = errors.New("does not open with this key")

// Shape of what RSA decryption must give: the library aborts its process on keys
// shorter than 13 bytes; production keys have 88 characters (docs/wecom.md,
// "Decryption").
const (
	minRandomKey = 13
	maxRandomKey = 245 // most that PKCS#1 v1.5 under RSA-2048 can hold
)

// OpenRandomKey decrypts the bytes of an encrypt_random_key to the string that
// DecryptData wants. A string of the right shape proves nothing yet: the padding
// of a wrong key can fit by chance.
func (k *Key) OpenRandomKey(sealed []byte) (string, error) {
	if len(sealed) != k.private.Size() {
		return "", fmt.Errorf("a random key of %d bytes: %w", len(sealed), ErrNotOpened)
	}
	//lint:ignore SA1019 WeCom wraps random keys with PKCS #1 v1.5 and nothing else (docs/wecom.md, "Decryption").
	plain, err := rsa.DecryptPKCS1v15(nil, k.private, sealed)
	if err != nil {
		return "", ErrNotOpened
	}
	if len(plain) < minRandomKey || len(plain) > maxRandomKey || bytes.ContainsFunc(plain, notPrintable) {
		return "", fmt.Errorf("not an ASCII string of %d to %d characters: %w", minRandomKey, maxRandomKey, ErrNotOpened)
	}
	return string(plain), nil
}

func notPrintable(r rune) bool { return r < 0x20 || r > 0x7e }

// Candidates returns the keys that may open messages of a publickey_ver, the
// likeliest first, and whether the first is bound to it. Of an unbound version
// these are the keys without a version, then the others: a company may upload
// the same key twice.
func (r *Ring) Candidates(ctx context.Context, version int64) (keys []*Key, bound bool, err error) {
	id, err := r.Keys.Binding(ctx, version)
	if err != nil {
		return nil, false, err
	}
	if id != "" {
		// This key alone: what is wrong with others must not keep it from use.
		switch key, err := r.openBound(ctx, id); {
		case err == nil:
			return []*Key{key}, true, nil
		case !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrDamaged):
			return nil, false, err
		}
	}
	if err := r.load(ctx); err != nil {
		return nil, false, err
	}
	bindings, err := r.Keys.Bindings(ctx, 10_000)
	if err != nil {
		return nil, false, err
	}
	used := map[string]bool{}
	for _, b := range bindings {
		used[b.Key] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, free := range []bool{true, false} {
		for _, key := range r.keys {
			if used[key.ID] != free {
				keys = append(keys, key)
			}
		}
	}
	return keys, false, nil
}

// openBound returns the key with this id.
func (r *Ring) openBound(ctx context.Context, id string) (*Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.add(ctx, id)
}

// add returns the key with this id, and opens it if it is not open yet. The
// caller holds the lock.
func (r *Ring) add(ctx context.Context, id string) (*Key, error) {
	if i := slices.IndexFunc(r.keys, func(k *Key) bool { return k.ID == id }); i >= 0 {
		return r.keys[i], nil
	}
	rec, err := r.Record(ctx, id)
	if err != nil {
		return nil, err
	}
	key, err := r.open(ctx, rec)
	if err != nil {
		return nil, err
	}
	r.keys = append(r.keys, key)
	slices.SortStableFunc(r.keys, func(a, b *Key) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.ID, b.ID))
	})
	return key, nil
}

// Bind records that a key opens messages of a version: a locked event first,
// then the index.
func (r *Ring) Bind(ctx context.Context, version int64, key *Key, msgid string) error {
	b := archive.KeyBinding{PublicKeyVer: version, Key: key.ID, MsgID: msgid}
	now := r.Now().UTC()
	if err := archive.PutBinding(ctx, r.Objects, r.Corp, b, now); err != nil {
		return fmt.Errorf("binding key version %d: %w", version, err)
	}
	if err := r.Keys.Bind(ctx, b); err != nil {
		return fmt.Errorf("binding key version %d: %w", version, err)
	}
	return nil
}

// load opens the keys that are stored and not open yet.
func (r *Ring) load(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for info, err := range r.Objects.List(ctx, archive.KeysPrefix, "") {
		if err != nil {
			return fmt.Errorf("listing the keys: %w", err)
		}
		id, ok := idOf(info.Key)
		if !ok {
			continue
		}
		_, err := r.add(ctx, id)
		if errors.Is(err, store.ErrDamaged) {
			// The other keys still open their messages.
			r.Log.Error("a key cannot be read and is left out", "key", id, "error", err)
			continue
		}
		if err != nil {
			// A keyring that does not answer must not make messages count as
			// undecryptable: whoever asked tries again later.
			return err
		}
	}
	return nil
}

func (r *Ring) open(ctx context.Context, rec archive.KeyRecord) (*Key, error) {
	der, err := r.Port.Unwrap(ctx, store.KeyContext{Corp: rec.Corp, Key: rec.ID}, rec.Wrapped)
	if err != nil {
		return nil, fmt.Errorf("opening key %s: %w", rec.ID, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("opening key %s: no PKCS#8: %w", rec.ID, store.ErrDamaged)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("opening key %s: not an RSA key: %w", rec.ID, store.ErrDamaged)
	}
	return &Key{ID: rec.ID, created: rec.CreatedAt, private: private}, nil
}
