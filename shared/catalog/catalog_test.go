package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func header(asked, last uint64, count int) archive.PageHeader {
	return archive.PageHeader{Format: 1, SeqAsked: asked, LastSeq: last, Count: count, Size: 100, PulledAt: noon}
}

// TestCursorMovesOverItsOwnPage: only the page asked at the cursor's seq moves
// it, each page once, and the totals are those of the pages passed.
func TestCursorMovesOverItsOwnPage(t *testing.T) {
	ctx, catalog := t.Context(), catalog.New(storetest.NewIndex())
	start, err := catalog.Pages.Cursor(ctx)
	if err != nil || start.Seq != 0 {
		t.Fatalf("%+v, %v", start, err)
	}
	if _, err := catalog.Pages.AdvanceCursor(ctx, start, header(5, 9, 2)); err == nil {
		t.Error("a page asked elsewhere moved it")
	}
	if _, err := catalog.Pages.AdvanceCursor(ctx, start, header(0, 0, 2)); err == nil {
		t.Error("a page that ends where it begins moved it")
	}
	at5, err := catalog.Pages.AdvanceCursor(ctx, start, header(0, 5, 3))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.Pages.AdvanceCursor(ctx, start, header(0, 7, 9)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a second puller moved it too: %v", err)
	}
	next := header(5, 9, 2)
	next.PulledAt = noon.AddDate(0, 0, 1)
	if _, err := catalog.Pages.AdvanceCursor(ctx, at5, next); err != nil {
		t.Fatal(err)
	}
	got, err := catalog.Pages.Cursor(ctx)
	if err != nil || got.Seq != 9 || got.Pages != 2 || got.Envelopes != 5 || got.Bytes != 200 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestPageStates: a page waits until it is finished, whichever of puller and
// archiver writes first.
func TestPageStates(t *testing.T) {
	ctx := t.Context()
	finished := catalog.PageState{Key: archive.PageKey(0), SeqAsked: 0, Count: 3, OK: 2, Unreadable: map[archive.Outcome]int{archive.OutcomeBadKey: 1}}
	well := catalog.PageState{Key: archive.PageKey(0), SeqAsked: 0, Count: 3, OK: 3}
	pending := func(t *testing.T, c *catalog.Catalog, want int) {
		t.Helper()
		if pages, err := c.Pages.PendingPages(ctx, 0, 10); err != nil || len(pages) != want {
			t.Errorf("%d pages wait, %v; want %d", len(pages), err, want)
		}
	}
	t.Run("in order", func(t *testing.T) {
		c := catalog.New(storetest.NewIndex())
		mustDo(t, c.Pages.NotePage(ctx, header(0, 5, 3)))
		mustDo(t, c.Pages.NotePage(ctx, header(0, 5, 3))) // adopted
		pending(t, c, 1)
		mustDo(t, c.Pages.FinishPage(ctx, finished))
		pending(t, c, 0)
		if q, err := c.Pages.Quarantined(ctx, 0, 10); err != nil || len(q) != 1 || q[0].Unreadable[archive.OutcomeBadKey] != 1 {
			t.Errorf("quarantine %+v, %v", q, err)
		}
		mustDo(t, c.Pages.FinishPage(ctx, well))
		if q, err := c.Pages.Quarantined(ctx, 0, 10); err != nil || len(q) != 0 {
			t.Errorf("quarantine %+v, %v after all was recovered", q, err)
		}
	})
	t.Run("the archiver is quicker", func(t *testing.T) {
		c := catalog.New(storetest.NewIndex())
		mustDo(t, c.Pages.FinishPage(ctx, well))
		mustDo(t, c.Pages.NotePage(ctx, header(0, 5, 3)))
		pending(t, c, 0)
		if p, err := c.Pages.Page(ctx, 0); err != nil || !p.Archived {
			t.Errorf("%+v, %v", p, err)
		}
	})
	t.Run("queued again while it is finished", func(t *testing.T) {
		c := catalog.New(storetest.NewIndex())
		mustDo(t, c.Pages.NotePage(ctx, header(0, 5, 3)))
		waiting, err := c.Pages.PendingPages(ctx, 0, 10)
		mustDo(t, err)
		mustDo(t, c.Pages.FinishPage(ctx, well))
		mustDo(t, c.Pages.MarkQueued(ctx, waiting[0], noon))
		pending(t, c, 0)
	})
	t.Run("an archiver that knows fewer parts comes late", func(t *testing.T) {
		c := catalog.New(storetest.NewIndex())
		late, newer := finished, well
		late.Parts, newer.Parts = 1, 2
		mustDo(t, c.Pages.FinishPage(ctx, newer))
		mustDo(t, c.Pages.FinishPage(ctx, late))
		if p, err := c.Pages.Page(ctx, 0); err != nil || p.Parts != 2 || p.OK != 3 {
			t.Errorf("%+v, %v", p, err)
		}
		if q, err := c.Pages.Quarantined(ctx, 0, 10); err != nil || len(q) != 0 {
			t.Errorf("quarantine %+v, %v", q, err)
		}
	})
	if _, err := catalog.New(storetest.NewIndex()).Pages.Page(ctx, 7); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a page that is not there: %v", err)
	}
}

func TestLease(t *testing.T) {
	ctx, c := t.Context(), catalog.New(storetest.NewIndex())
	const ttl = time.Minute
	first, err := c.Pages.AcquireLease(ctx, "a", noon, ttl)
	mustDo(t, err)
	var held *catalog.LeaseHeldError
	if _, err := c.Pages.AcquireLease(ctx, "b", noon.Add(ttl-1), ttl); !errors.As(err, &held) || held.Owner != "a" {
		t.Fatalf("b while a holds it: %v", err)
	}
	first, err = c.Pages.RenewLease(ctx, first, noon.Add(ttl/2), ttl)
	mustDo(t, err)
	if _, err := c.Pages.AcquireLease(ctx, "b", noon.Add(ttl), ttl); !errors.As(err, &held) {
		t.Fatalf("b after a renewed: %v", err)
	}
	second, err := c.Pages.AcquireLease(ctx, "b", noon.Add(2*ttl), ttl)
	mustDo(t, err)
	if _, err := c.Pages.RenewLease(ctx, first, noon.Add(2*ttl), ttl); !errors.As(err, &held) || held.Owner != "b" {
		t.Fatalf("a renews what b has taken: %v", err)
	}
	mustDo(t, c.Pages.ReleaseLease(ctx, first)) // lost already: b keeps it
	if _, err := c.Pages.AcquireLease(ctx, "a", noon.Add(2*ttl), ttl); !errors.As(err, &held) {
		t.Fatalf("a while b holds it: %v", err)
	}
	mustDo(t, c.Pages.ReleaseLease(ctx, second))
	if _, err := c.Pages.AcquireLease(ctx, "a", noon.Add(2*ttl), ttl); err != nil {
		t.Errorf("after b gave it up: %v", err)
	}
}

func TestBindings(t *testing.T) {
	ctx, c := t.Context(), catalog.New(storetest.NewIndex())
	if key, err := c.Keys.Binding(ctx, 3); err != nil || key != "" {
		t.Errorf("%q, %v before it is bound", key, err)
	}
	for _, b := range []archive.KeyBinding{{PublicKeyVer: 10, Key: "k10"}, {PublicKeyVer: 3, Key: "old"}, {PublicKeyVer: 3, Key: "k3"}} {
		mustDo(t, c.Keys.Bind(ctx, b))
	}
	if key, err := c.Keys.Binding(ctx, 3); err != nil || key != "k3" {
		t.Errorf("%q, %v; want the later one", key, err)
	}
	if all, err := c.Keys.Bindings(ctx, 10); err != nil || len(all) != 2 || all[0].PublicKeyVer != 3 || all[1].PublicKeyVer != 10 {
		t.Errorf("%+v, %v", all, err)
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// interleaved is an index that lets somebody else act just before an operation.
type interleaved struct {
	store.Index
	before func(op, partition string)
}

func (x *interleaved) Put(ctx context.Context, items ...store.Item) error {
	x.before("put", items[0].Partition)
	return x.Index.Put(ctx, items...)
}

func (x *interleaved) PutIf(ctx context.Context, item store.Item) error {
	x.before("putif", item.Partition)
	return x.Index.PutIf(ctx, item)
}

func (x *interleaved) Delete(ctx context.Context, items ...store.Item) error {
	x.before("delete", items[0].Partition)
	return x.Index.Delete(ctx, items...)
}

// TestFinishedWhileNoted: wherever in NotePage the archiver finishes the page, it
// does not wait for ever afterwards.
func TestFinishedWhileNoted(t *testing.T) {
	ctx := t.Context()
	for at := range 3 {
		index := storetest.NewIndex()
		direct := catalog.New(index)
		n := 0
		slow := catalog.New(&interleaved{index, func(string, string) {
			if n++; n == at+1 {
				mustDo(t, direct.Pages.FinishPage(ctx, catalog.PageState{Key: archive.PageKey(0), Count: 3, OK: 3}))
			}
		}})
		mustDo(t, slow.Pages.NotePage(ctx, header(0, 5, 3)))
		if n <= at { // fewer operations than that: finish afterwards
			mustDo(t, direct.Pages.FinishPage(ctx, catalog.PageState{Key: archive.PageKey(0), Count: 3, OK: 3}))
		}
		pages, err := direct.Pages.PendingPages(ctx, 0, 10)
		if err != nil || len(pages) != 0 {
			t.Errorf("finished before operation %d: %d pages wait, %v", at+1, len(pages), err)
		}
		if p, err := direct.Pages.Page(ctx, 0); err != nil || !p.Archived {
			t.Errorf("finished before operation %d: %+v, %v", at+1, p, err)
		}
	}
}

// TestOvertakenFinish: an archiver that knows fewer parts is overtaken by one
// that knows more, at any operation. What the later one knows stands.
func TestOvertakenFinish(t *testing.T) {
	ctx := t.Context()
	older := catalog.PageState{Key: archive.PageKey(0), Count: 3, OK: 1, Parts: 1, Unreadable: map[archive.Outcome]int{archive.OutcomeUnknownKey: 2}}
	for _, newer := range []catalog.PageState{
		{Key: archive.PageKey(0), Count: 3, OK: 3, Parts: 2},
		{Key: archive.PageKey(0), Count: 3, OK: 2, Parts: 2, Unreadable: map[archive.Outcome]int{archive.OutcomeBadKey: 1}},
	} {
		for at := range 6 {
			index := storetest.NewIndex()
			direct := catalog.New(index)
			mustDo(t, direct.Pages.NotePage(ctx, header(0, 5, 3)))
			n := 0
			slow := catalog.New(&interleaved{index, func(string, string) {
				if n++; n == at+1 {
					mustDo(t, direct.Pages.FinishPage(ctx, newer))
				}
			}})
			mustDo(t, slow.Pages.FinishPage(ctx, older))
			if n <= at {
				mustDo(t, direct.Pages.FinishPage(ctx, newer))
			}
			p, err := direct.Pages.Page(ctx, 0)
			if err != nil || p.Parts != 2 || p.OK != newer.OK {
				t.Errorf("overtaken before operation %d: page %+v, %v", at+1, p, err)
			}
			q, err := direct.Pages.Quarantined(ctx, 0, 10)
			if err != nil || len(q) != min(len(newer.Unreadable), 1) || (len(q) == 1 && q[0].Parts != 2) {
				t.Errorf("overtaken before operation %d: quarantine %+v, %v; want %v", at+1, q, err, newer.Unreadable)
			}
			if pages, err := direct.Pages.PendingPages(ctx, 0, 10); err != nil || len(pages) != 0 {
				t.Errorf("overtaken before operation %d: %d pages wait, %v", at+1, len(pages), err)
			}
		}
	}
}

// TestFinishCrashes: a page whose finishing broke off waits still, or is finished
// wholly: its quarantine is never forgotten.
func TestFinishCrashes(t *testing.T) {
	ctx := t.Context()
	state := catalog.PageState{Key: archive.PageKey(0), Count: 3, OK: 1, Parts: 1, Unreadable: map[archive.Outcome]int{archive.OutcomeUnknownKey: 2}}
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		for k := 1; ; k++ {
			index := storetest.NewIndex()
			direct := catalog.New(index)
			mustDo(t, direct.Pages.NotePage(ctx, header(0, 5, 3)))
			faults := storetest.NewFaults()
			faults.CrashAt(k, when)
			err := catalog.New(faults.Index(index)).Pages.FinishPage(ctx, state)
			if !faults.Crashed() {
				mustDo(t, err)
				break
			}
			mustDo(t, direct.Pages.NotePage(ctx, header(0, 5, 3))) // another puller adopts it
			waiting, err := direct.Pages.PendingPages(ctx, 0, 10)
			mustDo(t, err)
			quarantined, err := direct.Pages.Quarantined(ctx, 0, 10)
			mustDo(t, err)
			if len(waiting)+len(quarantined) == 0 {
				t.Errorf("crash %d at operation %d: nobody knows of the unreadable envelopes", when, k)
			}
		}
	}
}

// lossyIndex does what it is told, but the reply is lost and the adapter's next
// try finds its own write.
type lossyIndex struct{ store.Index }

func (x lossyIndex) PutIf(ctx context.Context, item store.Item) error {
	return errors.Join(x.Index.PutIf(ctx, item), x.Index.PutIf(ctx, item))
}

// TestLeaseReplyLost: a puller is not locked out by its own lease.
func TestLeaseReplyLost(t *testing.T) {
	ctx, c := t.Context(), catalog.New(lossyIndex{storetest.NewIndex()})
	lease, err := c.Pages.AcquireLease(ctx, "a", noon, time.Minute)
	mustDo(t, err)
	lease, err = c.Pages.RenewLease(ctx, lease, noon.Add(time.Second), time.Minute)
	mustDo(t, err)
	var held *catalog.LeaseHeldError
	if _, err := c.Pages.AcquireLease(ctx, "b", noon.Add(2*time.Second), time.Minute); !errors.As(err, &held) || held.Owner != "a" {
		t.Errorf("b while a holds it: %v", err)
	}
	mustDo(t, c.Pages.ReleaseLease(ctx, lease))
	_, err = c.Pages.AcquireLease(ctx, "b", noon.Add(2*time.Second), time.Minute)
	mustDo(t, err)
}

// TestLeaseIsOneAtATime: of many who want it at once one gets it.
func TestLeaseIsOneAtATime(t *testing.T) {
	c := catalog.New(storetest.NewIndex())
	var got atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, err := c.Pages.AcquireLease(t.Context(), fmt.Sprint("owner", i), noon, time.Minute)
			var held *catalog.LeaseHeldError
			if err == nil {
				got.Add(1)
			} else if !errors.As(err, &held) {
				t.Errorf("owner %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if got.Load() != 1 {
		t.Errorf("%d got the lease", got.Load())
	}
}

// TestPullStateUnderContention: changes by several writers all stand.
func TestPullStateUnderContention(t *testing.T) {
	c := catalog.New(storetest.NewIndex())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := c.Pages.UpdatePullState(t.Context(), func(s *catalog.PullState) {
				n := 1
				if s.Seats != nil {
					n += *s.Seats
				}
				s.Seats = &n
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s, err := c.Pages.PullState(t.Context()); err != nil || s.Seats == nil || *s.Seats != 8 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestDamagedIndex: what is no JSON in the index is an error that says where.
func TestDamagedIndex(t *testing.T) {
	index := storetest.NewIndex()
	mustDo(t, index.Put(t.Context(), store.Item{Partition: "puller", Sort: "cursor", Value: []byte("{")},
		store.Item{Partition: "pages:pending", Sort: "00000000000000000007", Value: []byte("{")}))
	c := catalog.New(index)
	if _, err := c.Pages.Cursor(t.Context()); !errors.Is(err, store.ErrIndexDamaged) {
		t.Errorf("cursor: %v", err)
	}
	if _, err := c.Pages.PendingPages(t.Context(), 0, 10); !errors.Is(err, store.ErrIndexDamaged) {
		t.Errorf("pending: %v", err)
	}
}
