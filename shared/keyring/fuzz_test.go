package keyring_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// pasted are what people may take for a key, of which the first ones are.
func pasted(f *testing.F, private *rsa.PrivateKey) []string {
	f.Helper()
	der := func(b []byte, err error) []byte {
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	pkcs1, pkcs8 := x509.MarshalPKCS1PrivateKey(private), der(x509.MarshalPKCS8PrivateKey(private))
	public := der(x509.MarshalPKIXPublicKey(&private.PublicKey))
	huge := new(big.Int).Lsh(big.NewInt(1), 20_000)
	number := func(n, e *big.Int) []byte { return der(asn1.Marshal(struct{ N, E *big.Int }{n, e})) }
	spki := func(key []byte) []byte {
		return der(asn1.Marshal(struct {
			Algorithm struct {
				ID   asn1.ObjectIdentifier
				Null asn1.RawValue
			}
			Key asn1.BitString
		}{struct {
			ID   asn1.ObjectIdentifier
			Null asn1.RawValue
		}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, asn1.NullRawValue}, asn1.BitString{Bytes: key, BitLength: 8 * len(key)}}))
	}
	flipped := bytes.Clone(pkcs1)
	flipped[len(flipped)/2] ^= 1
	key := block("RSA PRIVATE KEY", pkcs1)
	return []string{
		key, block("PRIVATE KEY", pkcs8), block("PUBLIC KEY", public), block("PUBLIC KEY", public) + key, "\ufeff" + strings.ReplaceAll(key, "\n", "\r\n"),
		key[:len(key)/2], block("PRIVATE KEY", der(x509.MarshalPKCS8PrivateKey(curve))), block("EC PRIVATE KEY", der(x509.MarshalECPrivateKey(curve))), block("RSA PRIVATE KEY", flipped),
		block("PUBLIC KEY", spki(number(huge, big.NewInt(65537)))), block("PUBLIC KEY", spki(number(private.N, huge))), block("PUBLIC KEY", spki(number(big.NewInt(15), big.NewInt(3)))), block("PUBLIC KEY", spki(number(big.NewInt(-15), big.NewInt(0)))),
		block("RSA PRIVATE KEY", der(asn1.Marshal([]*big.Int{big.NewInt(0), huge, big.NewInt(65537), huge, huge, huge, huge, huge, huge}))),
		block("RSA PRIVATE KEY", pkcs1[:600]), block("CERTIFICATE", public), block("ENCRYPTED PRIVATE KEY", pkcs8), block(strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", 100)+" PRIVATE KEY", []byte{1}),
		block("RSA PRIVATE KEY", bytes.Repeat([]byte{0x30, 0x80}, 2000)), "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "",
	}
}

// FuzzParsePrivatePEM: a key that is taken is one that WeCom takes, which opens what is
// sealed for it, and stays the same when it is stored; no refusal quotes one.
func FuzzParsePrivatePEM(f *testing.F) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range pasted(f, private) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := keyring.ParsePrivatePEM(text)
		if err != nil {
			storetest.Discreet(t, err, text)
			return
		}
		if key.N.BitLen() != 2048 || key.Validate() != nil {
			t.Fatalf("a key of %d bits, %v", key.N.BitLen(), key.Validate())
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		again, err := keyring.ParsePrivatePEM(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
		if err != nil || !again.Equal(key) {
			t.Fatalf("another key comes back, %v", err)
		}
		//lint:ignore SA1019 WeCom wraps random keys so (docs/wecom.md, "Decryption").
		plain, err := rsa.DecryptPKCS1v15(nil, again, seal(t, &key.PublicKey, randomKey))
		if err != nil || string(plain) != randomKey {
			t.Fatalf("it opens %q, %v", plain, err)
		}
	})
}

// FuzzParsePublicPEM: a key that is taken stays the same when it is stored.
func FuzzParsePublicPEM(f *testing.F) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range pasted(f, private) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := keyring.ParsePublicPEM(text)
		if err != nil {
			storetest.Discreet(t, err, text)
			return
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		again, err := keyring.ParsePublicPEM(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		if err != nil || !again.Equal(key) {
			t.Fatalf("another key comes back, %v", err)
		}
	})
}

// plainPort wraps nothing, so that whoever writes a record chooses the key in it.
type plainPort struct{ store.Keyring }

func (plainPort) Unwrap(_ context.Context, _ store.KeyContext, wrapped []byte) ([]byte, error) {
	return wrapped, nil
}

// FuzzRecords: whatever lies below keys/, the ring opens its other keys, unless it is of
// a later program; and what it says of that one quotes nothing.
func FuzzRecords(f *testing.F) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		f.Fatal(err)
	}
	stored := func(id string, wrapped []byte) string {
		doc, err := json.Marshal(archive.KeyRecord{Format: archive.KeyFormat, ID: id, Corp: corpID, Wrapped: wrapped, CreatedAt: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)})
		if err != nil {
			f.Fatal(err)
		}
		return string(doc)
	}
	good := stored("good", pkcs8)
	for _, doc := range []string{stored("other", pkcs8), stored("other", pkcs8[:600]), stored("other", []byte("what somebody said in confidence")), stored("good", pkcs8), good[:40], "", "null"} {
		f.Add([]byte(doc))
		f.Add([]byte(strings.Replace(doc, corpID, "what somebody said in confidence", 1)))
		f.Add([]byte(strings.Replace(doc, "2026", "what somebody said in confidence", 1)))
		f.Add([]byte(strings.Replace(doc, `"format":1`, `"format":1,"created_at":"9999-12-31T23:59:59-01:00"`, 1)))
		f.Add([]byte(strings.Replace(doc, `"format":1`, `"format":`+strings.Repeat("9", 2000), 1)))
		f.Add([]byte(strings.Replace(doc, `"format":1`, `"format":1,"id":"good","ID":"other"`, 1)))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		objects := storetest.NewObjects()
		for key, body := range map[string]string{"keys/good.json": good, "keys/other.json": string(doc)} {
			if err := objects.PutIfAbsent(t.Context(), key, strings.NewReader(body)); err != nil {
				t.Fatal(err)
			}
		}
		var log bytes.Buffer
		ring := keyring.New(keyring.Config{Corp: corpID, Objects: objects, Port: plainPort{}, Keys: catalog.New(storetest.NewIndex()).Keys, Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil))})
		recs, err := ring.Records(t.Context())
		storetest.Discreet(t, err, doc)
		if len(recs) < 1 || len(recs) > 2 || (len(recs) == 1) != (err != nil) {
			t.Fatalf("%d records, %v", len(recs), err)
		}
		for _, rec := range recs {
			if err := ring.Keys.SavePublicKey(t.Context(), rec.Public()); err != nil {
				t.Fatal(err)
			}
		}
		keys, _, err := ring.Candidates(t.Context(), 1)
		storetest.Discreet(t, err, doc)
		storetest.Discreet(t, errors.New(log.String()), doc)
		if err != nil && !errors.Is(err, archive.ErrNewFormat) || err == nil && !slices.Contains(ids(keys), "good") {
			t.Fatalf("%v, %v", ids(keys), err)
		}
		for _, key := range keys {
			if opened, err := key.OpenRandomKey(seal(t, &private.PublicKey, randomKey)); key.ID == "good" && (err != nil || opened != randomKey) {
				t.Fatal(err)
			}
		}
	})
}
