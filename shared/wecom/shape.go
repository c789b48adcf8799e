package wecom

import "strings"

// shape says where a type of message keeps what people write, and what file it
// carries.
type shape struct {
	msgtype  string
	payload  string   // member with the payload, if it is not called as the type
	text     []string // members that people search for
	list     string   // member with a list of objects...
	listText []string // ...and what people search for in each
	media    string   // kind of file
}

// known are the types that WeCom documents or that were seen, those first that
// people look for most. Ids of people, pictures of links and what a program filled in
// are left out of the text. Where it has no names, whatever words there are count: of
// notes and solitaires WeCom documents no members.
var known = []shape{
	{msgtype: "text", text: []string{"content"}},
	{msgtype: "image", media: MediaImage},
	{msgtype: "voice", media: MediaVoice},
	{msgtype: "video", media: MediaVideo},
	{msgtype: "file", text: []string{"filename"}, media: MediaFile},
	{msgtype: "link", text: []string{"title", "description", "link_url"}},
	{msgtype: "chatrecord", text: []string{"title"}},
	{msgtype: "mixed"},
	{msgtype: "revoke"},
	{msgtype: "location", text: []string{"title", "address"}},
	{msgtype: "card", text: []string{"corpname"}},
	{msgtype: "weapp", text: []string{"title", "description", "displayname", "appid", "pagepath"}},
	{msgtype: "emotion", media: MediaEmotion},
	{msgtype: "markdown", payload: "info", text: []string{"content"}},
	{msgtype: "news", payload: "info", text: newsText, list: "item", listText: newsText},
	{msgtype: "note"},
	{msgtype: "solitaire"},
	{msgtype: "meeting", text: []string{"topic", "address", "remarks"}},
	{msgtype: "meeting_notification", payload: "info", text: []string{"content"}},
	{msgtype: "calendar", text: []string{"title", "creatorname", "attendeename", "place", "remarks"}},
	{msgtype: "docmsg", payload: "doc", text: []string{"title", "link_url"}},
	{msgtype: "qydiskfile", payload: "info", text: []string{"filename"}},
	{msgtype: "todo", text: []string{"title", "content"}},
	{msgtype: "vote", text: []string{"votetitle", "voteitem"}},
	{msgtype: "collect", text: []string{"room_name", "title"}, list: "details", listText: []string{"ques"}},
	{msgtype: "redpacket", text: []string{"wish"}},
	{msgtype: "external_redpacket", payload: "redpacket", text: []string{"wish"}},
	{msgtype: "sphfeed", text: []string{"sph_name", "feed_desc"}},
	{msgtype: "meeting_voice_call", list: "demofiledata", listText: []string{"filename"}, media: MediaCall},
	{msgtype: "voip_doc_share", text: []string{"filename"}, media: MediaVoipDoc},
	{msgtype: "voiptext", payload: "info"},
	{msgtype: "agree"},
	{msgtype: "disagree"},
}

// shapes are the known types by name.
var shapes = byType(known)

func byType(list []shape) map[string]shape {
	m := make(map[string]shape, len(list))
	for _, s := range list {
		m[s.msgtype] = s
	}
	return m
}

// Switch stands for the type of messages that have none: those of the action switch.
const Switch = "switch"

// Type is a known type of message.
type Type struct {
	Name   string // the msgtype, in lower case
	File   string // kind of the file that it carries, one of the Media constants; empty: none
	Action bool   // it is no msgtype: the message has an action in its place
}

// Types are the known types, those first that people look for most.
func Types() []Type {
	list := make([]Type, 0, len(known)+1)
	for _, s := range known {
		list = append(list, Type{Name: s.msgtype, File: s.media})
	}
	return append(list, Type{Name: Switch, Action: true})
}

// Known says whether Types has a type, however it is written.
func Known(name string) bool {
	name = strings.ToLower(name)
	_, ok := shapes[name]
	return ok || name == Switch
}

var newsText = []string{"title", "description", "url"}

// hasItems says whether a type's payload is a list of further messages.
func hasItems(msgtype string) bool { return msgtype == "chatrecord" || msgtype == "mixed" }

// itemType turns the type of a chatrecord item (ChatRecordText) or of a mixed
// item (text) into the msgtype that its content is shaped as.
func itemType(s string) string {
	s = strings.ToLower(s)
	if rest := strings.TrimPrefix(s, "chatrecord"); rest != "" {
		return rest
	}
	return s
}

// searchable says whether the string under this name may be something that a
// person would search for, in a payload whose shape we do not know.
func searchable(name string) bool {
	if secret(name) {
		return false
	}
	name = strings.ToLower(name)
	switch name {
	case "type", "msgtype", "md5", "md5sum", "aeskey", "fileext", "picurl", "image_url":
		return false
	}
	return !strings.HasSuffix(name, "id")
}

// envelope are the members of every message that say nothing of its content.
var envelope = []string{
	"msgid", "action", "from", "tolist", "roomid", "msgtime", "msgtype", "time", "user",
}
