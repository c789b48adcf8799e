package doctor

import (
	"context"
	"errors"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// Bucket stores what was found before as an event of the archive, reads it again,
// and looks whether the bucket locks.
func Bucket(objects store.Objects, lock store.Lock, corp string) Check {
	return one(CheckBucket, func(ctx context.Context, before archive.Checkup) finding {
		rights := say(
			"The role must be allowed to write, list and read below events/ and to use the key that encrypts it: deploy again. If the bucket is an adopted one, its policy must allow this role, too.",
			"角色需要能在 events/ 下写入、列出、读取对象，并使用其加密密钥：请重新部署；若沿用已有存储桶，其策略也须允许该角色。")
		if err := lock.CheckLock(ctx); errors.Is(err, store.ErrNotLocked) {
			return act(say("%v.", "存储桶未锁定：%v。", err), say(
				"Switch versioning and a default retention of Object Lock on. Nothing is pulled before.",
				"请开启版本控制和对象锁定的默认保留期；在此之前不会拉取。"))
		} else if err != nil {
			return act(say("Whether the bucket locks cannot be told: %v.", "无法确认存储桶是否锁定：%v。", err), rights)
		}
		if err := archive.PutCheckup(ctx, objects, corp, before); err != nil {
			return act(say("The archive cannot be written: %v.", "存档无法写入：%v。", err), rights)
		}
		if _, err := archive.GetEvent(ctx, objects, archive.CheckupKey(before), nil); err != nil {
			return act(say("The archive cannot be read: %v.", "存档无法读取：%v。", err), rights)
		}
		return ok(say("The archive bucket locks what is written, can be written and read.", "存档存储桶会锁定写入内容，可写可读。"))
	})
}

// Journal keeps the last checkup of each place.
type Journal interface {
	SaveCheckup(ctx context.Context, checkup archive.Checkup) error
	LastCheckup(ctx context.Context, where string) (checkup archive.Checkup, found bool, err error)
}

// Table keeps what was found before, and this, in the index, and reads it again.
func Table(journal Journal) Check {
	return func(ctx context.Context, before archive.Checkup) []archive.CheckupLine {
		line := archive.CheckupLine{
			Check: CheckTable, State: archive.CheckupOK,
			Found: say("The index can be written and read.", "索引表可写可读。"),
		}
		before.Lines = append(before.Lines[:len(before.Lines):len(before.Lines)], line)
		if err := keep(ctx, journal, before); err != nil {
			line.State = archive.CheckupAct
			line.Found = say("The index cannot be used: %v.", "索引表无法使用：%v。", err)
			line.Remedy = say(
				"The role must be allowed to read and write the table, and to use its key: deploy again.",
				"角色需要能读写该表并使用其密钥：请重新部署。")
		}
		return []archive.CheckupLine{line}
	}
}

func keep(ctx context.Context, journal Journal, c archive.Checkup) error {
	if err := journal.SaveCheckup(ctx, c); err != nil {
		return err
	}
	kept, found, err := journal.LastCheckup(ctx, c.Where)
	if err == nil && (!found || kept.ID != c.ID) {
		err = errors.New("what was written is not what is read")
	}
	return err
}
