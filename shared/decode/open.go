package decode

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/wecom"
)

// batchSize is how many messages go to the library in one call. Small enough to
// spread a page over the cores, large enough to make the way there cheap.
const batchSize = 50

// open makes a row of each envelope. All of a page's rows are in memory: about
// 2 MB for 1,000 ordinary messages.
func (a *Archiver) open(ctx context.Context, page archive.PageHeader, envelopes []archive.Envelope) ([]archive.Row, error) {
	keys, err := a.chooseKeys(ctx, envelopes)
	if err != nil {
		return nil, err
	}
	rows := make([]archive.Row, len(envelopes))
	for i, e := range envelopes {
		rows[i] = rowOf(page, e)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(a.Workers)
	for start := 0; start < len(envelopes); start += batchSize {
		end := min(start+batchSize, len(envelopes))
		group.Go(func() error { return a.openBatch(ctx, keys, envelopes[start:end], rows[start:end]) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return rows, nil
}

// openBatch fills in rows, which stand beside their envelopes.
func (a *Archiver) openBatch(ctx context.Context, keys chosenKeys, envelopes []archive.Envelope, rows []archive.Row) error {
	var sealed []wecom.Sealed
	var of []int // index of each sealed message's row
	for i, e := range envelopes {
		s, outcome := sealedWith(keys.of(e), e)
		if rows[i].Outcome = outcome; outcome == archive.OutcomeOK {
			sealed, of = append(sealed, s), append(of, i)
		}
	}
	if len(sealed) == 0 {
		return nil
	}
	opened, err := a.decrypt(ctx, sealed)
	if err != nil {
		return err
	}
	for k, o := range opened {
		row := &rows[of[k]]
		if o.Err != nil {
			row.Outcome = archive.OutcomeBadMessage
			if errors.Is(o.Err, wecom.ErrLibraryCrash) {
				row.Outcome = archive.OutcomeCrash
			}
			continue
		}
		sum := sha256.Sum256(o.Raw)
		row.Raw, row.RawSHA256 = o.Raw, hex.EncodeToString(sum[:])
		if row.Raw == nil {
			row.Raw = []byte{}
		}
		row.Reading = a.read(row)
	}
	return nil
}

func (a *Archiver) decrypt(ctx context.Context, sealed []wecom.Sealed) ([]wecom.Opened, error) {
	opened, err := a.Library.DecryptData(ctx, sealed)
	if err != nil {
		return nil, fmt.Errorf("decrypting %d messages: %w", len(sealed), err)
	}
	if len(opened) != len(sealed) {
		return nil, fmt.Errorf("decrypting %d messages: the library gave %d results", len(sealed), len(opened))
	}
	return opened, nil
}

// read makes the reading of a row. A parser that panics must cost no more than
// the reading: the message is archived as one that does not parse.
func (a *Archiver) read(row *archive.Row) (read archive.Reading) {
	defer func() {
		if recover() != nil { // the panic's value may quote the message
			a.Log.Error("the parser panicked", "seq", row.Seq)
			read = reading.Read(nil, row.MsgID, row.PulledAt)
		}
	}()
	return a.Read(row.Raw, row.MsgID, row.PulledAt)
}

// sealedWith opens an envelope's random key with a key; nil: none is known.
func sealedWith(key *keyring.Key, e archive.Envelope) (wecom.Sealed, archive.Outcome) {
	if !e.HasSeq {
		return wecom.Sealed{}, archive.OutcomeBadSeq
	}
	if key == nil {
		return wecom.Sealed{}, archive.OutcomeUnknownKey
	}
	random, err := base64.StdEncoding.DecodeString(e.EncryptRandomKey)
	if err != nil {
		return wecom.Sealed{}, archive.OutcomeBadKey
	}
	opened, err := key.OpenRandomKey(random)
	if err != nil {
		return wecom.Sealed{}, archive.OutcomeBadKey
	}
	return wecom.Sealed{Key: opened, Message: e.EncryptChatMsg}, archive.OutcomeOK
}

// chosenKeys says which key opens which envelopes of a page.
type chosenKeys struct {
	byVersion  map[int64]*keyring.Key
	byPosition map[int]*keyring.Key // of envelopes without a version that can be read
}

func (c chosenKeys) of(e archive.Envelope) *keyring.Key {
	if e.PublicKeyVer < 0 {
		return c.byPosition[e.Position]
	}
	return c.byVersion[e.PublicKeyVer]
}

// chooseKeys finds the key of each version that occurs. A version that no
// message binds has no key, unless just one key opens its messages at all.
// Envelopes without a version may belong to different keys, so each is tried by
// itself.
func (a *Archiver) chooseKeys(ctx context.Context, envelopes []archive.Envelope) (chosenKeys, error) {
	chosen := chosenKeys{map[int64]*keyring.Key{}, map[int]*keyring.Key{}}
	byVersion := map[int64][]archive.Envelope{}
	for _, e := range envelopes {
		if e.HasSeq {
			byVersion[e.PublicKeyVer] = append(byVersion[e.PublicKeyVer], e)
		}
	}
	for version, of := range byVersion {
		keys, bound, err := a.Keys.Candidates(ctx, version)
		if err != nil {
			return chosen, fmt.Errorf("keys of version %d: %w", version, err)
		}
		switch {
		case version < 0:
			for _, e := range of {
				if chosen.byPosition[e.Position], _, err = a.prove(ctx, keys, []archive.Envelope{e}); err != nil {
					return chosen, err
				}
			}
		case bound:
			chosen.byVersion[version] = keys[0]
		default:
			if chosen.byVersion[version], err = a.bind(ctx, version, keys, of); err != nil {
				return chosen, err
			}
		}
	}
	return chosen, nil
}

// bind finds the key of a version and, if a message proves it, remembers it.
func (a *Archiver) bind(ctx context.Context, version int64, candidates []*keyring.Key, envelopes []archive.Envelope) (*keyring.Key, error) {
	key, proof, err := a.prove(ctx, candidates, envelopes)
	if err != nil || proof == "" {
		return key, err
	}
	if err := a.Keys.Bind(ctx, version, key, proof); err != nil {
		return nil, err
	}
	a.Log.Info("bound a key version", "publickey_ver", version, "key", key.ID)
	return key, nil
}

// prove finds out which key opens some envelopes, which all have the same one.
// That a key opens the RSA block is no proof, since padding fits by chance; a
// message that carries its envelope's msgid is, and its msgid is returned.
//
// Messages that carry no msgid at all cannot prove anything. If all that open are
// such, and one key alone opens any, that key is returned without proof.
func (a *Archiver) prove(ctx context.Context, candidates []*keyring.Key, envelopes []archive.Envelope) (key *keyring.Key, proof string, err error) {
	var opens []*keyring.Key
	for _, e := range envelopes {
		for _, key := range candidates {
			verdict, err := a.try(ctx, key, e)
			if err != nil {
				return nil, "", err
			}
			switch verdict {
			case proven:
				return key, e.MsgID, nil
			case unproven:
				if !slices.Contains(opens, key) {
					opens = append(opens, key)
				}
			}
		}
	}
	if len(opens) == 1 {
		return opens[0], "", nil
	}
	return nil, "", nil
}

type verdict int

const (
	refused  verdict = iota // does not open, or opens to somebody else's message
	unproven                // opens to something without a msgid
	proven                  // opens to the envelope's own message
)

func (a *Archiver) try(ctx context.Context, key *keyring.Key, e archive.Envelope) (verdict, error) {
	sealed, outcome := sealedWith(key, e)
	if outcome != archive.OutcomeOK {
		return refused, nil
	}
	opened, err := a.decrypt(ctx, []wecom.Sealed{sealed})
	if err != nil {
		return refused, err
	}
	if opened[0].Err != nil {
		return refused, nil
	}
	msgid := wecom.Parse(opened[0].Raw, "", time.Time{}).MsgID
	switch {
	case msgid == "":
		return unproven, nil
	case msgid == e.MsgID:
		return proven, nil
	}
	return refused, nil
}
