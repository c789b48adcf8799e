package damage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// partition of the index holds all findings. The sort key is a state, #, and an id.
const partition = "damage"

type state string

const (
	open         state = "open"
	acknowledged state = state(archive.Acknowledged)
	mended       state = state(archive.Mended)
)

func (s state) sort(id string) string { return string(s) + "#" + id }

// Entry is a finding, and how it ended.
type Entry struct {
	ID      string          `json:"id"`
	Finding archive.Finding `json:"finding"`
	Again   time.Time       `json:"again,omitzero"` // when it was last found anew, if later

	// Of a finding that is open all are zero.
	As     archive.ClosedAs `json:"as,omitempty"`
	By     string           `json:"by,omitempty"`
	Reason string           `json:"reason,omitempty"`
	At     time.Time        `json:"at,omitzero"`
}

// Errors that a caller decides on.
var (
	ErrUnknown = errors.New("no open finding has this id")
	ErrReason  = fmt.Errorf("a reason is required, of at most %d bytes", archive.MaxReason)
)

// Book is where findings stand. Several may write to it at once.
type Book struct {
	objects store.Objects
	table   table.Table
	corp    string
	now     func() time.Time
}

// New returns the Book of an archive. Objects may be nil for who reports only what is
// derived.
func New(objects store.Objects, t table.Table, corp string, now func() time.Time) *Book {
	return &Book{objects, t, corp, now}
}

// known is what the index says of an id.
type known map[state]Entry

func (b *Book) known(ctx context.Context, id string) (known, error) {
	k := known{}
	items := make([]store.Item, 0, 3)
	for _, s := range []state{open, acknowledged, mended} {
		items = append(items, store.Item{Partition: partition, Sort: s.sort(id)})
	}
	found, err := b.table.GetMany(ctx, items...)
	if err != nil {
		return nil, fmt.Errorf("reading what is known of finding %s: %w", id, err)
	}
	for _, item := range found {
		s, _, _ := strings.Cut(item.Sort, "#")
		var e Entry
		if err := json.Unmarshal(item.Value, &e); err != nil {
			return nil, fmt.Errorf("reading %s/%s of the index: %w: %w", partition, item.Sort, store.ErrIndexDamaged, err)
		}
		k[state(s)] = e
	}
	return k, nil
}

// Report notes a finding. Noticed may be zero: now. What is open or acknowledged
// already is no news.
func (b *Book) Report(ctx context.Context, f archive.Finding) error {
	k, err := b.known(ctx, f.ID())
	if err != nil {
		return err
	}
	if len(k) > 0 && (k[open].ID != "" || k[acknowledged].ID != "") {
		return nil
	}
	if f.Noticed.IsZero() {
		f.Noticed = b.now()
	}
	// Later than the end of the time before, whatever clocks do: it is a new one.
	f.Noticed = after(f.Noticed, k[mended].At)
	if f.Where == archive.InArchive {
		if err := archive.PutEvent(ctx, b.objects, archive.FindingKey(f), archive.EventDamage, b.corp, f.Noticed, f); err != nil {
			return fmt.Errorf("recording that %s is %s: %w", f.Key, f.Kind, err)
		}
	}
	return b.Note(ctx, f)
}

// Note puts a finding into the index, as its event says, unless it ended since.
func (b *Book) Note(ctx context.Context, f archive.Finding) error {
	id := f.ID()
	k, err := b.known(ctx, id)
	if err != nil {
		return err
	}
	for _, s := range []state{acknowledged, mended} {
		if e := k[s]; e.ID != "" && !f.Noticed.After(e.At) {
			return nil
		}
	}
	e := Entry{ID: id, Finding: f}
	if was := k[open]; was.ID != "" {
		// Since when it is known stays. Events are read again in the order of their
		// names: of a finding that was mended between the two, the later one counts.
		e.Again = archive.Latest(archive.Latest(was.Finding.Noticed, was.Again), f.Noticed)
		if was.Finding.Noticed.Before(f.Noticed) {
			e.Finding = was.Finding
		}
		if e.Again.Equal(e.Finding.Noticed) { // the same event, read again
			e.Again = time.Time{}
		}
	}
	return b.table.Write(ctx, partition, open.sort(id), e)
}

// Whole says that an object is as it must be: what was found there is mended. By is the
// stage that says so.
func (b *Book) Whole(ctx context.Context, where archive.Where, key, by string) error {
	for _, kind := range []archive.FindingKind{archive.Missing, archive.Altered} {
		if err := b.Mended(ctx, archive.Finding{Where: where, Kind: kind, Key: key}, by); err != nil {
			return err
		}
	}
	return nil
}

// Mended ends a finding, known by where, kind, key and stretch. That it is not open is
// no error.
func (b *Book) Mended(ctx context.Context, f archive.Finding, by string) error {
	k, err := b.known(ctx, f.ID())
	if err != nil {
		return err
	}
	e := k[open]
	if e.ID == "" {
		e = k[acknowledged]
	}
	if e.ID == "" {
		return nil
	}
	return b.close(ctx, archive.FindingClosed{Finding: e.Finding, As: archive.Mended, By: by, At: after(b.now(), archive.Latest(e.Finding.Noticed, e.At))})
}

// Acknowledge takes note of an open finding that nothing mends: who, and why. It
// returns ErrUnknown, ErrReason.
func (b *Book) Acknowledge(ctx context.Context, id, who, reason string) error {
	reason = strings.TrimSpace(reason)
	if reason == "" || len(reason) > archive.MaxReason {
		return ErrReason
	}
	k, err := b.known(ctx, id)
	if err != nil {
		return err
	}
	e := k[open]
	if e.ID == "" {
		return fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	return b.close(ctx, archive.FindingClosed{Finding: e.Finding, As: archive.Acknowledged, By: who, Reason: reason, At: after(b.now(), e.Finding.Noticed)})
}

func (b *Book) close(ctx context.Context, c archive.FindingClosed) error {
	// What a person says stands nowhere else, of whatever store.
	if c.Finding.Where == archive.InArchive || c.As == archive.Acknowledged {
		if err := archive.PutEvent(ctx, b.objects, archive.FindingClosedKey(c), archive.EventDamageClosed, b.corp, c.At, c); err != nil {
			return fmt.Errorf("recording that %s is %s: %w", c.Finding.Key, c.As, err)
		}
	}
	return b.NoteClosed(ctx, c)
}

// NoteClosed puts the end of a finding into the index, as its event says.
func (b *Book) NoteClosed(ctx context.Context, c archive.FindingClosed) error {
	id, as := c.Finding.ID(), state(c.As)
	k, err := b.known(ctx, id)
	if err != nil {
		return err
	}
	if e := k[mended]; e.ID != "" && !c.At.After(e.At) && as == acknowledged {
		return nil
	}
	if e := k[as]; e.ID == "" || c.At.After(e.At) {
		if err := b.table.Write(ctx, partition, as.sort(id), Entry{ID: id, Finding: c.Finding, As: c.As, By: c.By, Reason: c.Reason, At: c.At}); err != nil {
			return err
		}
	}
	var over []store.Item
	switch e := k[open]; {
	case e.ID == "":
	case e.Again.After(c.At):
		e.Finding.Noticed = e.Again
		if err := b.table.Write(ctx, partition, open.sort(id), e); err != nil {
			return err
		}
	case !e.Finding.Noticed.After(c.At):
		over = append(over, store.Item{Partition: partition, Sort: open.sort(id)})
	}
	if e := k[acknowledged]; as == mended && e.ID != "" && !e.At.After(c.At) {
		over = append(over, store.Item{Partition: partition, Sort: acknowledged.sort(id)})
	}
	if len(over) == 0 {
		return nil
	}
	if err := b.table.Delete(ctx, over...); err != nil {
		return fmt.Errorf("closing finding %s: %w", id, err)
	}
	return nil
}

// after is a time in whole ms that is later than another one.
func after(t, other time.Time) time.Time {
	t = t.UTC().Truncate(time.Millisecond)
	if !t.After(other) {
		t = other.UTC().Truncate(time.Millisecond).Add(time.Millisecond)
	}
	return t
}
