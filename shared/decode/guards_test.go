package decode_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom"
)

// TestReadBack: a part that does not say what was decrypted is not stored, though its
// bytes are a sound segment: it would be locked for years.
func TestReadBack(t *testing.T) {
	other := func(r *archive.Row, raw string) {
		sum := sha256.Sum256([]byte(raw))
		r.Raw, r.RawSHA256 = []byte(raw), hex.EncodeToString(sum[:])
	}
	unreadable := func(r *archive.Row, outcome archive.Outcome) {
		r.Raw, r.RawSHA256, r.Outcome, r.Reading = nil, "", outcome, archive.Reading{}
	}
	for name, falsify := range map[string]func(rows []archive.Row) []archive.Row{
		"a row is missing":     func(rows []archive.Row) []archive.Row { return rows[1:] },
		"a row too many":       func(rows []archive.Row) []archive.Row { r := rows[0]; r.Position = 7; return append(rows, r) },
		"another position":     func(rows []archive.Row) []archive.Row { rows[0].Position = 7; return rows },
		"another message":      func(rows []archive.Row) []archive.Row { other(&rows[0], message(9)); return rows },
		"a message cut short":  func(rows []archive.Row) []archive.Row { other(&rows[1], message(2)[:20]); return rows },
		"another seq":          func(rows []archive.Row) []archive.Row { rows[0].Seq = 9; return rows },
		"seq lost":             func(rows []archive.Row) []archive.Row { rows[2].Seq, rows[2].HasSeq = 0, false; return rows },
		"seq made up":          func(rows []archive.Row) []archive.Row { rows[3].HasSeq = true; return rows },
		"a message unreadable": func(rows []archive.Row) []archive.Row { unreadable(&rows[0], archive.OutcomeBadMessage); return rows },
		"another outcome":      func(rows []archive.Row) []archive.Row { unreadable(&rows[2], archive.OutcomeBadKey); return rows },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			bad := seal(t, 0, 3, 1, message(3))
			bad.Msg = "refused"
			beyond := seal(t, 0, 4, 1, message(4))
			beyond.Seq = []byte("18446744073709551616")
			key := w.page(t, 0, seal(t, 0, 1, 1, message(1)), seal(t, 0, 2, 1, message(2)), bad, beyond)
			w.notStored(t, key, func(meta segment.Meta, rows []archive.Row) ([]byte, error) {
				return segment.Encode(meta, falsify(slices.Clone(rows)))
			})
			if got := w.handle(t, key); got != "1:ok 2:ok 3:bad_message 0:seq_out_of_range" {
				t.Errorf("outcomes %s", got)
			}
		})
	}
	t.Run("bytes that cannot be read", func(t *testing.T) {
		w := newWorld(t)
		w.notStored(t, w.page(t, 0, seal(t, 0, 1, 1, message(1))), func(meta segment.Meta, rows []archive.Row) ([]byte, error) {
			body, err := segment.Encode(meta, rows)
			body[len(body)/2] ^= 1
			return body, err
		})
	})
}

// notStored archives with an encoder that errs, which must leave nothing behind.
func (w *world) notStored(t *testing.T, key string, encode decode.EncodeFunc) {
	t.Helper()
	c := w.archiver().Config
	c.Encode = encode
	c.Stored = func(p decode.Part) { t.Errorf("part %+v is said to be stored", p) }
	err := decode.New(c).Handle(t.Context(), key)
	if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), "back") {
		t.Errorf("error %v, want one that says that the part was read back", err)
	}
	if parts := w.parts(t, key); len(parts) > 0 {
		t.Errorf("%d parts are stored", len(parts))
	}
}

// deadly dies of the message with a seq, and counts how often it was offered.
type deadly struct {
	decode.Library
	seq     int
	healed  bool
	offered int
}

func (d *deadly) DecryptData(ctx context.Context, batch []wecom.Sealed) ([]wecom.Opened, error) {
	opened, err := d.Library.DecryptData(ctx, batch)
	for i := range opened {
		if !strings.Contains(batch[i].Message, `"`+msgid(d.seq)+`"`) {
			continue
		}
		if d.offered++; !d.healed {
			opened[i] = wecom.Opened{Err: wecom.ErrLibraryCrash}
		}
	}
	return opened, err
}

// TestCrashIsNotTriedAgain: a message that the library died of costs processes, so it
// is offered again only if somebody asked for it after that was recorded. Its
// neighbours that are unreadable for other reasons are tried each time.
func TestCrashIsNotTriedAgain(t *testing.T) {
	w := newWorld(t)
	key := w.page(t, 0, seal(t, 0, 1, 1, message(1)), seal(t, 0, 2, 1, message(2)), seal(t, 0, 3, 1, message(3)))
	if err := w.catalog.Pages.NotePage(t.Context(), archive.PageHeader{SeqAsked: 0, LastSeq: 100, Count: 3, PulledAt: noon}); err != nil {
		t.Fatal(err)
	}
	lib := &deadly{Library: w.library, seq: 2}
	handle := func(library decode.Library) (offered int) {
		t.Helper()
		before := lib.offered
		c := w.archiver().Config
		c.Library = library
		if err := decode.New(c).Handle(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		return lib.offered - before
	}
	ask := func(at time.Time) {
		t.Helper()
		if err := w.catalog.Pages.MarkRedrive(t.Context(), 0, at); err != nil {
			t.Fatal(err)
		}
	}
	if n := handle(limited{lib, 2}); n != 1 {
		t.Fatalf("offered %d times at first", n)
	}
	lib.healed = true
	if n := handle(lib); n != 0 {
		t.Errorf("offered %d times though nobody asked", n)
	}
	for _, at := range []time.Time{noon.Add(-time.Hour), noon} { // the part was written at noon
		ask(at)
		if n := handle(lib); n != 0 {
			t.Errorf("offered %d times, asked for at %s, before that was recorded", n, at)
		}
	}
	ask(noon.Add(time.Millisecond))
	if n := handle(lib); n != 1 {
		t.Errorf("offered %d times after somebody asked", n)
	}
	if got := w.handle(t, key); got != "1:ok 2:library_crash 3:bad_message 3:ok 2:ok" {
		t.Errorf("outcomes %s", got)
	}
}
