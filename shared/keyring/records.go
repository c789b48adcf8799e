package keyring

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// Record returns the stored key with this id without opening it, or ErrNotFound.
func (r *Ring) Record(ctx context.Context, id string) (archive.KeyRecord, error) {
	rec, err := archive.GetKeyRecord(ctx, r.Objects, id)
	if err != nil {
		return rec, err
	}
	if rec.Corp != r.Corp {
		return rec, fmt.Errorf("key %s: its record is of another corp: %w", id, store.ErrDamaged)
	}
	return rec, nil
}

// Records returns the stored keys in order of their making, without opening
// them. Beside an error about some records it returns the others.
func (r *Ring) Records(ctx context.Context) ([]archive.KeyRecord, error) {
	var recs []archive.KeyRecord
	var errs []error
	for info, err := range r.Objects.List(ctx, archive.KeysPrefix, "") {
		if err != nil {
			return nil, fmt.Errorf("listing the keys: %w", err)
		}
		id, ok := idOf(info.Key)
		if !ok {
			continue
		}
		rec, err := r.Record(ctx, id)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		recs = append(recs, rec)
	}
	slices.SortStableFunc(recs, func(a, b archive.KeyRecord) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return recs, errors.Join(errs...)
}

// idOf is the id of the key that an object below keys/ holds.
func idOf(objectKey string) (id string, ok bool) {
	id, ok = archive.ParseKeyRecordKey(objectKey)
	return id, ok && checkID(id) == nil
}

// maxID bounds ids of keys, in bytes.
const maxID = 64

// checkID refuses ids that cannot be part of a name: they stand in keys of
// objects, below keys/ and in the events of bindings.
func checkID(id string) error {
	if id == "" || len(id) > maxID || strings.Trim(id, idCharacters) != "" || strings.HasPrefix(id, ".") {
		return fmt.Errorf("key id %q: not 1 to %d letters, digits, dots, hyphens and underscores, the first no dot", id, maxID)
	}
	return nil
}

const idCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

// Create makes a new key pair under id and stores it. If the id is taken it
// returns the stored one with ErrExists.
func (r *Ring) Create(ctx context.Context, id string) (archive.KeyRecord, error) {
	if err := checkID(id); err != nil {
		return archive.KeyRecord{}, err
	}
	public, wrapped, err := r.Port.NewPair(ctx, store.KeyContext{Corp: r.Corp, Key: id})
	if err != nil {
		return archive.KeyRecord{}, fmt.Errorf("making key %s: %w", id, err)
	}
	return r.store(ctx, id, public, wrapped, false)
}

// Import stores a private key that the company uses already: PEM, PKCS#1 or
// PKCS#8, RSA-2048.
func (r *Ring) Import(ctx context.Context, id string, privatePEM []byte) (archive.KeyRecord, error) {
	if err := checkID(id); err != nil {
		return archive.KeyRecord{}, err
	}
	private, err := ParsePrivatePEM(privatePEM)
	if err != nil {
		return archive.KeyRecord{}, fmt.Errorf("importing key %s: %w", id, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return archive.KeyRecord{}, fmt.Errorf("importing key %s: %w", id, err)
	}
	wrapped, err := r.Port.Wrap(ctx, store.KeyContext{Corp: r.Corp, Key: id}, der)
	if err != nil {
		return archive.KeyRecord{}, fmt.Errorf("importing key %s: %w", id, err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return archive.KeyRecord{}, fmt.Errorf("importing key %s: %w", id, err)
	}
	return r.store(ctx, id, public, wrapped, true)
}

func (r *Ring) store(ctx context.Context, id string, public, wrapped []byte, imported bool) (archive.KeyRecord, error) {
	sum := sha256.Sum256(public)
	rec := archive.KeyRecord{
		Format: archive.KeyFormat, ID: id, Corp: r.Corp,
		PublicPEM:   string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		Fingerprint: hex.EncodeToString(sum[:]),
		Wrapped:     wrapped, Imported: imported, CreatedAt: r.Now().UTC(),
	}
	doc, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return rec, fmt.Errorf("storing key %s: %w", id, err)
	}
	err = r.Objects.PutIfAbsent(ctx, archive.KeyRecordKey(id), bytes.NewReader(doc))
	if errors.Is(err, store.ErrExists) {
		stored, readErr := r.Record(ctx, id)
		if readErr != nil {
			return rec, readErr
		}
		return stored, fmt.Errorf("key %s: %w", id, store.ErrExists)
	}
	if err != nil {
		return rec, fmt.Errorf("storing key %s: %w", id, err)
	}
	if err := r.Keys.SavePublicKey(ctx, rec.Public()); err != nil {
		// The record is what counts; reindex notes it in the index.
		r.Log.Error("a key is stored, and not in the index: reindex", "key", id, "error", err)
	}
	return rec, nil
}

// ParsePrivatePEM reads an RSA-2048 private key, PKCS#1 or PKCS#8. Other blocks,
// such as the public key that stands in the same file, are passed over.
func ParsePrivatePEM(text []byte) (*rsa.PrivateKey, error) {
	// Windows editors put a byte order mark before the first line.
	block, rest := pem.Decode(bytes.TrimPrefix(text, []byte("\ufeff")))
	if block == nil {
		return nil, errors.New("no PEM block: paste the private key with its BEGIN and END lines")
	}
	for block != nil && !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("no PEM block is a private key")
	}
	private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		parsed, err8 := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err8 != nil {
			return nil, fmt.Errorf("%s is neither a PKCS#1 nor a PKCS#8 private key without password", nameOf(block))
		}
		var ok bool
		if private, ok = parsed.(*rsa.PrivateKey); !ok {
			return nil, errors.New("not an RSA key: WeCom takes RSA-2048 only")
		}
	}
	if bits := private.N.BitLen(); bits != 2048 {
		return nil, fmt.Errorf("an RSA key of %d bits: WeCom takes RSA-2048 only", bits)
	}
	return private, nil
}

// nameOf names a PEM block for errors. A type that is none of the usual ones may be
// anything, a key whose lines ran together among others.
func nameOf(block *pem.Block) string {
	switch block.Type {
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY", "PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE":
		return fmt.Sprintf("PEM block %q", block.Type)
	}
	return "a PEM block of an unknown type"
}

// ParsePublicPEM reads an RSA public key, SubjectPublicKeyInfo.
func ParsePublicPEM(text []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s is no public key", nameOf(block))
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return public, nil
}
