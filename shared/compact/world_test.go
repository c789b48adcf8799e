package compact_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/transcript"
)

// tb is what testing.TB and rapid.T share.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is an archive in memory, and beside it the plain list of its messages.
type world struct {
	objects *storetest.Objects
	derived *storetest.Derived
	index   *storetest.Index
	faults  *storetest.Faults
	reader  *transcript.Reader
	catalog *catalog.Catalog
	runs    int // names of runs so far
	seq     int64
	now     time.Time
	read    reading.Func
	parser  int

	rot rot // of objects

	messages []transcript.Message // of all readable parts, in any order
	parts    []storedPart
}

type storedPart struct {
	key  string
	rows []archive.Row
}

var day0 = time.Date(2026, 9, 20, 0, 0, 0, 0, time.UTC)

func newWorld() *world {
	w := &world{
		objects: storetest.NewObjects(), derived: storetest.NewDerived(), index: storetest.NewIndex(),
		faults: storetest.NewFaults(), now: day0, rot: rot{},
	}
	w.catalog = catalog.New(w.index)
	w.reader = w.newReader()
	return w
}

// newReader is one that remembers nothing.
func (w *world) newReader() *transcript.Reader {
	return transcript.New(transcript.Config{
		Objects: w.rotten(w.objects), Derived: w.derived,
		Conversations: w.catalog.Conversations, Pages: w.catalog.Pages, Compactions: compaction.NewIndex(w.catalog.Table),
		People: w.catalog.People, Read: w.read, Damage: w.book(),
	})
}

func (w *world) book() *damage.Book {
	return damage.New(w.objects, w.catalog.Table, "ww1", func() time.Time { return w.now })
}

// tiny limits: every run has several objects, every round several chunks.
var tiny = compact.Limits{SortBytes: 24 << 10, RoundBytes: 60 << 10, GroupRows: 16, GroupBytes: 1 << 20, ObjectParts: 3}

func (w *world) compactor(limits compact.Limits) *compact.Compactor {
	cat := catalog.New(w.faults.Index(w.index))
	return compact.New(compact.Config{
		Objects: w.rotten(w.faults.Objects(w.objects)), Derived: w.faults.Derived(w.derived),
		Conversations: cat.Conversations, People: cat.People, Compactions: compaction.NewIndex(cat.Table),
		Program: "test", Read: w.read, Parser: w.parser, Limits: limits,
		Damage: damage.New(nil, cat.Table, "ww1", func() time.Time { return w.now }),
		NewID:  func() string { w.runs++; return fmt.Sprintf("run%05d", w.runs) },
	})
}

// message is a readable row.
func (w *world) message(position int, conversation string, at, pulled time.Time) archive.Row {
	w.seq++
	r := archive.Row{
		Position: position, Seq: w.seq, HasSeq: true, MsgID: fmt.Sprintf("m%d", w.seq), PublicKeyVer: 1, PulledAt: pulled,
		Outcome: archive.OutcomeOK, Raw: fmt.Appendf(nil, `{"n":%d}`, w.seq),
		Reading: archive.Reading{
			ParserVersion: 1, Action: "send", Conversation: conversation, FromID: "li.na", ToIDs: []string{"wang.wei"},
			MsgTime: at, TimeSource: "msgtime", MsgType: "text", Text: fmt.Sprintf("text %d", w.seq),
			Media: []archive.MediaRef{{Path: "a", Kind: "image", Size: -1}},
		},
	}
	sum := sha256.Sum256(r.Raw)
	r.RawSHA256 = hex.EncodeToString(sum[:])
	return r
}

func unreadable(position int, seq int64, pulled time.Time) archive.Row {
	return archive.Row{Position: position, Seq: seq, HasSeq: true, MsgID: "u", PublicKeyVer: 1, PulledAt: pulled, Outcome: archive.OutcomeUnknownKey}
}

// store archives rows as a part of the page asked at seq.
func (w *world) store(t tb, asked uint64, part int, pulled time.Time, rows ...archive.Row) string {
	t.Helper()
	key := archive.SegmentKey(pulled, asked, part)
	body, err := segment.Encode(segment.Meta{Corp: "ww1", PageKey: archive.PageKey(asked), PageSHA256: "00", Part: part, Program: "test", WrittenAt: pulled}, rows)
	if err != nil {
		t.Fatalf("%v", err)
	}
	ctx := context.Background()
	if err := w.objects.PutIfAbsent(ctx, key, bytes.NewReader(body)); err != nil {
		t.Fatalf("%v", err)
	}
	_, stored, err := segment.Decode(body)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if err := decode.IndexConversationsPeopleRecallsConsents(ctx, w.catalog.Conversations, w.catalog.Consents, key, stored); err != nil {
		t.Fatalf("%v", err)
	}
	w.parts = append(w.parts, storedPart{key, stored})
	for i, r := range stored {
		if r.Readable() {
			w.messages = append(w.messages, transcript.Message{Row: r, Place: archive.Place{Object: key, Row: i, Position: archive.Position{
				Time: r.MsgTime, Seq: r.Seq, Page: asked, Envelope: r.Position}}})
		}
	}
	return key
}

// want answers a query from the plain list.
func (w *world) want(q catalog.PlaceQuery) []transcript.Message {
	var out []transcript.Message
	for _, m := range w.messages {
		if m.Conversation == q.Conversation && q.Wants(m.Place.Position) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b transcript.Message) int {
		d := a.Place.Compare(b.Place.Position)
		if q.Descending {
			d = -d
		}
		if d == 0 {
			d = a.Place.Part() - b.Place.Part()
		}
		return d
	})
	out = slices.CompactFunc(out, func(a, b transcript.Message) bool { return a.Place.Compare(b.Place.Position) == 0 })
	return out[:min(len(out), q.Limit)]
}

// check compares an answer with the plain list.
func (w *world) check(t tb, q catalog.PlaceQuery) []transcript.Message {
	t.Helper()
	got, err := w.reader.Messages(context.Background(), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	want := w.want(q)
	if len(got) != len(want) {
		t.Fatalf("%+v: %d messages, want %d\n got %v\nwant %v", q, len(got), len(want), seqs(got), seqs(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%+v: message %d is\n%+v, want\n%+v", q, i, got[i], want[i])
		}
	}
	return got
}

// checkAll pages through every conversation in both directions.
func (w *world) checkAll(t tb, limit int) {
	t.Helper()
	seen := map[string]bool{}
	for _, m := range w.messages {
		if seen[m.Conversation] {
			continue
		}
		seen[m.Conversation] = true
		for _, descending := range []bool{false, true} {
			q := catalog.PlaceQuery{Conversation: m.Conversation, Descending: descending, Limit: limit}
			for {
				got := w.check(t, q)
				if len(got) < limit {
					break
				}
				q.After = &got[len(got)-1].Place.Position
			}
		}
	}
}

// checkScreens pages through every conversation as screens do, and looks around a
// message of each.
func (w *world) checkScreens(t tb, limit, requests int) {
	t.Helper()
	seen := map[string]bool{}
	for _, m := range w.messages {
		if seen[m.Conversation] {
			continue
		}
		seen[m.Conversation] = true
		for _, descending := range []bool{false, true} {
			w.checkParts(t, catalog.PlaceQuery{Conversation: m.Conversation, Descending: descending, Limit: limit}, requests)
		}
		w.checkAround(t, m, limit, requests)
		w.checkAround(t, m, limit, 1000)
	}
}

// checkParts pages with few requests: no message is skipped or comes twice.
func (w *world) checkParts(t tb, q catalog.PlaceQuery, requests int) {
	t.Helper()
	limit := q.Limit
	q.Limit = math.MaxInt
	want, got := seqs(w.want(q)), []int64{}
	for q.Limit = limit; ; {
		part, err := w.reader.Part(context.Background(), q, requests)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		got = append(got, seqs(part.Messages)...)
		if !part.More {
			break
		}
		if len(part.Messages) == 0 || len(part.Messages) > limit {
			t.Fatalf("%+v: %d messages and more", q, len(part.Messages))
		}
		q.After = &part.Messages[len(part.Messages)-1].Place.Position
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%+v in %d requests: %v, want %v", q, requests, got, want)
	}
}

// checkAround looks around a message: the part from it on begins with those of its
// time, and what is left out is said to be there.
func (w *world) checkAround(t tb, m transcript.Message, limit, requests int) {
	t.Helper()
	earlier, later, err := w.reader.Around(context.Background(), m.Conversation, m.MsgTime, limit, limit, requests)
	if err != nil {
		t.Fatalf("around %v: %v", m.MsgTime, err)
	}
	for _, side := range []struct {
		part transcript.Part
		q    catalog.PlaceQuery
	}{{earlier, catalog.PlaceQuery{To: m.MsgTime, Descending: true}}, {later, catalog.PlaceQuery{From: m.MsgTime}}} {
		side.q.Conversation, side.q.Limit = m.Conversation, math.MaxInt
		want, got := seqs(w.want(side.q)), seqs(side.part.Messages)
		if len(got) > min(limit, len(want)) || !slices.Equal(got, want[:len(got)]) || len(got) < len(want) && !side.part.More ||
			requests > 100 && side.part.More != (len(want) > limit) {
			t.Fatalf("around %v in %d requests: %v and more: %v, of %v", m.MsgTime, requests, got, side.part.More, want)
		}
	}
	if len(later.Messages) == 0 {
		t.Fatalf("around %v in %d requests: not the message", m.MsgTime, requests)
	}
}

func seqs(messages []transcript.Message) (out []int64) {
	for _, m := range messages {
		out = append(out, m.Seq)
	}
	return out
}

// tail counts the postings that are left.
func (w *world) tail() (n int) {
	for _, item := range w.index.All() {
		if strings.HasPrefix(item.Sort, "m#") {
			n++
		}
	}
	return n
}

// fillWorld stores parts over three months, with recovered and doubled rows.
func (w *world) fillWorld(t testing.TB, pages int) {
	for p := range pages {
		pulled := day0.AddDate(0, 0, p*70/pages).Add(time.Duration(p%24) * time.Hour)
		asked := uint64(p * 100)
		var rows []archive.Row
		for i := range 9 {
			at := pulled.Add(-time.Duration(i*i) * time.Hour).Truncate(time.Millisecond)
			rows = append(rows, w.message(i, fmt.Sprintf("room:%d", (p+i)%4), at, pulled))
		}
		rows = append(rows, unreadable(9, w.seq+1, pulled))
		w.store(t, asked, 0, pulled, rows...)
		if p%5 == 0 {
			w.seq++
			doubled := rows[2]
			w.store(t, asked, 1, pulled, w.message(9, "room:late", pulled, pulled), doubled)
		}
	}
}
