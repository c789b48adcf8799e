// Package setup knows what an operator does, in which order, until messages are
// archived (docs/wecom.md, "The console"): the steps in WeCom's console and in ours,
// what to copy from here to there, and which of them are proved to be done.
//
// A step is done only if something proves it: a message that a key opened, a line of
// the last checkup (package doctor), a run. What WeCom lets nobody ask stays for a
// person to tick off.
package setup

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/plural"
)

// Settings are what the stack was deployed with. Empty ones are not known.
type Settings struct {
	Corp      string // corpid
	TrustedIP string // address that WeCom must trust
	Schedule  string // of pulls, as EventBridge writes it
	Retention string // of the archive bucket, as "COMPLIANCE, 6 years"
	Callback  string // URL for events of WeCom; empty: the stack has none
}

// Key is the public side of a key of the corp.
type Key struct {
	archive.PublicKey
	Versions []int64 `json:"publickey_vers" nullable:"false" doc:"That it has opened messages of"`
}

// Facts are what is known of the archive.
type Facts struct {
	Settings Settings
	Keys     []Key            // in order of their making
	Checkup  *archive.Checkup // the puller's last, else the operator's; nil: none
	State    catalog.PullState
	Cursor   catalog.Cursor
}

// State says how far a step is.
type State string

// States.
const (
	Done   State = "done"   // proved
	Open   State = "open"   // proved not to be done, or nothing proves it yet
	Wrong  State = "wrong"  // was done, and is wrong
	Person State = "person" // nobody can see it from here: a person must know
)

// Step is one thing to do.
type Step struct {
	ID     string            `json:"id"`
	State  State             `json:"state" enum:"done,open,wrong,person" doc:"done: proved. open: not yet, or not proved. wrong: see found. person: cannot be seen from here"`
	Title  archive.Bilingual `json:"title"`
	Do     archive.Bilingual `json:"do" doc:"What to do, and where"`
	Value  string            `json:"value,omitempty" doc:"What to copy into WeCom's console"`
	Found  archive.Bilingual `json:"found,omitzero" doc:"What shows its state"`
	Needed bool              `json:"needed" doc:"Without it nothing is archived"`
}

// Steps are the steps in the order in which they are done.
func Steps(f Facts) []Step {
	steps := []Step{
		f.service(),
		f.publicKey(),
		f.address(),
		f.line("secret", "secret", say("Secret", "Secret"), say(
			"会话内容存档 → Secret: it arrives in the administrator's WeCom, not on the page. Store it with `wecom-archive secrets set archive-secret`. It is never shown again.",
			"会话内容存档 → Secret：会发到管理员的企业微信，不在页面上显示。用 `wecom-archive secrets set archive-secret` 保存；此处不再显示。")),
		f.corp(),
		person("agreement", say("Supplementary agreement (optional)", "补充协议（可选）"), say(
			"会话内容存档 → 补充协议: a PDF that external contacts see in the notice, and whether chats are limited when one refuses.",
			"会话内容存档 → 补充协议：外部联系人在通知中可见的 PDF；以及客户不同意时是否限制聊天。")),
		person("names", say("Names (optional)", "姓名（可选）"), say(
			"应用管理 → 自建 app: 可见范围 = all archived staff; set a 可信域名, then its own 企业可信IP (a second list) to the same address; 客户与上下游 → 客户联系 → API → 可调用接口的应用: add it. Store its secret with `wecom-archive secrets set companion-secret`. Without it customers are shown by id.",
			"应用管理 → 自建应用：可见范围 = 全部存档员工；设置可信域名，再在其“企业可信IP”（另一份列表）填入同一 IP；客户与上下游 → 客户联系 → API → 可调用接口的应用中添加它。用 `wecom-archive secrets set companion-secret` 保存其 Secret。否则客户只显示 ID。")),
	}
	if f.Settings.Callback != "" {
		steps = append(steps, f.callback())
	}
	return append(steps, f.doctor(), f.scope(), f.message())
}

func say(english, chinese string, args ...any) archive.Bilingual {
	if len(args) == 0 {
		return archive.Bilingual{English: english, Chinese: chinese}
	}
	return archive.Bilingual{English: fmt.Sprintf(english, args...), Chinese: fmt.Sprintf(chinese, args...)}
}

func person(id string, title, do archive.Bilingual) Step {
	return Step{ID: id, State: Person, Title: title, Do: do}
}

// checked is the line of the last checkup.
func (f Facts) checked(check string) (line archive.CheckupLine, found bool) {
	if f.Checkup == nil {
		return line, false
	}
	i := slices.IndexFunc(f.Checkup.Lines, func(l archive.CheckupLine) bool { return l.Check == check })
	if i < 0 {
		return line, false
	}
	return f.Checkup.Lines[i], true
}

// line is a needed step that one line of the checkup decides.
func (f Facts) line(id, check string, title, do archive.Bilingual) Step {
	s := Step{ID: id, State: Open, Title: title, Do: do, Needed: true}
	if l, found := f.checked(check); found {
		s.Found = l.Found
		switch l.State {
		case archive.CheckupOK:
			s.State = Done
		case archive.CheckupAct:
			s.State = Wrong
		}
	}
	return s
}

// answered says whether WeCom answered at the last checkup, or a run has ended well
// since.
func (f Facts) answered() bool {
	if l, found := f.checked("wecom"); found && l.State == archive.CheckupAct {
		return f.State.LastSuccessAt.After(f.Checkup.At)
	} else if found && l.State == archive.CheckupOK {
		return true
	}
	return !f.State.LastSuccessAt.IsZero()
}

// proved makes a step done if WeCom answers: it would not without it.
func (f Facts) proved(s Step) Step {
	if f.answered() {
		s.State, s.Found = Done, say("WeCom answers.", "企业微信应答正常。")
	}
	return s
}

func (f Facts) service() Step {
	return f.proved(Step{ID: "service", State: Open, Needed: true,
		Title: say("Open the service", "开通会话内容存档"),
		Do: say(
			"安全与管理 → 管理工具 → 会话内容存档 (older consoles: 管理工具 in the header): 试用 (30 days), or buy 服务版 (chats) or 企业版 (chats and voice calls). Download, chop and submit the 确认函, and wait for approval. Some settings ask the administrator for a WeChat voiceprint (我 → 设置 → 账号与安全 → 声音锁).",
			"安全与管理 → 管理工具 → 会话内容存档（旧版后台：顶部“管理工具”）：选择试用（30 天），或购买服务版（聊天）、企业版（聊天与语音通话）；下载确认函盖章提交并等待审核。部分设置需要管理员的微信声音锁（我 → 设置 → 账号与安全 → 声音锁）。"),
	})
}

func (f Facts) publicKey() Step {
	s := Step{ID: "public_key", State: Open, Needed: true,
		Title: say("Paste the public key", "粘贴消息加密公钥"),
		Do: say(
			"会话内容存档 → 消息加密公钥: paste it, and note the 版本号 that it shows. Make a key with `wecom-archive keys create NAME`.",
			"会话内容存档 → 消息加密公钥：粘贴下面的公钥，并记下显示的版本号。密钥用 `wecom-archive keys create 名称` 生成。"),
	}
	if len(f.Keys) == 0 {
		s.Found = say("There is no key yet.", "尚无密钥。")
		return s
	}
	newest := f.Keys[len(f.Keys)-1]
	s.Value = newest.PublicPEM
	if len(newest.Versions) == 0 {
		s.Found = say("No message has been opened with key %s yet.", "密钥 %s 尚未解开过任何消息。", newest.ID)
		return s
	}
	s.State = Done
	s.Found = say("Key %s has opened messages of publickey_ver %s.", "密钥 %s 已解开公钥版本号 %s 的消息。",
		newest.ID, strings.Trim(strings.ReplaceAll(fmt.Sprint(newest.Versions), " ", ", "), "[]"))
	return s
}

func (f Facts) address() Step {
	s := f.line("trusted_ip", "address", say("Trust the address", "设置可信IP地址"), say(
		"会话内容存档 → 可信IP地址, the archive's own list: paste it. It takes about a minute.",
		"会话内容存档 → 可信IP地址（存档自己的列表）：粘贴下面的 IP，约一分钟后生效。"))
	s.Value = f.Settings.TrustedIP
	// That the function goes out through it does not prove that WeCom trusts it.
	if s.State == Done {
		s.State = Open
	}
	if s.State == Wrong {
		return s
	}
	return f.proved(s)
}

func (f Facts) corp() Step {
	s := f.line("corp", "corp", say("Compare the corpid", "核对企业ID"), say(
		"我的企业 → 企业信息 → 企业ID: it must be this one. It is a parameter of the stack.",
		"我的企业 → 企业信息 → 企业ID：应与此处一致。它是部署参数。"))
	s.Value = f.Settings.Corp
	return s
}

func (f Facts) callback() Step {
	s := person("callback", say("Events from WeCom (optional)", "接收事件服务器（可选）"), say(
		"会话内容存档 → 接收事件服务器: with it the archive is minutes behind, not a day. The domain must be the company's own, with 备案.",
		"会话内容存档 → 接收事件服务器：配置后存档只落后几分钟而不是一天。域名须为本企业所有并已备案。"))
	s.Value = f.Settings.Callback
	return s
}

func (f Facts) doctor() Step {
	s := Step{ID: "doctor", State: Open, Title: say("Have it all checked", "体检"), Do: say(
		"`wecom-archive doctor --stack NAME`: each line says ok, or what to do.",
		"执行 `wecom-archive doctor --stack 名称`：每行显示正常，或说明如何处理。")}
	if f.Checkup == nil {
		return s
	}
	s.Found = say("Checked at %s.", "体检时间：%s。", f.Checkup.At.UTC().Format(time.RFC3339))
	s.State = Wrong
	if f.Checkup.Well() {
		s.State = Done
	}
	return s
}

func (f Facts) scope() Step {
	s := Step{ID: "scope", State: Open, Needed: true,
		Title: say("Last: open the scope", "最后：开启范围"),
		Do: say(
			"会话内容存档 → 开启范围: two or three pilots, then everybody. Customers are notified from here on.",
			"会话内容存档 → 开启范围：先选两三名试点员工，再扩大到全员。从此刻起客户会收到通知。"),
	}
	switch {
	case f.Cursor.Envelopes > 0:
		s.State, s.Found = Done, say("Messages have arrived.", "已收到消息。")
	case f.State.Seats != nil && *f.State.Seats > 0:
		s.State, s.Found = Done, archive.Bilingual{
			English: plural.Of(*f.State.Seats, "employee is archived.", "employees are archived."), Chinese: fmt.Sprintf("已存档员工 %d 人。", *f.State.Seats),
		}
	}
	return s
}

func (f Facts) message() Step {
	s := Step{ID: "message", State: Open,
		Title: say("See a test message", "查看测试消息"),
		Do: say(
			"Send a message from a pilot, pull now, and see it here. After 开启范围 it may take WeCom some minutes.",
			"由试点员工发送一条消息，立即拉取，并在此查看。开启范围后企业微信可能需要几分钟。"),
	}
	if f.Cursor.Envelopes > 0 {
		s.State, s.Found = Done, archive.Bilingual{
			English: plural.Of(f.Cursor.Envelopes, "message is stored.", "messages are stored."), Chinese: fmt.Sprintf("已保存 %d 条消息。", f.Cursor.Envelopes),
		}
	}
	return s
}
