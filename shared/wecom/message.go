package wecom

import (
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/chat"
)

// ParserVersion grows with every change to what Parse reads. It is stored beside
// every reading.
const ParserVersion = 2

// Message is a reading of one decrypted message.
type Message struct {
	Parsed bool // the plaintext is a JSON object

	MsgID   string // the message's own, else the envelope's
	Action  string // send, recall, switch
	MsgType string // as WeCom wrote it; empty for switch

	From         chat.Participant   // zero if nobody; the user of a switch
	To           []chat.Participant // in the order of tolist, each once
	RoomID       string             // empty outside rooms
	Conversation string             // see chat.ConversationOf
	ChatKind     string             // internal, external, updown_stream; see chatKind

	Time       time.Time // UTC, whole ms
	TimeSource string    // where Time was read, one of the Time constants

	Ref    string  // msgid of the message that this one recalls (revoke.pre_msgid)
	Text   string  // what a person would search for, nested items too, parts joined with "\n"
	Media  []Media // files that the message refers to, nested ones too
	Fields Fields  // the whole message

	// Unopened: Text has not all that it should, or has it as it is written: the plaintext
	// is no JSON object that could be read, or something in it is nested deeper than MaxDepth.
	Unopened bool

	files []Media // see Files
	mask  *Mask
}

// Values of Message.TimeSource, in the order of trust.
const (
	TimeMsgtime        = "msgtime"   // the message's msgtime, in ms as documented
	TimeMsgtimeSeconds = "msgtime_s" // msgtime that can only be seconds
	TimeSwitch         = "time"      // the time of an action switch
	TimeMsgID          = "msgid"     // the number in the msgid
	TimePulledAt       = "pulled_at" // when the page was pulled: the message is older
)

// Parse reads one decrypted message tolerantly. It never fails: what cannot be
// read is left empty, and plaintext that is no JSON object gives a message that
// is not Parsed, with an empty Text, in the conversation "unparsed".
//
// msgid and pulledAt come from the envelope and its page, and stand in for a
// message that lacks its own.
func Parse(raw []byte, msgid string, pulledAt time.Time) Message {
	m := Message{MsgID: validText(msgid), Conversation: chat.Unparsed, Unopened: true}
	v, ok := decodeJSON(raw)
	members, isObject := v.(map[string]any)
	if !ok || !isObject {
		m.Time, m.TimeSource = messageTime(m.Fields, m.MsgID, pulledAt)
		m.ChatKind = suffixKind(m.MsgID)
		return m
	}
	f := Fields{members}
	m.Parsed, m.Fields = true, f
	if own := f.String("msgid"); own != "" {
		m.MsgID = own
	}
	m.Action = f.String("action")
	m.MsgType = f.String("msgtype")
	m.RoomID = f.String("roomid")
	m.readParticipants()
	m.Time, m.TimeSource = messageTime(f, m.MsgID, pulledAt)
	if m.Ref = f.Object("revoke").String("pre_msgid"); m.Ref == "" {
		m.Ref = f.String("pre_msgid")
	}
	text, files, unopened := readContent(f, m.MsgType)
	m.Unopened = unopened
	// No sdkfileid that the message uses may stand in the text or beside it, under
	// whatever name WeCom may have repeated it.
	m.files, m.mask = files, maskOf(files)
	m.Text = m.mask.hide(text, "\n")
	for i := range files {
		file := &files[i]
		file.Name, file.MD5 = m.mask.hide(file.Name, hidden), m.mask.hide(file.MD5, hidden)
		if file.FileID != "" {
			m.Media = append(m.Media, *file)
		}
	}
	return m
}

// Files is Media, and in their places the files whose FileID is empty: the message
// speaks of a file without saying which, so nobody can ever fetch it.
func (m Message) Files() []Media { return slices.Clone(m.files) }

// Type is the message's type in lower case, Switch for that action.
func (m Message) Type() string {
	if m.Action == Switch {
		return Switch
	}
	return strings.ToLower(m.MsgType)
}

func (m *Message) readParticipants() {
	if m.From = chat.ParticipantOf(m.Fields.String("from")); m.From.ID == "" {
		m.From = chat.ParticipantOf(m.Fields.String("user"))
	}
	seen := map[chat.Participant]bool{}
	for _, id := range m.Fields.Strings("tolist") {
		if p := chat.ParticipantOf(id); !seen[p] {
			seen[p] = true
			m.To = append(m.To, p)
		}
	}
	all := append([]chat.Participant{m.From}, m.To...)
	m.Conversation = chat.ConversationOf(m.RoomID, all...)
	m.ChatKind = chatKind(m.MsgID, all)
}

// chatKind: WeCom marks the msgids of messages with outside parties, but not all
// of them (agree, calls), so participants count too.
func chatKind(msgid string, participants []chat.Participant) string {
	if kind := suffixKind(msgid); kind != "" {
		return kind
	}
	for _, p := range participants {
		if p.Kind == chat.External {
			return chat.ExternalChat
		}
	}
	return chat.InternalChat
}

func suffixKind(msgid string) string {
	switch {
	case strings.HasSuffix(msgid, "_external"):
		return chat.ExternalChat
	case strings.HasSuffix(msgid, "_updown_stream"):
		return chat.UpdownStreamChat
	}
	return ""
}

// Bounds of believable times. Between them seconds and milliseconds cannot be
// confused: 1e11 ms is March 1973, 1e11 s is the year 5138.
const (
	minSeconds = 1_000_000_000       // September 2001
	minMillis  = 100_000_000_000     // and the first number that is no longer seconds
	maxMillis  = 253_402_300_799_999 // end of the year 9999
	msgidParts = 3                   // <number>_<time>_<suffix>
)

func messageTime(f Fields, msgid string, pulledAt time.Time) (time.Time, string) {
	if n, ok := f.Int("msgtime"); ok {
		if t, seconds, ok := believableTime(n); ok && seconds {
			return t, TimeMsgtimeSeconds
		} else if ok {
			return t, TimeMsgtime
		}
	}
	if n, ok := f.Int("time"); ok {
		if t, _, ok := believableTime(n); ok {
			return t, TimeSwitch
		}
	}
	if parts := strings.SplitN(msgid, "_", msgidParts); len(parts) > 1 {
		if n, ok := wholeInt(parts[1]); ok {
			if t, _, ok := believableTime(n); ok {
				return t, TimeMsgID
			}
		}
	}
	return pulledAt.UTC().Truncate(time.Millisecond), TimePulledAt
}

// believableTime reads n as ms or, where only that makes sense, as seconds.
func believableTime(n int64) (t time.Time, seconds, ok bool) {
	switch {
	case n >= minMillis && n <= maxMillis:
		return time.UnixMilli(n).UTC(), false, true
	case n >= minSeconds && n < minMillis:
		return time.Unix(n, 0).UTC(), true, true
	}
	return time.Time{}, false, false
}
