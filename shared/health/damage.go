package health

import (
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/damage"
)

// Alarm codes of what is not as it must be. Each stands until it is mended or somebody
// acknowledges it: an action, however old.
const (
	AlarmDamage       AlarmCode = "damage"       // objects of the archive are missing or altered
	AlarmHole         AlarmCode = "hole"         // pages are missing between those that are there
	AlarmStray        AlarmCode = "stray"        // objects that no part of the program puts there
	AlarmDerived      AlarmCode = "derived"      // what is derived is missing or altered; it is made again
	AlarmAcknowledged AlarmCode = "acknowledged" // damage that somebody took note of
)

// damageGroup is one alarm: what counts for it, and how it says so. Texts take how many,
// the key of the one found last, and since when.
type damageGroup struct {
	where     archive.Where
	kinds     []archive.FindingKind
	code      AlarmCode
	one, many string // with how many, key, since
	zh        string
	remedy    string
	remedyZH  string
}

func damageGroups() []damageGroup {
	return []damageGroup{{
		archive.InArchive, []archive.FindingKind{archive.Missing, archive.Altered}, AlarmDamage,
		"An object of the archive is missing or altered: %[2]s, noticed %[3]s.", "%s objects of the archive are missing or altered, the last one %s, noticed %s.",
		"存档中有 %s 个对象丢失或被改动，最近发现的是 %s（%s）。",
		"See wecom-archive damage, or the page of damage. Look at earlier versions and copies of the object, and at who could write there. Once it is whole again the alarm ends with the next check; what cannot be brought back, an operator or auditor acknowledges with a reason.",
		"请查看 wecom-archive damage 或“损坏”页。请检查对象的更早版本与备份，以及谁有写入权限。恢复后，下一次检查会解除告警；无法恢复的，由运维或审计人员写明原因并确认。",
	},
		{
			archive.InArchive, []archive.FindingKind{archive.Hole}, AlarmHole,
			"Pages are missing before those that are there, from %[2]s on, noticed %[3]s.", "%s places lack pages, the last one from %s on, noticed %s.",
			"有 %s 处页面缺失，最近发现的从 %s 开始（%s）。",
			"While WeCom still has these messages the next pulls ask for them again. What WeCom has forgotten, look for in copies of the bucket; then acknowledge it with a reason.",
			"企业微信仍保存这些消息时，之后的拉取会重新获取。企业微信已删除的，请在存储桶的备份中查找，然后写明原因并确认。",
		},
		{
			archive.InArchive, []archive.FindingKind{archive.Stray}, AlarmStray,
			"An object that this program did not put there lies in the archive: %[2]s, noticed %[3]s.", "%s objects that this program did not put there lie in the archive, the last one %s, noticed %s.",
			"存档中有 %s 个并非本程序写入的对象，最近发现的是 %s（%s）。",
			"It changes nothing of what is read. Find out who put it there, take that right away, and acknowledge it with a reason.",
			"它不影响读取的内容。请查明是谁写入的并收回其权限，然后写明原因并确认。",
		},
		{
			archive.InDerived, []archive.FindingKind{archive.Missing, archive.Altered}, AlarmDerived,
			"Something that is made from the archive is missing or altered: %[2]s, noticed %[3]s.", "%s things that are made from the archive are missing or altered, the last one %s, noticed %s.",
			"由存档生成的数据中有 %s 项丢失或被改动，最近发现的是 %s（%s）。",
			"No message is lost: they are read from the archive itself, more slowly, until the next daily compaction makes this again. At once: wecom-archive compact.",
			"没有丢失消息：在每日整理重新生成之前，会较慢地直接从存档读取。立即处理：wecom-archive compact。",
		},
	}
}

// judgeDamage judges what is open, and names the one found last.
func judgeDamage(s damage.Summary) (alarms []Alarm) {
	for _, group := range damageGroups() {
		n := s.Count(group.where, group.kinds...)
		if n == 0 {
			continue
		}
		last := s.Last(group.where, group.kinds...)
		since := last.Noticed.UTC().Format(time.RFC3339)
		text, count, countZH := group.many, fmt.Sprint(n), fmt.Sprint(n)
		if s.AtLeast {
			count, countZH = "At least "+count, "至少 "+count
		} else if n == 1 {
			text = group.one
		}
		alarms = append(alarms, act(group.code, fmt.Sprintf(text, count, last.Key, since), group.remedy).
			zh(fmt.Sprintf(group.zh, countZH, last.Key, since), group.remedyZH))
	}
	if n := len(s.Acknowledged); n > 0 {
		last := s.Acknowledged[0]
		text := "%d things that are damaged were acknowledged, the last one found %s, by %s."
		if n == 1 {
			text = "Something that is damaged was acknowledged: %[2]s, by %[3]s."
		}
		a := act(AlarmAcknowledged, fmt.Sprintf(text, n, last.Finding.Key, last.By),
			"Nothing more has to be done. The reason stands on record.").
			zh(fmt.Sprintf("有 %d 项损坏已确认，最近发现的是 %s，由 %s 确认。", n, last.Finding.Key, last.By), "无需再处理，原因已留存。")
		a.Severity = SeverityRecord
		alarms = append(alarms, a)
	}
	return alarms
}
