package awsstore_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"wecom-archive/shared/awsstore"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

func TestKeyring(t *testing.T) {
	storetest.TestKeyring(t, func(t *testing.T) store.Keyring {
		return awsstore.NewKeyring((&fakeKMS{}).start(t, "keyring"), "keyring")
	})
}

var keyContext = store.KeyContext{Corp: "ww5117a9e0c0ffee01", Key: "2026-11-a"}

// TestKeyringRequests: every request names our key and the whole context, which
// is what the key's policy demands, and a pair is made without its plaintext.
func TestKeyringRequests(t *testing.T) {
	fake := &fakeKMS{}
	keyring := awsstore.NewKeyring(fake.start(t, "alias/keyring"), "alias/keyring")
	_, wrapped, err := keyring.NewPair(t.Context(), keyContext)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := keyring.Unwrap(t.Context(), keyContext, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Wrap(t.Context(), keyContext, pkcs8); err != nil {
		t.Fatal(err)
	}
	want := []string{"GenerateDataKeyPairWithoutPlaintext", "Decrypt", "Encrypt"}
	if len(fake.calls) != len(want) {
		t.Fatalf("%d calls, want %d", len(fake.calls), len(want))
	}
	for i, call := range fake.calls {
		if call.Operation != want[i] || call.KeyId != "alias/keyring" ||
			!maps.Equal(call.EncryptionContext, map[string]string{"app": "wecom-archive", "corp": keyContext.Corp, "key": keyContext.Key}) {
			t.Errorf("call %d is %s with key %q, context %v", i, call.Operation, call.KeyId, call.EncryptionContext)
		}
	}
	if fake.calls[0].KeyPairSpec != "RSA_2048" {
		t.Errorf("a pair of %s", fake.calls[0].KeyPairSpec)
	}
}

func TestUnwrapRefusals(t *testing.T) {
	fake := &fakeKMS{}
	client := fake.start(t, "ours", "theirs")
	ours := awsstore.NewKeyring(client, "ours")
	_, wrapped, err := ours.NewPair(t.Context(), keyContext)
	if err != nil {
		t.Fatal(err)
	}
	other := keyContext
	other.Corp = "ww0000000000000000"
	for _, test := range []struct {
		name    string
		keyring *awsstore.Keyring
		kc      store.KeyContext
		fail    []string
		kind    func(error) bool
		says    string
		damaged bool // for ever
	}{
		{name: "another context", keyring: ours, kc: other, kind: isA[*types.InvalidCiphertextException], says: "another context, or changed", damaged: true},
		{name: "another KMS key", keyring: awsstore.NewKeyring(client, "theirs"), kc: keyContext, kind: isA[*types.IncorrectKeyException], says: "another KMS key", damaged: true},
		{name: "no such KMS key", keyring: awsstore.NewKeyring(client, "nobody"), kc: keyContext, kind: isA[*types.NotFoundException]},
		{name: "switched off", keyring: ours, kc: keyContext, fail: []string{"DisabledException"}, kind: isA[*types.DisabledException]},
		{name: "to be deleted", keyring: ours, kc: keyContext, fail: []string{"KMSInvalidStateException"}, kind: isA[*types.KMSInvalidStateException]},
		{name: "no right", keyring: ours, kc: keyContext, fail: []string{"AccessDeniedException"}, says: "AccessDeniedException"},
		{name: "throttled for too long", keyring: ours, kc: keyContext, fail: []string{"ThrottlingException", "ThrottlingException", "ThrottlingException"}, says: "ThrottlingException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake.fail = test.fail
			pkcs8, err := test.keyring.Unwrap(t.Context(), test.kc, wrapped)
			if err == nil || pkcs8 != nil {
				t.Fatalf("Unwrap gives %d bytes, %v", len(pkcs8), err)
			}
			if errors.Is(err, store.ErrDamaged) != test.damaged {
				t.Errorf("Unwrap = %v; ErrDamaged: want %v", err, test.damaged)
			}
			if test.kind != nil && !test.kind(err) {
				t.Errorf("Unwrap = %v, want KMS's own error in it", err)
			}
			for _, part := range []string{"unwrapping private key", test.kc.Key, test.kc.Corp, test.says} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q: %v", part, err)
				}
			}
		})
	}
}

// isA says whether an error of type T is in the tree of err.
func isA[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// TestKeyringThrottled: KMS makes about one pair a second, then throttles.
func TestKeyringThrottled(t *testing.T) {
	fake := &fakeKMS{}
	keyring := awsstore.NewKeyring(fake.start(t, "k"), "k")
	fake.fail = []string{"ThrottlingException", "ThrottlingException"}
	if _, _, err := keyring.NewPair(t.Context(), keyContext); err != nil {
		t.Errorf("NewPair after being throttled twice: %v", err)
	}
	if len(fake.calls) != 3 {
		t.Errorf("%d calls, want 3", len(fake.calls))
	}
}

// TestWrapKeepsKeyOut: what is refused is not quoted.
func TestWrapKeepsKeyOut(t *testing.T) {
	keyring := awsstore.NewKeyring((&fakeKMS{}).start(t, "k"), "k")
	_, err := keyring.Wrap(t.Context(), keyContext, []byte("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg"))
	if err == nil || strings.Contains(err.Error(), "MIIE") {
		t.Errorf("Wrap of PEM = %v", err)
	}
}

// TestWrapOtherKinds: keys that cannot open WeCom's messages are refused at the
// import, not found out at the first message.
func TestWrapOtherKinds(t *testing.T) {
	fake := &fakeKMS{}
	keyring := awsstore.NewKeyring(fake.start(t, "k"), "k")
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []any{short, curve} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keyring.Wrap(t.Context(), keyContext, der); err == nil || len(fake.calls) > 0 {
			t.Errorf("Wrap of a %T = %v after %d calls", key, err, len(fake.calls))
		}
	}
}
