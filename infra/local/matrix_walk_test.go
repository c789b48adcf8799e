//go:build !race

package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"wecom-archive/shared/access"
)

// forgetful keeps no looks: the walk makes many.
type forgetful struct{}

func (forgetful) Record(context.Context, access.Look) error { return nil }

func ask(t *testing.T, h http.Handler, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Header.Set("Accept-Language", "en")
	r.Header.Set("Authorization", "Bearer all")
	r.Host = "127.0.0.1"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// matrixStatus is what of /v1/status counts here.
type matrixStatus struct {
	Healthy bool
	Alarms  []struct{ Code, Severity, Message string }
	Damage  struct{ Archive, Derived int }
}

// codes are the alarms that ask for somebody.
func (s matrixStatus) codes() (codes []string) {
	for _, a := range s.Alarms {
		if a.Severity == "action" {
			codes = append(codes, a.Code)
		}
	}
	return codes
}

// handlers answer.
type handlers struct {
	full  http.Handler
	quick http.Handler // searches show hits alone, which most of the time goes into else
}

// walk is one way through everything that is answered.
type walk struct {
	t    *testing.T
	base *sound
	handlers
	held map[int64]told

	problems []string // that stand whatever the kind

	status    matrixStatus
	state     string           // as the overview says it
	listed    map[string]bool  // conversations on the lists of their days
	read      map[int64]string // in transcripts: the conversation
	found     map[int64]bool   // by the search for everything
	unsure    bool             // a search said that it is not complete, or what it could not look at
	unsureIn  map[string]bool  // conversations whose transcripts say so
	permalink map[int64]int    // status codes
}

// walkThrough asks for everything.
func walkThrough(t *testing.T, base *sound, h handlers, held map[int64]told) *walk {
	w := &walk{
		t: t, base: base, handlers: h, held: held,
		listed: map[string]bool{}, read: map[int64]string{}, found: map[int64]bool{}, unsureIn: map[string]bool{}, permalink: map[int64]int{},
	}
	w.lists()
	w.transcripts()
	w.search("")
	for _, query := range []string{"q=" + url.QueryEscape("好"), "has_media=true"} {
		w.search(query)
	}
	w.links()
	w.pages()
	w.into("/v1/status", &w.status) // last: what readers notice stands there
	w.overview()
	return w
}

// overview reads what the overview calls the archive.
func (w *walk) overview() {
	_, rest, _ := strings.Cut(w.get("/").Body.String(), `class="state `)
	w.state, _, _ = strings.Cut(rest, `"`)
}

func (w *walk) problem(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// get asks. That something fails inside is never an answer.
func (w *walk) get(target string) *httptest.ResponseRecorder {
	h := w.full
	if strings.HasPrefix(target, "/v1/search") {
		h = w.quick
	}
	got := ask(w.t, h, target)
	if got.Code == http.StatusInternalServerError {
		w.problem("%s answers 500", target)
	}
	return got
}

// into asks, and reads an answer if there is one.
func (w *walk) into(target string, answer any) bool {
	got := w.get(target)
	if got.Code != http.StatusOK {
		return false
	}
	if err := json.Unmarshal(got.Body.Bytes(), answer); err != nil {
		w.t.Errorf("%s: %v: %s", target, err, got.Body)
		return false
	}
	return true
}

func (w *walk) lists() {
	days := map[string]bool{}
	for _, m := range w.base.messages {
		days[m.day] = true
	}
	for _, day := range slices.Sorted(maps.Keys(days)) {
		var answer struct{ Conversations []struct{ ID string } }
		w.into("/v1/conversations?limit=100&day="+day, &answer)
		for _, c := range answer.Conversations {
			w.listed[day+" "+c.ID] = true
		}
	}
	for _, target := range []string{
		"/v1/damage", "/v1/pages", "/v1/quarantine", "/v1/runs", "/v1/gaps", "/v1/incidents", "/v1/keys", "/v1/seats", "/v1/setup", "/v1/coverage",
		"/v1/people?limit=100", "/v1/rooms?limit=100", "/v1/consent", "/v1/access?from=2026-10-30&to=2026-11-01",
	} {
		w.get(target)
	}
}

// transcripts reads all conversations that there ever were.
func (w *walk) transcripts() {
	conversations := map[string]bool{}
	for _, m := range w.base.messages {
		conversations[m.conversation] = true
	}
	for _, id := range slices.Sorted(maps.Keys(conversations)) {
		for cursor, pages := "", 0; pages < 20; pages++ {
			var answer struct {
				Messages []struct {
					Seq        int64
					Unreadable string
				}
				NextCursor string `json:"next_cursor"`
				Complete   *bool
			}
			target := "/v1/conversations/" + url.PathEscape(id) + "/messages?limit=100"
			if cursor != "" {
				target += "&cursor=" + url.QueryEscape(cursor)
			}
			if !w.into(target, &answer) || answer.Complete != nil && !*answer.Complete {
				w.unsureIn[id] = true
			}
			for _, m := range answer.Messages {
				if m.Unreadable != "" {
					w.unsureIn[id] = true // it says so of the message
				}
				if of, twice := w.read[m.Seq]; twice {
					w.problem("message %d stands twice: in %s and in %s", m.Seq, of, id)
				}
				if is := w.base.messages[m.Seq]; is.conversation != id {
					w.problem("message %d of %q stands in %s", m.Seq, is.conversation, id)
				}
				if m.Unreadable == "" {
					w.read[m.Seq] = id
				}
			}
			if cursor = answer.NextCursor; cursor == "" {
				break
			}
		}
	}
}

// search looks through everything; a query is of what not all messages have.
func (w *walk) search(query string) {
	seen := map[int64]bool{}
	for cursor, pages := "", 0; pages < 20; pages++ {
		var answer struct {
			Hits        []struct{ Seq int64 }
			NextCursor  string `json:"next_cursor"`
			Complete    bool
			NotLookedAt struct{ Damaged []string } `json:"not_looked_at"`
		}
		target := "/v1/search?limit=50&" + query
		if cursor != "" {
			target += "&cursor=" + url.QueryEscape(cursor)
		}
		ok := w.into(target, &answer)
		if ok && answer.Complete && len(answer.NotLookedAt.Damaged) > 0 {
			w.problem("a search (%s) is complete, and could not look at %v", query, answer.NotLookedAt.Damaged)
		}
		w.unsure = w.unsure || !ok || !answer.Complete
		for _, hit := range answer.Hits {
			if seen[hit.Seq] {
				w.problem("a search (%s) finds message %d twice", query, hit.Seq)
			}
			if _, known := w.base.messages[hit.Seq]; !known {
				w.problem("a search (%s) finds message %d, which nobody said", query, hit.Seq)
			}
			seen[hit.Seq] = true
		}
		if cursor = answer.NextCursor; cursor == "" {
			break
		}
	}
	if query == "" {
		for seq := range seen {
			w.found[seq] = true
		}
	}
}

// links follows permalinks, and looks at files: of some messages of each segment.
func (w *walk) links() {
	few := map[string]int{}
	for _, seq := range slices.Sorted(maps.Keys(w.base.messages)) {
		m := w.base.messages[seq]
		if few[m.segment]++; few[m.segment] > 1 && (!m.files || few[m.segment] > 6) {
			continue
		}
		w.permalink[seq] = w.get(fmt.Sprintf("/v1/messages/%d", seq)).Code
		if m.files {
			w.get(fmt.Sprintf("/v1/messages/%d/media", seq))
		}
		if few[m.segment] == 1 {
			w.get(fmt.Sprintf("/v1/messages/%d?raw=true", seq))
			w.get(fmt.Sprintf("/m/%d", seq))
			w.get(fmt.Sprintf("/record/%d", seq))
			w.get("/c?id=" + url.QueryEscape(m.conversation))
		}
	}
}

func (w *walk) pages() {
	for _, target := range []string{"/c", "/search", "/search?q=" + url.QueryEscape("好"), "/damage", "/access?from=2026-10-30&to=2026-11-01", "/setup"} {
		w.get(target)
	}
}

// missing are held messages that an answer lacks, and that say nothing of it.
func (w *walk) missing() (lacks []string) {
	for _, seq := range slices.Sorted(maps.Keys(w.held)) {
		m := w.held[seq]
		if !w.found[seq] {
			lacks = append(lacks, fmt.Sprintf("no search finds %v", m))
		}
		if w.read[seq] == "" {
			lacks = append(lacks, fmt.Sprintf("no transcript has %v", m))
		}
		if !w.listed[m.day+" "+m.conversation] {
			lacks = append(lacks, fmt.Sprintf("no list of %s has %s", m.day, m.conversation))
		}
		if code, asked := w.permalink[seq]; asked && code != http.StatusOK {
			lacks = append(lacks, fmt.Sprintf("the permalink of %v answers %d", m, code))
		}
	}
	return lacks
}

// silent are messages of the sound archive that are missing in an answer that does not
// say so.
func (w *walk) silent() (lacks []string) {
	for _, seq := range slices.Sorted(maps.Keys(w.base.messages)) {
		m := w.base.messages[seq]
		if !w.found[seq] && !w.unsure {
			lacks = append(lacks, fmt.Sprintf("a search is complete without %v", m))
		}
		if w.read[seq] == "" && !w.unsureIn[m.conversation] {
			lacks = append(lacks, fmt.Sprintf("a transcript is silent about %v", m))
		}
	}
	return lacks
}
