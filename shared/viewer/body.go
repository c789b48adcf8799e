package viewer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
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
	File  *shownFile
	JSON  string // of a type that is not known
	Deep  bool   // it goes deeper than is shown
	Cut   bool   // there is more of it than is shown
}

// line is a label (a key of words) and its value.
type line struct{ Label, Value string }

// shownFile is a file that a message refers to.
type shownFile struct {
	Kind, Name string
	Size       int64  // bytes; -1: not known
	State      string // of archive.MediaState; "unseen" if the index does not know it
	Reason     archive.MediaReason
	Seconds    int64 // of voice and video
	SHA256     string
	Link       string // of the page's own server, if it is stored
	Show       string // how a page shows it: image, video, amr; empty: as a file to save
}

// shownDepth bounds the nesting that a page shows.
const shownDepth = wecom.MaxDepth

// bodies renders messages in a language.
type bodies struct {
	lang  language
	zone  *time.Location
	files map[string]catalog.MediaFile // by hash of the sdkfileid
	seq   int64                        // of the message that is drawn

	readers map[string]bodyReader // by type
}

// bodyReader draws the content of one type.
type bodyReader func(b bodies, o *body, f wecom.Fields, depth int)

func newBodies(lang language, zone *time.Location, files map[string]catalog.MediaFile) bodies {
	return bodies{lang: lang, zone: zone, files: files, readers: bodyReaders()}
}

// payloadNames are the types whose content stands under another name.
var payloadNames = map[string]string{
	"docmsg": "doc", "markdown": "info", "news": "info", "meeting_notification": "info", "voiptext": "info",
	"qydiskfile": "info", "external_redpacket": "redpacket",
}

// of renders a message.
func (b bodies) of(m wecom.Message) body {
	kind := strings.ToLower(m.MsgType)
	if m.Action == "switch" {
		kind = "switch"
	}
	name := kind
	if other, ok := payloadNames[kind]; ok {
		name = other
	}
	payload := m.Fields.Object(name)
	if len(payload.Keys()) == 0 {
		if payload = m.Fields.Object("info"); len(payload.Keys()) == 0 {
			payload = m.Fields
		}
	}
	return b.body(kind, payload, 0)
}

// body renders the content of a message or of an item.
func (b bodies) body(kind string, f wecom.Fields, depth int) body {
	out := body{Type: kind}
	if depth > shownDepth {
		out.Deep = true
		return out
	}
	read, known := b.readers[kind]
	if !known {
		out.JSON = redacted(f)
		return out
	}
	read(b, &out, f, depth)
	if f.String("sdkfileid") != "" && out.File == nil {
		out.File = b.file(kind, f)
	}
	return out
}

func (o *body) add(label, value string) {
	if strings.TrimSpace(value) != "" {
		o.Lines = append(o.Lines, line{label, value})
	}
}

// bodyReaders are how the types are drawn.
func bodyReaders() map[string]bodyReader {
	return map[string]bodyReader{
		"text":     func(_ bodies, o *body, f wecom.Fields, _ int) { o.Quote, o.Text = splitQuote(f.String("content")) },
		"markdown": func(_ bodies, o *body, f wecom.Fields, _ int) { o.Text = f.String("content") },
		"image":    plainFile, "voice": plainFile, "video": plainFile, "emotion": plainFile, "file": plainFile, "voip_doc_share": plainFile,
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
			o.add("l.host", hostOf(f.String("link_url")))
		},
		"weapp": func(_ bodies, o *body, f wecom.Fields, _ int) {
			o.Title, o.Text = f.String("title"), f.String("description")
			o.add("l.app", f.String("displayname"))
		},
		"docmsg": func(_ bodies, o *body, f wecom.Fields, _ int) {
			o.Title = f.String("title")
			o.add("l.author", f.String("doc_creator"))
			o.add("l.host", hostOf(f.String("link_url")))
		},
		"news": func(_ bodies, o *body, f wecom.Fields, _ int) {
			items := f.List("item")
			if len(items) == 0 {
				items = []wecom.Fields{f}
			}
			for _, item := range items {
				n := body{Type: "link", Title: item.String("title"), Text: item.String("description")}
				n.add("l.host", hostOf(item.String("url")))
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
	}
}

func plainFile(b bodies, o *body, f wecom.Fields, _ int) { o.File = b.file(o.Type, f) }

func redPacket(b bodies, o *body, f wecom.Fields, _ int) {
	o.Title = f.String("wish")
	o.add("l.kind", sayKnown(b.lang, "packet", f.String("type")))
	if fen, ok := f.Int("totalamount"); ok && fen >= 0 {
		o.add("l.amount", say(b.lang, "l.yuan", fmt.Sprintf("%d.%02d", fen/100, fen%100)))
	}
	o.add("l.count", f.String("totalcnt"))
}

// items are the messages in a forwarded record or a mixed message.
func items(b bodies, o *body, f wecom.Fields, depth int) {
	o.Title = f.String("title")
	for _, item := range f.List("item") {
		kind := strings.ToLower(item.String("type"))
		if rest, ok := strings.CutPrefix(kind, "chatrecord"); ok && rest != "" {
			kind = rest // ChatRecordText
		}
		one := b.body(kind, item.Object("content"), depth+1)
		if s, ok := item.Int("msgtime"); ok && s > 0 {
			one.Time = time.Unix(s, 0)
			if s > 1e11 { // documented in s, and seen in ms elsewhere
				one.Time = time.UnixMilli(s)
			}
		}
		o.Items = append(o.Items, one)
	}
}

func (b bodies) file(kind string, f wecom.Fields) *shownFile {
	v := &shownFile{Kind: kind, Name: f.String("filename"), Size: -1, State: "unseen"}
	for _, name := range []string{"filesize", "voice_size", "imagesize"} {
		if n, ok := f.Int(name); ok && n >= 0 {
			v.Size = n
			break
		}
	}
	v.Seconds, _ = f.Int("play_length")
	known, ok := b.files[wecom.Media{FileID: f.String("sdkfileid")}.FileIDHash()]
	if !ok {
		return v
	}
	v.State, v.Reason, v.SHA256 = string(known.State), known.Reason, known.SHA256
	if known.State == archive.MediaStored {
		v.Link, v.Show = mediaPath(b.seq, known.FileIDSHA256), showAs(known)
	}
	if known.Size > 0 {
		v.Size = known.Size
	}
	return v
}

// seconds is a time that a message gives in Unix seconds.
func (b bodies) seconds(f wecom.Fields, name string) string {
	n, ok := f.Int(name)
	if !ok || n <= 0 || n > maxTime.Unix() {
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
	doc, err := json.Marshal(f)
	if err != nil {
		return ""
	}
	var v any
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.UseNumber()
	if decoder.Decode(&v) != nil {
		return ""
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // the template escapes
	encoder.SetIndent("", "  ")
	if encoder.Encode(withoutFileIDs(v)) != nil {
		return ""
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func withoutFileIDs(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if strings.EqualFold(name, "sdkfileid") {
				v[name] = "…"
				continue
			}
			v[name] = withoutFileIDs(inner)
		}
	case []any:
		for i := range v {
			v[i] = withoutFileIDs(v[i])
		}
	case string: // items are JSON in a string
		if strings.Contains(strings.ToLower(v), "sdkfileid") {
			var inner any
			if json.Unmarshal([]byte(v), &inner) == nil {
				return withoutFileIDs(inner)
			}
			return "… (" + strconv.Itoa(len(v)) + " B)"
		}
	}
	return v
}
