package archive_test

import (
	"errors"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/archive/archivetest"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func header(asked, last uint64, count int) archive.PageHeader {
	return archive.PageHeader{Format: 1, SeqAsked: asked, LastSeq: last, Count: count, Size: 100, PulledAt: noon}
}

// TestCursorMovesOverItsOwnPage: only the page asked at the cursor's seq moves
// it, each page once, and the totals are those of the pages passed.
func TestCursorMovesOverItsOwnPage(t *testing.T) {
	ctx, catalog := t.Context(), archive.NewCatalog(archivetest.NewIndex())
	start, err := catalog.Cursor(ctx)
	if err != nil || start.Seq != 0 {
		t.Fatalf("%+v, %v", start, err)
	}
	if _, err := catalog.AdvanceCursor(ctx, start, header(5, 9, 2)); err == nil {
		t.Error("a page asked elsewhere moved it")
	}
	if _, err := catalog.AdvanceCursor(ctx, start, header(0, 0, 2)); err == nil {
		t.Error("a page that ends where it begins moved it")
	}
	at5, err := catalog.AdvanceCursor(ctx, start, header(0, 5, 3))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.AdvanceCursor(ctx, start, header(0, 7, 9)); !errors.Is(err, archive.ErrConflict) {
		t.Errorf("a second puller moved it too: %v", err)
	}
	next := header(5, 9, 2)
	next.PulledAt = noon.AddDate(0, 0, 1)
	if _, err := catalog.AdvanceCursor(ctx, at5, next); err != nil {
		t.Fatal(err)
	}
	got, err := catalog.Cursor(ctx)
	if err != nil || got.Seq != 9 || got.Pages != 2 || got.Envelopes != 5 || got.Bytes != 200 {
		t.Errorf("%+v, %v", got, err)
	}
	if len(got.Days) != 2 || got.Days["2026-11-23"] != 3 || got.Days["2026-11-24"] != 2 {
		t.Errorf("days %v", got.Days)
	}
	late := header(9, 10, 1)
	late.PulledAt = noon.AddDate(0, 0, archive.KeepDays+1)
	if got, err = catalog.AdvanceCursor(ctx, got, late); err != nil || len(got.Days) != 2 {
		t.Errorf("days %v after %d days, %v; want the first forgotten", got.Days, archive.KeepDays+1, err)
	}
}

// TestPageStates: a page waits until it is finished, whichever of puller and
// archiver writes first.
func TestPageStates(t *testing.T) {
	ctx := t.Context()
	finished := archive.PageState{Key: archive.PageKey(0), SeqAsked: 0, Count: 3, OK: 2, Unreadable: map[archive.Outcome]int{archive.OutcomeBadKey: 1}}
	well := archive.PageState{Key: archive.PageKey(0), SeqAsked: 0, Count: 3, OK: 3}
	pending := func(t *testing.T, c *archive.Catalog, want int) {
		t.Helper()
		if pages, err := c.PendingPages(ctx, 0, 10); err != nil || len(pages) != want {
			t.Errorf("%d pages wait, %v; want %d", len(pages), err, want)
		}
	}
	t.Run("in order", func(t *testing.T) {
		c := archive.NewCatalog(archivetest.NewIndex())
		mustDo(t, c.NotePage(ctx, header(0, 5, 3)))
		mustDo(t, c.NotePage(ctx, header(0, 5, 3))) // adopted
		pending(t, c, 1)
		mustDo(t, c.FinishPage(ctx, finished))
		pending(t, c, 0)
		if q, err := c.Quarantined(ctx, 0, 10); err != nil || len(q) != 1 || q[0].Unreadable[archive.OutcomeBadKey] != 1 {
			t.Errorf("quarantine %+v, %v", q, err)
		}
		mustDo(t, c.FinishPage(ctx, well))
		if q, err := c.Quarantined(ctx, 0, 10); err != nil || len(q) != 0 {
			t.Errorf("quarantine %+v, %v after all was recovered", q, err)
		}
	})
	t.Run("the archiver is quicker", func(t *testing.T) {
		c := archive.NewCatalog(archivetest.NewIndex())
		mustDo(t, c.FinishPage(ctx, well))
		mustDo(t, c.NotePage(ctx, header(0, 5, 3)))
		pending(t, c, 0)
		if p, err := c.Page(ctx, 0); err != nil || !p.Archived {
			t.Errorf("%+v, %v", p, err)
		}
	})
	t.Run("queued again while it is finished", func(t *testing.T) {
		c := archive.NewCatalog(archivetest.NewIndex())
		mustDo(t, c.NotePage(ctx, header(0, 5, 3)))
		waiting, err := c.PendingPages(ctx, 0, 10)
		mustDo(t, err)
		mustDo(t, c.FinishPage(ctx, well))
		mustDo(t, c.MarkQueued(ctx, waiting[0], noon))
		pending(t, c, 0)
	})
	t.Run("an archiver that knows fewer parts comes late", func(t *testing.T) {
		c := archive.NewCatalog(archivetest.NewIndex())
		late, newer := finished, well
		late.Parts, newer.Parts = 1, 2
		mustDo(t, c.FinishPage(ctx, newer))
		mustDo(t, c.FinishPage(ctx, late))
		if p, err := c.Page(ctx, 0); err != nil || p.Parts != 2 || p.OK != 3 {
			t.Errorf("%+v, %v", p, err)
		}
		if q, err := c.Quarantined(ctx, 0, 10); err != nil || len(q) != 0 {
			t.Errorf("quarantine %+v, %v", q, err)
		}
	})
	if _, err := archive.NewCatalog(archivetest.NewIndex()).Page(ctx, 7); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("a page that is not there: %v", err)
	}
}

func TestLease(t *testing.T) {
	ctx, c := t.Context(), archive.NewCatalog(archivetest.NewIndex())
	const ttl = time.Minute
	first, err := c.AcquireLease(ctx, "a", noon, ttl)
	mustDo(t, err)
	var held *archive.LeaseHeldError
	if _, err := c.AcquireLease(ctx, "b", noon.Add(ttl-1), ttl); !errors.As(err, &held) || held.Owner != "a" {
		t.Fatalf("b while a holds it: %v", err)
	}
	first, err = c.RenewLease(ctx, first, noon.Add(ttl/2), ttl)
	mustDo(t, err)
	if _, err := c.AcquireLease(ctx, "b", noon.Add(ttl), ttl); !errors.As(err, &held) {
		t.Fatalf("b after a renewed: %v", err)
	}
	second, err := c.AcquireLease(ctx, "b", noon.Add(2*ttl), ttl)
	mustDo(t, err)
	if _, err := c.RenewLease(ctx, first, noon.Add(2*ttl), ttl); !errors.As(err, &held) || held.Owner != "b" {
		t.Fatalf("a renews what b has taken: %v", err)
	}
	mustDo(t, c.ReleaseLease(ctx, first)) // lost already: b keeps it
	if _, err := c.AcquireLease(ctx, "a", noon.Add(2*ttl), ttl); !errors.As(err, &held) {
		t.Fatalf("a while b holds it: %v", err)
	}
	mustDo(t, c.ReleaseLease(ctx, second))
	if _, err := c.AcquireLease(ctx, "a", noon.Add(2*ttl), ttl); err != nil {
		t.Errorf("after b gave it up: %v", err)
	}
}

func TestBindings(t *testing.T) {
	ctx, c := t.Context(), archive.NewCatalog(archivetest.NewIndex())
	if key, err := c.Binding(ctx, 3); err != nil || key != "" {
		t.Errorf("%q, %v before it is bound", key, err)
	}
	for _, b := range []archive.KeyBinding{{PublicKeyVer: 10, Key: "k10"}, {PublicKeyVer: 3, Key: "old"}, {PublicKeyVer: 3, Key: "k3"}} {
		mustDo(t, c.Bind(ctx, b))
	}
	if key, err := c.Binding(ctx, 3); err != nil || key != "k3" {
		t.Errorf("%q, %v; want the later one", key, err)
	}
	if all, err := c.Bindings(ctx, 10); err != nil || len(all) != 2 || all[0].PublicKeyVer != 3 || all[1].PublicKeyVer != 10 {
		t.Errorf("%+v, %v", all, err)
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
