package viewer_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"wecom-archive/shared/archive"
)

// overview is the first page in a language.
func (f *fixture) overview(language string) string {
	f.tb.Helper()
	r := httptest.NewRequestWithContext(f.tb.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Test-Role", "operator")
	r.Header.Set("Accept-Language", language)
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w.Body.String()
}

// plotted are the bars of the overview, by day of the month: what stands above each.
func (f *fixture) plotted(language string) map[string]string {
	f.tb.Helper()
	doc, err := html.Parse(strings.NewReader(f.overview(language)))
	if err != nil {
		f.tb.Fatal(err)
	}
	bars := map[string]string{}
	for list := range doc.Descendants() {
		if attribute(list, "class") != "plot" {
			continue
		}
		for li := range list.ChildNodes() {
			var parts []string
			for n := range li.Descendants() {
				if n.Type == html.TextNode && attribute(n.Parent, "class") != "hidden" {
					parts = append(parts, n.Data)
				}
			}
			bars[parts[len(parts)-1]] = strings.Join(parts[:len(parts)-1], "")
		}
	}
	return bars
}

func (f *fixture) pulled(at time.Time, id int, messages int) {
	f.tb.Helper()
	f.must(f.catalog.Journal.PutRun(f.tb.Context(), archive.Run{ID: fmt.Sprint("run", id), Stage: "puller", StartedAt: at, Envelopes: messages, Stopped: "end"}))
}

// TestPlot: however many pulls there were since, each day has its number; a day before
// the first pull has none, and is not a day without messages.
func TestPlot(t *testing.T) {
	f := pagesFixture(t)
	day := func(n int) time.Time { return now.AddDate(0, 0, -n) }
	label := func(n int) string { return day(n).In(time.FixedZone("", 8*60*60)).Format("02") }
	f.pulled(day(9), 0, 1234)
	f.pulled(day(5), 1, 1_239_999)
	for n := range 1200 {
		f.pulled(day(1).Add(-time.Duration(n)*time.Second), 2+n, 1)
	}
	for language, rounded := range map[string]string{"zh-CN": "123万", "en": "1.2M"} {
		bars := f.plotted(language)
		if len(bars) != 14 {
			t.Fatalf("%d bars: %v", len(bars), bars)
		}
		for n, want := range map[int]string{9: "1,234", 8: "0", 5: rounded, 1: "1,200", 0: "0", 10: "–", 13: "–"} {
			if got := bars[label(n)]; got != want {
				t.Errorf("%s: %d days ago %q, want %q", language, n, got, want)
			}
		}
	}
}

// TestPlotUnread: a day of which not all pulls were read has no number.
func TestPlotUnread(t *testing.T) {
	f := pagesFixture(t)
	f.pulled(now.AddDate(0, 0, -3), 0, 7)
	noon := now.Truncate(24 * time.Hour).Add(-20 * time.Hour) // of yesterday in UTC+8
	for n := range 5000 {
		f.pulled(noon.Add(time.Duration(n)*time.Second), 1+n, 1)
	}
	bars := f.plotted("en")
	zone := time.FixedZone("", 8*60*60)
	if got := bars[now.In(zone).Format("02")]; got != "0" {
		t.Errorf("today %q", got)
	}
	for _, n := range []int{1, 3, 8} {
		if got := bars[now.AddDate(0, 0, -n).In(zone).Format("02")]; got != "…" {
			t.Errorf("%d days ago %q: %v", n, got, bars)
		}
	}
}
