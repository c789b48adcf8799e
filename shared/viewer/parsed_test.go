package viewer_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
)

type parsedAnswer struct {
	Healthy bool
	Alarms  []struct{ Code, Severity string }
	Parsed  []struct {
		Day                string
		Messages, Unparsed int64
		UnknownType        int64 `json:"unknown_type"`
	}
	Types struct {
		Counts []struct {
			Type    string
			Unknown bool
		}
	}
}

// parsed notes what could be parsed of a page, pulled so many days ago.
func (f *fixture) parsed(ago int, count catalog.ParseCount) {
	f.tb.Helper()
	day := archive.Day(now.AddDate(0, 0, -ago))
	f.must(f.catalog.Pages.NoteParsed(f.tb.Context(), catalog.ParsedPart{Day: day, Parser: 2, ParseCount: count}))
	f.must(f.catalog.Pages.CountParsed(f.tb.Context(), day))
}

// TestStatusOfParsing: the numbers of the last days, an alarm when they jump, which the
// overview shows as what it is; and types that nobody knows, which are no trouble.
func TestStatusOfParsing(t *testing.T) {
	f := pagesFixture(t)
	f.proof(time.Hour)
	status := func() parsedAnswer { t.Helper(); return into[parsedAnswer](t, f.get("operator-token", "/v1/status")) }
	if a := status(); a.Parsed == nil || len(a.Parsed) != 0 {
		t.Errorf("an empty archive: %+v", a)
	}
	for ago := 99; ago > 0; ago-- {
		f.parsed(ago, catalog.ParseCount{Messages: 1000, Unparsed: 1})
	}
	f.parsed(0, catalog.ParseCount{Messages: 100, Unparsed: 1, UnknownType: 12345})
	f.typed(3, now, 4, catalog.MsgTypes{"text": 1, "Image": 1, "switch": 1, "hologram": 2, archive.OtherTypes: 1})
	a := status()
	if len(a.Parsed) != 14 || a.Parsed[0].Day != archive.Day(now) || a.Parsed[0].Messages != 100 || a.Parsed[0].Unparsed != 1 || a.Parsed[0].UnknownType != 12345 || a.Parsed[13].Day != archive.Day(now.AddDate(0, 0, -13)) {
		t.Errorf("%+v", a.Parsed)
	}
	if !a.Healthy || len(a.Alarms) != 1 || a.Alarms[0].Code != "unknown_types" || a.Alarms[0].Severity != "record" {
		t.Errorf("unknown types: healthy %v, %+v", a.Healthy, a.Alarms)
	}
	for _, c := range a.Types.Counts {
		if c.Unknown != (c.Type == "hologram") {
			t.Errorf("%+v", c)
		}
	}
	body := f.overview("zh-CN")
	for _, want := range []string{"12,345", "本程序不认识", `<li class="record"><span aria-hidden="true">!</span> <span>消息可解析</span>`} {
		if !strings.Contains(body, want) {
			t.Errorf("the overview does not show %q", want)
		}
	}

	f.parsed(0, catalog.ParseCount{Messages: 773, Unparsed: 773})
	a = status()
	if a.Healthy || !slices.ContainsFunc(a.Alarms, func(x struct{ Code, Severity string }) bool { return x.Code == "unparsed" && x.Severity == "action" }) {
		t.Errorf("773 of 773: healthy %v, %+v", a.Healthy, a.Alarms)
	}
	body = f.overview("en")
	for _, want := range []string{"773 of 773 messages", "<td>" + archive.Day(now) + `</td><td class="n">773</td><td class="n">773</td>`, `<li class="wrong"><span aria-hidden="true">✗</span> <span>Messages are parsed</span>`} {
		if !strings.Contains(body, want) {
			t.Errorf("the overview does not show %q", want)
		}
	}
}
