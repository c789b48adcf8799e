package wecomtest

// payloadChatrecord is a forwarded talk with records inside records to the given
// depth.
func payloadChatrecord(depth int) func(*draft) {
	return func(d *draft) {
		d.object("chatrecord")
		d.record(&d.writer, depth)
		d.endObject()
	}
}

// recordTypes pairs an item's type with the message type whose fields its content
// has.
var recordTypes = []struct{ item, msgtype string }{
	{"ChatRecordText", "text"}, {"ChatRecordText", "text"}, {"ChatRecordText", "text"}, {"ChatRecordText", "text"},
	{"ChatRecordImage", "image"},
	{"ChatRecordFile", "file"},
	{"ChatRecordVideo", "video"},
	{"ChatRecordVoice", "voice"},
	{"ChatRecordEmotion", "emotion"},
	{"ChatRecordLink", "link"},
	{"ChatRecordLocation", "location"},
	{"ChatRecordWeapp", "weapp"},
	{"ChatRecordMixed", "mixed"},
}

// record writes title and items. Its items' content is JSON within a string, so
// that quotes and backslashes are escaped once more on each level.
func (d *draft) record(w *writer, depth int) {
	w.str("title", d.recordTitle())
	w.array("item")
	items := d.r.between(1, 6)
	for i := range items {
		t := pick(&d.r, recordTypes)
		if depth > 1 && i == 0 {
			t.item, t.msgtype = "chatrecord", "chatrecord"
		}
		w.object("")
		w.str("type", t.item)
		w.num("msgtime", d.sent.Unix()-int64((items-i)*d.r.between(5, 90))) // seconds
		w.str("content", d.content(t.msgtype, depth))
		w.boolean("from_chatroom", d.talk.room != nil)
		w.endObject()
	}
	w.endArray()
}

func (d *draft) recordTitle() string {
	if d.talk.room != nil {
		return d.talk.room.name
	}
	if d.talk.language() == english {
		return d.from.name + " and " + d.other().name
	}
	return d.from.name + "和" + d.other().name + "的聊天记录"
}

// content is an item's content: an object as a string.
func (d *draft) content(msgtype string, depth int) string {
	var w writer
	w.object("")
	switch msgtype {
	case "chatrecord":
		d.record(&w, depth-1)
	case "mixed":
		d.items(&w)
	default:
		d.inside(&w, msgtype)
	}
	w.endObject()
	return string(w.b)
}

func payloadMixed(d *draft) {
	d.object("mixed")
	d.items(&d.writer)
	d.endObject()
}

// items writes the parts of a mixed message: text with pictures, as a rule.
func (d *draft) items(w *writer) {
	w.array("item")
	for i := range d.r.between(2, 4) {
		msgtype := "text"
		if i > 0 {
			msgtype = pick(&d.r, []string{"image", "image", "image", "text", "emotion", "file"})
		}
		w.object("")
		w.str("type", msgtype)
		w.str("content", d.content(msgtype, 0))
		w.endObject()
	}
	w.endArray()
}
