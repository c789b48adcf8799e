package wecomtest

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"time"
)

// head is all about a message but its payload.
type head struct {
	index   int
	kind    int // in kinds
	place   place
	line    line
	talk    talk
	from    *person
	sent    time.Time // ms precision
	msgid   string
	revoked string // msgid that a revoke refers to
}

// draft is a message being written.
type draft struct {
	writer
	head
	corp *Corp
	r    rng // for the payload
}

// head finds out who sends what kind of message where.
func (c *Corp) head(s schedule, index int) head {
	seed := c.config.Seed
	h := head{
		index: index,
		kind:  int(c.kindTable[index%kindPeriod]),
		place: placeOf(seed, index),
		sent:  c.sentAt(s, index),
	}
	if kinds[h.kind].msgtype == "revoke" {
		earlier, found := c.revocable(index)
		if found {
			target := c.head(s, earlier)
			h.talk, h.from, h.revoked = target.talk, target.from, target.msgid
			h.msgid = c.madeUpMsgID(h)
			return h
		}
		h.kind = kindText
	}
	where := kinds[h.kind].where
	r := stream(seed, forSession, h.place.session())
	h.talk = c.crowd.talkIn(anywhere, &r)
	if !h.talk.suits(where) {
		own := stream(seed, forSession, ^uint64(index))
		h.talk = c.crowd.talkIn(where, &own)
	}
	h.line = scripted(seed, h.place.session(), h.talk, h.place.step)
	h.from = h.talk.speaker(seed, h.place.session(), h.place.step, h.line.side)
	switch where {
	case fromRobot:
		h.from = h.talk.room.robot
	case withCustomer:
		if i := slices.IndexFunc(h.talk.people, func(p *person) bool { return p.role == customer }); i >= 0 {
			h.from = h.talk.people[i]
		}
	}
	h.msgid = c.madeUpMsgID(h)
	return h
}

// revocable finds the text message that a revoke at index takes back: the last
// one of its session or else the last one at all.
func (c *Corp) revocable(index int) (earlier int, found bool) {
	seed := c.config.Seed
	isText := func(i int) bool { return c.kindTable[i%kindPeriod] == kindText }
	lane := laneOf(seed, index)
	for i := index - 1; i >= index-index%windowLen; i-- {
		if isText(i) && laneOf(seed, i) == lane {
			return i, true
		}
	}
	for i := index - 1; i >= 0; i-- {
		if isText(i) {
			return i, true
		}
	}
	return 0, false
}

// other is the person, or one of those, whom the message is for.
func (h head) other() *person {
	members := h.talk.members()
	for i := range members {
		if p := members[(h.place.step+i)%len(members)]; p != h.from {
			return p
		}
	}
	return h.from
}

// sentAt is a moment before the message's arrival, so that the stream is not
// quite in the order of time.
func (c *Corp) sentAt(s schedule, index int) time.Time {
	r := stream(c.config.Seed, forContent, ^uint64(index))
	delay := time.Duration(r.between(150, 900)) * time.Millisecond
	if r.oneIn(12) {
		delay += time.Duration(r.n(9000)) * time.Millisecond
	}
	return s.arrival(index).Add(-delay).UTC().Truncate(time.Millisecond)
}

// madeUpMsgID makes a msgid of one of the forms seen in production. Two equal
// ones are as unlikely as two equal random numbers of 63 bits.
func (c *Corp) madeUpMsgID(h head) string {
	r := stream(c.config.Seed, forMsgID, uint64(h.index))
	number := mix(uint64(h.index) + mix(c.config.Seed))
	id := strconv.FormatUint(number|1<<63, 10) // 19 or 20 digits
	suffix := ""
	if h.talk.outside() {
		suffix = "_external"
	}
	if kinds[h.kind].msgtype == "switch" {
		return id // seen without time
	}
	switch n := r.n(1000); {
	case n < 4: // old
		raw := strconv.AppendUint([]byte("\x08\x04\x10"), number, 36)
		return base64.StdEncoding.EncodeToString(append(raw, byte(h.index)))
	case n < 14:
		return id + suffix
	case n < 24:
		return id + "_" + strconv.FormatInt(h.sent.Unix(), 10) + suffix
	case n < 26 && suffix == "":
		suffix = "_updown_stream"
	}
	return id + "_" + strconv.FormatInt(h.sent.UnixMilli(), 10) + suffix
}

// compose writes the plaintext of a message.
func (c *Corp) compose(h head) []byte {
	d := &draft{head: h, corp: c, r: stream(c.config.Seed, forContent, uint64(h.index))}
	odd := oddityOf(c.config.Seed, h.index)
	if odd == notJSON && h.kind == kindText {
		return d.notJSON()
	}
	d.b = make([]byte, 0, 768)
	d.object("")
	d.str("msgid", h.msgid)
	if kinds[h.kind].msgtype == "switch" {
		d.str("action", "switch")
		d.num("time", h.sent.UnixMilli())
		d.id("user", h.from)
		d.endObject()
		return d.b
	}
	d.envelope(odd)
	kinds[h.kind].payload(d)
	d.endObject()
	switch odd {
	case controlChars:
		d.insert([]byte{byte(d.r.between(1, 0x1f))})
	case invalidUTF8:
		d.insert(pick(&d.r, invalidSequences))
	}
	return d.b
}

// envelope writes who, whom, where, when and what.
func (d *draft) envelope(odd oddity) {
	msgtype := kinds[d.kind].msgtype
	action := "send"
	if msgtype == "revoke" {
		action = "recall"
	}
	d.str("action", action)
	d.id("from", d.from)
	d.array("tolist")
	for _, p := range d.talk.members() {
		if p != d.from {
			d.elem(d.spelled(p))
		}
	}
	d.endArray()
	switch {
	case msgtype == "meeting_voice_call" || msgtype == "voip_doc_share":
		// often without roomid
	case d.talk.room != nil:
		d.str("roomid", d.talk.room.id)
	default:
		d.str("roomid", "")
	}
	sent := d.sent.UnixMilli()
	if odd == noTime {
		sent = 0
	}
	d.num("msgtime", sent)
	d.str("msgtype", msgtype)
}

// spelled is how this message writes p's id: employees' now and then in another
// case.
func (d *draft) spelled(p *person) string {
	if p.spelling != "" && d.r.oneIn(25) {
		return p.spelling
	}
	return p.id
}

func (d *draft) id(k string, p *person) { d.str(k, d.spelled(p)) }

var invalidSequences = [][]byte{
	{0xff},
	{0xe4, 0xb8},       // cut off
	{0xc0, 0xaf},       // overlong
	{0xed, 0xa0, 0x80}, // half of a surrogate pair
}

// insert puts bytes where a person's text begins, or nowhere if the message has
// no text of that kind.
func (d *draft) insert(bad []byte) {
	for _, before := range []string{`"content":"`, `"title":"`, `"filename":"`} {
		if _, after, found := bytes.Cut(d.b, []byte(before)); found {
			d.b = slices.Insert(d.b, len(d.b)-len(after), bad...)
			return
		}
	}
}

// notJSON is plaintext as it should not be.
func (d *draft) notJSON() []byte {
	text := d.corp.text(d.head, &d.r)
	switch d.r.n(3) {
	case 0:
		return []byte(text)
	case 1:
		return []byte(`{"msgid":"` + d.msgid + `","action":"send","from":"` + d.from.id) // cut off
	}
	return []byte(`<xml><MsgId>` + d.msgid + `</MsgId></xml>`)
}
