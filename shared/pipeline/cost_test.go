package pipeline_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store/storetest"
)

// The reference corpus: one day of a company of 5,000 employees, made from a seed
// without cryptography. Its numbers are assumptions about ordinary use, and what
// the cost of the index is measured by.
const (
	refSeed      = 20261123
	refEmployees = 5000
	refCustomers = 40_000
	refRooms     = 2000 // of 3 to 500 members, most of them small
	refMessages  = 100_000
)

// refDay is the messages of the day in order of time. Talk comes in sessions: of an
// employee with a customer (6 in 10), with a colleague (2), or in a room (2).
func refDay(begin time.Time) []archive.Row {
	r := rand.New(rand.NewPCG(refSeed, 0))
	employee := func(n int) string { return fmt.Sprintf("employee%04d", n) }
	customer := func(n int) string { return fmt.Sprintf("wmREFERENCE%021d", n) }
	rooms := make([][]string, refRooms)
	for i := range rooms {
		size := min(500, 3+int(4/(0.008+r.Float64()))) // a few of 500, half below 12
		for range size {
			if r.IntN(3) == 0 {
				rooms[i] = append(rooms[i], customer(r.IntN(refCustomers)))
			} else {
				rooms[i] = append(rooms[i], employee(r.IntN(refEmployees)))
			}
		}
		slices.Sort(rooms[i])
		rooms[i] = slices.Compact(rooms[i])
	}
	var rows []archive.Row
	for len(rows) < refMessages {
		from := begin.Add(8*time.Hour + time.Duration(r.Int64N(int64(13*time.Hour)))) // 8:00 to 21:00
		reading := archive.Reading{ParserVersion: 1, Action: "send", TimeSource: "msgtime", MsgType: "text", Text: "text"}
		var people []string
		switch kind := r.IntN(10); {
		case kind < 6:
			people = []string{employee(r.IntN(refEmployees)), customer(r.IntN(refCustomers))}
			reading.Conversation = "pair:" + people[0] + "," + people[1]
		case kind < 8:
			people = []string{employee(r.IntN(refEmployees / 2)), employee(refEmployees/2 + r.IntN(refEmployees/2))}
			reading.Conversation = "pair:" + people[0] + "," + people[1]
		default:
			n := min(r.IntN(refRooms), r.IntN(refRooms)) // some talk more than others
			people = rooms[n]
			reading.RoomID = fmt.Sprintf("wrREFERENCE%021d", n)
			reading.Conversation = "room:" + reading.RoomID
		}
		for range 1 + r.IntN(12) {
			said := reading
			from = from.Add(time.Duration(r.Int64N(int64(3 * time.Minute))))
			speaker := r.IntN(len(people))
			said.FromID, said.MsgTime = people[speaker], from
			said.ToIDs = slices.Concat(people[:speaker], people[speaker+1:])
			rows = append(rows, archive.Row{Outcome: archive.OutcomeOK, PublicKeyVer: 1, HasSeq: true, Reading: said})
		}
	}
	rows = rows[:refMessages]
	slices.SortStableFunc(rows, func(a, b archive.Row) int { return a.MsgTime.Compare(b.MsgTime) })
	for i := range rows {
		rows[i].Seq, rows[i].MsgID = int64(i+1), fmt.Sprintf("m%d", i+1)
		rows[i].Raw = fmt.Appendf(nil, `{"msgid":"m%d"}`, i+1)
		sum := sha256.Sum256(rows[i].Raw)
		rows[i].RawSHA256 = hex.EncodeToString(sum[:])
	}
	return rows
}

// refUnits is what the day costs, in write units per message: see TestWriteUnits.
const refUnits = 1.85

// TestWriteUnits archives the reference day and compacts it for the first time,
// and counts the write units of all that the index is told: pages and cursor, what
// becomes of them, postings, people and rooms, and the deletion of the postings.
func TestWriteUnits(t *testing.T) {
	if underRace {
		t.Skip("counts the same without the race detector, in a tenth of the time")
	}
	ctx := t.Context()
	begin := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	rows := refDay(begin)
	counter := storetest.NewUnitCounter()
	objects, derived := storetest.NewObjects(), storetest.NewDerived()
	catalog := catalog.New(counter.Index(storetest.NewIndex()))
	indexer := &decode.Indexer{
		Objects: objects, Log: slog.New(slog.DiscardHandler),
		Conversations: catalog.Conversations, Consents: catalog.Consents, Media: catalog.Media, Pages: catalog.Pages, Holes: catalog.Journal, Now: time.Now,
	}
	cursor, err := catalog.Pages.Cursor(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const pageRows = 1000
	for n := 0; n*pageRows < len(rows); n++ {
		page := rows[n*pageRows : (n+1)*pageRows]
		pulled := page[len(page)-1].MsgTime.Add(10 * time.Minute)
		for i := range page {
			page[i].Position, page[i].PulledAt = i, pulled
		}
		h := archive.PageHeader{SeqAsked: uint64(n * pageRows), FirstSeq: uint64(page[0].Seq), LastSeq: uint64(page[len(page)-1].Seq), Count: len(page), PulledAt: pulled, SHA256: "00"}
		if err := catalog.Pages.NotePage(ctx, h); err != nil {
			t.Fatal(err)
		}
		if cursor, err = catalog.Pages.AdvanceCursor(ctx, cursor, h); err != nil {
			t.Fatal(err)
		}
		body, err := segment.Encode(segment.Meta{Corp: corpID, PageKey: archive.PageKey(h.SeqAsked), PageSHA256: h.SHA256, Program: "test", WrittenAt: pulled}, page)
		if err != nil {
			t.Fatal(err)
		}
		if err := objects.PutIfAbsent(ctx, archive.SegmentKey(pulled, h.SeqAsked, 0), bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
		if complete, _, err := indexer.Index(ctx, []archive.PageHeader{h}, nil); err != nil || !complete {
			t.Fatalf("complete %v: %v", complete, err)
		}
	}
	archived := counter.Units()
	compactor := compact.New(compact.Config{Objects: objects, Derived: derived, Conversations: catalog.Conversations, People: catalog.People, Compactions: compaction.NewIndex(catalog.Table), Program: "test", Temp: t.TempDir()})
	if _, err := compactor.Run(ctx, begin.Add(26*time.Hour)); err != nil {
		t.Fatal(err)
	}
	all := counter.Units()
	per := func(n int) float64 { return float64(n) / float64(len(rows)) }
	t.Logf("per message: %.2f write units to archive, %.2f with the first compaction, %.2f read units", per(archived.Write), per(all.Write), per(all.Read))
	if got := per(all.Write); got > 4 || got > refUnits+0.05 || got < refUnits-0.05 {
		t.Errorf("%.3f write units per message, recorded are %.2f and at most 4 are allowed: if the change is meant, record it", got, refUnits)
	}
}
