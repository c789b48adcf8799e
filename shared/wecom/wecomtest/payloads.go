package wecomtest

import (
	"encoding/hex"
	"strconv"
	"time"
)

func payloadText(d *draft) {
	d.object("text")
	d.str("content", d.corp.text(d.head, &d.r))
	d.endObject()
}

// simple is the payload of a type whose object is named like it and may also
// stand inside a chatrecord or mixed message.
func simple(msgtype string) func(*draft) {
	return func(d *draft) {
		d.object(msgtype)
		d.inside(&d.writer, msgtype)
		d.endObject()
	}
}

// inside writes the fields of one of the simple types.
func (d *draft) inside(w *writer, msgtype string) {
	r, lang := &d.r, d.talk.language()
	switch msgtype {
	case "text":
		w.str("content", d.corp.text(d.head, r))
	case "image":
		w.num("filesize", d.file(w, d.imageForm(), r.between(3_000, 20_000)))
	case "voice":
		seconds := r.between(1, 60)
		w.num("voice_size", d.file(w, FormAMR, 6+13*50*seconds))
		w.num("play_length", int64(seconds))
	case "video":
		seconds := r.between(3, 300)
		w.num("filesize", d.file(w, FormMP4, 5_000+seconds*100))
		w.num("play_length", int64(seconds))
	case "emotion":
		form := pick(r, []Form{FormGIF, FormPNG})
		w.num("type", map[Form]int64{FormGIF: 1, FormPNG: 2}[form])
		w.num("width", 240)
		w.num("height", 240)
		w.num("imagesize", d.file(w, form, r.between(3_000, 20_000)))
	case "file":
		name := fileName(r, lang)
		size := d.file(w, formOf(extension(name)), r.between(2_000, 40_000))
		w.str("filename", name)
		w.str("fileext", extension(name))
		w.num("filesize", size)
	case "link":
		a := pick(r, articles[lang])
		w.str("title", d.corp.fill(a.title, d.head))
		w.str("description", d.corp.fill(a.description, d.head))
		w.str("link_url", "https://example.invalid/a/"+strconv.Itoa(r.n(1e6))+"?from=wecom&x=<1>")
		w.str("image_url", "https://example.invalid/i/"+strconv.Itoa(r.n(1e6))+".png")
	case "weapp":
		w.str("title", pick(r, appPages[lang]))
		w.str("description", "")
		w.str("username", "gh_"+r.name("0123456789abcdef", 12)+"@app")
		w.str("displayname", pick(r, appNames[lang]))
	case "location":
		w.float("longitude", float64(100_000_000+r.n(22_000_000))/1e6)
		w.float("latitude", float64(21_000_000+r.n(20_000_000))/1e6)
		w.str("address", pick(r, cities[lang])+pick(r, streets[lang])+strconv.Itoa(r.between(1, 999))+pick(r, houseNumber[lang:lang+1]))
		w.str("title", pick(r, buildings[lang]))
		w.num("zoom", 15)
	case "card":
		w.str("corpname", pick(r, companies[lang]))
		w.str("userid", pick(r, d.corp.crowd.customers).id)
	}
}

// file writes the fields that lead to a media file, and returns its size. All follow
// from the seed; a sdkfileid never comes twice. A few files lie or do not come.
func (d *draft) file(w *writer, form Form, size int) int64 {
	m := medium{form: form, size: int64(size), fate: d.fate()}
	d.r.fill(m.seed[:])
	if form == FormXLSX { // readers take nothing behind its end
		m.size = int64(len(m.workbook()))
	}
	sum, _ := m.sums()
	if m.fate == Lying {
		sum = hex.EncodeToString(m.seed[:])
	}
	w.str("sdkfileid", m.fileID())
	w.str("md5sum", sum)
	return m.size
}

// fate is that of a file: of 400, one expires, one never comes, one comes late, one
// has another's MD5.
func (d *draft) fate() Fate {
	switch n := Fate(d.r.n(400)); n {
	case Lying, Late, Never, Expired:
		return n
	}
	return Plain
}

// imageForm is mostly what it should be. A few are what no image is.
func (d *draft) imageForm() Form {
	switch d.r.n(200) {
	case 0:
		return FormHTML
	case 1:
		return FormSVG
	}
	return pick(&d.r, []Form{FormJPEG, FormJPEG, FormPNG})
}

// formOf is the form of a file with a name like that.
func formOf(extension string) Form {
	switch extension {
	case "pdf":
		return FormPDF
	case "xlsx":
		return FormXLSX
	case "png":
		return FormPNG
	case "jpg":
		return FormJPEG
	}
	return FormBinary
}

func extension(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			return name[i+1:]
		}
	}
	return ""
}

func payloadRevoke(d *draft) {
	d.object("revoke")
	d.str("pre_msgid", d.revoked)
	d.endObject()
}

// payloadCardCapital is the card with "Userid", as some sources show it.
func payloadCardCapital(d *draft) {
	d.object("card")
	d.str("corpname", "微信联系人")
	d.str("Userid", pick(&d.r, d.corp.crowd.customers).id)
	d.endObject()
}

func payloadRedpacket(d *draft) {
	count := d.r.between(1, 20)
	d.object("redpacket")
	d.num("type", int64(d.r.between(1, 2)))
	d.str("wish", pick(&d.r, wishes))
	d.num("totalcnt", int64(count))
	d.num("totalamount", int64(count*d.r.between(1, 2000))) // fen
	d.endObject()
}

func payloadAgree(which string) func(*draft) {
	return func(d *draft) {
		d.object(which)
		d.id("userid", d.from)
		d.num(which+"_time", d.sent.UnixMilli())
		d.endObject()
	}
}

func payloadTodo(d *draft) {
	lang := d.talk.language()
	d.object("todo")
	d.str("title", pick(&d.r, todoTitles[lang]))
	d.str("content", d.corp.fill(d.line.text, d.head))
	d.endObject()
}

// payloadVote writes a vote, below under or at the top level if under is empty.
func payloadVote(under string) func(*draft) {
	return func(d *draft) {
		lang := d.talk.language()
		if under != "" {
			d.object(under)
		}
		d.str("votetitle", pick(&d.r, voteTitles[lang]))
		d.array("voteitem")
		for i := range d.r.between(2, 5) {
			d.elem(cities[lang][i%len(cities[lang])])
		}
		d.endArray()
		d.num("votetype", int64(d.r.between(101, 102)))
		d.str("voteid", strconv.Itoa(d.r.between(1e6, 9e6)))
		if under != "" {
			d.endObject()
		}
	}
}

func payloadCollect(d *draft) {
	lang := d.talk.language()
	d.object("collect")
	d.str("room_name", d.talk.room.name)
	d.id("creator", d.from)
	d.str("create_time", d.sent.In(china).Format(time.DateTime))
	d.str("title", pick(&d.r, collectTitles[lang]))
	d.array("details")
	for i, q := range questions[lang] {
		d.object("")
		d.unum("id", beyondInt64(&d.r)>>(i*8))
		d.str("ques", q)
		d.str("type", []string{"Text", "Number", "Date", "Time"}[i%4])
		d.endObject()
	}
	d.endArray()
	d.endObject()
}

// beyondInt64 is a number that only a uint64 holds.
func beyondInt64(r *rng) uint64 { return r.next() | 1<<63 }

func payloadMeeting(d *draft) {
	lang := d.talk.language()
	start := d.sent.Add(time.Duration(d.r.between(1, 72)) * time.Hour).Unix()
	reply := d.r.oneIn(2)
	d.object("meeting")
	d.str("topic", pick(&d.r, meetingTopics[lang]))
	d.num("starttime", start)
	d.num("endtime", start+3600)
	d.str("address", pick(&d.r, buildings[lang]))
	d.str("remarks", d.corp.fill(d.line.text, d.head))
	if reply {
		d.num("meetingtype", 102)
	} else {
		d.num("meetingtype", 101)
	}
	d.unum("meetingid", beyondInt64(&d.r))
	if reply {
		d.num("status", int64(d.r.between(1, 7)))
	}
	d.endObject()
}

func payloadMeetingNotification(d *draft) {
	d.object("info")
	d.str("meeting_id", strconv.FormatUint(beyondInt64(&d.r), 10))
	d.num("notification_type", int64(d.r.between(1, 5)))
	d.str("content", pick(&d.r, meetingNotes[d.talk.language()]))
	d.endObject()
}

func payloadDoc(d *draft) {
	d.object("doc")
	d.str("title", pick(&d.r, fileStems[d.talk.language()]))
	d.id("doc_creator", d.from)
	d.str("link_url", "https://doc.example.invalid/sheet/"+strconv.Itoa(d.r.n(1e8)))
	d.endObject()
}

func payloadMarkdown(d *draft) {
	d.object("info")
	d.str("content", d.corp.fill(pick(&d.r, markdowns), d.head))
	d.endObject()
}

func payloadNews(d *draft) {
	lang := d.talk.language()
	d.object("info")
	d.array("item")
	for range d.r.between(1, 3) {
		d.object("")
		d.article(pick(&d.r, articles[lang]))
		d.endObject()
	}
	d.endArray()
	d.endObject()
}

func payloadNewsFlat(d *draft) {
	d.object("info")
	d.article(pick(&d.r, articles[d.talk.language()]))
	d.endObject()
}

func (d *draft) article(a article) {
	d.str("title", d.corp.fill(a.title, d.head))
	d.str("description", d.corp.fill(a.description, d.head))
	d.str("url", "https://example.invalid/n/"+strconv.Itoa(d.r.n(1e6)))
	d.str("picurl", "https://example.invalid/n/"+strconv.Itoa(d.r.n(1e6))+".jpg")
}

func payloadCalendar(d *draft) {
	lang := d.talk.language()
	start := d.sent.Add(time.Duration(d.r.between(2, 200)) * time.Hour).Unix()
	d.object("calendar")
	d.str("title", pick(&d.r, meetingTopics[lang]))
	d.str("creatorname", d.from.name)
	d.array("attendeename")
	d.elem(d.from.name)
	d.elem(d.other().name)
	d.endArray()
	d.num("starttime", start)
	d.num("endtime", start+5400)
	d.str("place", pick(&d.r, buildings[lang]))
	d.str("remarks", "")
	d.endObject()
}

func payloadCall(d *draft) {
	begin := d.sent.Unix()
	end := begin + int64(d.r.between(10, 3600))
	host := d.other()
	d.str("voiceid", "gr"+d.r.name(idChars, 28))
	d.object("meeting_voice_call")
	d.num("endtime", end)
	call := medium{form: FormAMR, size: 6 + 13*((end-begin)*5/2)}
	d.r.fill(call.seed[:])
	d.str("sdkfileid", call.fileID())
	d.array("demofiledata")
	d.object("")
	d.str("filename", fileName(&d.r, d.talk.language()))
	d.id("demooperator", host)
	d.num("starttime", begin+2)
	d.num("endtime", end-2)
	d.endObject()
	d.endArray()
	d.array("sharescreendata")
	d.object("")
	d.id("share", host)
	d.num("starttime", begin+3)
	d.num("endtime", end-1)
	d.endObject()
	d.endArray()
	d.endObject()
}

func payloadVoipDoc(d *draft) {
	d.str("voipid", "gr"+d.r.name(idChars, 28))
	d.object("voip_doc_share")
	d.str("filename", fileName(&d.r, d.talk.language()))
	// One in four claims more than fits an int32, and expires before anybody has it.
	doc := medium{form: FormPDF, size: int64(d.r.between(2_000, 20_000))}
	if d.r.oneIn(4) {
		doc = medium{form: FormPDF, size: int64(d.r.between(3_000_000_000, 6_000_000_000)), fate: Expired}
	}
	d.r.fill(doc.seed[:])
	sum := hex.EncodeToString(doc.seed[:])
	if doc.fate == Plain {
		sum, _ = doc.sums()
	}
	d.str("sdkfileid", doc.fileID())
	d.str("md5sum", sum)
	d.unum("filesize", uint64(doc.size))
	d.endObject()
}

func payloadSphfeed(d *draft) {
	lang := d.talk.language()
	a := pick(&d.r, articles[lang])
	d.object("sphfeed")
	d.num("feed_type", 4)
	d.str("sph_name", pick(&d.r, companies[lang]))
	d.str("feed_desc", d.corp.fill(a.title, d.head))
	d.endObject()
}

func payloadVoiptext(d *draft) {
	d.object("info")
	d.num("callduration", int64(d.r.n(1800)))
	d.num("invitetype", 2)
	d.endObject()
}

func payloadQydisk(d *draft) {
	d.object("info")
	d.str("filename", fileName(&d.r, d.talk.language()))
	d.endObject()
}

// payloadUnknown is a type that nobody has heard of yet.
func payloadUnknown(d *draft) {
	lang := d.talk.language()
	d.object("solitaire_v9")
	d.str("subject", pick(&d.r, collectTitles[lang]))
	d.array("entries")
	for i := range d.r.between(1, 6) {
		d.object("")
		d.num("no", int64(i+1))
		d.id("memberid", pick(&d.r, d.talk.members()))
		d.str("line", pick(&d.r, remarks[lang]))
		d.endObject()
	}
	d.endArray()
	d.endObject()
}

// payloadUnknownMedia is an unknown type that refers to a file.
func payloadUnknownMedia(d *draft) {
	d.object("shop_order")
	d.str("headline", pick(&d.r, products[d.talk.language()]))
	d.float("price", float64(d.r.between(100, 99_999))/100)
	d.object("cover")
	d.num("filesize", d.file(&d.writer, FormJPEG, d.r.between(3_000, 20_000)))
	d.endObject()
	d.endObject()
}
