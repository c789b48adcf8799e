package pages

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"wecom-archive/shared/show"
)

// plot is messages pulled per day, drawn as bars. A day that nobody pulled on and a day
// without messages are alike; a day before the archive began, and one whose runs were
// not read, are not.
type plot struct {
	Bars []bar
	Most int
}

// bar is a day. Lengths are in units of the bar's view box.
type bar struct {
	Day       time.Time
	State     string // counted, before the first pull, unread
	Count     int
	Y, Height int
}

// Note explains the days that have no count: a key of words, empty if all have one.
func (p plot) Note() string {
	switch p.Bars[0].State {
	case barBefore:
		return "perday.note.before"
	case barUnread:
		return "perday.note.unread"
	}
	return ""
}

const (
	plotHeight = 100
)

// The states of a bar.
const (
	barCounted = "counted"
	barBefore  = "before"
	barUnread  = "unread"
)

func (s *server) plot(ctx context.Context) (p plot, err error) {
	today := s.Now().In(s.show.Days(ctx))
	days, err := s.show.Books.PulledSince(ctx, today.AddDate(0, 0, 1-show.PlotDays))
	if err != nil {
		return p, err
	}
	for i := range show.PlotDays {
		b := bar{Day: today.AddDate(0, 0, i-show.PlotDays+1), State: barCounted}
		name := b.Day.Format(time.DateOnly)
		switch {
		case days.Begin != "" && name >= days.Begin:
			b.Count = days.Count[name]
		case days.Ended:
			b.State = barBefore
		default:
			b.State = barUnread
		}
		p.Most = max(p.Most, b.Count)
		p.Bars = append(p.Bars, b)
	}
	for i := range p.Bars {
		b := &p.Bars[i]
		if b.Count > 0 {
			b.Height = max(2, b.Count*plotHeight/p.Most)
		}
		b.Y = plotHeight - b.Height
	}
	return p, nil
}

// roundCount is a number in little room: exact below 10,000, then rounded down to two
// or more digits, as the language counts.
func roundCount(lang language, n int) string {
	unit, name := 1000, "k"
	switch {
	case n < 10_000:
		return groupDigits(n)
	case lang == chinese && n < 100_000_000:
		unit, name = 10_000, "万"
	case lang == chinese:
		unit, name = 100_000_000, "亿"
	case n >= 1_000_000:
		unit, name = 1_000_000, "M"
	}
	tenths := n / (unit / 10)
	if tenths >= 1000 {
		return strconv.Itoa(tenths/10) + name
	}
	return strings.TrimSuffix(fmt.Sprintf("%d.%d", tenths/10, tenths%10), ".0") + name
}

// atLeast is a count that may be a bound: at least so many.
func atLeast(lang language, n int64, more bool) string {
	if more {
		return say(lang, "atleast", groupDigits(n))
	}
	return groupDigits(n)
}
