package health

import (
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
)

// judgeQuiet tells an empty stream that is believable from one that looks like a missing
// scope, licence or consent: those all look like nothing (docs/wecom.md, "When nothing
// comes").
func judgeQuiet(now time.Time, f Facts) (Alarm, bool) {
	const remedy = "Check in the WeCom console: archive scope opened, seats bought and not expired, trusted IP and Secret right. Then send a test message."
	const remedyZH = "请在企业微信管理后台检查：存档范围已开启，席位已购买且未过期，可信 IP 和 Secret 正确。然后发送一条测试消息。"
	seats, silent := f.State.Seats, f.silence(now)
	switch {
	case seats != nil && *seats == 0:
		return act(AlarmQuiet, "Nobody is in the archive's scope: WeCom archives nothing.", remedy).zh("没有人在存档范围内：企业微信不存档任何消息。", remedyZH), true
	case silent < catalog.QuietAfter:
		return Alarm{}, false
	case seats == nil:
		return act(AlarmQuiet, "No messages for a day, and the list of archived seats is not known.", remedy).zh("一天没有消息，且存档席位名单未知。", remedyZH), true
	case !f.usual(now, silent):
		return act(AlarmQuiet, fmt.Sprintf("No messages for %d h, which is not usual for this corp.", hours(silent)), remedy).zh(fmt.Sprintf("%d 小时没有消息，这对本企业不寻常。", hours(silent)), remedyZH), true
	}
	return Alarm{}, false
}

// silence is how long the stream was empty at the last proof. It counts from the
// last page, which an index that was lost learns again from the pages.
func (f Facts) silence(now time.Time) time.Duration {
	s := f.State
	if s.EndReachedAt.IsZero() {
		return 0
	}
	from := f.Cursor.PulledAt
	switch {
	case from.IsZero():
		from = s.FirstRunAt
	case from.Sub(now) > archive.ClockSkew: // pulled while the clock was wrong
		from = s.Quiet.Since
	}
	return s.EndReachedAt.Sub(from)
}

// usual says whether there was as long a silence before: a corp that rests on
// Sundays is not well when Monday is silent, too.
func (f Facts) usual(now time.Time, silent time.Duration) bool {
	last := f.Cursor.PulledAt
	if last.IsZero() || last.Sub(f.State.FirstRunAt) < catalog.LearnDays*24*time.Hour {
		return false
	}
	return slices.ContainsFunc(f.State.Quiet.Silences, func(p archive.Silence) bool {
		return now.Sub(p.To) <= catalog.KeepSilences*24*time.Hour && silent <= p.To.Sub(p.From)+catalog.SilenceSlack
	})
}
