package pipeline_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom/wecomtest"
)

// stored is what an archive holds, as read back from its objects and its index.
type stored struct {
	pages    []archive.Page
	segments map[uint64][]storedPart // by page, in order of their parts
}

type storedPart struct {
	key  string
	part int
	meta segment.Meta
	rows []archive.Row
}

// read reads the whole bucket and checks what must hold at any time: pages are
// one chain, segments belong to them, nothing was changed after it was stored.
func (w *world) read(t *testing.T) stored {
	t.Helper()
	ctx := t.Context()
	s := stored{segments: map[uint64][]storedPart{}}
	next := uint64(0)
	asked := map[uint64]string{}
	for info, err := range w.objects.List(ctx, "", "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := store.ReadObject(ctx, w.objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasPrefix(info.Key, archive.PagesPrefix):
			page, err := archive.DecodePage(body)
			if err != nil || info.Key != archive.PageKey(next) || page.Header.SeqAsked != next {
				t.Fatalf("%s is no page that continues the chain at %d: %v", info.Key, next, err)
			}
			s.pages = append(s.pages, page)
			asked[next] = page.Header.SHA256
			next = page.Header.LastSeq
		case strings.HasPrefix(info.Key, archive.SegmentsPrefix):
			_, of, part, ok := archive.ParseSegmentKey(info.Key)
			meta, rows, err := segment.Decode(body)
			if err != nil || !ok || meta.Part != part || meta.PageKey != archive.PageKey(of) {
				t.Fatalf("%s is no segment: %v", info.Key, err)
			}
			s.segments[of] = append(s.segments[of], storedPart{info.Key, part, meta, rows})
		}
	}
	for of, parts := range s.segments {
		slices.SortFunc(parts, func(a, b storedPart) int { return a.part - b.part })
		for n, p := range parts {
			if p.part != n || p.meta.PageSHA256 != asked[of] {
				t.Fatalf("%s: part %d of page %d, made of %s", p.key, n, of, p.meta.PageSHA256)
			}
		}
	}
	if err := w.objects.Verify(); err != nil {
		t.Fatal(err)
	}
	return s
}

// checkTruth checks the archive against what the corp served: each envelope is in
// one page and has one row in the page's first part; each readable one has
// exactly one row that is ok over all parts, with the truth as its raw. cannot
// says which envelopes cannot be read.
func (s stored) checkTruth(t *testing.T, corp *wecomtest.Corp, cannot func(wecomtest.Message) bool) {
	t.Helper()
	truth := map[int64]wecomtest.Message{}
	for i := range corp.Arrived() {
		m, err := corp.Served(i)
		if err != nil {
			t.Fatal(err)
		}
		truth[int64(m.Seq)] = m
	}
	inPages := map[int64]int{}
	for _, page := range s.pages {
		envelopes, err := archive.ParseStored(page)
		if err != nil {
			t.Fatal(err)
		}
		parts := s.segments[page.Header.SeqAsked]
		if len(parts) == 0 || len(parts[0].rows) != len(envelopes) {
			t.Fatalf("page %d with %d envelopes has no whole first part", page.Header.SeqAsked, len(envelopes))
		}
		ok := map[int64]int{}
		for _, p := range parts {
			for _, r := range p.rows {
				if r.Readable() {
					ok[r.Seq]++
				}
				if r.Readable() && string(r.Raw) != string(truth[r.Seq].Raw) {
					t.Errorf("seq %d: raw is not what was said", r.Seq)
				}
				if p.part > 0 && !r.Readable() {
					t.Errorf("seq %d: an unreadable row in part %d", r.Seq, p.part)
				}
			}
		}
		for _, e := range envelopes {
			if !e.HasSeq {
				continue
			}
			inPages[e.Seq]++
			want := 1
			if cannot(truth[e.Seq]) {
				want = 0
			}
			if n := ok[e.Seq]; n != want {
				t.Errorf("seq %d (%s) has %d rows that are ok, want %d", e.Seq, truth[e.Seq].Unreadable, n, want)
			}
		}
	}
	for seq := range truth {
		if inPages[seq] != 1 {
			t.Errorf("seq %d is in %d pages", seq, inPages[seq])
		}
	}
	if len(inPages) != len(truth) {
		t.Errorf("%d envelopes in pages, %d were served", len(inPages), len(truth))
	}
}

// spoilt says which messages the corp made unreadable.
func spoilt(m wecomtest.Message) bool { return m.Unreadable != "" }

// answers is what the index answers, in words that do not depend on when things
// were done: all places of all conversations, page states, cursor, quarantine,
// bindings. It checks that each place is the row that it says.
func (w *world) answers(t *testing.T, s stored) string {
	t.Helper()
	return answersOf(t, catalog.New(w.index), s)
}

func answersOf(t *testing.T, cat *catalog.Catalog, s stored) string {
	t.Helper()
	ctx := t.Context()
	var out strings.Builder
	rows := map[string][]archive.Row{} // by object
	perConversation := map[string]int{}
	days := map[string]bool{}
	for _, parts := range s.segments {
		for _, p := range parts {
			rows[p.key] = p.rows
			for _, r := range p.rows {
				if r.Readable() {
					perConversation[r.Conversation]++
					days[archive.Day(r.MsgTime)] = true
				}
			}
		}
	}
	for _, conversation := range slices.Sorted(maps.Keys(perConversation)) {
		up := places(ctx, t, cat, catalog.PlaceQuery{Conversation: conversation, Limit: 1000})
		down := places(ctx, t, cat, catalog.PlaceQuery{Conversation: conversation, Limit: 1000, Descending: true})
		slices.Reverse(down)
		if !slices.Equal(up, down) || len(up) != perConversation[conversation] {
			t.Errorf("%s: %d places upwards, %d downwards, %d rows", conversation, len(up), len(down), perConversation[conversation])
		}
		for _, p := range up {
			if p.Row >= len(rows[p.Object]) || rows[p.Object][p.Row].Seq != p.Seq || rows[p.Object][p.Row].Conversation != conversation {
				t.Errorf("%s: place %+v is another row", conversation, p)
				continue
			}
			_, asked, part, _ := archive.ParseSegmentKey(p.Object)
			fmt.Fprintln(&out, conversation, asked, part, p.Row, p.Seq, p.Time.UnixMilli())
		}
	}
	for _, day := range slices.Sorted(maps.Keys(days)) {
		active, err := cat.Conversations.ActiveConversations(ctx, day, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&out, day, active)
	}
	for _, page := range s.pages {
		state, err := cat.Pages.Page(ctx, page.Header.SeqAsked)
		if err != nil {
			t.Fatal(err)
		}
		if state.Archived {
			s.checkTypes(t, state)
		}
		fmt.Fprintln(&out, "page", describe(state))
	}
	fmt.Fprintln(&out, "pending", pages(ctx, t, cat.Pages.PendingPages))
	fmt.Fprintln(&out, "quarantined", pages(ctx, t, cat.Pages.Quarantined))
	cursor, err := cat.Pages.Cursor(ctx)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&out, "cursor", cursor.Seq, cursor.Pages, cursor.Envelopes, cursor.Bytes)
	bindings, err := cat.Keys.Bindings(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bindings {
		fmt.Fprintln(&out, "binding", b.PublicKeyVer, b.Key)
	}
	return out.String()
}

// checkTypes checks the count of a page's messages by type against its rows.
func (s stored) checkTypes(t *testing.T, state catalog.PageState) {
	t.Helper()
	want, counted := catalog.MsgTypes{}, map[int]bool{}
	for _, part := range s.segments[state.SeqAsked] {
		for _, r := range part.rows {
			if r.Readable() && !counted[r.Position] {
				counted[r.Position] = true
				want[cmp.Or(r.MsgType, r.Action)]++
			}
		}
	}
	if len(want) > 0 && !maps.Equal(state.Types, want) {
		t.Errorf("page %d counts the types %v, want %v", state.SeqAsked, state.Types, want)
	}
}

func places(ctx context.Context, t *testing.T, catalog *catalog.Catalog, q catalog.PlaceQuery) []archive.Place {
	t.Helper()
	found, err := catalog.Conversations.Places(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func pages(ctx context.Context, t *testing.T, list func(context.Context, uint64, int) ([]catalog.PageState, error)) []string {
	t.Helper()
	states, err := list(ctx, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range states {
		out = append(out, describe(s))
	}
	return out
}

// describe leaves out what may differ from run to run: times, and why an envelope
// is unreadable. Whether the key of its version was known depends on which page
// was archived first.
func describe(s catalog.PageState) string {
	unreadable := 0
	for _, n := range s.Unreadable {
		unreadable += n
	}
	return fmt.Sprint(s.Key, s.SeqAsked, s.LastSeq, s.Archived, " parts ", s.Parts, " of ", s.Count, " ok ", s.OK, " unreadable ", unreadable)
}

// checkRebuilt checks that an index made anew from the objects, by running
// puller and archiver on them, answers like the present one.
func (w *world) checkRebuilt(t *testing.T) {
	t.Helper()
	s := w.read(t)
	before := w.answers(t, s)
	c := w.copy(t)
	c.index = storetest.NewIndex()
	c.boot(nil).mustFinish(t)
	if after := c.answers(t, c.read(t)); after != before {
		t.Errorf("the rebuilt index answers differently:\n%s\nbefore:\n%s", after, before)
	}
}
