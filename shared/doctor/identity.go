package doctor

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"unicode"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// What corpids and secrets look like: seen, not documented. Others are doubtful,
// not wrong.
var (
	usualCorp   = regexp.MustCompile(`^w[wx][0-9a-f]{16}$`)
	usualSecret = regexp.MustCompile(`^[0-9A-Za-z_-]{43}$`)
)

// Corp looks at the shape of the corpid.
func Corp(corp string) Check {
	return one(CheckCorp, func(context.Context, archive.Checkup) finding {
		remedy := say(
			"Copy 企业ID from 我的企业 → 企业信息 of the console, and deploy with it.",
			"从管理后台“我的企业 → 企业信息”复制企业ID，重新部署。")
		switch {
		case corp == "" || strings.ContainsFunc(corp, notPlain):
			return act(say("The corpid %q is empty or has characters that no corpid has.", "企业ID %q 为空或含有非法字符。", corp), remedy)
		case !usualCorp.MatchString(corp):
			return look(say("The corpid %s does not look like one: ww and 16 digits 0–9, a–f.", "企业ID %s 与常见格式不同：应为 ww 加 16 位 0–9、a–f。", corp), remedy)
		}
		return ok(say("The corpid is %s.", "企业ID 为 %s。", corp))
	})
}

// notPlain are characters that no corpid and no secret has, as spaces pasted along.
func notPlain(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) || r == ' ' }

// Secret looks whether the archive's secret is there, and at its shape. It says
// nothing of what is in it.
func Secret(secrets store.Secrets) Check {
	return one(CheckSecret, func(ctx context.Context, _ archive.Checkup) finding {
		remedy := say(
			"Ask for the secret on the page 会话内容存档 of the console: it arrives in the administrator's WeCom. Store it with `wecom-archive secrets set %s`.",
			"在管理后台“会话内容存档”页获取 Secret（会发到管理员的企业微信），用 `wecom-archive secrets set %s` 保存。", store.SecretArchive)
		value, err := secrets.Get(ctx, store.SecretArchive)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return act(say("There is no secret yet.", "尚未保存 Secret。"), remedy)
		case err != nil:
			return act(say("The secret cannot be read: %v.", "Secret 无法读取：%v。", err), say(
				"The function's role must be allowed to read this parameter and to decrypt with its key: deploy again.",
				"函数角色需要有读取该参数并用其密钥解密的权限：请重新部署。"))
		case value == "" || strings.ContainsFunc(value, notPlain):
			return act(say("The secret has characters that no secret has, or is empty.", "Secret 为空或含有非法字符（例如粘贴时带入的空格）。"), remedy)
		case !usualSecret.MatchString(value):
			return look(say("A secret is there, but of %d characters: usual are 43 letters, digits, - and _.", "已保存 Secret，但长度为 %d：常见为 43 个字母、数字、- 或 _。", len(value)), remedy)
		}
		return ok(say("The secret is there and has its usual shape.", "Secret 已保存，格式正常。"))
	})
}
