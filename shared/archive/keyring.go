package archive

import (
	"context"
	"fmt"
	"time"

	"wecom-archive/shared/store"
)

// KeyRecord is the object keys/<id>.json: one key pair of the corp.
type KeyRecord struct {
	Format      int       `json:"format"` // KeyFormat
	ID          string    `json:"id"`
	Corp        string    `json:"corp"`
	PublicPEM   string    `json:"public_pem"`  // SubjectPublicKeyInfo, as pasted into the console
	Fingerprint string    `json:"fingerprint"` // hex SHA-256 of the public key's DER
	Wrapped     []byte    `json:"wrapped"`     // private key as the Keyring wrapped it
	Imported    bool      `json:"imported"`    // made elsewhere, not by us
	CreatedAt   time.Time `json:"created_at"`
}

// PublicKey is what may be shown of a key.
type PublicKey struct {
	ID          string    `json:"id"`
	CreatedAt   time.Time `json:"created_at"`
	Imported    bool      `json:"imported" doc:"Made elsewhere, and used by the company before"`
	Fingerprint string    `json:"fingerprint" doc:"SHA-256 of the public key's DER, hex"`
	PublicPEM   string    `json:"public_pem" doc:"To paste into WeCom's console"`
}

// Public is the record without its private half.
func (r KeyRecord) Public() PublicKey {
	return PublicKey{ID: r.ID, CreatedAt: r.CreatedAt.UTC(), Imported: r.Imported, Fingerprint: r.Fingerprint, PublicPEM: r.PublicPEM}
}

// KeyFormat is the version of KeyRecord. A reader refuses a greater one.
const KeyFormat = 1

// GetKeyRecord reads the record of the key with this id, or ErrNotFound.
func GetKeyRecord(ctx context.Context, objects store.ObjectReader, id string) (KeyRecord, error) {
	var rec KeyRecord
	doc, err := store.ReadObject(ctx, objects, KeyRecordKey(id))
	if err != nil {
		return rec, err
	}
	if err := decodeJSON(doc, KeyFormat, &rec); err != nil {
		return KeyRecord{}, fmt.Errorf("key %s: %w", id, err)
	}
	if !writable(rec.CreatedAt) {
		return KeyRecord{}, fmt.Errorf("key %s: made at no time: %w", id, store.ErrDamaged)
	}
	if rec.ID != id {
		return KeyRecord{}, fmt.Errorf("key %s: its record is of another one: %w", id, store.ErrDamaged)
	}
	return rec, nil
}
