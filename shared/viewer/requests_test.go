package viewer_test

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/viewer"
)

// mostRequests is what a screen of a conversation may take of index and buckets, with
// the record of the look, from a process that has just started.
const mostRequests = 15

const (
	busyRoom = "room:wrBusyRoom00001"
	daily    = "pair:li.na,wang.wei"
	monthly  = "pair:li.na,zhao.min"
	pictures = "pair:li.na,sun.li" // each message of it has nine
	mixed    = "pair:li.na,wu.gang"
)

// requestCounts counts what a screen takes.
type requestCounts struct {
	*fixture
	derived *storetest.Derived
	counter *storetest.RequestCounter
	index   *storetest.IndexCounter
	seqs    map[string][]int64 // by conversation
}

// days of the archive: so many that the monthly pair lies in more runs than a screen reads.
const archiveDays = 220

func newRequestCounts(t *testing.T) *requestCounts {
	f := &requestCounts{
		fixture: newFixture(t), derived: storetest.NewDerived(), counter: storetest.NewRequestCounter(), seqs: map[string][]int64{},
	}
	f.index = &storetest.IndexCounter{Index: f.fixture.index}
	first := now.AddDate(0, 0, -archiveDays-2)
	seq := int64(0)
	for day := range archiveDays {
		pulled := first.AddDate(0, 0, day)
		var rows []archive.Row
		add := func(conversation string, after time.Duration) *archive.Row {
			seq++
			r := row(seq, conversation, pulled.Add(-time.Hour+after), "text")
			r.Position, r.PulledAt = len(rows), pulled
			f.seqs[conversation] = append(f.seqs[conversation], seq)
			rows = append(rows, r)
			return &rows[len(rows)-1]
		}
		for i := range 5 {
			add(busyRoom, time.Duration(i)*time.Minute).RoomID = strings.TrimPrefix(busyRoom, "room:")
		}
		add(daily, 0)
		if day%30 == 0 {
			add(monthly, 0)
		}
		if day%2 == 0 {
			r := add(pictures, 0)
			for i := range 9 {
				r.Media = append(r.Media, archive.MediaRef{Path: fmt.Sprintf("mixed.item[%d].image", i), Kind: "image", Size: -1, FileIDSHA256: fmt.Sprintf("%063x%d", seq, i)})
			}
		}
		if day%20 < 3 {
			add(mixed, 0)
		}
		f.storePage(t, uint64(rows[0].Seq-1), pulled, rows)
	}
	return f
}

// storePage stores the segment of a page and indexes both.
func (f *requestCounts) storePage(t *testing.T, asked uint64, pulled time.Time, rows []archive.Row) {
	t.Helper()
	key := archive.SegmentKey(pulled, asked, 0)
	body, err := segment.Encode(segment.Meta{Corp: "ww1", PageKey: archive.PageKey(asked), PageSHA256: "00", Program: "test", WrittenAt: pulled}, rows)
	if err != nil {
		t.Fatal(err)
	}
	last := uint64(rows[len(rows)-1].Seq)
	f.must(f.objects.PutIfAbsent(t.Context(), key, bytes.NewReader(body)))
	f.must(decode.IndexConversationsPeopleRecallsConsents(t.Context(), f.catalog.Conversations, f.catalog.Consents, key, rows))
	f.must(f.catalog.Pages.NotePage(t.Context(), archive.PageHeader{SeqAsked: asked, LastSeq: last, Count: len(rows), PulledAt: pulled}))
	f.must(f.catalog.Pages.FinishPage(t.Context(), catalog.PageState{Key: archive.PageKey(asked), SeqAsked: asked, LastSeq: last, Count: len(rows), PulledAt: pulled, Parts: 1, OK: len(rows)}))
}

// look gets a page from a process that has just started, and counts.
func (f *requestCounts) look(t *testing.T, path string) (body string) {
	t.Helper()
	for range 3 {
		f.counter.Forget()
		f.counter.Reset()
		f.index.Reset()
		objects := f.counter.Objects(f.objects)
		f.handler = viewer.New(viewer.Config{
			Objects: objects, Derived: f.counter.Derived(f.derived), Catalog: catalog.New(f.index), Visitors: visitor{}, Now: func() time.Time { return now },
			Access: &access.Recorder{Objects: objects, Now: func() time.Time { return now }, NewID: f.newLook},
		})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set("Test-Role", "auditor")
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		if w.Code == http.StatusSeeOther {
			path, _, _ = strings.Cut(w.Header().Get("Location"), "#")
			continue
		}
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %.300s", path, w.Code, w.Body)
		}
		if index, objects := f.index.Count(), f.counter.Count(); index+objects.Total() > mostRequests {
			t.Errorf("%s: %d requests to the index and %+v", path, index, objects)
		}
		return w.Body.String()
	}
	t.Fatalf("%s: no end of redirects", path)
	return ""
}

var looksSoFar = serial("counted")

func (f *requestCounts) newLook() string { return looksSoFar() }

var (
	articles = regexp.MustCompile(`<article id="m(\d+)"`)
	prevPage = regexp.MustCompile(`rel="prev" href="([^"]+)"`)
	nextPage = regexp.MustCompile(`rel="next" href="([^"]+)"`)
)

// pages follows links from a page to the end, and returns how often each message was
// shown.
func (f *requestCounts) pages(t *testing.T, path string, link *regexp.Regexp) map[string]int {
	t.Helper()
	shown := map[string]int{}
	for range 1000 {
		body := f.look(t, path)
		found := articles.FindAllStringSubmatch(body, -1)
		if len(found) == 0 {
			t.Fatalf("%s: no messages", path)
		}
		for _, m := range found {
			shown[m[1]]++
		}
		m := link.FindStringSubmatch(body)
		if m == nil {
			return shown
		}
		path = html.UnescapeString(m[1])
	}
	t.Fatalf("%s: no end of pages", path)
	return nil
}

// TestRequestsOfAScreen: whatever screen of whatever conversation, compacted, half or not
// at all, it takes at most mostRequests; and paging shows each message once, from the
// newest back and from the first on.
func TestRequestsOfAScreen(t *testing.T) {
	for name, compacted := range map[string][]int{"compacted": {1}, "half compacted": {archiveDays / 2}, "not compacted": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newRequestCounts(t)
			for _, daysAgo := range compacted {
				f.compact(t, now.AddDate(0, 0, -daysAgo))
			}
			for conversation, seqs := range f.seqs {
				path := transcriptPath(conversation)
				for from, shown := range map[string]map[string]int{
					"the newest": f.pages(t, path, prevPage),
					"the first":  f.pages(t, path+"&date=2025-01-01", nextPage),
				} {
					for _, seq := range seqs {
						if n := shown[fmt.Sprint(seq)]; n != 1 {
							t.Errorf("%s: from %s on, message %d is shown %d times", conversation, from, seq, n)
						}
					}
				}
				for i := 0; i < len(seqs); i += max(1, len(seqs)/4) {
					link := fmt.Sprintf("/m/%d", seqs[i])
					if body := f.look(t, link); !strings.Contains(body, fmt.Sprintf(`<article id="m%d"`, seqs[i])) {
						t.Errorf("%s does not show its message", link)
					}
					f.look(t, strings.Replace(link, "/m/", "/record/", 1))
				}
				f.look(t, path+"&person=li.na")
			}
		})
	}
}

// compact compacts what was pulled before a time.
func (f *requestCounts) compact(t *testing.T, until time.Time) {
	t.Helper()
	ids := serial("run")
	_, err := compact.New(compact.Config{
		Objects: f.objects, Derived: f.derived, Program: "test", Temp: t.TempDir(), NewID: func() string { return strings.ReplaceAll(ids(), "-", "") },
		Conversations: f.catalog.Conversations, People: f.catalog.People, Compactions: compaction.NewIndex(f.catalog.Table),
	}).Run(t.Context(), until)
	f.must(err)
}
