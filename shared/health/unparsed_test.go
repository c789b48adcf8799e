package health_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/health"
)

var parsedNow = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// pulled is what was pulled so many days ago.
func pulled(ago, messages, unparsed int) catalog.ParsedDay {
	return catalog.ParsedDay{Day: archive.Day(parsedNow.AddDate(0, 0, -ago)), ParseCount: catalog.ParseCount{Messages: messages, Unparsed: unparsed}}
}

// each are days with the same counts, from so many days ago to the last one.
func each(first, last, messages, unparsed int) (days []catalog.ParsedDay) {
	for ago := first; ago >= last; ago-- {
		days = append(days, pulled(ago, messages, unparsed))
	}
	return days
}

func judgedBy(days []catalog.ParsedDay, code health.AlarmCode) (found health.Alarm, is bool) {
	f := health.Facts{State: catalog.PullState{FirstRunAt: parsedNow, EndReachedAt: parsedNow}, Cursor: catalog.Cursor{PulledAt: parsedNow}, Parsed: days}
	for _, a := range health.Judge(parsedNow, f) {
		if a.Code == code {
			return a, true
		}
	}
	return health.Alarm{}, false
}

// TestUnparsed: far more unparsed messages than usual alarm, also if they are few or last
// for long; the usual ones do not.
func TestUnparsed(t *testing.T) {
	calm := each(20, 1, 1000, 1)
	today := func(before []catalog.ParsedDay, messages, unparsed int) []catalog.ParsedDay {
		return append(before[:len(before):len(before)], pulled(0, messages, unparsed))
	}
	for _, test := range []struct {
		name string
		days []catalog.ParsedDay
		want health.Severity // empty: no alarm
	}{
		{"nothing is known", nil, ""},
		{"all can be parsed", each(20, 0, 1000, 0), ""},
		{"as usual", each(20, 0, 1000, 1), ""},
		{"the trial: 773 of 773 on the first day", today(nil, 773, 773), health.SeverityAction},
		{"1 of 1 on the first day", today(nil, 1, 1), health.SeverityAction},
		{"1 of 1 after calm days", today(calm, 1, 1), health.SeverityAction},
		{"1 of 2 after calm days: too few", today(calm, 2, 1), ""},
		{"4 of 300: too few", today(calm, 300, 4), ""},
		{"5 of 300", today(calm, 300, 5), health.SeverityAction},
		{"10 of 1,000: not above 1 %", today(calm, 1000, 10), ""},
		{"11 of 1,000", today(calm, 1000, 11), health.SeverityAction},
		{"twice the usual 2 %", today(each(20, 1, 1000, 20), 1000, 40), ""},
		{"3 times the usual 2 %", today(each(20, 1, 1000, 20), 1000, 60), ""},
		{"more than 3 times the usual 2 %", today(each(20, 1, 1000, 20), 1000, 61), health.SeverityAction},
		{"nothing to compare with, 5 %", today(nil, 1000, 50), ""},
		{"nothing to compare with, above", today(nil, 1000, 51), health.SeverityAction},
		{"nothing to compare with, above, but too few", today(nil, 20, 4), ""},
		{"days without messages are nothing to compare with", today(each(5, 1, 0, 0), 1000, 50), ""},
		{"a small company, one of ten on each day", append(each(20, 7, 10, 0), each(6, 0, 10, 1)...), health.SeverityAction},
		{"a small company, four in all: too few", each(3, 0, 10, 1), ""},
		{"one of ten on some days of a month", append(append(each(20, 20, 10, 1), each(19, 11, 10, 0)...), append(each(10, 10, 10, 1), each(9, 1, 10, 0)...)...), ""},
		{"a week of it is no measure for the next", append(each(20, 8, 1000, 1), each(7, 0, 1000, 900)...), health.SeverityAction},
		{"all days that are known", each(89, 0, 1000, 900), health.SeverityAction},
		{"a part of it, for two months", append(each(89, 61, 1000, 1), each(60, 0, 1000, 30)...), health.SeverityAction},
		{"over since yesterday, and not read again", append(each(20, 2, 1000, 1), pulled(1, 1000, 900), pulled(0, 1000, 1)), health.SeverityAction},
		{"over since 29 days", append(each(40, 30, 1000, 1), append(each(29, 29, 1000, 900), each(28, 0, 1000, 1)...)...), health.SeverityAction},
		{"over since 30 days", append(each(40, 31, 1000, 1), append(each(30, 30, 1000, 900), each(29, 0, 1000, 1)...)...), health.SeverityRecord},
		{"read again: some are left", append(each(20, 2, 1000, 1), pulled(1, 1000, 3), pulled(0, 1000, 1)), ""},
		{"the next day is calm but for its usual one", append(each(20, 2, 1000, 5), pulled(1, 100, 100), pulled(0, 100, 1)), health.SeverityAction},
		{"a damaged item is no day", []catalog.ParsedDay{{Day: "yesterday", ParseCount: catalog.ParseCount{Messages: 9, Unparsed: 9}}}, ""},
	} {
		a, is := judgedBy(test.days, health.AlarmUnparsed)
		if is != (test.want != "") || a.Severity != test.want {
			t.Errorf("%s: alarm %v %q, want %q: %s", test.name, is, a.Severity, test.want, a.Message)
		}
		if !is {
			continue
		}
		for _, text := range []string{a.MessageZH, a.RemedyZH} {
			if !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
				t.Errorf("%s: %q is not Chinese", test.name, text)
			}
		}
		if !strings.Contains(a.Remedy, "reparse") || strings.Contains(a.Message+a.MessageZH, "%!") || strings.Contains(a.Message, "NaN") {
			t.Errorf("%s: %s\n%s", test.name, a.Message, a.MessageZH)
		}
	}
	a, _ := judgedBy(today(calm, 800, 773), health.AlarmUnparsed)
	if want := "773 of 800 messages pulled on 2026-11-23 (UTC) could not be parsed; 0.1 % are usual."; !strings.HasPrefix(a.Message, want) {
		t.Errorf("%q, want %q", a.Message, want)
	}
}

// TestUnparsedNeverHides: whatever the days before were like, a day of which all is
// unparsed alarms, and days of which all is parsed do not.
func TestUnparsedNeverHides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var before, parsed []catalog.ParsedDay
		for ago := rapid.IntRange(0, health.ParsedDays-1).Draw(t, "days"); ago > 0; ago-- {
			messages := rapid.IntRange(0, 5000).Draw(t, "messages")
			before = append(before, pulled(ago, messages, rapid.IntRange(0, messages).Draw(t, "unparsed")))
			parsed = append(parsed, pulled(ago, messages, 0))
		}
		n := rapid.IntRange(1, 5000).Draw(t, "messages of today")
		if a, is := judgedBy(append(before, pulled(0, n, n)), health.AlarmUnparsed); !is || a.Severity != health.SeverityAction || !strings.Contains(a.Message, fmt.Sprint(n)) {
			t.Fatalf("all %d of today are unparsed: %v %+v", n, is, a)
		}
		if a, is := judgedBy(append(parsed, pulled(0, n, 0)), health.AlarmUnparsed); is {
			t.Fatalf("none is unparsed: %+v", a)
		}
	})
}

// TestUnknownTypes: they are told, and make nothing unhealthy.
func TestUnknownTypes(t *testing.T) {
	day := func(ago, unknown int) catalog.ParsedDay {
		d := pulled(ago, 100, 0)
		d.UnknownType = unknown
		return d
	}
	for _, test := range []struct {
		days []catalog.ParsedDay
		want string
	}{
		{nil, ""},
		{[]catalog.ParsedDay{day(1, 0), day(0, 0)}, ""},
		{[]catalog.ParsedDay{day(40, 7), day(29, 2), day(0, 1)}, "3 of 200 messages of the last 30 days"},
		{[]catalog.ParsedDay{day(0, 100)}, "100 of 100 messages"},
		{[]catalog.ParsedDay{day(31, 100), day(0, 0)}, ""},
	} {
		a, is := judgedBy(test.days, health.AlarmTypes)
		if is != (test.want != "") || !strings.HasPrefix(a.Message, test.want) {
			t.Errorf("%+v: %v, %q", test.days, is, a.Message)
		}
		if is && (!health.Healthy([]health.Alarm{a}) || a.MessageZH == "" || a.Remedy == "" || a.RemedyZH == "") {
			t.Errorf("%+v", a)
		}
		if _, is := judgedBy(test.days, health.AlarmUnparsed); is {
			t.Errorf("%+v: unknown types are taken for unparsed", test.days)
		}
	}
}
