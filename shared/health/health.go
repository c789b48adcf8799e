package health

import (
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/plural"
)

// MediaPendingLimit is how long a file may wait to be fetched before it alarms. Files
// that do not come at once are common.
const MediaPendingLimit = 24 * time.Hour

// PendingLimit is how long a page may wait for the archiver before it alarms.
const PendingLimit = time.Hour

// ActionDays is how long what cannot be undone asks for somebody's attention.
// Afterwards it stays for the record.
const ActionDays = 30

// countdown are the hours after the last proof at which the operator is warned,
// each more loudly than the one before.
var countdown = []time.Duration{26 * time.Hour, 48 * time.Hour, 72 * time.Hour, 96 * time.Hour}

// AlarmCode names an alarm for machines. Codes are only added, never changed.
type AlarmCode string

// Alarm codes.
const (
	AlarmBehind     AlarmCode = "behind"            // no pull reached the end for 26, 48, 72, 96 hours
	AlarmLoss       AlarmCode = "loss"              // five days have passed: messages may be gone
	AlarmGap        AlarmCode = "gap"               // a gap was recorded; it stays for ever
	AlarmQuiet      AlarmCode = "quiet"             // the stream is empty and nothing proves that that is right
	AlarmArchiver   AlarmCode = "archiver"          // pages wait over an hour for the archiver
	AlarmQuarantine AlarmCode = "quarantine"        // envelopes that cannot be read, or damaged segments
	AlarmPull       AlarmCode = "pull_failed"       // the last run failed
	AlarmNeverRan   AlarmCode = "never_ran"         // no run is known
	AlarmClock      AlarmCode = "clock"             // the last proof lies ahead of the clock
	AlarmEvents     AlarmCode = "unreadable_events" // facts below events/ that could not be read
	AlarmMediaLost  AlarmCode = "media_lost"        // WeCom no longer has files of messages
	AlarmMediaFail  AlarmCode = "media_failed"      // files of messages could not be fetched
	AlarmMediaWait  AlarmCode = "media_pending"     // files wait for a day
	AlarmIncident   AlarmCode = "incident"          // somebody laid a delete marker or another version over the archive
	AlarmVersion    AlarmCode = "version"           // the program's source cannot be found again
	AlarmUnparsed   AlarmCode = "unparsed"          // far more messages than usual could not be parsed
	AlarmTypes      AlarmCode = "unknown_types"     // messages of types that the program does not know; information
)

// Severity says whether somebody has to do something.
type Severity string

// Severities. A gap, an unreadable event, and an envelope that no key will open
// can never be undone: each is an action for ActionDays, so that it is seen, and
// from then on a record, so that "not healthy" keeps its meaning. Envelopes that
// wait for a key stay an action.
const (
	SeverityAction Severity = "action" // needs somebody now; the archive is not healthy
	SeverityRecord Severity = "record" // known, past, stays for ever
)

// Alarm is one thing that is wrong, and what to do about it.
type Alarm struct {
	Code     AlarmCode `json:"code"`
	Severity Severity  `json:"severity"`
	Level    int       `json:"level"` // of AlarmBehind: 1 to 4; else 1
	Message  string    `json:"message"`
	Remedy   string    `json:"remedy"`

	// The same in Chinese.
	MessageZH string `json:"message_zh"`
	RemedyZH  string `json:"remedy_zh"`
}

// zh adds the Chinese texts.
func (a Alarm) zh(message, remedy string) Alarm {
	a.MessageZH, a.RemedyZH = message, remedy
	return a
}

// Facts is what health is judged by.
type Facts struct {
	State         catalog.PullState
	Cursor        catalog.Cursor
	OldestPending time.Time // when the oldest page without segment was pulled; zero: none waits
	Quarantine    Quarantine
	Gaps          []archive.Gap
	Incidents     []archive.Incident // the newest
	Media         catalog.MediaFacts
	Damage        damage.Summary
	Parsed        []catalog.ParsedDay // from FirstParsedDay on, in order
	Build         Build
}

// Build is the program that watches over the archive. The zero Build is not judged.
type Build struct {
	Version    string
	Unknown    bool // it was built from changed or unknown source
	Compliance bool // what it stores nobody can take back
}

// Judge returns what is wrong at a time; without an alarm of SeverityAction,
// health is proven. The absence of news proves nothing.
func Judge(now time.Time, f Facts) []Alarm {
	s := f.State
	var alarms []Alarm
	add := func(a Alarm, wrong bool) {
		if wrong {
			alarms = append(alarms, a)
		}
	}
	add(judgeProof(now, s))
	add(judgeGaps(now, f.Gaps))
	add(act(AlarmPull, "The last pull failed: "+s.LastError, s.LastRemedy).zh("最近一次拉取失败："+s.LastError, s.LastRemedy), s.LastError != "")
	add(judgeEvents(now, s.Unreadable))
	add(judgeIncidents(now, f.Incidents))
	add(judgeQuiet(now, f))
	add(act(AlarmArchiver, fmt.Sprintf("Pages wait for the archiver since %s.", f.OldestPending.UTC().Format(time.RFC3339)),
		"Look at the archiver's log and its dead-letter queue. Nothing is lost: the pages are stored.").
		zh(fmt.Sprintf("自 %s 起有页面等待解析。", f.OldestPending.UTC().Format(time.RFC3339)), "请查看解析程序（archiver）的日志和死信队列。页面已存档，没有丢失。"),
		!f.OldestPending.IsZero() && (now.Sub(f.OldestPending) > PendingLimit || f.OldestPending.Sub(now) > archive.ClockSkew))
	add(judgeQuarantine(now, f.Quarantine))
	for _, a := range judgeMedia(now, f.Media) {
		add(a, true)
	}
	alarms = append(alarms, judgeDamage(f.Damage)...)
	add(judgeUnparsed(now, f.Parsed))
	add(judgeTypes(now, f.Parsed))
	add(judgeBuild(f.Build))
	return alarms
}

// Healthy says whether no alarm needs somebody.
func Healthy(alarms []Alarm) bool {
	return !slices.ContainsFunc(alarms, func(a Alarm) bool { return a.Severity == SeverityAction })
}

func act(code AlarmCode, message, remedy string) Alarm {
	return Alarm{Code: code, Severity: SeverityAction, Level: 1, Message: message, Remedy: remedy}
}

// fading is the severity of what was seen at a time and cannot be undone.
func fading(now, seen time.Time) Severity {
	if now.Sub(seen) < ActionDays*24*time.Hour {
		return SeverityAction
	}
	return SeverityRecord
}

// judgeProof looks at how long ago it was last sure that nothing waits at WeCom.
func judgeProof(now time.Time, s catalog.PullState) (Alarm, bool) {
	lag := now.Sub(s.LastProof())
	switch {
	case s.FirstRunAt.IsZero():
		return act(AlarmNeverRan, "No run of the puller is known: nothing tells what was archived.",
			"Start it: wecom-archive pull, or wait for its schedule. If it failed, mend what the failed pull says.").
			zh("没有任何拉取记录，无法证明存档了什么。", "请启动拉取：wecom-archive pull，或等待计划任务。如曾失败，请先处理失败原因。"), true
	case lag < -archive.ClockSkew:
		return act(AlarmClock, fmt.Sprintf("The last proof of the stream's end is dated %s, which is ahead of the clock: the countdown to a loss does not work.", s.LastProof().UTC().Format(time.RFC3339)),
			"Set the clocks of all machines that pull. The next pull finds the true last proof and goes on from it.").
			zh(fmt.Sprintf("最近一次到达末尾的时间 %s 晚于本机时钟，丢失倒计时失效。", s.LastProof().UTC().Format(time.RFC3339)), "请校准所有参与拉取的机器的时钟，下一次拉取会恢复正确的时间。"), true
	case lag >= archive.Window:
		return act(AlarmLoss, fmt.Sprintf("No pull reached the end of the stream for %d h: messages may be gone.", hours(lag)),
			"Make a pull succeed now: each hour loses another hour of messages.").
			zh(fmt.Sprintf("已有 %d 小时没有拉取到末尾，消息可能已丢失。", hours(lag)), "请立即使拉取成功：每过一小时就会再丢失一小时的消息。"), true
	}
	level := 0
	for _, limit := range countdown {
		if lag >= limit {
			level++
		}
	}
	a := act(AlarmBehind, fmt.Sprintf("No pull reached the end of the stream for %d h: first loss in %d h.", hours(lag), hours(archive.Window-lag)),
		"Look at the last run's error; then pull.").
		zh(fmt.Sprintf("已有 %d 小时没有拉取到末尾，%d 小时后开始丢失消息。", hours(lag), hours(archive.Window-lag)), "请查看最近一次拉取的错误，然后立即拉取。")
	a.Level = level
	return a, level > 0
}

func judgeGaps(now time.Time, gaps []archive.Gap) (Alarm, bool) {
	a := act(AlarmGap, plural.Of(len(gaps), "recorded gap")+": WeCom may have dropped messages before they were pulled.",
		"Nothing brings them back from WeCom. Keep the record; ask the employees' devices if the period matters.").
		zh(fmt.Sprintf("有 %d 处断档：消息可能在拉取之前已被企业微信删除。", len(gaps)), "企业微信无法再提供这些消息。请保留此记录；如该时段重要，请在员工的设备上查找。")
	var seen time.Time
	for _, g := range gaps {
		seen = archive.Latest(seen, g.SeenAt)
	}
	a.Severity = fading(now, seen)
	return a, len(gaps) > 0
}

func judgeIncidents(now time.Time, incidents []archive.Incident) (Alarm, bool) {
	var seen time.Time
	for _, i := range incidents {
		seen = archive.Latest(seen, i.Modified)
	}
	a := act(AlarmIncident, fmt.Sprintf("%s over objects of the archive, the last one since %s.", plural.Of(len(incidents), "delete marker or later version lies", "delete markers or later versions lie"), seen.UTC().Format(time.RFC3339)),
		"Nothing is lost: the earliest version of each key is the truth, and is what is read. Find out in CloudTrail who put them there, and take that right away.").
		zh(fmt.Sprintf("存档对象上有 %d 个删除标记或后来的版本，最近一个在 %s。", len(incidents), seen.UTC().Format(time.RFC3339)), "没有丢失：读取的始终是每个对象最早的版本。请在 CloudTrail 中查明是谁所为，并收回其权限。")
	a.Severity = fading(now, seen)
	return a, len(incidents) > 0
}

func judgeEvents(now time.Time, u catalog.Unreadable) (Alarm, bool) {
	a := act(AlarmEvents, fmt.Sprintf("%s could not be read when the index was restored, the last one %s. What it would say, maybe a gap or a key binding, is missing in the index.", plural.Of(u.Count, "event"), u.Key),
		"Look at that object and at earlier versions of it. If a newer version of this program wrote it, run that version. Nothing else is held up.").
		zh(fmt.Sprintf("恢复索引时有 %d 个事件无法读取，最近一个是 %s，其内容（可能是断档或密钥绑定）不在索引中。", u.Count, u.Key), "请查看该对象及其更早的版本。如由更新版本的程序写入，请运行该版本。其他工作不受影响。")
	a.Severity = fading(now, u.SeenAt)
	return a, u.Count > 0
}

func judgeMedia(now time.Time, m catalog.MediaFacts) (alarms []Alarm) {
	if m.Lost > 0 {
		a := act(AlarmMediaLost, fmt.Sprintf("%s, the last one %s.", plural.Of(m.Lost, "file of messages is lost: WeCom no longer had it", "files of messages are lost: WeCom no longer had them"), m.LostAt.UTC().Format(time.RFC3339)),
			"Nothing brings them back from WeCom. Find out in the log of the media stage why they came so late; ask the people who sent them if they matter.").
			zh(fmt.Sprintf("有 %d 个媒体文件已丢失：企业微信不再保存，最近一个在 %s。", m.Lost, m.LostAt.UTC().Format(time.RFC3339)), "企业微信无法再提供这些文件。请在媒体程序的日志中查明为何取得过晚；如文件重要，请向发送者索取。")
		a.Severity = fading(now, m.LostAt)
		alarms = append(alarms, a)
	}
	if m.Failed > 0 {
		a := act(AlarmMediaFail, fmt.Sprintf("%s of messages could not be fetched, the last one given up %s.", plural.Of(m.Failed, "file"), m.FailedAt.UTC().Format(time.RFC3339)),
			"See the reasons, and wecom-archive media. Where the cause is mended: wecom-archive redrive --media.").
			zh(fmt.Sprintf("有 %d 个媒体文件未能取回，最近一次放弃在 %s。", m.Failed, m.FailedAt.UTC().Format(time.RFC3339)), "请查看原因（wecom-archive media）。原因消除后：wecom-archive redrive --media。")
		a.Severity = fading(now, m.FailedAt)
		alarms = append(alarms, a)
	}
	if !m.Oldest.IsZero() && now.Sub(m.Oldest) > MediaPendingLimit {
		alarms = append(alarms, act(AlarmMediaWait, fmt.Sprintf("Files of messages wait since %s; WeCom may forget the first one %s.", m.Oldest.UTC().Format(time.RFC3339), m.Expires.UTC().Format(time.RFC3339)),
			"Look at the log of the media stage and its dead-letter queue. WeCom forgets files after five days.").
			zh(fmt.Sprintf("自 %s 起有媒体文件等待取回；企业微信最早将于 %s 删除。", m.Oldest.UTC().Format(time.RFC3339), m.Expires.UTC().Format(time.RFC3339)), "请查看媒体程序的日志和死信队列。企业微信五天后删除文件。"))
	}
	return alarms
}

// judgeBuild asks somebody to act only where what is stored stays: elsewhere programs are
// tried out.
func judgeBuild(b Build) (Alarm, bool) {
	a := act(AlarmVersion, fmt.Sprintf("The program has version %s: it was built from changed or unknown source. What it stores names this version, and nobody can find out later what did it.", b.Version),
		"Commit what git status shows, build in a clone, and deploy. Capturing goes on meanwhile.").
		zh(fmt.Sprintf("程序版本为 %s：由有改动或来源不明的源码构建。它存入的内容会记下此版本，日后无法查明由什么程序写入。", b.Version), "请提交 git status 显示的改动，在克隆的仓库中构建并重新部署。在此期间存档照常进行。")
	if !b.Compliance {
		a.Severity = SeverityRecord
	}
	return a, b.Unknown
}

func hours(d time.Duration) int { return int(d / time.Hour) }
