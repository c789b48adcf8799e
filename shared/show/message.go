package show

import (
	"time"

	"wecom-archive/shared/transcript"
)

// Message is one message as the API shows it.
type Message struct {
	Seq         int64      `json:"seq" doc:"WeCom's number of the message in the corp's stream"`
	MsgID       string     `json:"msgid,omitempty" doc:"Absent: not known, see original"`
	Time        string     `json:"time" format:"date-time" example:"2026-11-23T08:00:00.000Z"`
	TimeSource  string     `json:"time_source,omitempty" doc:"Where in the message the time was read. Absent: not known"`
	Action      string     `json:"action,omitempty" example:"send"`
	Type        string     `json:"type,omitempty" example:"text" doc:"msgtype"`
	From        string     `json:"from,omitempty" doc:"Sender's id; employees' userids in lower case"`
	FromName    string     `json:"from_name,omitempty" example:"李娜" doc:"What WeCom called the sender at that time; before it was first asked for, what it was called then. Hostile input: never take it for markup"`
	FromNameNow string     `json:"from_name_now,omitempty" doc:"The name that was seen last, if it is another"`
	FromIDOnly  bool       `json:"from_id_only,omitempty" doc:"true: no name of the sender is known, only the id"`
	FromKind    string     `json:"from_kind,omitempty" example:"employee" doc:"employee, external or robot"`
	To          []string   `json:"to" nullable:"false" doc:"Receivers' ids"`
	Room        string     `json:"room,omitempty" doc:"roomid"`
	RoomName    string     `json:"room_name,omitempty" doc:"What the room was called at that time"`
	RoomNameNow string     `json:"room_name_now,omitempty" doc:"The name that was seen last, if it is another"`
	Chat        string     `json:"chat,omitempty" example:"external" doc:"internal, external or updown_stream"`
	Ref         string     `json:"ref,omitempty" doc:"msgid of the message that this one refers to"`
	RecalledBy  int64      `json:"recalled_by,omitempty" doc:"seq of the message that recalls this one. This one stays"`
	Recalls     int64      `json:"recalls,omitempty" doc:"seq of the message that this one recalls, if it is in the same answer; GET /v1/messages/{seq} finds it on other pages, too"`
	Text        string     `json:"text,omitempty" doc:"What a person would search for. Hostile input: never take it for markup"`
	Media       []MediaRef `json:"media" nullable:"false"`

	ParserVersion int    `json:"parser_version,omitempty" doc:"Of the parser that read the members above out of the message. Absent: not known"`
	PublicKeyVer  *int64 `json:"publickey_ver,omitempty" doc:"Version of the key that it was encrypted with"`
	RawSHA256     string `json:"raw_sha256,omitempty" doc:"Hex, of the message as decrypted. Absent: not known"`
	Segment       string `json:"segment" doc:"Key of the archive's object that holds it"`
	Row           int    `json:"row" doc:"Its row there, from 0"`
	Page          string `json:"page" doc:"Key of the object that holds it as WeCom returned it, encrypted"`
	Unreadable    string `json:"unreadable,omitempty" doc:"damaged: the segment cannot be read, so only what the index knows of the message is shown. Ask the operator for: wecom-archive redrive"`
	Raw           []byte `json:"raw_base64,omitzero" required:"false" doc:"The message exactly as decrypted; with raw=true"`

	Cut []string `json:"cut,omitempty" nullable:"false" example:"text" doc:"Members that are shortened (text) or left out (raw_base64, media, to), since the message is too long for one answer. Row row of the object segment has all of it"`

	at time.Time // of Time
}

// MediaRef is a file that a message refers to, as the message says.
type MediaRef struct {
	Path string `json:"path,omitempty" doc:"Where in the message. Absent: not known, or the message itself"`
	Kind string `json:"kind" example:"image"`
	Name string `json:"name,omitempty"`
	Size *int64 `json:"size,omitempty" doc:"Bytes, if the message says"`
	MD5  string `json:"md5,omitempty" doc:"As the message says"`
}

// At is the time of the message.
func (m Message) At() time.Time { return m.at }

// timeLayout has always the same width, so that times compare as text.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// View is a message as the API shows it; raw: as it was decrypted, too.
func View(r transcript.Message, raw bool) Message {
	m := Message{
		at: r.MsgTime, Seq: r.Seq, MsgID: r.MsgID, Time: r.MsgTime.UTC().Format(timeLayout), TimeSource: r.TimeSource,
		Action: r.Action, Type: r.MsgType, From: r.FromID, FromKind: r.SenderKind, To: r.ToIDs,
		Room: r.RoomID, Chat: r.ChatKind, Ref: r.RefMsgID, Text: r.Text, Media: make([]MediaRef, len(r.Media)),
		ParserVersion: r.ParserVersion, RawSHA256: r.RawSHA256, Segment: r.Place.Object, Row: r.Place.Row, Page: r.Page(),
	}
	if m.To == nil {
		m.To = []string{}
	}
	if r.PublicKeyVer >= 0 {
		m.PublicKeyVer = &r.PublicKeyVer
	}
	for i, ref := range shownMedia(r.Row) {
		m.Media[i] = MediaRef{Path: ref.Path, Kind: ref.Kind, Name: ref.Name, MD5: ref.MD5}
		if ref.Size >= 0 {
			m.Media[i].Size = &ref.Size
		}
	}
	if !r.Readable() {
		m.Unreadable = string(r.Outcome)
	}
	if raw {
		m.Raw = r.Raw
	}
	return m
}

// fitting is how many of the messages go into one answer: at least one, if there
// are any, cut if it has to be.
func fitting(messages []Message) int {
	size := 0
	for i := range messages {
		messages[i].lighten(answerWeight)
		if size += messages[i].size(); size > answerWeight && i > 0 {
			return i
		}
	}
	return len(messages)
}

// size is about the bytes that a message takes in an answer.
func (m *Message) size() int {
	const members = 1500 // and their names
	n := members + sizeInJSON(m.Text) + len(m.Raw)*4/3
	for _, id := range m.To {
		n += sizeInJSON(id) + 5
	}
	for _, ref := range m.Media {
		n += sizeInJSON(ref.Path) + sizeInJSON(ref.Kind) + sizeInJSON(ref.Name) + sizeInJSON(ref.MD5) + 100
	}
	return n
}

// lighten cuts a message that is larger than a limit, and says so: first what is there
// to be computed with, of which a part is of no use, then the end of the text, at last
// the lists.
func (m *Message) lighten(limit int) {
	over := func() int { return m.size() - limit }
	if over() > 0 && len(m.Raw) > 0 {
		m.Raw, m.Cut = nil, append(m.Cut, "raw_base64")
	}
	if n := over(); n > 0 && m.Text != "" {
		left := sizeInJSON(m.Text) - n
		m.Text, _ = ClipBy(weightInJSON, m.Text, &left)
		m.Cut = append(m.Cut, "text")
	}
	if over() > 0 && len(m.Media) > 0 {
		m.Media, m.Cut = []MediaRef{}, append(m.Cut, "media")
	}
	if over() > 0 && len(m.To) > 0 {
		m.To, m.Cut = []string{}, append(m.Cut, "to")
	}
}
