package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

const partitionCallback = "callback"

// PutCallback lists a callback.
func (c *Journal) PutCallback(ctx context.Context, cb archive.Callback) error {
	sum := sha256.Sum256(cb.XML)
	return c.table.Write(ctx, partitionCallback, fmt.Sprintf("event#%013d#%s", cb.SentAt.UnixMilli(), hex.EncodeToString(sum[:16])), cb)
}

// Callbacks returns the last callbacks, newest first.
func (c *Journal) Callbacks(ctx context.Context, limit int) ([]archive.Callback, error) {
	return table.List[archive.Callback](ctx, c.table, store.IndexQuery{Partition: partitionCallback, From: "event#", To: "event$", Descending: true, Limit: limit})
}

// heard are signatures of one minute, those that begin with the same two digits: many
// callbacks at a time then write to many items. The items of a minute are used again
// an hour later, so that 60 × 256 of them are enough for ever.
type heard struct {
	Minute     int64    `json:"minute"` // of the Unix epoch
	Signatures []string `json:"signatures"`
}

// maxHeard bounds the signatures of an item: WeCom sends at most a notify each 15 s
// and an event for each change. Beyond it the oldest is forgotten; what it named is
// stored under a name of its own content, so that it would still not count twice.
const maxHeard = 100

func heardName(signature string, at time.Time) string {
	return fmt.Sprintf("heard#%02d#%.2s", at.Unix()/60%60, signature)
}

// CallbackHeard says whether the message with this signature and time was dealt with.
func (c *Journal) CallbackHeard(ctx context.Context, signature string, at time.Time) (bool, error) {
	var h heard
	_, err := c.table.Read(ctx, partitionCallback, heardName(signature, at), &h)
	return h.Minute == at.Unix()/60 && slices.Contains(h.Signatures, signature), err
}

// MarkCallbackHeard notes that a message was dealt with, for the hour to come.
func (c *Journal) MarkCallbackHeard(ctx context.Context, signature string, at time.Time) error {
	return table.Change(ctx, c.table, partitionCallback, heardName(signature, at), func(h heard, _ bool) (heard, bool) {
		if h.Minute != at.Unix()/60 {
			h = heard{Minute: at.Unix() / 60}
		}
		if slices.Contains(h.Signatures, signature) {
			return h, false
		}
		h.Signatures = append(h.Signatures, signature)
		h.Signatures = h.Signatures[max(0, len(h.Signatures)-maxHeard):]
		return h, true
	})
}

// wake is the pull that a callback has asked for.
type wake struct {
	Due time.Time `json:"due,omitzero"`
}

// ClaimWake says whether the caller is to have a pull started after delay: no
// earlier caller's is still to come. Of many callers at a time one is told so.
func (c *Journal) ClaimWake(ctx context.Context, now time.Time, delay time.Duration) (bool, error) {
	var w wake
	revision, err := c.table.Read(ctx, partitionPuller, "wake", &w)
	if err != nil {
		return false, err
	}
	// One further away than delay was claimed by a clock that ran ahead.
	if w.Due.After(now) && w.Due.Sub(now) <= delay+archive.ClockSkew {
		return false, nil
	}
	err = c.table.WriteIf(ctx, partitionPuller, "wake", revision, wake{Due: now.Add(delay).UTC()})
	if errors.Is(err, store.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("claiming the next pull: %w", err)
	}
	return true, nil
}

// DropWake gives up a claim whose pull could not be asked for.
func (c *Journal) DropWake(ctx context.Context) error {
	return c.table.Write(ctx, partitionPuller, "wake", wake{})
}
