package search_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

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

// texts are what people write: Chinese, traditional too, English, mixed, emoji,
// full-width.
var texts = []string{
	"明天下午三点开会，别忘了带合同。", "Please send the Contract to 李娜 by 5pm!", "合同編號：ＡＢＣ－１２３（副本）",
	"好的👌🏽 没问题👨‍👩‍👧", "ﬁle Straße İstanbul", "國際電話與訂單，總共１２．５％", "cafe\u0301 café", "", "a", "啊啊啊a",
}

// fixture archives the texts several times, over two months, in three conversations.
func fixture(t tb) *world {
	w := newWorld()
	for page := range 6 {
		pulled := start.AddDate(0, 0, page)
		var rows []archive.Row
		for i, text := range texts {
			at := pulled.Add(-time.Duration((i*7919+page*31)%5000) * time.Minute).Truncate(10 * time.Minute) // several at a time
			rows = append(rows, w.message(at, text, func(r *archive.Row) {
				switch (i + page) % 3 {
				case 0:
					r.Conversation, r.RoomID, r.ToIDs = "room:r1", "r1", []string{"wang.wei", "zhao.min"}
				case 1:
					r.Conversation, r.FromID, r.ToIDs, r.MsgType = "pair:wmCustomer,wang.wei", "wmCustomer", []string{"wang.wei"}, "file"
					r.SenderKind, r.ChatKind = "external", "external"
					r.Media = []archive.MediaRef{{Path: "file", Kind: "file", Name: "报价单.PDF", Size: 3}}
				}
			}))
		}
		w.store(t, pulled, rows...)
	}
	return w
}

// boundaries are the places where a text can be cut without cutting a letter.
func boundaries(s string) []int {
	cuts := []int{0}
	for at := 0; at < len(s); {
		at += norm.NFKC.NextBoundaryInString(s[at:], true)
		cuts = append(cuts, at)
	}
	return cuts
}

// needles are all substrings of 1 to 8 characters of the texts, each once.
func needles() []string {
	var all []string
	for _, text := range texts {
		cuts := boundaries(text)
		for i := range cuts {
			for j := i + 1; j < len(cuts) && j <= i+8; j++ {
				if needle := text[cuts[i]:cuts[j]]; query.Fold(needle) != "" { // something of it can be seen
					all = append(all, needle)
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// stages are the states of an archive in which answers must be the same.
var stages = []struct {
	name   string
	sample bool // every eighth substring
	change func(*testing.T, *world)
}{
	{"not compacted", false, func(*testing.T, *world) {}},
	{"half compacted", true, func(t *testing.T, w *world) {
		faults := storetest.NewFaults() // after the switch, before the marks
		for k := 3; ; k += 2 {
			faults.CrashAt(k, storetest.Before)
			cat := catalog.New(faults.Index(w.index))
			c := compact.New(compact.Config{Objects: faults.Objects(w.objects), Derived: faults.Derived(w.derived),
				Conversations: cat.Conversations, People: cat.People, Compactions: compaction.NewIndex(cat.Table),
				Program: "test", Limits: w.compactor().Limits, NewID: w.compactor().NewID})
			_, err := c.Run(t.Context(), start.AddDate(0, 0, 6))
			states, listErr := compaction.NewIndex(w.catalog.Table).Months(t.Context())
			if listErr != nil || err == nil {
				t.Fatal(listErr, err)
			}
			if len(states) == 1 && len(states[0].Runs) > 0 {
				return
			}
			faults.Restart()
		}
	}},
	{"compacted", false, func(t *testing.T, w *world) { w.compact(t, start.AddDate(0, 0, 6)) }},
	{"with a tail", true, func(t *testing.T, w *world) {
		w.store(t, start.AddDate(0, 0, 7), w.message(start, texts[0], nil), w.message(start.Add(time.Hour), texts[1], nil))
	}},
	{"derived lost, index made again", true, func(t *testing.T, w *world) {
		w.lose(t)
	}},
	{"compacted again", true, func(t *testing.T, w *world) { w.compact(t, start.AddDate(0, 0, 8)) }},
}

// lose deletes all that is derived, and makes the index again.
func (w *world) lose(t *testing.T) {
	for _, key := range keysBelow(t, w.derived, compaction.Prefix) {
		if err := w.derived.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.index.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, key := range keysBelow(t, w.objects, archive.SegmentsPrefix) {
		_, rows, err := segment.Read(t.Context(), w.objects, key)
		if err == nil {
			err = decode.IndexConversationsPeopleRecallsConsents(t.Context(), w.catalog.Conversations, w.catalog.Consents, key, rows)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func keysBelow(t *testing.T, objects store.ObjectReader, prefix string) (keys []string) {
	for info, err := range objects.List(t.Context(), prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

// TestRecall: every substring of 1 to 8 characters is found, where it is and nowhere
// else, whatever state the archive is in.
func TestRecall(t *testing.T) {
	w := fixture(t)
	for _, stage := range stages {
		t.Run(stage.name, func(t *testing.T) {
			stage.change(t, w)
			s := w.scanner()
			step := 1
			if stage.sample {
				step = 8
			}
			if underRace { // which slows all of it
				step = 40
			}
			all := needles()
			for i := 0; i < len(all); i += step {
				needle := all[i]
				w.check(t, s, asked{needle, search.Query{Limit: 60 + i%2, Descending: i%3 == 0}})
			}
		})
	}
}

// TestFilters draws queries with filters, limits and directions, on an archive that
// is not compacted and one that is, with a tail.
func TestFilters(t *testing.T) {
	queries := 5 // of each draw
	if underRace {
		queries = 1
	}
	all := append(needles(), "", "没有这个")
	plain, compacted := fixture(t), fixture(t)
	compacted.compact(t, start.AddDate(0, 0, 6))
	compacted.store(t, start.AddDate(0, 0, 6), compacted.message(start, texts[2], nil))
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.SampledFrom([]*world{plain, compacted}).Draw(t, "world")
		s := w.scanner()
		for range queries {
			pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
			q := asked{needle: rapid.SampledFrom(all).Draw(t, "needle"), Query: search.Query{
				Limit: rapid.IntRange(1, 7).Draw(t, "limit"), Descending: rapid.Bool().Draw(t, "descending"),
				Query: query.Query{
					Conversation: pick("conversation", "", "", "room:r1", "pair:li.na,wang.wei", "room:none"), Person: ids(pick("person", "", "", "zhao.min", "wmCustomer", "nobody")),
					Sender: ids(pick("sender", "", "", "li.na", "zhao.min", "li.na,zhao.min")), MsgType: pick("type", "", "", "file"), File: pick("file", "", "", "单.pdf"),
				},
			}}
			if rapid.Bool().Draw(t, "bounded") {
				q.From = start.Add(time.Duration(rapid.IntRange(-72, 96).Draw(t, "from")) * time.Hour)
				q.To = q.From.Add(time.Duration(rapid.IntRange(1, 72).Draw(t, "hours")) * time.Hour)
			}
			if rapid.Bool().Draw(t, "impatient") {
				q.Time = time.Nanosecond // over after the first part
			}
			w.check(t, s, q)
		}
	})
}

// TestTimeLimit: without time each call makes some progress, the pages say that they
// are not complete, and together they are the answer.
func TestTimeLimit(t *testing.T) {
	w := fixture(t)
	for _, compacted := range []bool{false, true} {
		if compacted {
			w.compact(t, start.AddDate(0, 0, 6))
		}
		for _, descending := range []bool{false, true} {
			q := asked{"合同", search.Query{Limit: 3, Descending: descending, Time: time.Nanosecond}}
			got, pages := all(t, w.scanner(), q)
			if want := w.want(q); !slices.Equal(got, want) || pages <= len(want)/3+1 {
				t.Errorf("compacted %v, descending %v: %v in %d pages, want %v in more", compacted, descending, got, pages, want)
			}
			q.Words = phrase(t, q.needle)
			if a, err := w.scanner().Search(t.Context(), q.Query); err != nil || a.Complete || a.Next == nil {
				t.Errorf("the first page is %+v, %v", a, err)
			}
		}
	}
}

// TestNewWhileSearching: what is archived or compacted between two pages that the
// time cut short costs no message and doubles none.
func TestNewWhileSearching(t *testing.T) {
	most := 8
	if underRace {
		most = 3
	}
	for when := 1; when < most; when++ {
		for _, needle := range []string{"合同", "独一"} {
			w := fixture(t)
			w.store(t, start.AddDate(0, 0, 6), w.message(start, "独一", func(r *archive.Row) { r.Conversation = "pair:aa,ab" })) // last segment, first row group
			q := asked{needle, search.Query{Limit: 100, Time: time.Nanosecond}}
			q.Words = phrase(t, q.needle)
			want := w.want(q)
			s := w.scanner()
			var got []int64
			for page := 0; ; page++ {
				a, err := s.Search(t.Context(), q.Query)
				if err != nil || page > 200 {
					t.Fatal(page, err)
				}
				for _, h := range a.Hits {
					got = append(got, h.Seq)
				}
				if a.Next == nil {
					break
				}
				q.Cursor = *a.Next
				switch page {
				case 1:
					w.store(t, start.AddDate(0, 0, 9), w.message(start.AddDate(0, 0, 9), "无关", nil))
				case when:
					w.compact(t, start.AddDate(0, 0, 10))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, compacted after page %d: %v, want %v", needle, when, got, want)
			}
		}
	}
}

// TestLooked: an answer says what it looked at, and what contents it could not.
func TestLooked(t *testing.T) {
	w := newWorld()
	media := func(kind string) func(*archive.Row) {
		return func(r *archive.Row) { r.MsgType, r.Media = kind, []archive.MediaRef{{Kind: kind, Size: -1}} }
	}
	w.store(t, start, w.message(start, "", media("voice")), w.message(start, "", media("image")), w.message(start, "", media("image")), w.message(start, "合同", nil),
		w.message(start.AddDate(0, 0, -9), "", media("video")), w.message(start, "", func(r *archive.Row) {
			r.Outcome, r.Raw, r.RawSHA256, r.Reading = archive.OutcomeUnknownKey, nil, "", archive.Reading{}
		}))
	for _, compacted := range []bool{false, true} {
		if compacted {
			w.compact(t, start.AddDate(0, 0, 1))
		}
		q := search.Query{Query: query.Query{Words: phrase(t, "合同"), From: start}, Limit: 5}
		a, err := w.scanner().Search(t.Context(), q)
		if err != nil || len(a.Hits) != 1 {
			t.Fatal(a, err)
		}
		l := a.Looked
		if l.Messages != 5 || l.Contents["voice"] != 1 || l.Contents["image"] != 2 || l.Contents["video"] != 0 || l.Bytes == 0 || l.Requests == 0 || l.Parts != 1 {
			t.Errorf("compacted %v: looked %+v", compacted, l)
		}
		if want := int64(1); !compacted && l.Unreadable != want {
			t.Errorf("%d unreadable", l.Unreadable)
		}
	}
}

// TestSkips: row groups that cannot hold what is wanted cost no request.
func TestSkips(t *testing.T) {
	w := fixture(t)
	w.compact(t, start.AddDate(0, 0, 6))
	full, err := w.scanner().Search(t.Context(), search.Query{Query: query.Query{Words: phrase(t, "没有这个")}, Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]query.Query{
		"conversation": {Conversation: "room:r1"}, "person": {Person: query.IDs{"wmCustomer"}}, "nobody": {Person: query.IDs{"nobody"}}, "times": {To: start.AddDate(0, 0, -30)},
	} {
		a, err := w.scanner().Search(t.Context(), search.Query{Query: q, Limit: 5})
		if err != nil || a.Looked.Parts >= full.Looked.Parts || (name == "nobody" || name == "times") && a.Looked.Parts > 0 {
			t.Errorf("%s: %d parts of %d, %v", name, a.Looked.Parts, full.Looked.Parts, err)
		}
	}
}

func TestBadQuery(t *testing.T) {
	for _, limit := range []int{0, search.MaxLimit + 1} {
		if _, err := newWorld().scanner().Search(t.Context(), search.Query{Limit: limit}); !errors.Is(err, search.ErrQuery) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

// FuzzParseCursor: bytes of a stranger are a cursor or none, and a search with them
// ends.
func FuzzParseCursor(f *testing.F) {
	after := archive.Position{Time: start, Seq: 1, Page: 2, Envelope: 3}
	f.Add(search.Cursor{After: &after}.Append(nil))
	f.Add([]byte{2, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 0})
	f.Add([]byte{3})
	w := fixture(f)
	s := w.scanner()
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := search.ParseCursor(b)
		if err != nil {
			if !errors.Is(err, search.ErrCursor) {
				t.Fatal(err)
			}
			return
		}
		if again, err := search.ParseCursor(c.Append(nil)); err != nil || !slices.Equal(again.Append(nil), c.Append(nil)) {
			t.Fatal(err)
		}
		if _, err := s.Search(t.Context(), search.Query{Limit: 3, Cursor: c}); err != nil {
			t.Fatal(err)
		}
	})
}

// ids are separated by commas.
func ids(list string) query.IDs {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
