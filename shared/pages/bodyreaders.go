package pages

import (
	"maps"
	"strings"

	"wecom-archive/shared/wecom"
)

// bodyReaders are how the types are drawn.
func bodyReaders() map[string]bodyReader {
	all := map[string]bodyReader{}
	for _, some := range []map[string]bodyReader{spokenReaders(), sharedReaders(), plannedReaders()} {
		maps.Copy(all, some)
	}
	return all
}

// spokenReaders draw what somebody says or sends in a conversation, and what WeCom notes in it.
func spokenReaders() map[string]bodyReader {
	return map[string]bodyReader{
		"text":     func(_ bodies, o *body, f wecom.Fields, _ int) { o.Quote, o.Text = splitQuote(spoken(f, "content")) },
		"markdown": func(_ bodies, o *body, f wecom.Fields, _ int) { o.Text = spoken(f, "content") },
		"image":    onlyFile, "voice": onlyFile, "video": onlyFile, "emotion": onlyFile, "file": onlyFile, "voip_doc_share": onlyFile,
		"qydiskfile": func(_ bodies, o *body, f wecom.Fields, _ int) { o.Title = f.String("filename") },
		"revoke":     func(bodies, *body, wecom.Fields, int) {},
		"switch":     func(_ bodies, o *body, f wecom.Fields, _ int) { o.add("l.person", f.String("user")) },
		"agree":      func(_ bodies, o *body, f wecom.Fields, _ int) { o.add("l.person", f.String("userid")) },
		"disagree":   func(_ bodies, o *body, f wecom.Fields, _ int) { o.add("l.person", f.String("userid")) },
		"card": func(_ bodies, o *body, f wecom.Fields, _ int) {
			o.Title = f.String("userid")
			o.add("l.company", f.String("corpname"))
		},
		"location": func(_ bodies, o *body, f wecom.Fields, _ int) {
			o.Title = f.String("title")
			o.add("l.address", f.String("address"))
			if f.String("latitude") != "" {
				o.add("l.position", f.String("latitude")+", "+f.String("longitude"))
			}
		},
	}
}

// sharedReaders draw what leads elsewhere.
func sharedReaders() map[string]bodyReader {
	return map[string]bodyReader{
		"link": func(_ bodies, o *body, f wecom.Fields, _ int) {
			o.Title, o.Text = f.String("title"), f.String("description")
			o.address(f.String("link_url"))
		},
		"weapp": func(_ bodies, o *body, f wecom.Fields, _ int) {
			o.Title, o.Text = f.String("title"), f.String("description")
			o.add("l.app", f.String("displayname"))
			o.add("l.appid", f.String("appid"))
			o.add("l.pagepath", f.String("pagepath"))
		},
		"docmsg": func(_ bodies, o *body, f wecom.Fields, _ int) {
			o.Title = f.String("title")
			o.add("l.author", f.String("doc_creator"))
			o.address(f.String("link_url"))
		},
		"news": func(_ bodies, o *body, f wecom.Fields, _ int) {
			items := f.List("item")
			if len(items) == 0 {
				items = []wecom.Fields{f}
			}
			for _, item := range items {
				n := body{Type: "link", Title: item.String("title"), Text: item.String("description")}
				n.address(item.String("url"))
				n.filled(item)
				o.Items = append(o.Items, n)
			}
		},
	}
}

// plannedReaders draw what people do together: tasks, votes, money, meetings, calls, records.
func plannedReaders() map[string]bodyReader {
	return map[string]bodyReader{
		"todo": func(_ bodies, o *body, f wecom.Fields, _ int) {
			o.Title, o.Text = f.String("title"), f.String("content")
		},
		"vote": func(b bodies, o *body, f wecom.Fields, _ int) {
			o.Title = f.String("votetitle")
			o.add("l.kind", sayKnown(b.lang, "vote", f.String("votetype")))
			for _, option := range f.Strings("voteitem") {
				o.add("l.option", option)
			}
		},
		"collect": func(_ bodies, o *body, f wecom.Fields, _ int) {
			o.Title = f.String("title")
			o.add("l.room", f.String("room_name"))
			o.add("l.author", f.String("creator"))
			o.add("l.created", f.String("create_time"))
			for _, d := range f.List("details") {
				o.add("l.question", strings.TrimSpace(d.String("ques")+" ("+d.String("type")+")"))
			}
		},
		"redpacket": redPacket, "external_redpacket": redPacket,
		"meeting": func(b bodies, o *body, f wecom.Fields, _ int) {
			o.Title = f.String("topic")
			o.add("l.kind", sayKnown(b.lang, "meetingtype", f.String("meetingtype")))
			o.add("l.start", b.seconds(f, "starttime"))
			o.add("l.end", b.seconds(f, "endtime"))
			o.add("l.place", f.String("address"))
			o.add("l.remarks", f.String("remarks"))
			if status := f.String("status"); status != "" && f.String("meetingtype") == "102" {
				o.add("l.status", sayKnown(b.lang, "meeting", status))
			}
			o.add("l.meetingid", f.String("meetingid"))
		},
		"meeting_notification": func(_ bodies, o *body, f wecom.Fields, _ int) {
			o.Text = f.String("content")
			o.add("l.kind", f.String("notification_type"))
			o.add("l.meetingid", f.String("meeting_id"))
		},
		"calendar": func(b bodies, o *body, f wecom.Fields, _ int) {
			o.Title = f.String("title")
			o.add("l.start", b.seconds(f, "starttime"))
			o.add("l.end", b.seconds(f, "endtime"))
			o.add("l.place", f.String("place"))
			o.add("l.author", f.String("creatorname"))
			o.add("l.attendees", strings.Join(f.Strings("attendeename"), "、"))
			o.add("l.remarks", f.String("remarks"))
		},
		"meeting_voice_call": func(b bodies, o *body, f wecom.Fields, _ int) {
			o.add("l.end", b.seconds(f, "endtime"))
			for _, d := range f.List("demofiledata") {
				o.add("l.shown", d.String("filename")+" · "+d.String("demooperator")+" · "+b.seconds(d, "starttime"))
			}
			for _, d := range f.List("sharescreendata") {
				o.add("l.shared", d.String("share")+" · "+b.seconds(d, "starttime"))
			}
		},
		"sphfeed": func(_ bodies, o *body, f wecom.Fields, _ int) {
			o.Text = f.String("feed_desc")
			o.add("l.channel", f.String("sph_name"))
			if kind := f.String("feed_type"); kind != "4" { // 4 is a video; the others are not confirmed
				o.add("l.kind", kind)
			}
		},
		"voiptext": func(b bodies, o *body, f wecom.Fields, _ int) {
			if n, ok := f.Int("callduration"); ok {
				o.add("l.duration", say(b.lang, "l.seconds", n))
			}
			o.add("l.kind", f.String("invitetype"))
		},
		"chatrecord": items, "mixed": items,
		"note": undocumented, "solitaire": undocumented,
	}
}
