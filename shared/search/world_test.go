package search_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/query"
	"wecom-archive/shared/search"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// tb is what testing.TB and rapid.T share.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is an archive in memory, and beside it the plain list of its messages.
type world struct {
	objects  *storetest.Objects
	derived  *storetest.Derived
	index    *storetest.Index
	catalog  *catalog.Catalog
	runs     int
	seq      int64
	page     uint64
	messages []archive.Row
}

var start = time.Date(2026, 9, 28, 0, 0, 0, 0, time.UTC)

func newWorld() *world {
	w := &world{objects: storetest.NewObjects(), derived: storetest.NewDerived(), index: storetest.NewIndex()}
	w.catalog = catalog.New(w.index)
	return w
}

func (w *world) scanner() *search.Scanner {
	return w.over(w.objects, w.derived)
}

// over is a scanner of other buckets.
func (w *world) over(objects, derived store.ObjectReader) *search.Scanner {
	return search.New(search.Config{
		Objects: objects, Derived: derived, Now: time.Now,
		Conversations: w.catalog.Conversations, Pages: w.catalog.Pages, Compactions: compaction.NewIndex(w.catalog.Table),
	})
}

// compact makes runs of several objects with several row groups.
func (w *world) compact(t tb, now time.Time) {
	t.Helper()
	_, err := w.compactor().Run(context.Background(), now)
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func (w *world) compactor() *compact.Compactor {
	return compact.New(compact.Config{
		Objects: w.objects, Derived: w.derived, Program: "test",
		Conversations: w.catalog.Conversations, People: w.catalog.People, Compactions: compaction.NewIndex(w.catalog.Table),
		Limits: compact.Limits{SortBytes: 24 << 10, RoundBytes: 60 << 10, GroupRows: 8, GroupBytes: 1 << 20, ObjectParts: 3},
		NewID:  func() string { w.runs++; return fmt.Sprintf("run%05d", w.runs) },
	})
}

// message is a readable row of the next seq.
func (w *world) message(at time.Time, text string, change func(*archive.Row)) archive.Row {
	w.seq++
	r := archive.Row{
		Seq: w.seq, HasSeq: true, MsgID: fmt.Sprintf("m%d", w.seq), PublicKeyVer: 1, Outcome: archive.OutcomeOK, Raw: fmt.Appendf(nil, `{"n":%d}`, w.seq),
		Reading: archive.Reading{
			ParserVersion: 1, Action: "send", Conversation: "pair:li.na,wang.wei", FromID: "li.na", ToIDs: []string{"wang.wei"},
			MsgTime: at, TimeSource: "msgtime", MsgType: "text", SenderKind: "employee", ChatKind: "internal", Text: text,
		},
	}
	sum := sha256.Sum256(r.Raw)
	r.RawSHA256 = hex.EncodeToString(sum[:])
	if change != nil {
		change(&r)
	}
	return r
}

// store archives rows as the segment of a page.
func (w *world) store(t tb, pulled time.Time, rows ...archive.Row) string {
	t.Helper()
	w.page += 1000
	for i := range rows {
		rows[i].Position, rows[i].PulledAt = i, pulled
	}
	key := archive.SegmentKey(pulled, w.page, 0)
	body, err := segment.Encode(segment.Meta{Corp: "ww1", PageKey: archive.PageKey(w.page), PageSHA256: "00", Program: "test", WrittenAt: pulled}, rows)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if err := w.objects.PutIfAbsent(context.Background(), key, bytes.NewReader(body)); err != nil {
		t.Fatalf("%v", err)
	}
	if err := decode.IndexConversationsPeopleRecallsConsents(context.Background(), w.catalog.Conversations, w.catalog.Consents, key, rows); err != nil {
		t.Fatalf("%v", err)
	}
	w.messages = append(w.messages, rows...)
	return key
}

// plainFold folds a whole text at once.
func plainFold(s string) string {
	return strings.NewReplacer("\u200d", "", "\ufe0f", "").Replace(norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s))))
}

// asked is a query and, in plain words, what it means.
type asked struct {
	needle string // a phrase; empty: none
	search.Query
}

// want answers from the plain list.
func (w *world) want(q asked) []int64 {
	var found []archive.Row
	for _, m := range w.messages {
		switch {
		case !m.Readable(), !strings.Contains(plainFold(m.Text), plainFold(q.needle)):
		case q.Conversation != "" && m.Conversation != q.Conversation, len(q.Sender) > 0 && !slices.Contains(q.Sender, m.FromID), q.MsgType != "" && m.MsgType != q.MsgType:
		case len(q.Person) > 0 && !slices.Contains(q.Person, m.FromID) && !slices.Contains(m.ToIDs, q.Person[0]):
		case !q.From.IsZero() && m.MsgTime.Before(q.From), !q.To.IsZero() && !m.MsgTime.Before(q.To):
		case q.File != "" && !slices.ContainsFunc(m.Media, func(r archive.MediaRef) bool { return strings.Contains(plainFold(r.Name), plainFold(q.File)) }):
		default:
			found = append(found, m)
		}
	}
	slices.SortFunc(found, func(a, b archive.Row) int {
		d := a.MsgTime.Compare(b.MsgTime)
		if d == 0 {
			d = int(a.Seq - b.Seq)
		}
		if q.Descending {
			d = -d
		}
		return d
	})
	seqs := make([]int64, len(found))
	for i, m := range found {
		seqs[i] = m.Seq
	}
	return seqs
}

func phrase(t tb, s string) query.Words {
	t.Helper()
	if s == "" {
		return query.Words{}
	}
	words, err := query.ParseWords(`"` + s + `"`)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return words
}

// all follows the cursors, each through its stored form, and returns the seqs.
func all(t tb, s *search.Scanner, q asked) (seqs []int64, pages int) {
	t.Helper()
	q.Words = phrase(t, q.needle)
	for pages = 1; ; pages++ {
		a, err := s.Search(context.Background(), q.Query)
		if err != nil {
			t.Fatalf("%q: %v", q.needle, err)
		}
		if len(a.Damaged) > 0 {
			t.Fatalf("%q: damaged %v", q.needle, a.Damaged)
		}
		for _, h := range a.Hits {
			seqs = append(seqs, h.Seq)
			folded := plainFold(q.needle)
			for _, r := range h.Ranges {
				if !strings.Contains(plainFold(h.Text[r.Start:r.End]), folded) {
					t.Fatalf("%q: marked %q in %q", q.needle, h.Text[r.Start:r.End], h.Text)
				}
			}
			if q.needle != "" && len(h.Ranges) == 0 {
				t.Fatalf("%q: nothing is marked in %q", q.needle, h.Text)
			}
		}
		if a.Next == nil {
			return seqs, pages
		}
		if pages > 10_000 {
			t.Fatalf("%q: the pages do not end", q.needle)
		}
		if q.Cursor, err = search.ParseCursor(a.Next.Append(nil)); err != nil {
			t.Fatalf("%v", err)
		}
	}
}

func (w *world) check(t tb, s *search.Scanner, q asked) {
	t.Helper()
	got, _ := all(t, s, q)
	if want := w.want(q); !slices.Equal(got, want) {
		t.Fatalf("%q %+v: found %v, want %v", q.needle, q.Query.Query, got, want)
	}
}
