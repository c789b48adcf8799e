package viewer_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// Whatever a client sends: messages of the conversation asked for, or a
// refusal; never an internal error.
func FuzzMessages(f *testing.F) {
	fix := newFixture(f)
	fix.store(0, row(1, pair, at(0), "x"), row(2, pair, at(time.Hour), "y"), row(3, "room:other", at(0), "other"))
	cursor := into[page](f, fix.get("reader-token", messagesPath(pair, "limit", "1"))).NextCursor
	f.Add(pair, "", "", "asc", cursor)
	f.Add(pair, "2026-11-23T00:00:00Z", "1795392000000", "desc", "AQ")
	f.Add("room:a/../%2F", "9999-12-31T23:59:59.999999999Z", "253402300799999", "asc", "")
	f.Add("\xff\x00", "1970-01-01T00:00:00Z", "0", "up", "====")
	f.Fuzz(func(t *testing.T, id, from, to, order, cursor string) {
		q := url.Values{"from": {from}, "to": {to}, "order": {order}, "cursor": {cursor}}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		path := "/v1/conversations/" + url.PathEscape(id) + "/messages"
		r.URL = &url.URL{Path: "/v1/conversations/" + id + "/messages", RawPath: path, RawQuery: q.Encode()}
		r.Header.Set("Authorization", "Bearer reader-token")
		w := httptest.NewRecorder()
		fix.handler.ServeHTTP(w, r)
		switch w.Code {
		case 200:
			for _, m := range into[page](t, w).Messages {
				if (m.Seq == 3) != (id == "room:other") || id != pair && id != "room:other" {
					t.Errorf("%q shows message %d", id, m.Seq)
				}
			}
		case 400, 404, 422:
			refusal(t, w, w.Code)
		case 301, 307: // to the path without dots
		default:
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}
