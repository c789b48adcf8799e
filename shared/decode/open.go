package decode

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/keyring"
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
		rows[i] = archive.Row{
			Position: e.Position, Seq: e.Seq, HasSeq: e.HasSeq, MsgID: e.MsgID,
			PublicKeyVer: e.PublicKeyVer, PulledAt: page.PulledAt,
		}
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
func (a *Archiver) openBatch(ctx context.Context, keys map[int64][]*keyring.Key, envelopes []archive.Envelope, rows []archive.Row) error {
	var sealed []wecom.Sealed
	var of []int // index of each sealed message's row
	for i, e := range envelopes {
		s, outcome := sealedWith(keys[e.PublicKeyVer], e)
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
			continue
		}
		sum := sha256.Sum256(o.Raw)
		row.Raw, row.RawSHA256 = o.Raw, hex.EncodeToString(sum[:])
		if row.Raw == nil {
			row.Raw = []byte{}
		}
		row.Reading = a.Read(row.Raw, row.MsgID, row.PulledAt)
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

// sealedWith opens an envelope's random key with the first key that fits.
func sealedWith(keys []*keyring.Key, e archive.Envelope) (wecom.Sealed, archive.Outcome) {
	if !e.HasSeq {
		return wecom.Sealed{}, archive.OutcomeBadSeq
	}
	if len(keys) == 0 {
		return wecom.Sealed{}, archive.OutcomeUnknownKey
	}
	random, err := base64.StdEncoding.DecodeString(e.EncryptRandomKey)
	if err != nil {
		return wecom.Sealed{}, archive.OutcomeBadKey
	}
	for _, key := range keys {
		if s, err := key.OpenRandomKey(random); err == nil {
			return wecom.Sealed{Key: s, Message: e.EncryptChatMsg}, archive.OutcomeOK
		}
	}
	return wecom.Sealed{}, archive.OutcomeBadKey
}

// chooseKeys finds the key of each version that occurs. A version that no
// message binds has no key, unless just one key opens its messages at all.
func (a *Archiver) chooseKeys(ctx context.Context, envelopes []archive.Envelope) (map[int64][]*keyring.Key, error) {
	byVersion := map[int64][]archive.Envelope{}
	for _, e := range envelopes {
		if e.HasSeq {
			byVersion[e.PublicKeyVer] = append(byVersion[e.PublicKeyVer], e)
		}
	}
	chosen := map[int64][]*keyring.Key{}
	for version, of := range byVersion {
		keys, bound, err := a.Keys.Candidates(ctx, version)
		if err != nil {
			return nil, fmt.Errorf("keys of version %d: %w", version, err)
		}
		if !bound {
			if keys, err = a.prove(ctx, version, keys, of); err != nil {
				return nil, err
			}
		}
		chosen[version] = keys
	}
	return chosen, nil
}

// prove finds out which key belongs to a version by opening its messages. That a
// key opens the RSA block is no proof, since padding fits by chance; a message
// that carries its envelope's msgid is.
//
// Messages that carry no msgid at all cannot prove anything. If all messages of
// the version on this page are such, and one key alone opens any, that key is
// used without being bound.
func (a *Archiver) prove(ctx context.Context, version int64, candidates []*keyring.Key, envelopes []archive.Envelope) ([]*keyring.Key, error) {
	var opens []*keyring.Key
	for _, e := range envelopes {
		for _, key := range candidates {
			verdict, err := a.try(ctx, key, e)
			if err != nil {
				return nil, err
			}
			switch verdict {
			case proven:
				if version < 0 { // the envelope's own version cannot be read
					return []*keyring.Key{key}, nil
				}
				if err := a.Keys.Bind(ctx, version, key, e.MsgID); err != nil {
					return nil, err
				}
				a.Log.Info("bound a key version", "publickey_ver", version, "key", key.ID)
				return []*keyring.Key{key}, nil
			case unproven:
				if !slices.Contains(opens, key) {
					opens = append(opens, key)
				}
			}
		}
	}
	if len(opens) == 1 {
		return opens, nil
	}
	return nil, nil
}

type verdict int

const (
	refused  verdict = iota // does not open, or opens to somebody else's message
	unproven                // opens to something without a msgid
	proven                  // opens to the envelope's own message
)

func (a *Archiver) try(ctx context.Context, key *keyring.Key, e archive.Envelope) (verdict, error) {
	sealed, outcome := sealedWith([]*keyring.Key{key}, e)
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
