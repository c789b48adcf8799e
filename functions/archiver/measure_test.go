package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/metrics"
)

// fewDays are days without an index.
type fewDays struct {
	days []catalog.ParsedDay
	err  error
}

func (d fewDays) ParsedDays(context.Context, time.Time) ([]catalog.ParsedDay, error) {
	return d.days, d.err
}

// TestMeasureParsed: a page with unparsed messages is judged by its day; one without is
// not asked about, and an index that does not answer fails no page.
func TestMeasureParsed(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	day := func(messages, unparsed int) fewDays {
		return fewDays{days: []catalog.ParsedDay{{Day: "2026-11-23", ParseCount: catalog.ParseCount{Messages: messages, Unparsed: unparsed}}}}
	}
	old := day(10, 10)
	old.days[0].Day = "2026-10-01"
	for _, test := range []struct {
		name     string
		days     fewDays
		unparsed int // of the page
		want     string
	}{
		{"all are parsed", day(773, 773), 0, ""},
		{"one odd message", day(773, 1), 1, `"UnparsedAlarm":0`},
		{"all of a day", day(773, 773), 1, `"UnparsedAlarm":1`},
		{"a page of long ago, redriven", old, 1, `"UnparsedAlarm":0`},
		{"the index does not answer", fewDays{err: errors.New("no answer")}, 1, ""},
	} {
		var out, log bytes.Buffer
		measureParsed(t.Context(), metrics.New(&out, "stack", func() time.Time { return now }), test.days,
			catalog.ParseCount{Messages: 5, Unparsed: test.unparsed}, now, slog.New(slog.NewTextHandler(&log, nil)))
		if got := out.String(); (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %s", test.name, got, test.want)
		}
		if (test.days.err != nil) != (log.Len() > 0) {
			t.Errorf("%s: log %s", test.name, &log)
		}
	}
}
