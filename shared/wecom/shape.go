package wecom

import "strings"

// shape says where a type of message keeps what people write, and what file it
// carries.
type shape struct {
	payload  string   // member with the payload, if it is not called as the type
	text     []string // members that people search for
	list     string   // member with a list of objects...
	listText []string // ...and what people search for in each
	media    string   // kind of file
}

// shapes are the types that WeCom documents or that were seen. Ids of people,
// pictures of links and what a program filled in are left out of the text.
var shapes = map[string]shape{
	"text":                 {text: []string{"content"}},
	"image":                {media: MediaImage},
	"revoke":               {},
	"agree":                {},
	"disagree":             {},
	"voice":                {media: MediaVoice},
	"video":                {media: MediaVideo},
	"card":                 {text: []string{"corpname"}},
	"location":             {text: []string{"title", "address"}},
	"emotion":              {media: MediaEmotion},
	"file":                 {text: []string{"filename"}, media: MediaFile},
	"link":                 {text: []string{"title", "description", "link_url"}},
	"weapp":                {text: []string{"title", "description", "displayname"}},
	"chatrecord":           {text: []string{"title"}},
	"mixed":                {},
	"todo":                 {text: []string{"title", "content"}},
	"vote":                 {text: []string{"votetitle", "voteitem"}},
	"collect":              {text: []string{"room_name", "title"}, list: "details", listText: []string{"ques"}},
	"redpacket":            {text: []string{"wish"}},
	"external_redpacket":   {payload: "redpacket", text: []string{"wish"}},
	"meeting":              {text: []string{"topic", "address", "remarks"}},
	"meeting_notification": {payload: "info", text: []string{"content"}},
	"docmsg":               {payload: "doc", text: []string{"title", "link_url"}},
	"markdown":             {payload: "info", text: []string{"content"}},
	"news":                 {payload: "info", text: newsText, list: "item", listText: newsText},
	"calendar":             {text: []string{"title", "creatorname", "attendeename", "place", "remarks"}},
	"meeting_voice_call":   {list: "demofiledata", listText: []string{"filename"}, media: MediaCall},
	"voip_doc_share":       {text: []string{"filename"}, media: MediaVoipDoc},
	"sphfeed":              {text: []string{"sph_name", "feed_desc"}},
	"voiptext":             {payload: "info"},
	"qydiskfile":           {payload: "info", text: []string{"filename"}},
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

// locate finds the payload of a message, or of the content of an item that is
// wrapped like one. Old versions and libraries differ in where it is: under its
// documented name, under the name of the type, under info, or flattened into f
// itself (then name is empty).
func locate(f Fields, msgtype string) (payload Fields, name string) {
	for _, name := range []string{shapes[msgtype].payload, msgtype, "info"} {
		if name == "" {
			continue
		}
		if payload := f.Object(name); payload.members != nil {
			return payload, name
		}
	}
	return f, ""
}

// secret says whether a member opens a file.
func secret(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", ""))
	return strings.HasSuffix(name, "fileid")
}

// searchable says whether the string under this name may be something that a
// person would search for, in a payload whose shape we do not know.
func searchable(name string) bool {
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
