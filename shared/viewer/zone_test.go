package viewer_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
)

func (f *fixture) pageIn(zone, path string) string {
	f.tb.Helper()
	r := httptest.NewRequestWithContext(f.tb.Context(), http.MethodGet, path, nil)
	r.Header.Set("Test-Role", "auditor")
	r.AddCookie(&http.Cookie{Name: "zone", Value: zone})
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		f.tb.Fatalf("%s in %s: %d %s", path, zone, w.Code, w.Body)
	}
	return w.Body.String()
}

// TestZone: times and days are those of the reader's zone, summer time too; a zone that
// is none is UTC+8's.
func TestZone(t *testing.T) {
	f := pagesFixture(t)
	winter, summer := row(1, pair, time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC), "w"), row(2, pair, time.Date(2026, 7, 20, 1, 30, 0, 0, time.UTC), "s")
	f.archived(summer, winter)
	for zone, want := range map[string][2]string{
		"Asia/Shanghai":    {"09:30:00|2026年11月20日", "09:30:00|2026年7月20日"},
		"America/New_York": {"20:30:00|2026年11月19日", "21:30:00|2026年7月19日"},
		"UTC":              {"01:30:00|2026年11月20日", "01:30:00|2026年7月20日"},
		"Asia/Kathmandu":   {"07:15:00|2026年11月20日", "07:15:00|2026年7月20日"},
		"Nowhere/Atall":    {"09:30:00|2026年11月20日", "09:30:00|2026年7月20日"},
		"../../etc/passwd": {"09:30:00|2026年11月20日", "09:30:00|2026年7月20日"},
		"Local":            {"09:30:00|2026年11月20日", "09:30:00|2026年7月20日"},
	} {
		body := f.pageIn(zone, transcriptPath(pair))
		for _, both := range want {
			for part := range strings.SplitSeq(both, "|") {
				if !strings.Contains(body, part) {
					t.Errorf("%s: no %s", zone, part)
				}
			}
		}
	}
	// The day that a reader jumps to is the reader's, too.
	jump := func(zone, date string) bool {
		path := "/c?" + url.Values{"id": {pair}, "date": {date}}.Encode()
		return strings.Contains(f.pageIn(zone, path), `id="m1"`)
	}
	if !jump("America/New_York", "2026-11-19") || !jump("Asia/Shanghai", "2026-11-20") || jump("Asia/Shanghai", "2026-11-21") || jump("America/New_York", "2026-11-20") {
		t.Error("a date of another zone")
	}
	if name := `data-zone="America/New_York"`; !strings.Contains(f.pageIn("America/New_York", "/"), name) {
		t.Errorf("the page does not say %s", name)
	}
}

// TestZones: however many zones are asked for, each page is in its own.
func TestZones(t *testing.T) {
	f := pagesFixture(t)
	f.must(f.catalog.Journal.PutGap(t.Context(), archive.Gap{Since: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 8, 0, 0, 0, 0, time.UTC)}))
	for _, sign := range []string{"-", "+"} {
		for n := range 12 {
			zone := "Etc/GMT" + sign + string("0123456789ab"[n])
			if n > 9 {
				zone = "Etc/GMT" + sign + "1" + string("01"[n-10])
			}
			offset := time.Duration(n) * time.Hour
			if sign == "+" { // as POSIX: west
				offset = -offset
			}
			want := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(offset).Format("2006-01-02 15:04")
			for range 2 {
				if body := f.pageIn(zone, "/"); !strings.Contains(body, want) {
					t.Errorf("%s: no %s", zone, want)
				}
			}
		}
	}
}
