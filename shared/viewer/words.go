package viewer

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"wecom-archive/shared/archive"
)

// say is a phrase of the catalogue, words, in a language.
func say(lang language, key string, args ...any) string {
	both, ok := words[key]
	if !ok {
		return key
	}
	text := both.zh
	if lang == english {
		text = both.en
	}
	for i, arg := range args {
		args[i] = pointedTo(arg)
	}
	if len(args) > 0 {
		text = fmt.Sprintf(text, args...)
	}
	return text
}

// sayKnown is the phrase prefix.key, or key itself where there is none: WeCom and the
// archive name new things.
func sayKnown(lang language, prefix, key string) string {
	if _, ok := words[prefix+"."+key]; ok {
		return say(lang, prefix+"."+key)
	}
	return key
}

func bothIn(lang language) func(archive.Bilingual) string {
	return func(b archive.Bilingual) string {
		if lang == english {
			return b.English
		}
		return b.Chinese
	}
}

// inlineCode marks what stands between backticks as code, and escapes all of it.
func inlineCode(text string) template.HTML {
	parts := strings.Split(text, "`")
	var b strings.Builder
	for i, part := range parts {
		part = template.HTMLEscapeString(part)
		switch {
		case i%2 == 0:
			b.WriteString(part)
		case i == len(parts)-1: // a backtick without its other
			b.WriteString("`" + part)
		default:
			b.WriteString("<code>" + part + "</code>")
		}
	}
	return template.HTML(b.String())
}

var weekdays = [...]string{"日", "一", "二", "三", "四", "五", "六"}

func dayIn(lang language, t time.Time) string {
	if lang == english {
		return t.Format("Mon 2 January 2006")
	}
	return t.Format("2006年1月2日") + " 周" + weekdays[t.Weekday()]
}

// sizeText is a size that people read, in binary units.
func sizeText(n int64) string {
	if n < 0 {
		return ""
	}
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n), 0
	for value >= 1024 && unit < 4 {
		value /= 1024
		unit++
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + []string{"B", "KB", "MB", "GB", "TB"}[unit]
}

// pointedTo is what a pointer to a number points to: the API has such members.
func pointedTo(v any) any {
	switch p := v.(type) {
	case *int:
		return *p
	case *int64:
		return *p
	}
	return v
}

// groupDigits writes 1234567 as 1,234,567.
func groupDigits(v any) string {
	text := fmt.Sprint(pointedTo(v))
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// initial is the letter in the circle beside a name.
func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(name)
	if r == utf8.RuneError {
		return "?"
	}
	return strings.ToUpper(string(r))
}

type phrase struct{ zh, en string }

// words is what the pages say. The Chinese words are those of WeCom's console.
var words = map[string]phrase{
	"product": {"会话存档", "Message archive"}, "skip": {"跳到正文", "Skip to content"},
	"nav": {"导航", "Navigation"}, "nav.overview": {"概览", "Overview"}, "nav.conversations": {"会话", "Conversations"},
	"nav.access": {"调阅记录", "Access record"}, "nav.setup": {"设置", "Setup"}, "signout": {"退出登录", "Sign out"},
	"otherlanguage": {"English", "中文"}, "signin": {"登录", "Sign in"}, "signedout": {"已退出登录", "You have signed out"},
	"role.reader": {"阅读", "Reader"}, "role.auditor": {"审计", "Auditor"}, "role.operator": {"运维", "Operator"},
	"error.400": {"请求有误", "The request is not understood"}, "error.403": {"没有权限", "Not allowed"}, "error.404": {"没有找到", "Not found"},
	"error.500": {"内部错误", "Something failed inside"}, "error.503": {"暂时不能显示", "Cannot be shown now"},
	"do.400":  {"请检查链接，或从列表重新打开。", "Check the address, or open it again from the list."},
	"do.403":  {"您的角色不能查看此页。如有需要，请联系权限管理员。", "Your role may not see this page. Ask whoever manages access."},
	"do.404":  {"存档中没有这一项。", "The archive has no such thing."},
	"do.500":  {"请把下面的编号告诉运维人员。", "Give the operator the id below."},
	"do.503":  {"本次调阅无法留下记录，或身份无法核实，因此不显示任何内容。请稍后再试。", "This look could not be recorded, or it could not be found out who you are, so nothing is shown. Try again later."},
	"request": {"请求编号", "Request"},

	"healthy": {"存档正常", "The archive is healthy"}, "unhealthy": {"需要处理", "Somebody has to act"}, "unproven": {"尚无正常的证据", "Health is not proved yet"},
	"proof": {"最近一次拉取到末尾：%s", "WeCom's stream was last read to its end: %s"}, "noproof": {"尚未有一次拉取到达末尾。", "No pull has reached the end of the stream yet."},
	"archived": {"已存档消息", "Messages archived"}, "pending": {"等待解析", "Waiting to be read"}, "quarantine": {"待解密消息", "Not decrypted yet"},
	"mediafiles": {"媒体文件", "Media files"}, "lag": {"滞后", "Behind by"}, "firstloss": {"距首次丢失", "First loss in"}, "hours": {"%d 小时", "%d h"}, "minutes": {"%d 分钟", "%d min"},
	"seats": {"存档席位", "Seats"}, "unknown": {"未知", "unknown"}, "bytes.pages": {"原始数据", "Raw replies"},
	"alarms": {"要处理的事", "What to do"}, "noalarms": {"没有需要处理的事。", "Nothing needs anybody."}, "severity.action": {"需要处理", "act"}, "severity.record": {"留存记录", "for the record"},
	"checks": {"状态依据", "What the state follows from"}, "check.pull": {"拉取到达末尾", "Pull reached the end"}, "check.archiver": {"没有等待解析的页面", "No page waits to be read"}, "check.quarantine": {"消息可解密", "Messages are decrypted"}, "check.media": {"媒体文件已取回", "Media files are fetched"}, "check.seats": {"存档席位已知", "Seats are known"}, "check.records": {"没有断档、篡改或其他告警", "No gap, tampering or other alarm"},
	"check.state.done": {"正常", "proved"}, "check.state.open": {"尚无证据", "not proved yet"}, "check.state.wrong": {"需要处理", "act"}, "check.state.record": {"留存记录", "on record"}, "pull.now": {"立即拉取", "Pull now"}, "pull.asked": {"已请求拉取，并记录了请求人。", "A pull is asked for, and it is recorded who asked."},
	"reason": {"调阅事由", "Reason"}, "reason.ask": {"请填写调阅事由", "Say why you look"}, "reason.note": {"事由将写入每一条调阅记录，八小时内有效，退出浏览器后需重新填写。", "It stands in each record of a look. It holds for eight hours, and until the browser is closed."}, "reason.bad": {"请用 1 至 200 个字说明事由。", "Give a reason of 1 to 200 characters."}, "reason.go": {"继续", "Go on"},
	"perday": {"每日拉取的消息", "Messages pulled per day"}, "perday.before": {"存档尚未开始", "before the archive began"}, "perday.unread": {"未统计", "not counted"}, "types": {"消息类型", "Message types"}, "types.since": {"%s 起拉取并已存档的消息", "Messages archived of those pulled since %s"}, "types.cut": {"；更早的数量过多，未统计", "; there are too many before to be counted"}, "types.none": {"还没有消息。", "No messages yet."}, "types.uncounted": {"另有 %s 条由旧版本存档，未按类型统计；运行 wecom-archive reindex 可补齐。", "%s more were archived by an older version and not counted by type: wecom-archive reindex counts them."},
	"perday.note.before": {"– 存档尚未开始", "– before the archive began"}, "perday.note.unread": {"… 拉取次数过多，未统计", "… not counted: too many pulls since"},
	"zone": {"时间按 %s 显示。", "Times are those of %s."}, "atleast": {"至少 %s", "at least %s"}, "atmost": {"至多 %s", "at most %s"}, "runs": {"最近的拉取", "Last pulls"}, "run.at": {"开始", "Started"}, "run.messages": {"消息", "Messages"}, "run.end": {"结果", "Ended"}, "run.seq": {"游标", "Cursor"},
	"stopped.end": {"到达末尾", "reached the end"}, "stopped.deadline": {"到时，下次继续", "out of time, goes on"}, "stopped.lease": {"另一个拉取在运行", "another pull was at work"}, "stopped.error": {"出错", "failed"},
	"gaps": {"断档", "Gaps"}, "nogaps": {"没有断档记录。", "No gap is recorded."}, "gap": {"断档", "Gap"}, "cut": {"内容很长，此处只显示一部分。", "This is long; only a part of it is shown."}, "cut.raw": {"原文很长，此处只显示开头；全文在上述段文件的该行中。", "The raw JSON is long; only its beginning is shown. All of it is in that row of the segment."},
	"gap.text":   {"%s 至 %s 之间的消息可能已被企业微信删除，未能存档。", "Messages between %s and %s may have been dropped by WeCom before they were archived."},
	"media.save": {"下载", "save"}, "voice.play": {"▶ 播放语音", "▶ Play voice"}, "voice.stop": {"■ 停止", "■ Stop"}, "voice.loading": {"载入中…", "Loading…"},
	"voice.failed": {"无法播放，请下载", "Cannot be played: save it"}, "voice.wideband": {"AMR-WB 无法在此播放，请下载", "AMR-WB cannot be played here: save it"}, "voice.progress": {"播放进度", "How far it has played"},
	"media.pending": {"等待取回", "to be fetched"}, "media.stored": {"已取回", "stored"}, "media.failed": {"取回失败", "failed"}, "media.lost": {"已过期，未能取回", "expired, not fetched"}, "media.unseen": {"尚未取回", "not fetched yet"}, "media.unnamed": {"企业微信没有给出文件，无法取回", "WeCom named no file: it cannot be fetched"},

	"people": {"人员", "People"}, "findperson": {"姓名，或 ID 开头", "Name, or beginning of id"}, "find": {"查找", "Find"}, "kind.all": {"全部", "All"}, "kind.employee": {"员工", "Employees"}, "kind.external": {"客户", "Customers"}, "kind.robot": {"机器人", "Robots"}, "kind.room": {"群聊", "Rooms"},
	"kind": {"类型", "Kind"}, "talks": {"会话列表", "Conversations"}, "byday": {"按日期", "By day"}, "day": {"日期", "Day"}, "open": {"打开", "Open"}, "lastday": {"最近 %s", "last %s"},
	"choose.person": {"请选择一个人或一个日期。", "Choose a person or a day."}, "choose.talk": {"请选择一个会话。", "Choose a conversation."}, "none": {"没有。", "None."},
	"more": {"更多", "More"}, "older": {"更早的消息", "Older messages"}, "newer": {"更新的消息", "Newer messages"}, "latest": {"最新", "Latest"}, "first": {"最早", "First"}, "jump": {"跳到日期", "Jump to date"}, "go": {"前往", "Go"}, "back.people": {"返回人员", "Back to people"}, "back.talks": {"返回会话", "Back to conversations"},
	"chosen":     {"所选会话", "Chosen conversation"},
	"transcript": {"聊天记录", "Transcript"}, "norows": {"此处没有消息。", "No messages here."}, "now.named": {"现名 %s", "now %s"}, "idonly": {"没有名称，只有 ID", "No name is known, only the id"},
	"chat.room": {"群", "Room"}, "chat.pair": {"单聊", "Pair"}, "chat.multi": {"多人（无群）", "Several, no room"}, "chat.unparsed": {"无法归类", "Unparsed"},
	"mark.wechat": {"@微信", "@WeChat"}, "mark.wecom": {"@企业微信", "@WeCom"}, "mark.robot": {"机器人", "robot"},
	"recalled": {"已撤回", "Recalled"}, "recalled.see": {"查看撤回记录", "see the recall"}, "recalled.unfound": {"没有找到被撤回的原消息", "The recalled message was not found"}, "recalled.unfound.yet": {"已向前查找到 %s，原消息不在其中。", "Looked back to %s: it is not among those messages."}, "recalled.unfound.none": {"本会话已存档的消息中没有它：可能在开通存档之前发送。", "It is not among the archived messages of this conversation: it may have been sent before archiving began."}, "recalled.further": {"继续向前查找", "look further back"}, "recall.of": {"撤回了一条消息", "recalled a message"}, "recall.see": {"查看原消息", "see the message"},
	"record.again": {"企业微信对另一条消息使用了同一 seq：", "WeCom used the same seq for another message:"}, "record": {"存证信息", "Record"}, "permalink": {"链接", "Link"}, "unreadable": {"无法读取：段文件损坏，请运维人员重新解析。", "Cannot be read: the segment is damaged. Ask the operator for a redrive."},
	"forwarded": {"聊天记录", "Forwarded records"}, "items": {"%d 条", "%d items"}, "quote": {"引用", "Quote"}, "unknowntype": {"未知类型，显示原文", "Unknown type, shown as it came"}, "nothingread": {"未能按此类型读出内容，显示原文", "Not written as its type is, shown as it came"}, "morefields": {"其余内容", "What else it holds"}, "link.host": {"站点", "Host"}, "copy": {"复制", "Copy"}, "copied": {"已复制", "Copied"},
	"watermark": {"%s · %s", "%s · %s"}, "print": {"打印", "Print"},

	"nav.search": {"搜索", "Search"}, "search.words": {"内容", "Words"}, "search.words.hint": {"词之间用空格：都要出现；OR：任一；NOT 或 -：排除；引号：整句", "Spaces: all must occur; OR: any; NOT or -: none; quotes: as it stands"},
	"search.person": {"参与人 ID", "Person's id"}, "search.sender": {"发送者 ID", "Sender's id"}, "search.conversation": {"会话或群 ID", "Conversation"}, "search.from": {"起", "From"}, "search.to": {"止（含）", "To, inclusive"}, "search.type": {"消息类型", "Type"}, "search.senderkind": {"发送者", "Sender"}, "search.chat": {"范围", "Chats"},
	"search.media": {"文件", "Files"}, "search.media.yes": {"有文件", "with files"}, "search.media.no": {"无文件", "without files"}, "search.file": {"文件名", "File name"}, "search.order": {"排序", "Order"}, "search.desc": {"最新在前", "newest first"}, "search.asc": {"最早在前", "oldest first"}, "search.variants": {"繁简通用", "Traditional as simplified"}, "search.any": {"不限", "any"},
	"chats.internal": {"内部", "internal"}, "chats.external": {"外部", "external"}, "chats.updown_stream": {"上下游", "upstream and downstream"},
	"search.more": {"更多条件", "More conditions"}, "search.go": {"搜索", "Search"}, "search.none": {"没有找到。", "Nothing was found."}, "search.notyet": {"时间已到，尚未找到；请继续搜索。", "Nothing was found in the time so far: go on searching."}, "search.alone": {"时间已到，未读取前后消息和撤回状态。", "The time was over before the messages beside it, and whether it was recalled, were read."}, "search.next": {"下一页", "Next page"}, "search.goon": {"继续搜索", "Go on searching"}, "search.bad": {"搜索条件无法理解：%s", "The search is not understood: %s"},
	"search.looked": {"查看了 %s 条消息、%s，用时 %d 毫秒。", "Looked at %s messages, %s, in %d ms."}, "search.notlooked": {"没有查看的内容", "What was not looked at"}, "search.contents": {"符合条件的消息中，其内容不是文字：%s %s 条", "Messages that fit, whose contents are no text: %s %s"},
	"search.unreadable": {"全部存档中尚未解密的消息：%s 条", "Messages of the whole archive that are not decrypted: %s"}, "search.waiting": {"等待解析的页：%s", "Pages that are not archived yet: %s"}, "search.damaged": {"损坏，无法搜索：%s", "Damaged, not searched: %s"}, "search.everything": {"没有遗漏。", "Nothing."}, "search.note": {"每次搜索及其条件都会留下调阅记录。", "Each search, with its terms, is in the access record."}, "what.search": {"搜索", "search"}, "what.media": {"文件", "files"},
	"f.seq": {"序号 seq", "Seq"}, "f.msgid": {"消息 ID", "Message id"}, "f.time": {"时间", "Time"}, "f.timesource": {"时间来源", "Time read from"}, "f.type": {"类型", "Type"}, "f.action": {"动作", "Action"}, "f.from": {"发送者", "From"}, "f.to": {"接收者", "To"}, "f.conversation": {"会话", "Conversation"},
	"f.keyver": {"公钥版本号", "Key version"}, "f.sha": {"原文 SHA-256", "SHA-256 of the raw message"}, "f.segment": {"段文件", "Segment"}, "f.row": {"行", "Row"}, "f.page": {"原始页", "Page"}, "f.parser": {"解析器版本", "Parser version"}, "f.pulled": {"拉取时间", "Pulled at"}, "f.retain": {"锁定", "Locked"}, "f.retain.text": {"保留期由存储桶默认锁定：%s", "By the bucket's default retention: %s"},
	"raw": {"原文 JSON", "Raw JSON"}, "raw.auditor": {"原文含有打开文件的密钥，仅审计角色可看。", "The raw message holds what opens its files: auditors only."}, "context": {"在会话中查看", "See it in context"}, "waiting": {"这一页尚未解析，请稍后再看。", "The page is not archived yet: come back later."},

	"access.who": {"人员", "Who"}, "access.when": {"时间", "When"}, "access.what": {"内容", "What"}, "access.how": {"方式", "How"}, "access.conversation": {"会话", "Conversation"}, "access.count": {"%d 条", "%d messages"}, "access.none": {"这些日期内没有符合条件的调阅。", "Nobody looked so in these days."}, "access.noneyet": {"已读取的记录中尚无符合条件的调阅，请继续查找。", "None in the records read so far: go on."}, "access.note": {"每次调阅在内容离开之前记录，记录已锁定，任何人都不能修改。", "Each look is recorded before the content leaves. The records are locked: nobody can change them."},
	"access.from": {"起", "From"}, "access.to": {"止（含）", "To, inclusive"}, "access.bad": {"请选择起止日期，最多 %d 天。", "Give a first and a last day, at most %d days."}, "access.goon": {"继续查找", "Go on"}, "access.talks": {"%d 个会话", "%d conversations"}, "access.unreadable": {"无法读取的记录：%s", "Record that cannot be read: %s"}, "search.part": {"%s：%s", "%s: %s"},
	"what.messages": {"消息", "messages"}, "what.messages_raw": {"消息及原文", "messages with raw"}, "how.web": {"网页", "web"}, "how.api": {"接口", "API"}, "seqs": {"seq %d–%d", "seq %d–%d"},

	"setup.intro": {"按顺序完成以下步骤。只有有证据的步骤才显示为已完成。", "Do these in order. A step counts as done only if something proves it."}, "state.done": {"已完成", "done"}, "state.open": {"未完成", "open"}, "state.wrong": {"有误", "wrong"}, "state.person": {"需人工确认", "for a person"}, "optional": {"可选", "optional"},
	"schedule": {"拉取计划", "Schedule"}, "retention": {"保留期限", "Retention"}, "keys": {"公钥", "Public keys"}, "keys.versions": {"已证实的公钥版本号", "Key versions proved"}, "fingerprint": {"指纹", "Fingerprint"}, "checkup": {"最近一次检查", "Last checkup"},

	"type.text": {"文本", "Text"}, "type.image": {"图片", "Image"}, "type.revoke": {"撤回", "Recall"}, "type.agree": {"同意存档", "Agreed to archiving"}, "type.disagree": {"不同意存档", "Did not agree to archiving"}, "type.voice": {"语音", "Voice"}, "type.video": {"视频", "Video"}, "type.card": {"名片", "Contact card"}, "type.location": {"位置", "Location"}, "type.emotion": {"表情", "Sticker"}, "type.file": {"文件", "File"}, "type.link": {"链接", "Link"}, "type.weapp": {"小程序", "Mini program"}, "type.chatrecord": {"聊天记录", "Forwarded records"}, "type.todo": {"待办", "To-do"}, "type.vote": {"投票", "Vote"}, "type.collect": {"填表", "Form"}, "type.redpacket": {"红包", "Red packet"}, "type.external_redpacket": {"互通红包", "External red packet"}, "type.meeting": {"会议邀请", "Meeting"}, "type.meeting_notification": {"会议通知", "Meeting notice"}, "type.docmsg": {"在线文档", "Document"}, "type.markdown": {"Markdown", "Markdown"}, "type.news": {"图文", "News"}, "type.calendar": {"日程", "Calendar"}, "type.mixed": {"混合消息", "Mixed"}, "type.meeting_voice_call": {"音频通话", "Voice call"}, "type.voip_doc_share": {"通话中共享的文档", "Document shared in a call"}, "type.sphfeed": {"视频号", "Channels"}, "type.voiptext": {"通话", "Call"}, "type.qydiskfile": {"微盘文件", "Drive file"}, "type.note": {"笔记", "Note"}, "type.solitaire": {"接龙", "Solitaire"}, "type.switch": {"切换企业", "Switched company"}, "type.other": {"其他", "Others"}, "type.call": {"通话录音", "Recorded call"}, "type.voip_doc": {"通话中共享的文档", "Document shared in a call"},
	"l.duration": {"时长", "Length"}, "l.seconds": {"%d 秒", "%d s"}, "l.address": {"地址", "Address"}, "l.position": {"经纬度", "Position"}, "l.company": {"企业", "Company"}, "l.person": {"人员", "Person"}, "l.app": {"小程序", "App"}, "l.author": {"创建者", "Creator"}, "l.start": {"开始", "Begins"}, "l.end": {"结束", "Ends"}, "l.place": {"地点", "Place"}, "l.remarks": {"备注", "Remarks"}, "l.meetingid": {"会议号", "Meeting id"}, "l.status": {"状态", "Status"}, "l.attendees": {"参与人", "Attendees"}, "l.option": {"选项", "Option"}, "l.question": {"问题", "Question"}, "l.amount": {"金额", "Amount"}, "l.count": {"个数", "Number"}, "l.kind": {"类型", "Kind"}, "l.room": {"群", "Room"}, "l.channel": {"视频号", "Channel"}, "l.size": {"大小", "Size"}, "l.shared": {"共享屏幕", "Screen shared"}, "l.shown": {"演示文档", "Document shown"}, "l.created": {"创建时间", "Created"}, "l.host": {"站点", "Host"}, "l.url": {"网址", "Address of the page"}, "l.appid": {"AppID", "AppID"}, "l.pagepath": {"页面路径", "Page in the app"}, "l.theme": {"主题", "Theme"}, "l.yuan": {"%s 元", "CNY %s"},
	"vote.101": {"发起投票", "started"}, "vote.102": {"参与投票", "voted"}, "packet.1": {"普通红包", "ordinary"}, "packet.2": {"拼手气红包", "lucky draw"}, "packet.3": {"激励红包", "reward"},
	"meetingtype.101": {"邀请", "invitation"}, "meetingtype.102": {"回复", "reply"}, "meeting.1": {"参加", "joins"}, "meeting.2": {"拒绝", "refused"}, "meeting.3": {"待定", "undecided"}, "meeting.4": {"未被邀请", "not invited"}, "meeting.5": {"会议已取消", "cancelled"}, "meeting.6": {"会议已过期", "expired"}, "meeting.7": {"不在群内", "not in the room"},
}
