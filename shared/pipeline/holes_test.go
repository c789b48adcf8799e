package pipeline_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom/wecomtest"
)

// lose is the world's bucket without some pages, and without the segments of those that
// bare says.
func (w *world) lose(t *testing.T, bare func(asked uint64) bool, asked ...uint64) *world {
	t.Helper()
	return w.broken(t, func(key string, body []byte) []byte {
		if of, n, ok := archive.ParseAnyPageKey(key); ok && n == 0 && slices.Contains(asked, of) {
			return nil
		}
		if _, of, _, ok := archive.ParseSegmentKey(key); ok && slices.Contains(asked, of) && bare(of) {
			return nil
		}
		return body
	})
}

// broken is damaged, at the corp's time.
func (w *world) broken(t *testing.T, change func(key string, body []byte) []byte) *world {
	t.Helper()
	d := w.damaged(t, change)
	d.clock = w.clock
	return d
}

// lockedRows are the places of all readable messages that are stored, by seq, with what
// stands there.
func (w *world) lockedRows(t *testing.T) map[uint64][]string {
	t.Helper()
	rows := map[uint64][]string{}
	for _, key := range w.all(t) {
		if !strings.HasPrefix(key, archive.SegmentsPrefix) {
			continue
		}
		_, found, err := segment.Read(t.Context(), w.objects, key)
		if errors.Is(err, store.ErrDamaged) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range found {
			if r.Readable() {
				rows[uint64(r.Seq)] = append(rows[uint64(r.Seq)], string(r.Raw))
			}
		}
	}
	return rows
}

// served are the seqs that WeCom has now.
func (w *world) served(t *testing.T) map[uint64]bool {
	t.Helper()
	has := map[uint64]bool{}
	for from := uint64(0); ; {
		reply, err := w.corp.GetChatData(t.Context(), from, 1000)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := archive.ParseReply(reply, from, archive.SeqLimits{MaxJump: math.MaxUint64, MaxFirst: math.MaxUint64})
		if err != nil {
			t.Fatal(err)
		}
		if len(parsed.Envelopes) == 0 {
			return has
		}
		for _, e := range parsed.Envelopes {
			has[uint64(e.Seq)] = true
		}
		from = parsed.LastSeq
	}
}

// checkHoled compares what is locked with what was said: each message stands once, or was
// gone at WeCom when the damage was noticed, which a hole says.
func (w *world) checkHoled(t *testing.T, had map[uint64]bool) (lost int) {
	t.Helper()
	rows := w.lockedRows(t)
	holes, err := catalog.New(w.index).Journal.Holes(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	listed := func(seq uint64) bool {
		return slices.ContainsFunc(holes, func(h catalog.Hole) bool {
			return slices.ContainsFunc(h.Lost, func(s archive.Stretch) bool { return seq > s.From && seq <= s.To })
		})
	}
	for i := range w.corp.Arrived() {
		m, err := w.corp.Served(i)
		if err != nil {
			t.Fatal(err)
		}
		got := rows[m.Seq]
		switch {
		case spoilt(m):
		case len(got) > 1:
			t.Errorf("seq %d stands %d times", m.Seq, len(got))
		case len(got) == 1 && got[0] != string(m.Raw):
			t.Errorf("seq %d is not what was said", m.Seq)
		case len(got) == 0 && had[m.Seq]:
			t.Errorf("seq %d is missing, and WeCom had it", m.Seq)
		case len(got) == 0 && !listed(m.Seq):
			t.Errorf("seq %d is missing, and nothing says so", m.Seq)
		case len(got) == 0:
			lost++
		}
	}
	return lost
}

// TestTenOfAHundred: ten pages of a hundred are gone, half of them with their segments. The
// index is made again, and pulls go on for nine days: nothing that WeCom still had is
// missing, nothing stands twice, and the rest is listed as lost.
func TestTenOfAHundred(t *testing.T) {
	w := newWorld(t, 330, 3, func(c *wecomtest.Config) {
		c.Unreadable = 0
		c.Extents = []wecomtest.Extent{{Count: 300, From: start, To: start.Add(200 * time.Hour)}, {Count: 30, From: start.Add(201 * time.Hour), To: start.Add(400 * time.Hour)}}
	})
	for range 20 {
		w.advance(10 * time.Hour)
		w.boot(nil).mustFinish(t)
	}
	pages := w.read(t).pages
	if len(pages) < 100 {
		t.Fatalf("only %d pages", len(pages))
	}
	r := rand.New(rand.NewPCG(2026, 12))
	var asked []uint64
	for _, i := range r.Perm(100)[:10] {
		asked = append(asked, pages[i].Header.SeqAsked)
	}
	d := w.lose(t, func(of uint64) bool { return slices.Contains(asked[:5], of) }, asked...)
	had := d.served(t)
	if report := d.reindex(t, false); report.Holes == 0 || report.Holes > 10 {
		t.Errorf("report %+v", report)
	}
	cursor, err := catalog.New(d.index).Pages.Cursor(t.Context())
	if err != nil || cursor.Seq != pages[len(pages)-1].Header.LastSeq {
		t.Errorf("cursor %+v, %v: it stands behind the last page", cursor, err)
	}
	open, err := damage.New(d.objects, catalog.New(d.index).Table, corpID, d.Now).Summary(t.Context())
	if err != nil || open.Count(archive.InArchive, archive.Hole) == 0 || open.Count(archive.InArchive, archive.Missing) == 0 {
		t.Errorf("findings %+v, %v", open, err)
	}
	for range 9 * 3 {
		d.boot(nil).mustFinish(t)
		d.advance(8 * time.Hour)
	}
	d.boot(nil).mustFinish(t)
	lost := d.checkHoled(t, had)
	filled := 0
	for _, key := range d.all(t) {
		if _, n, ok := archive.ParseAnyPageKey(key); ok && n > 0 {
			filled++
		}
	}
	if filled == 0 || lost == 0 {
		t.Errorf("%d alternates, %d messages lost: the test shows nothing", filled, lost)
	}
	// What is filled is no longer open; what is lost stays until somebody takes note.
	holes, err := catalog.New(d.index).Journal.Holes(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	stay := 0
	for _, h := range holes {
		if h.Outcome == archive.HoleOpen {
			t.Errorf("open: %+v", h)
		}
		if h.Outcome == archive.HoleLost {
			stay++
		}
	}
	after, err := damage.New(d.objects, catalog.New(d.index).Table, corpID, d.Now).Summary(t.Context())
	if err != nil || after.Count(archive.InArchive, archive.Hole) != stay {
		t.Errorf("%d holes stand as findings, %d are lost, %v", after.Count(archive.InArchive, archive.Hole), stay, err)
	}
	// And all of it follows from objects.
	again := *d
	again.index = storetest.NewIndex()
	again.reindex(t, false)
	again.reindex(t, false)
	if lost := again.checkHoled(t, had); lost == 0 {
		t.Error("after another rebuild nothing is lost")
	}
	again.boot(nil).mustFinish(t)
	again.checkHoled(t, had)
}

// holey is a small world that has lost its second page with its segment, and its third
// page alone.
func holey(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 14, 4, func(c *wecomtest.Config) { c.Unreadable = 0 })
	w.boot(nil).mustFinish(t)
	pages := w.read(t).pages
	second, third := pages[1].Header.SeqAsked, pages[2].Header.SeqAsked
	d := w.lose(t, func(of uint64) bool { return of == second }, second, third)
	d.chats = &remembered{Chats: d.chats, replies: map[[2]uint64][]byte{}}
	return d
}

// TestHolesKilled kills everything at each durable step between the rebuild and the last
// row of an alternate, and lets it go on: nothing is missing, and nothing stands twice.
func TestHolesKilled(t *testing.T) {
	base := holey(t)
	had := base.served(t)
	step := 1
	if underRace || testing.Short() {
		step = 9
	}
	whole := func(w *world) error {
		_, err := w.reindexer(&queue{}).Run(t.Context(), false)
		if err == nil {
			err = w.boot(nil).finish(t.Context())
		}
		return err
	}
	for _, when := range whens {
		for k := 1; ; k += step {
			w := base.copy(t)
			w.index = storetest.NewIndex()
			w.faults.CrashAt(k, when)
			err := whole(w)
			crashed := w.faults.Crashed()
			if crashed != errors.Is(err, storetest.ErrCrashed) {
				t.Fatalf("crash at %d: %v", k, err)
			}
			w.faults.Restart()
			w.advance(10 * time.Minute) // whoever died has a lease
			if err := whole(w); err != nil {
				t.Fatal(err)
			}
			w.checkHoled(t, had)
			w.mustBeFilled(t)
			if t.Failed() {
				t.Fatalf("killed at operation %d (%v)", k, when)
			}
			if !crashed {
				break
			}
		}
	}
}

// TestHolesFail: one operation fails, and the program goes on.
func TestHolesFail(t *testing.T) {
	base := holey(t)
	had := base.served(t)
	for k := 1; k < 120; k += 3 {
		w := base.copy(t)
		w.index = storetest.NewIndex()
		w.reindex(t, false)
		w.faults.FailAt(k, whens[k%len(whens)])
		w.boot(nil).mustFinish(t)
		w.checkHoled(t, had)
		w.mustBeFilled(t)
		if t.Failed() {
			t.Fatalf("operation %d failed", k)
		}
	}
}

// mustBeFilled checks that no hole of the index is open, and that one is filled.
func (w *world) mustBeFilled(t *testing.T) {
	t.Helper()
	holes, err := catalog.New(w.index).Journal.Holes(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	filled := 0
	for _, h := range holes {
		switch h.Outcome {
		case archive.HoleFilled:
			filled++
		case archive.HoleOpen, archive.HoleLost:
			t.Errorf("hole %+v", h)
		}
	}
	if filled == 0 {
		t.Errorf("nothing is filled: %+v", holes)
	}
}

// TestUnreadableAtTheCursor: the page at the cursor cannot be read, in the middle of a pull
// or with its segment done; what is locked there cannot be replaced, and the archive goes on.
func TestUnreadableAtTheCursor(t *testing.T) {
	for name, archived := range map[string]bool{"not archived": false, "archived": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 40, 10, func(c *wecomtest.Config) {
				c.Unreadable = 0
				c.Extents = []wecomtest.Extent{{Count: 30, From: start.Add(-10 * time.Hour), To: start.Add(-time.Hour)}, {Count: 10, From: start.Add(time.Hour), To: start.Add(2 * time.Hour)}}
			})
			w.boot(nil).mustFinish(t)
			pages := w.read(t).pages
			last := pages[len(pages)-1].Header.SeqAsked
			d := w.broken(t, func(key string, body []byte) []byte {
				if key == archive.PageKey(last) {
					body[len(body)/2] ^= 1
				}
				if _, of, _, ok := archive.ParseSegmentKey(key); ok && of == last && !archived {
					return nil
				}
				return body
			})
			had := d.served(t)
			for range 6 {
				_ = d.boot(nil).finish(t.Context())
				d.advance(3 * time.Hour)
			}
			d.checkHoled(t, had)
			if n := len(d.lockedRows(t)); n != 40 {
				t.Errorf("%d messages are stored, 40 were said", n)
			}
			found, err := damage.New(d.objects, catalog.New(d.index).Table, corpID, d.Now).Summary(t.Context())
			if err != nil || found.Count(archive.InArchive, archive.Altered) == 0 {
				t.Errorf("findings %+v, %v", found, err)
			}
		})
	}
}
