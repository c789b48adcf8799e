package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/store"
)

// maxWrapped bounds a wrapped key, in bytes: KMS takes and returns few more.
const maxWrapped = 4096

// TestKeyring tests an adapter of store.Keyring.
func TestKeyring(t *testing.T, open func(t *testing.T) store.Keyring) {
	t.Helper()
	keyring := open(t)
	kc := store.KeyContext{Corp: "ww5117a9e0c0ffee01", Key: "2026-11-a"}
	public, wrapped, err := keyring.NewPair(t.Context(), kc)
	if err != nil {
		t.Fatalf("NewPair: %v", err)
	}
	t.Run("NewPair", func(t *testing.T) { testNewPair(t, keyring, kc, public, wrapped) })
	t.Run("Wrap", func(t *testing.T) { testWrap(t, keyring) })
	t.Run("OtherContext", func(t *testing.T) { testOtherContext(t, keyring, kc, wrapped) })
	t.Run("Damaged", func(t *testing.T) { testDamagedKey(t, keyring, kc, wrapped) })
	t.Run("NoKey", func(t *testing.T) { testNoKey(t, keyring, kc) })
	t.Run("Cancelled", func(t *testing.T) { testKeyringCancelled(t, keyring, kc, wrapped) })
}

func testNewPair(t *testing.T, keyring store.Keyring, kc store.KeyContext, public, wrapped []byte) {
	parsed, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		t.Fatalf("the public key is no SubjectPublicKeyInfo: %v", err)
	}
	pub, ok := parsed.(*rsa.PublicKey)
	if !ok || pub.N.BitLen() != 2048 {
		t.Fatalf("the public key is a %T of %d bits, want RSA-2048", parsed, pub.N.BitLen())
	}
	pkcs8, err := keyring.Unwrap(t.Context(), kc, wrapped)
	if err != nil {
		t.Fatalf("Unwrap: %v", err)
	}
	private := parsePrivate(t, pkcs8)
	if !private.PublicKey.Equal(pub) {
		t.Error("the private key does not belong to the public one")
	}
	//lint:ignore SA1019 WeCom encrypts with PKCS#1 v1.5.
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, pub, []byte("random key"))
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 WeCom encrypts with PKCS#1 v1.5.
	if opened, err := rsa.DecryptPKCS1v15(nil, private, sealed); err != nil || string(opened) != "random key" {
		t.Errorf("decrypting: %q, %v", opened, err)
	}
	if len(wrapped) > maxWrapped {
		t.Errorf("the wrapped key has %d bytes", len(wrapped))
	}
	if bytes.Contains(wrapped, pkcs8[len(pkcs8)/2:]) || bytes.Contains(wrapped, private.D.Bytes()) {
		t.Error("the wrapped key shows the private key")
	}

	other, _, err := keyring.NewPair(t.Context(), kc)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(other, public) {
		t.Error("NewPair made the same key twice")
	}
}

func parsePrivate(t *testing.T, pkcs8 []byte) *rsa.PrivateKey {
	t.Helper()
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		t.Fatalf("the private key is no PKCS#8: %v", err)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		t.Fatalf("the private key is a %T, want RSA", parsed)
	}
	return private
}

func testWrap(t *testing.T, keyring store.Keyring) {
	kc := store.KeyContext{Corp: "ww5117a9e0c0ffee01", Key: "imported-导入"}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	first, err := keyring.Wrap(t.Context(), kc, pkcs8)
	if err != nil {
		t.Fatalf("Wrap: %v", err)
	}
	second, err := keyring.Wrap(t.Context(), kc, pkcs8)
	if err != nil {
		t.Fatalf("Wrap: %v", err)
	}
	if bytes.Equal(first, second) {
		t.Error("two wrappings of one key are alike")
	}
	var g errgroup.Group
	for i := range 8 { // the archiver unwraps in parallel
		wrapped := [][]byte{first, second}[i%2]
		g.Go(func() error {
			got, err := keyring.Unwrap(t.Context(), kc, wrapped)
			if err == nil && !bytes.Equal(got, pkcs8) {
				err = errors.New("another key came out")
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Errorf("Unwrap: %v", err)
	}
}

func testOtherContext(t *testing.T, keyring store.Keyring, kc store.KeyContext, wrapped []byte) {
	for _, other := range []store.KeyContext{
		{},
		{Corp: kc.Corp},
		{Key: kc.Key},
		{Corp: kc.Key, Key: kc.Corp},
		{Corp: kc.Corp, Key: kc.Key + " "},
		{Corp: kc.Corp + kc.Key[:1], Key: kc.Key[1:]},
		{Corp: strings.ToUpper(kc.Corp), Key: kc.Key},
		{Corp: kc.Corp + `","key":"`, Key: kc.Key},
	} {
		if pkcs8, err := keyring.Unwrap(t.Context(), other, wrapped); !errors.Is(err, store.ErrDamaged) || pkcs8 != nil {
			t.Errorf("Unwrap under %+v: %d bytes, %v; want ErrDamaged", other, len(pkcs8), err)
		}
	}
	for _, incomplete := range []store.KeyContext{{}, {Corp: kc.Corp}, {Key: kc.Key}} {
		if _, _, err := keyring.NewPair(t.Context(), incomplete); err == nil {
			t.Errorf("NewPair under %+v works", incomplete)
		}
	}
}

func testDamagedKey(t *testing.T, keyring store.Keyring, kc store.KeyContext, wrapped []byte) {
	refused := func(what string, damaged []byte) {
		t.Helper()
		if pkcs8, err := keyring.Unwrap(t.Context(), kc, damaged); !errors.Is(err, store.ErrDamaged) || pkcs8 != nil {
			t.Errorf("%s: Unwrap gives %d bytes, %v; want ErrDamaged", what, len(pkcs8), err)
		}
	}
	step := max(1, len(wrapped)/50) // every byte would be slow over a network
	for i := 0; i < len(wrapped); i += step {
		damaged := bytes.Clone(wrapped)
		damaged[i] ^= 1 << (i % 8)
		refused(fmt.Sprintf("byte %d of %d flipped", i, len(wrapped)), damaged)
	}
	refused("nothing", nil)
	refused("one byte", wrapped[:1])
	refused("one byte short", wrapped[:len(wrapped)-1])
	refused("one byte too many", append(bytes.Clone(wrapped), 0))
	refused("far too many bytes", append(bytes.Clone(wrapped), make([]byte, 10_000)...))
}

// testNoKey: Wrap takes private keys of RSA-2048 only, since nothing else opens
// WeCom's messages; a mistake must show at the import, not at the first message.
func testNoKey(t *testing.T, keyring store.Keyring, kc store.KeyContext) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{
		"nothing":    nil,
		"text":       []byte("-----BEGIN PRIVATE KEY-----"),
		"public key": public,
		"PKCS#1":     x509.MarshalPKCS1PrivateKey(key),
	} {
		if _, err := keyring.Wrap(t.Context(), kc, der); err == nil {
			t.Errorf("Wrap took %s", name)
		}
	}
}

func testKeyringCancelled(t *testing.T, keyring store.Keyring, kc store.KeyContext, wrapped []byte) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := keyring.NewPair(ctx, kc); !errors.Is(err, context.Canceled) {
		t.Errorf("NewPair = %v, want context.Canceled", err)
	}
	if _, err := keyring.Unwrap(ctx, kc, wrapped); !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrDamaged) {
		t.Errorf("Unwrap = %v, want context.Canceled and not ErrDamaged", err)
	}
}

// TestSecrets tests an adapter of store.Secrets.
func TestSecrets(t *testing.T, open func(t *testing.T) store.Secrets) {
	t.Helper()
	secrets := open(t)
	want := func(name, value string) {
		t.Helper()
		if got, err := secrets.Get(t.Context(), name); err != nil || got != value {
			// The values are the test's own.
			t.Errorf("Get(%q) = %.40q, %v; want %.40q", name, got, err, value)
		}
	}
	set := func(name, value string) {
		t.Helper()
		if err := secrets.Set(t.Context(), name, value); err != nil {
			t.Errorf("Set(%q): %v", name, err)
		}
	}
	if got, err := secrets.Get(t.Context(), "archive-secret"); !errors.Is(err, store.ErrNotFound) || got != "" {
		t.Errorf("Get of an unknown secret = %q, %v; want ErrNotFound", got, err)
	}
	set("archive-secret", "s3cret")
	want("archive-secret", "s3cret")
	set("app-secret", "other")
	want("archive-secret", "s3cret")
	set("archive-secret", "replaced")
	want("archive-secret", "replaced")
	want("app-secret", "other")

	for _, value := range []string{"x", " spaces ", "line\nbreak\t", `"quotes\"`, "密钥", strings.Repeat("a", 4000)} {
		set("odd", value)
		want("odd", value)
	}
	for _, bad := range [][2]string{{"", "value"}, {"name", ""}} {
		if err := secrets.Set(t.Context(), bad[0], bad[1]); err == nil {
			t.Errorf("Set(%q, %q) works, want it refused", bad[0], bad[1])
		}
	}
	var g errgroup.Group
	for i := range 10 {
		g.Go(func() error { return secrets.Set(t.Context(), fmt.Sprint("n", i), fmt.Sprint("v", i)) })
	}
	if err := g.Wait(); err != nil {
		t.Errorf("Set at once: %v", err)
	}
	for i := range 10 {
		want(fmt.Sprint("n", i), fmt.Sprint("v", i))
	}
}
