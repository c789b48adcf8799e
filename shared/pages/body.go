package pages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/catalog"
	"wecom-archive/shared/show"
	"wecom-archive/shared/wecom"
)

// body is the content of a message as a page draws it. All of it is hostile input.
type body struct {
	Type  string // msgtype, of the outermost message or of an item
	Time  time.Time
	Quote string // what the text answers to
	Title string
	Text  string
	Lines []line
	Items []body
	Files []shownFile
	JSON  string // of a type that is not known, or what was not read of one
	Why   string // a key of words: why there is JSON
	Deep  bool   // it goes deeper than is shown
	Cut   bool   // there is more of it than is shown
}

// line is a label (a key of words) and its value.
type line struct{ Label, Value string }

// shownDepth bounds the nesting that a page shows.
const shownDepth = wecom.MaxDepth

// bodies renders messages in a language.
type bodies struct {
	lang  language
	zone  *time.Location
	files map[string]catalog.MediaFile // by hash of the sdkfileid
	seq   int64                        // of the message that is drawn
	own   map[string]bool              // hashes of the files of the message that is drawn

	readers map[string]bodyReader // by type
}

// bodyReader draws the content of one type.
type bodyReader func(b bodies, o *body, f wecom.Fields, depth int)

func newBodies(lang language, zone *time.Location, files map[string]catalog.MediaFile) bodies {
	return bodies{lang: lang, zone: zone, files: files, readers: bodyReaders()}
}

// of renders a message.
func (b bodies) of(m wecom.Message) body {
	b.own = map[string]bool{}
	for _, f := range m.Files() {
		b.own[f.FileIDHash()] = true
	}
	out := b.body(m.Type(), m.Payload(), 0)
	b.attach(&out, m.Files()) // those beside the payload
	out.mask(m.Mask())
	return out
}

// body renders the content of a message or of an item.
func (b bodies) body(kind string, f wecom.Fields, depth int) body {
	out := body{Type: kind}
	if depth > shownDepth {
		out.Deep = true
		return out
	}
	read, known := b.readers[kind]
	if known {
		read(b, &out, f, depth)
	} else {
		out.unread(f, "unknowntype")
	}
	b.attach(&out, wecom.FilesOf(f, kind))
	if known && !noticeTypes[kind] {
		out.filled(f)
	}
	return out
}

// blank says whether a body shows nothing.
func (o *body) blank() bool {
	return strings.TrimSpace(o.Quote+o.Title+o.Text+o.JSON) == "" && len(o.Lines)+len(o.Files) == 0 && !o.Deep &&
		!slices.ContainsFunc(o.Items, func(item body) bool { return !item.blank() })
}

// filled shows what there is of f where its reader found nothing to show.
func (o *body) filled(f wecom.Fields) {
	if o.blank() {
		o.Title, o.Text, o.Items = "", "", nil
		o.unread(f, "nothingread")
	}
}

// unread shows what no reader understood: the words, if there is nothing else, or JSON.
func (o *body) unread(f wecom.Fields, why string) {
	if text := f.Redacted().String("content"); len(f.Keys()) == 1 && text != "" {
		o.Text = text
		return
	}
	if len(f.Keys()) > 0 {
		o.JSON, o.Why = redacted(f), why
	}
}

// mask hides what opens the message's files.
func (o *body) mask(ids *strings.Replacer) {
	for _, s := range []*string{&o.Quote, &o.Title, &o.Text, &o.JSON} {
		*s = ids.Replace(*s)
	}
	for i := range o.Lines {
		o.Lines[i].Value = ids.Replace(o.Lines[i].Value)
	}
	for i := range o.Items {
		o.Items[i].mask(ids)
	}
}

func (o *body) add(label, value string) {
	if strings.TrimSpace(value) != "" {
		o.Lines = append(o.Lines, line{label, value})
	}
}

// bodyReaders are how the types are drawn.
func bodyReaders() map[string]bodyReader {
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

// onlyFile is how a type is drawn that is a file and nothing else.
func onlyFile(bodies, *body, wecom.Fields, int) {}

// spoken is what somebody wrote: a text or, seen in one client, a list of texts. A list
// that holds anything else is left to be shown as it is.
func spoken(f wecom.Fields, name string) string {
	if text := f.String(name); text != "" {
		return text
	}
	for _, element := range f.List(name) {
		if len(element.Keys()) > 0 {
			return ""
		}
	}
	return strings.Join(f.Strings(name), "\n")
}

// undocumented draws types whose members WeCom does not document: title, words and items
// where clients saw them, what else there is as it came.
func undocumented(b bodies, o *body, f wecom.Fields, depth int) {
	items(b, o, f, depth)
	shown := f.Redacted() // words may be JSON
	read, texts := []string{"item", "items"}, []string{}
	for _, name := range []string{"title", "theme", "description", "content"} {
		text := spoken(shown, name)
		if text == "" {
			continue
		}
		read = append(read, name)
		switch {
		case name == "title" || name == "theme" && o.Title == "":
			o.Title = text
		case name == "theme":
			o.add("l.theme", text)
		default:
			texts = append(texts, text)
		}
	}
	o.Text = strings.Join(texts, "\n")
	if rest := shown.Without(read...); rest.Holds() {
		o.JSON, o.Why = redacted(rest), "morefields"
	}
}

// address shows where a link leads: its host, and all of it as text. It may be all that
// a message says, but a page leads nobody there.
func (o *body) address(link string) {
	o.add("l.host", hostOf(link))
	o.add("l.url", link)
}

func redPacket(b bodies, o *body, f wecom.Fields, _ int) {
	o.Title = f.String("wish")
	o.add("l.kind", sayKnown(b.lang, "packet", f.String("type")))
	if fen, ok := f.Int("totalamount"); ok && fen >= 0 {
		o.add("l.amount", say(b.lang, "l.yuan", fmt.Sprintf("%d.%02d", fen/100, fen%100)))
	}
	o.add("l.count", f.String("totalcnt"))
}

// items are the messages in a forwarded record, a mixed message or the like.
func items(b bodies, o *body, f wecom.Fields, depth int) {
	o.Title = f.String("title")
	for _, item := range f.Items() {
		one := b.body(item.Type, item.Payload, depth+1)
		one.Time = item.Time
		o.Items = append(o.Items, one)
	}
}

// seconds is a time that a message gives in Unix seconds.
func (b bodies) seconds(f wecom.Fields, name string) string {
	n, ok := f.Int(name)
	if !ok || n <= 0 || n > show.MaxTime.Unix() {
		return f.String(name)
	}
	return time.Unix(n, 0).In(b.zone).Format("2006-01-02 15:04")
}

// hostOf is the host of a link, which is shown and never fetched.
func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Host
}

// splitQuote takes apart a text that answers another one. WeCom has no structure for
// it: a fixed beginning, what is quoted, a line of six dashes, the answer.
func splitQuote(text string) (quote, rest string) {
	for _, prefix := range []string{"这是一条引用/回复消息：", "This is a quote/reply:"} {
		if after, ok := strings.CutPrefix(text, prefix); ok {
			if quoted, answer, ok := strings.Cut(after, "\n------\n"); ok {
				return strings.TrimSpace(quoted), answer
			}
		}
	}
	return "", text
}

// redacted is the JSON of an object, without what opens its files.
func redacted(f wecom.Fields) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // the template escapes
	encoder.SetIndent("", "  ")
	if encoder.Encode(f.Redacted()) != nil {
		return ""
	}
	return strings.TrimSuffix(out.String(), "\n")
}
