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
	Empty bool   // there is nothing to show
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
	left  map[string]int               // files of the message that is drawn that are not shown yet, by hash

	readers map[string]bodyReader // by type
}

// bodyReader draws the content of one type.
type bodyReader func(b bodies, o *body, f wecom.Fields, depth int)

func newBodies(lang language, zone *time.Location, files map[string]catalog.MediaFile) bodies {
	return bodies{lang: lang, zone: zone, files: files, readers: bodyReaders()}
}

// of renders a message.
func (b bodies) of(m wecom.Message) body {
	files := m.Files()
	b.left = make(map[string]int, len(files))
	for _, f := range files {
		b.left[f.FileIDHash()]++
	}
	out := b.body(m.Type(), m.Payload(), 0)
	b.attach(&out, files) // those beside the payload
	out.mask(m.Mask())
	out.sayEmpty()
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
	b.attach(&out, out.ownFiles(f))
	if known && !noticeTypes[kind] {
		out.filled(f)
	}
	return out
}

// blank says whether a body shows nothing.
func (o *body) blank() bool {
	return strings.TrimSpace(o.Quote+o.Title+o.Text+o.JSON) == "" && len(o.Lines)+len(o.Files) == 0 && !o.Deep && !o.Empty &&
		!slices.ContainsFunc(o.Items, func(item body) bool { return !item.blank() })
}

// sayEmpty marks what shows nothing, of which a page says so. A notice says what it is.
func (o *body) sayEmpty() {
	for i := range o.Items {
		o.Items[i].sayEmpty()
	}
	o.Empty = o.blank() && !noticeTypes[o.Type]
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
func (o *body) mask(ids *wecom.Mask) {
	for _, s := range []*string{&o.Quote, &o.Title, &o.Text, &o.JSON} {
		*s = ids.Replace(*s)
	}
	for i := range o.Lines {
		o.Lines[i].Value = ids.Replace(o.Lines[i].Value)
	}
	for i := range o.Files {
		o.Files[i].Name = ids.Replace(o.Files[i].Name)
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
	shown := f.Without("item", "items").Redacted() // words may be JSON
	read, texts := []string{}, []string{}
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
		b.attach(&one, wecom.FilesOf(item.Beside, ""))
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
