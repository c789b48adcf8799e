package archive

import (
	"context"
	"fmt"
	"time"

	"wecom-archive/shared/store"
)

// EventHole is the kind of events that record a ChainHole.
const EventHole = "hole"

// What is known of a hole. Each is an event of its own; the last one counts.
const (
	HoleOpen    = "open"    // WeCom is to be asked for what is missing
	HoleCovered = "covered" // a page is missing, and what it held is all in segments
	HoleFilled  = "filled"  // WeCom had all of it, which is in alternates
	HoleLost    = "lost"    // WeCom does not have it any more, or not all of it: see Lost
)

// ChainHole is the record that the chain of pages does not have a stretch of the stream,
// (From, To]: its pages are missing or cannot be read.
type ChainHole struct {
	From      uint64    `json:"from"`
	To        uint64    `json:"to"`
	Outcome   string    `json:"outcome"`
	Lost      []Stretch `json:"lost,omitempty"` // of it, messages may be gone for ever
	Since     time.Time `json:"since,omitzero"` // what it held came to WeCom after this; zero: not known
	By        string    `json:"by"`             // who noticed it
	NoticedAt time.Time `json:"noticed_at"`     // when
	At        time.Time `json:"at"`             // when the outcome was known
}

// Stretch is a part of the stream: what comes after From, up to To.
type Stretch struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// HoleKey names the object of a hole's event.
func HoleKey(h ChainHole) string {
	return eventKey(h.At, fmt.Sprintf("hole-%s-%s-%013d-%s", SeqName(h.From), SeqName(h.To), h.At.UnixMilli(), h.Outcome))
}

// Finding is what is reported of a hole that is not filled.
func (h ChainHole) Finding() Finding {
	return Finding{Where: InArchive, Kind: Hole, Key: PageKey(h.From), From: h.From, To: h.To, By: h.By, Noticed: h.NoticedAt}
}

// PutHole stores the event of a hole.
func PutHole(ctx context.Context, objects store.Objects, corp string, h ChainHole) error {
	if err := PutEvent(ctx, objects, HoleKey(h), EventHole, corp, h.At, h); err != nil {
		return fmt.Errorf("recording the hole after %d: %w", h.From, err)
	}
	return nil
}
