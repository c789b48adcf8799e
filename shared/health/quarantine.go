package health

import (
	"fmt"
	"strings"
	"time"

	"wecom-archive/shared/plural"
)

// Quarantine is what could not be read.
type Quarantine struct {
	Pages     int       // in all
	Envelopes int       // that could not be read
	Holding   int       // pages that hold these
	Headers   int       // pages whose own header is damaged: what is in them cannot be counted
	Parts     int       // damaged parts of segments
	Waiting   bool      // some wait for a key, or not all pages were counted
	Newest    time.Time // when the newest of these pages was pulled
}

// judgeQuarantine says of each kind of trouble how much there is, and of none that there
// are 0: envelopes that cannot be counted are not none.
func judgeQuarantine(now time.Time, q Quarantine) (Alarm, bool) {
	var message, messageZH, remedy, remedyZH []string
	if q.Envelopes > 0 {
		message = append(message, fmt.Sprintf("%s of %s could not be read yet.", plural.Of(q.Envelopes, "envelope"), plural.Of(max(q.Holding, 1), "page")))
		messageZH = append(messageZH, fmt.Sprintf("%d 页中有 %d 条消息尚不能解密。", max(q.Holding, 1), q.Envelopes))
		remedy = append(remedy, "See the reasons. For unknown_key_version: wecom-archive keys import, then redrive.")
		remedyZH = append(remedyZH, "请查看原因。如为 unknown_key_version：先 wecom-archive keys import，再 redrive。")
	}
	if q.Headers > 0 {
		message = append(message, plural.Of(q.Headers, "page cannot be read: its header is damaged.", "pages cannot be read: their headers are damaged.")+
			" How many messages that concerns is not known; what is stored of their segments is shown.")
		messageZH = append(messageZH, fmt.Sprintf("有 %d 页的页头损坏，无法读取，涉及的消息数未知；其段文件中已保存的内容仍可查看。", q.Headers))
	}
	if q.Parts > 0 {
		message = append(message, plural.Of(q.Parts, "part of a segment is damaged.", "parts of segments are damaged."))
		messageZH = append(messageZH, fmt.Sprintf("有 %d 个段文件损坏。", q.Parts))
	}
	if q.Headers+q.Parts > 0 {
		remedy = append(remedy, "/v1/quarantine names the damaged objects. Find out what changed them; for parts, wecom-archive redrive stores their messages again.")
		remedyZH = append(remedyZH, "/v1/quarantine 列出损坏的对象。请查明损坏原因；段文件损坏时，wecom-archive redrive 会重新保存其中的消息。")
	}
	if q.Pages > 0 && len(message) == 0 { // of an index that does not say why
		message = []string{plural.Of(q.Pages, "page is not read in full.", "pages are not read in full.")}
		messageZH = []string{fmt.Sprintf("有 %d 页未能完整解析。", q.Pages)}
		remedy, remedyZH = []string{"See /v1/quarantine; then wecom-archive redrive."}, []string{"请查看 /v1/quarantine，然后 wecom-archive redrive。"}
	}
	a := act(AlarmQuarantine, strings.Join(message, " "), strings.Join(remedy, " ")).zh(strings.Join(messageZH, ""), strings.Join(remedyZH, ""))
	if !q.Waiting {
		a.Severity = fading(now, q.Newest)
	}
	return a, q.Pages > 0
}
