package doctor

import (
	"context"
	"errors"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/wecom"
)

// Chats is WeCom's library, as far as a question needs it. GetChatData is that of
// package capture.
type Chats interface {
	GetChatData(ctx context.Context, seq uint64, limit int) ([]byte, error)
	Close() error
}

// Pages know up to where the stream was pulled.
type Pages interface {
	Cursor(ctx context.Context) (catalog.Cursor, error)
}

// WeCom asks WeCom for one message after the cursor, and throws the answer away: the
// only proof that address, corpid and secret are what WeCom wants. It asks nothing
// while an earlier check has found the library or the secret wrong, since wrong
// secrets get an address banned for an hour (docs/wecom.md, "Limits and bans").
func WeCom(open func(ctx context.Context) (Chats, error), pages Pages) Check {
	return one(CheckWeCom, func(ctx context.Context, before archive.Checkup) finding {
		for _, name := range []string{CheckLibrary, CheckCorp, CheckSecret} {
			if l, found := lineOf(before, name); found && l.State == archive.CheckupAct {
				return look(say("WeCom was not asked, because of line %s.", "因 %s 一行有问题，未向企业微信发起请求。", name), say("Settle that first.", "请先解决。"))
			}
		}
		err := askWeCom(ctx, open, pages)
		if err == nil {
			return ok(say("WeCom answers: it takes corpid, secret and address.", "企业微信应答正常：企业ID、Secret 和 IP 均被接受。"))
		}
		refusal, english := (*wecom.Error)(nil), "See docs/sdk.md."
		if errors.As(err, &refusal) && refusal.Remedy() != "" {
			english = refusal.Remedy()
		}
		return act(say("%v.", "企业微信未正常应答：%v。", err), archive.Bilingual{English: english, Chinese: remedyInChinese(err)})
	})
}

func askWeCom(ctx context.Context, open func(ctx context.Context) (Chats, error), pages Pages) (err error) {
	cursor, err := pages.Cursor(ctx)
	if err != nil {
		return err
	}
	chats, err := open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, chats.Close()) }()
	reply, err := chats.GetChatData(ctx, cursor.Seq, 1)
	if err != nil {
		return err
	}
	parsed, err := archive.ParseReply(reply, cursor.Seq, archive.DefaultSeqLimits())
	if errors.Is(err, archive.ErrErrcode) {
		return wecom.NewReplyError("GetChatData", parsed.Errcode, parsed.Errmsg)
	}
	return err
}

// remedyInChinese is Error.Remedy in Chinese, for what a set-up can have wrong.
func remedyInChinese(err error) string {
	for _, r := range []struct {
		kind   error
		remedy string
	}{
		{wecom.ErrUntrustedIP, "把出口 IP 加入管理后台“会话内容存档 → 可信IP地址”，约一分钟后生效。"},
		{wecom.ErrBadSecret, "核对会话内容存档的 Secret（不是自建应用的 Secret），用 `wecom-archive secrets set archive-secret` 重新保存；也请核对可信IP。"},
		{wecom.ErrBadCorp, "核对企业ID（我的企业 → 企业信息），重新部署。"},
		{wecom.ErrServiceNotOpen, "在管理后台开通会话内容存档（试用或购买），并提交确认函。"},
		{wecom.ErrServiceExpired, "会话内容存档服务已到期：请续费。到期期间的消息不会存档。"},
		{wecom.ErrNotGranted, "核对会话内容存档的权限与开启范围。"},
		{wecom.ErrNetwork, "无法连接企业微信：请检查出网路由、NAT 网关与代理设置。"},
		{wecom.ErrCertificate, "无法验证企业微信的证书：请检查代理是否拦截 TLS。"},
		{wecom.ErrRateLimited, "调用过于频繁：请一分钟后再试。"},
	} {
		if errors.Is(err, r.kind) {
			return r.remedy
		}
	}
	return "请参见 docs/sdk.md。"
}
