package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

// flaky is a library that fails half of the messages, another half under each
// salt.
type flaky struct {
	decode.Library
	salt byte
}

func (f flaky) DecryptData(ctx context.Context, batch []wecom.Sealed) ([]wecom.Opened, error) {
	opened, err := f.Library.DecryptData(ctx, batch)
	for i := range opened {
		h := fnv.New32a()
		h.Write(append([]byte{f.salt}, batch[i].Message...))
		if h.Sum32()>>16%2 == 0 && opened[i].Err == nil {
			opened[i] = wecom.Opened{Err: wecom.NewSDKError("DecryptData", 10006)}
		}
	}
	return opened, err
}

// parser is a Reader of some later version that understands things differently.
func parser(version int) reading.Func {
	return func(raw []byte, msgid string, pulledAt time.Time) archive.Reading {
		r := reading.Read(raw, msgid, pulledAt)
		r.ParserVersion = version
		r.Conversation = fmt.Sprintf("v%d:%s", version, r.Conversation)
		r.MsgTime = r.MsgTime.Add(time.Duration(version) * time.Hour)
		return r
	}
}

// reopen handles every page again, as a redrive does.
func (w *world) reopen(t *testing.T, change func(*decode.Config)) {
	t.Helper()
	p := w.boot(change)
	for _, page := range w.read(t).pages {
		if err := p.archiver.Handle(t.Context(), archive.PageKey(page.Header.SeqAsked)); err != nil {
			t.Fatal(err)
		}
	}
}

// pulled is a world whose pages are stored and not archived.
func pulled(t *testing.T, messages, limit int) *world {
	t.Helper()
	w := newWorld(t, messages, limit, nil)
	if _, err := w.boot(nil).puller.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestArchiverKilledThenAnotherParser kills an archiver with parser 11 and its
// own decryption failures at every durable operation, runs one with parser 12 and
// other failures, and then a healthy one with parser 13. Nothing is lost or
// doubled; rows that were stored keep their reading.
func TestArchiverKilledThenAnotherParser(t *testing.T) {
	base := pulled(t, 16, 16)
	key := archive.PageKey(0)
	first := func(c *decode.Config) { c.Read, c.Library = parser(11), flaky{c.Library, 3} }
	second := func(c *decode.Config) { c.Read, c.Library = parser(12), flaky{c.Library, 2} }
	third := func(c *decode.Config) { c.Read = parser(13) }
	mixed := false
	for k := 1; ; k++ {
		crashed := false
		for i, when := range whens {
			if underRace && k%len(whens) != i && k < 12 {
				continue
			}
			w := base.copy(t)
			w.faults.CrashAt(k, when)
			err := w.boot(first).archiver.Handle(t.Context(), key)
			if crashed = w.faults.Crashed(); crashed != errors.Is(err, storetest.ErrCrashed) {
				t.Fatalf("crashed %v: %v", crashed, err)
			}
			w.faults.Restart()
			before := w.read(t)
			if err := w.boot(second).archiver.Handle(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			between := w.read(t)
			if err := w.boot(third).archiver.Handle(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			after := w.read(t)
			after.checkTruth(t, w.corp, spoilt)
			before.checkKept(t, between)
			between.checkKept(t, after)
			versions := map[int]bool{}
			for _, p := range after.segments[0] {
				for _, r := range p.rows {
					if r.Readable() {
						versions[r.ParserVersion] = true
					}
				}
			}
			mixed = mixed || len(versions) == 3
			rebuilt := w.copy(t)
			rebuilt.index = storetest.NewIndex()
			rebuilt.boot(third).mustFinish(t)
			if got, want := rebuilt.answers(t, after), w.answers(t, after); got != want {
				t.Errorf("step %d, %d: the rebuilt index answers\n%s\nwant\n%s", k, when, got, want)
			}
		}
		if !crashed {
			if k < 8 {
				t.Fatalf("only %d durable operations", k-1)
			}
			break
		}
	}
	if !mixed {
		t.Error("in no case had all three parsers a part")
	}
}

// checkKept checks that all rows of s stand unchanged in later.
func (s stored) checkKept(t *testing.T, later stored) {
	t.Helper()
	for of, parts := range s.segments {
		for n, p := range parts {
			if got := later.segments[of][n]; fmt.Sprint(got.rows) != fmt.Sprint(p.rows) || got.key != p.key {
				t.Errorf("%s changed", p.key)
			}
		}
	}
}

// TestArchiversAtOnce lets archivers with different parsers and failures work on
// the same pages at the same time.
func TestArchiversAtOnce(t *testing.T) {
	base := pulled(t, 24, 12)
	rounds := 12
	if underRace {
		rounds = 4
	}
	for range rounds {
		w := base.copy(t)
		var group sync.WaitGroup
		for n := range 4 {
			p := w.boot(func(c *decode.Config) {
				c.Read = parser(10 + n)
				if n > 0 {
					c.Library = flaky{c.Library, byte(n)}
				}
			})
			for _, page := range []uint64{0, base.read(t).pages[1].Header.SeqAsked} {
				group.Go(func() {
					if err := p.archiver.Handle(t.Context(), archive.PageKey(page)); err != nil {
						t.Errorf("archiver %d: %v", n, err)
					}
				})
			}
		}
		group.Wait()
		s := w.read(t)
		s.checkTruth(t, w.corp, spoilt)
		// The index knows all parts, whoever wrote it last.
		before := w.answers(t, s)
		w.reopen(t, nil)
		if after := w.answers(t, w.read(t)); after != before {
			t.Errorf("handling the pages again changed the answers to\n%s\nfrom\n%s", after, before)
		}
	}
}

// TestKeyComesLater: messages under a key that is not ours yet are kept, their
// neighbours archived, and recovered once the key is imported.
func TestKeyComesLater(t *testing.T) {
	w := newWorld(t, 30, 10, func(c *wecomtest.Config) { c.KeyChanges, c.Unreadable = []int{10, 15}, 0 })
	third := rsaKeys()[2]
	if _, err := w.corp.UploadKey(&third.PublicKey); err != nil {
		t.Fatal(err)
	}
	late := map[uint64]bool{}
	for i := 15; i < 30; i++ {
		m, err := w.corp.Served(i)
		if err != nil {
			t.Fatal(err)
		}
		late[m.Seq] = true
	}
	w.boot(nil).mustFinish(t)
	s := w.read(t)
	s.checkTruth(t, w.corp, func(m wecomtest.Message) bool { return late[m.Seq] })
	for _, r := range s.segments[s.pages[2].Header.SeqAsked][0].rows {
		if r.Outcome != archive.OutcomeUnknownKey {
			t.Errorf("seq %d: %s, want %s", r.Seq, r.Outcome, archive.OutcomeUnknownKey)
		}
	}
	quarantined, err := catalog.New(w.index).Pages.Quarantined(t.Context(), 0, 10)
	if err != nil || len(quarantined) != 2 {
		t.Fatalf("%d pages in quarantine (%v), want 2", len(quarantined), err)
	}
	w.addKey(t, "key-3", third)
	w.reopen(t, nil)
	w.read(t).checkTruth(t, w.corp, spoilt)
	if quarantined, err = catalog.New(w.index).Pages.Quarantined(t.Context(), 0, 10); err != nil || len(quarantined) != 0 {
		t.Errorf("%d pages still in quarantine (%v)", len(quarantined), err)
	}
	w.checkRebuilt(t)
}

// TestBackupOlderThanRecovery: an index restored from a backup that is older than
// the recovery of some messages finds them again by itself.
func TestBackupOlderThanRecovery(t *testing.T) {
	w := newWorld(t, 30, 10, func(c *wecomtest.Config) { c.KeyChanges, c.Unreadable = []int{10, 15}, 0 })
	third := rsaKeys()[2]
	if _, err := w.corp.UploadKey(&third.PublicKey); err != nil {
		t.Fatal(err)
	}
	w.boot(nil).mustFinish(t)
	backup := storetest.NewIndex()
	if err := backup.Put(t.Context(), w.index.All()...); err != nil {
		t.Fatal(err)
	}
	w.addKey(t, "key-3", third)
	w.advance(time.Hour)
	w.reopen(t, nil)
	before := w.answers(t, w.read(t))
	w.index = backup
	w.advance(time.Hour)
	w.boot(nil).mustFinish(t)
	if after := w.answers(t, w.read(t)); after != before {
		t.Errorf("answers differ: %d bytes, were %d", len(after), len(before))
	}
}
