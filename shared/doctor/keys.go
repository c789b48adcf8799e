package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wecom-archive/shared/archive"
)

// KeyRecords lists the corp's keys without opening them. Beside an error about some
// it returns the others.
type KeyRecords interface {
	Records(ctx context.Context) ([]archive.KeyRecord, error)
}

// Bindings are which key opened which publickey_ver.
type Bindings interface {
	Bindings(ctx context.Context, limit int) ([]archive.KeyBinding, error)
}

// maxBindings is far above what a corp binds: a version for each upload.
const maxBindings = 10_000

// Keys looks which keys there are and which publickey_ver each has opened. That a
// key has opened a message also proves that the archiver may use it.
func Keys(ring KeyRecords, bound Bindings) Check {
	return one(CheckKeys, func(ctx context.Context, _ archive.Checkup) finding {
		recs, err := ring.Records(ctx)
		if err != nil {
			return act(say("Keys cannot be read: %v.", "密钥无法读取：%v。", err), say(
				"You must be allowed to read below keys/ and to use the key that encrypts it. A damaged record is a loss: messages that need it cannot be opened.",
				"您需要能读取 keys/ 并使用其加密密钥。若记录损坏，需要它的消息将无法解密。"))
		}
		if len(recs) == 0 {
			return act(say("There is no key yet: WeCom archives nothing before it has one.", "尚无密钥：设置公钥之前企业微信不会存档任何消息。"), say(
				"Make one with `wecom-archive keys create NAME` and paste what it prints into the console: 会话内容存档 → 消息加密公钥.",
				"用 `wecom-archive keys create 名称` 生成，并把打印出的公钥粘贴到管理后台“会话内容存档 → 消息加密公钥”。"))
		}
		bindings, err := bound.Bindings(ctx, maxBindings)
		if err != nil {
			return act(say("The versions of the keys cannot be read: %v.", "公钥版本号无法读取：%v。", err), say("See line table.", "见 table 一行。"))
		}
		return ofBindings(recs, bindings)
	})
}

func ofBindings(recs []archive.KeyRecord, bindings []archive.KeyBinding) finding {
	var bound, unbound []string
	for _, rec := range recs {
		var versions []string
		for _, b := range bindings {
			if b.Key == rec.ID {
				versions = append(versions, fmt.Sprint(b.PublicKeyVer))
			}
		}
		if len(versions) == 0 {
			unbound = append(unbound, rec.ID)
			continue
		}
		bound = append(bound, fmt.Sprintf("%s: %s", rec.ID, strings.Join(versions, ", ")))
	}
	for _, b := range bindings {
		if !slices.ContainsFunc(recs, func(r archive.KeyRecord) bool { return r.ID == b.Key }) {
			return act(say("Key %s opened messages of publickey_ver %d, and its record is gone.", "密钥 %s 曾解开公钥版本 %d 的消息，但其记录已不存在。", b.Key, b.PublicKeyVer), say(
				"Import it again under this name: `wecom-archive keys import %s`.", "请以同名重新导入：`wecom-archive keys import %s`。", b.Key))
		}
	}
	if len(bound) == 0 {
		return look(say("No message has been opened yet with %s.", "密钥 %s 尚未解开过任何消息。", strings.Join(unbound, ", ")), say(
			"Is its public half in the console (消息加密公钥)? Send a test message, `wecom-archive pull`, and ask again.",
			"其公钥是否已粘贴到管理后台“消息加密公钥”？请发送测试消息并执行 `wecom-archive pull`，然后再检查。"))
	}
	text := say("Keys and the versions (publickey_ver) that they have opened: %s.", "密钥及已解开的公钥版本号：%s。", strings.Join(bound, "; "))
	if len(unbound) > 0 {
		spare := say(" Not used yet: %s.", "尚未使用：%s。", strings.Join(unbound, ", "))
		text.English, text.Chinese = text.English+spare.English, text.Chinese+spare.Chinese
	}
	return ok(text)
}
