package health

import (
	"fmt"
	"time"

	"wecom-archive/shared/catalog"
)

// ParsedDays is of how many pull days (UTC), today with it, it is judged what could be
// parsed. What is older is forgotten here; it is in the conversation unparsed for ever.
const ParsedDays = 90

// When unparsed messages are too many. WeCom may change its format on any day, and all
// that reaches the archive is kept: nothing else would tell. On the other hand some odd
// message always comes, so a few of many are none of anybody's business.
const (
	// unparsedFew do not count, whatever their share: one odd message among 20 is 5 %.
	unparsedFew = 5
	// unparsedShare never counts if it is not above that of all messages...
	unparsedShare = 0.01
	// ...and so many times the usual one, which is that of the calm days before.
	unparsedTimes = 3
	// unparsedAlone counts where no day before is known to compare with. An archive that
	// begins with a parser which is too old has no usual share but a wrong one.
	unparsedAlone = 0.05
	// unparsedSpan are the days that are looked at together where one has too few
	// messages: of a small company five unparsed ones may take a week.
	unparsedSpan = 7
)

// FirstParsedDay is the first day that is judged at a time.
func FirstParsedDay(now time.Time) time.Time { return now.UTC().AddDate(0, 0, 1-ParsedDays) }

// jump is a day of which too many messages are unparsed.
type jump struct {
	day   time.Time
	days  int // looked at together, up to that day
	usual catalog.ParseCount
	catalog.ParseCount
}

// parsedDay is a catalog.ParsedDay with its time.
type parsedDay struct {
	at time.Time
	catalog.ParseCount
}

// jumps finds the days of which too many messages are unparsed. Such a day is no measure
// for later ones: a changed format does not become usual by lasting. One of which all
// messages are unparsed is always one of them, be it a single message, since for a
// company of few words the next one may be a week away; if it was but an odd one, it
// stays an alarm for ActionDays, which is the smaller evil.
func jumps(days []catalog.ParsedDay) (found []jump) {
	var calm []parsedDay // the days before, but for those found
	for _, d := range days {
		at, err := time.Parse(time.DateOnly, d.Day)
		if err != nil || d.Messages == 0 {
			continue
		}
		j := jump{day: at, days: 1, ParseCount: d.ParseCount, usual: sumBefore(calm, at)}
		jumped := j.Unparsed == j.Messages || j.tooMany()
		if !jumped && d.Unparsed > 0 {
			begin := at.AddDate(0, 0, 1-unparsedSpan)
			j.days, j.usual = unparsedSpan, sumBefore(calm, begin)
			for _, c := range calm {
				if !c.at.Before(begin) {
					j.Add(c.ParseCount)
				}
			}
			jumped = j.tooMany()
		}
		if jumped {
			found = append(found, j)
		} else {
			calm = append(calm, parsedDay{at, d.ParseCount})
		}
	}
	return found
}

func sumBefore(days []parsedDay, end time.Time) (sum catalog.ParseCount) {
	for _, d := range days {
		if d.at.Before(end) {
			sum.Add(d.ParseCount)
		}
	}
	return sum
}

func (j jump) tooMany() bool {
	share := shareUnparsed(j.ParseCount)
	switch {
	case j.Unparsed < unparsedFew:
		return false
	case j.usual.Messages == 0:
		return share > unparsedAlone
	}
	return share > unparsedShare && share > unparsedTimes*shareUnparsed(j.usual)
}

func shareUnparsed(c catalog.ParseCount) float64 {
	return float64(c.Unparsed) / float64(c.Messages)
}

// judgeUnparsed looks for days of which too many messages are unparsed. A reparse that
// reads them takes them out of the counts, and so ends the alarm.
func judgeUnparsed(now time.Time, days []catalog.ParsedDay) (Alarm, bool) {
	found := jumps(days)
	if len(found) == 0 {
		return Alarm{}, false
	}
	last := found[len(found)-1]
	day := last.day.Format(time.DateOnly)
	when, whenZH := "on "+day, day+" 这一天"
	if last.days > 1 {
		when, whenZH = fmt.Sprintf("in the %d days up to %s", last.days, day), fmt.Sprintf("截至 %s 的 %d 天内", day, last.days)
	}
	usual, usualZH := "there is no day before to compare with", "此前没有可比较的日期"
	if last.usual.Messages > 0 {
		percent := 100 * shareUnparsed(last.usual)
		usual, usualZH = fmt.Sprintf("%.1f %% are usual", percent), fmt.Sprintf("通常为 %.1f%%", percent)
	}
	more, moreZH := "", ""
	if len(found) > 1 {
		first := found[0].day.Format(time.DateOnly)
		more, moreZH = fmt.Sprintf(" So it is on %d days since %s.", len(found), first), fmt.Sprintf("自 %s 起共有 %d 天如此。", first, len(found))
	}
	a := act(AlarmUnparsed, fmt.Sprintf("%d of %d messages pulled %s (UTC) could not be parsed; %s. Readers see nothing in them.%s", last.Unparsed, last.Messages, when, usual, more),
		"WeCom may have changed its format. Nothing is lost: each message is kept verbatim, in the conversation unparsed. Update the program to one that reads them, then: wecom-archive reparse.").
		zh(fmt.Sprintf("%s（UTC）拉取的 %d 条消息中有 %d 条无法解析；%s。查阅者看不到其中的内容。%s", whenZH, last.Messages, last.Unparsed, usualZH, moreZH),
			"企业微信可能更改了消息格式。没有丢失：每条消息都原样保存，见会话 unparsed。请把程序更新到能解析这些消息的版本，然后：wecom-archive reparse。")
	a.Severity = fading(now, last.day)
	return a, true
}

// judgeTypes tells of messages of unknown types. They are found and shown, if not as
// nicely as others, so nobody has to act.
func judgeTypes(now time.Time, days []catalog.ParsedDay) (Alarm, bool) {
	var sum catalog.ParseCount
	for _, d := range days {
		if at, err := time.Parse(time.DateOnly, d.Day); err == nil && fading(now, at) == SeverityAction {
			sum.Add(d.ParseCount)
		}
	}
	a := act(AlarmTypes, fmt.Sprintf("%d of %d messages of the last %d days are of a type that this program does not know. They are kept verbatim, and shown and found by the words in them.", sum.UnknownType, sum.Messages, ActionDays),
		"Nobody has to act. The types of the status say which. A newer program may know them: update it, then: wecom-archive reparse.").
		zh(fmt.Sprintf("最近 %[3]d 天的 %[2]d 条消息中有 %[1]d 条属于本程序不认识的类型。原文原样保存，可按其中的文字查看和搜索。", sum.UnknownType, sum.Messages, ActionDays),
			"无需处理。状态中的消息类型列出了是哪些。更新版本的程序可能认识这些类型：更新后请 wecom-archive reparse。")
	a.Severity = SeverityRecord
	return a, sum.UnknownType > 0
}
