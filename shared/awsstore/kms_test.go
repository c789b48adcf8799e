package awsstore_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// fakeKMS is the part of KMS that Keyring calls, over KMS's own JSON protocol and
// with real cryptography: no stand-in that can be had makes key pairs. A
// ciphertext is the id of its key, a colon, and AES-256-GCM with the encryption
// context as additional data.
type fakeKMS struct {
	mu    sync.Mutex
	keys  map[string]cipher.AEAD
	calls []kmsCall
	fail  []string // error types that the next calls answer with
}

// kmsCall is a request as it came in. Each operation reads the members it has.
type kmsCall struct {
	Operation         string `json:"-"`
	KeyId             string
	KeyPairSpec       string
	Plaintext         []byte
	CiphertextBlob    []byte
	EncryptionContext map[string]string
}

type kmsError string

// start serves the fake with the keys of these ids, and gives a client of it.
func (f *fakeKMS) start(t testing.TB, ids ...string) *kms.Client {
	t.Helper()
	f.keys = map[string]cipher.AEAD{}
	for _, id := range ids {
		key := make([]byte, 32)
		rand.Read(key)
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		if f.keys[id], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return kms.New(kms.Options{
		BaseEndpoint: &server.URL, Region: "cn-north-1", Retryer: patient(),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
}

// patient retries as the SDK does, without waiting.
func patient() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
}

func (f *fakeKMS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var call kmsCall
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	call.Operation = strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	f.calls = append(f.calls, call)
	reply, fault := f.answer(call)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if fault != "" {
		w.WriteHeader(http.StatusBadRequest)
		reply = map[string]any{"__type": string(fault), "message": "said the fake"}
	}
	json.NewEncoder(w).Encode(reply)
}

func (f *fakeKMS) answer(call kmsCall) (reply map[string]any, fault kmsError) {
	if len(f.fail) > 0 {
		fault, f.fail = kmsError(f.fail[0]), f.fail[1:]
		return nil, fault
	}
	aead := f.keys[call.KeyId]
	if aead == nil {
		return nil, "NotFoundException"
	}
	bound, err := json.Marshal(call.EncryptionContext) // sorts by key
	if err != nil {
		return nil, "KMSInternalException"
	}
	seal := func(plain []byte) []byte { return aead.Seal([]byte(call.KeyId+":"), nil, plain, bound) }
	switch call.Operation {
	case "GenerateDataKeyPairWithoutPlaintext":
		return generatePair(call, seal)
	case "Encrypt":
		if len(call.Plaintext) < 1 || len(call.Plaintext) > 4096 {
			return nil, "ValidationException"
		}
		return map[string]any{"KeyId": call.KeyId, "CiphertextBlob": seal(call.Plaintext)}, ""
	case "Decrypt":
		id, sealed, _ := strings.Cut(string(call.CiphertextBlob), ":")
		if f.keys[id] != nil && id != call.KeyId {
			return nil, "IncorrectKeyException"
		}
		plain, err := aead.Open(nil, nil, []byte(sealed), bound)
		if id != call.KeyId || err != nil {
			return nil, "InvalidCiphertextException"
		}
		return map[string]any{"KeyId": call.KeyId, "Plaintext": plain}, ""
	}
	return nil, "UnsupportedOperationException"
}

func generatePair(call kmsCall, seal func([]byte) []byte) (map[string]any, kmsError) {
	bits := map[string]int{"RSA_2048": 2048, "RSA_3072": 3072}[call.KeyPairSpec]
	if bits == 0 {
		return nil, "ValidationException"
	}
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, "KMSInternalException"
	}
	public, err1 := x509.MarshalPKIXPublicKey(&private.PublicKey)
	pkcs8, err2 := x509.MarshalPKCS8PrivateKey(private)
	if err1 != nil || err2 != nil {
		return nil, "KMSInternalException"
	}
	return map[string]any{
		"KeyId": call.KeyId, "KeyPairSpec": call.KeyPairSpec, "PublicKey": public, "PrivateKeyCiphertextBlob": seal(pkcs8),
	}, ""
}
