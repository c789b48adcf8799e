package wecom

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Payload is what the message says, less its envelope: wherever it lies.
func (m Message) Payload() Fields {
	if m.Type() == Switch {
		return Fields{map[string]any{"user": m.Fields.value("user"), "time": m.Fields.value("time")}}
	}
	payload, _ := locate(m.Fields.Without(envelope...), strings.ToLower(m.MsgType))
	return payload
}

// Item is a message within a message: in a forwarded record, a mixed message or a
// note.
type Item struct {
	Type    string // as a msgtype, in lower case
	Time    time.Time
	Payload Fields
	Beside  Fields // what the item holds beside its content
}

// Items are the messages within a payload.
func (f Fields) Items() (items []Item) {
	list := f.value("item")
	if !holds(list) {
		list = f.value("items")
	}
	for _, v := range asList(list) {
		if members, ok := asObject(v); ok {
			items = append(items, itemOf(Fields{members}))
		} else if holds(v) { // a part that nothing is said of but its words
			items = append(items, Item{Type: "text", Payload: worded(v)})
		}
	}
	return items
}

func itemOf(f Fields) Item {
	item := Item{Type: itemType(f.String("type"))}
	item.Payload = itemPayload(contentOf(f), item.Type)
	if f.value("content") != nil {
		item.Beside = f.Without("content")
	}
	switch n, _ := f.Int("msgtime"); { // documented in s, and seen in ms elsewhere
	case n > 0 && n < minMillis:
		item.Time = time.Unix(n, 0).UTC()
	case n >= minMillis && n <= maxMillis:
		item.Time = time.UnixMilli(n).UTC()
	}
	return item
}

// contentOf is the content of an item: what is written under that name or, where
// there is none, its other members.
func contentOf(item Fields) any {
	if content := item.value("content"); content != nil {
		return content
	}
	return item.Without("type", "msgtime", "from_chatroom").members
}

// itemPayload is what an item says: its content is an object, often written as JSON
// in a string and wrapped like a message, or the bare words.
func itemPayload(content any, msgtype string) Fields {
	if written, ok := content.(string); ok {
		if v, ok := decodeContainer(written); ok {
			content = v
		}
	}
	if members, ok := content.(map[string]any); ok {
		payload, _ := locate(Fields{members}, msgtype)
		return payload
	}
	return worded(content)
}

// worded is the payload that bare words, or a list of such, stand for.
func worded(v any) Fields {
	if s, ok := v.(string); ok {
		v = cutFileIDs(s) // it may be JSON that is cut off
	}
	return Fields{map[string]any{"content": v}}
}

// locate finds the payload of a message, or of the content of an item that is
// wrapped like one. Old versions and libraries differ in where it is: under its
// documented name, under the name of the type, under info, or flattened into f
// itself (then name is empty). The first that holds something is it; of some types
// it may be bare words.
func locate(f Fields, msgtype string) (payload Fields, name string) {
	s := shapes[msgtype]
	empty := ""
	for _, name := range []string{s.payload, msgtype, "info"} {
		v := f.value(name)
		if name == "" || v == nil {
			continue
		}
		members, object := asObject(v)
		switch {
		case object && holds(members):
			return Fields{members}, name
		case object && empty == "":
			empty = name
		case !object && slices.Contains(s.text, "content") && holds(v):
			return worded(v), name
		}
	}
	if empty != "" && !holds(f.Without(strings.ToLower(empty)).members) {
		return f.Object(empty), empty
	}
	if wrapper, ok := onlyWrapper(f); ok {
		return f.Object(wrapper), wrapper
	}
	return f, ""
}

// onlyWrapper is the name of the single member of f, if that is one which payloads of
// other types stand under: items are wrapped in it whatever their type.
func onlyWrapper(f Fields) (string, bool) {
	keys := f.Keys()
	if len(keys) != 1 || !strings.EqualFold(keys[0], "doc") && !strings.EqualFold(keys[0], "text") {
		return "", false
	}
	members, ok := asObject(f.members[keys[0]])
	return keys[0], ok && holds(members)
}

// Holds says whether there is anything in f: a number, a word, a member that has something.
func (f Fields) Holds() bool { return holds(f.members) }

// holds says whether there is anything in a value: a number, a word, or a member or
// an element that has something.
func holds(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			if holds(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, holds)
	case string:
		return strings.TrimSpace(v) != ""
	case json.Number, bool:
		return true
	}
	return false
}

// FilesOf are the files that the payload of a type speaks of, known or not, as
// Message.Files has them of a message.
func FilesOf(payload Fields, msgtype string) []Media {
	var r reader
	if s, ok := shapes[msgtype]; ok {
		r.settle(0, r.payload(payload, msgtype, s, 0))
	} else {
		r.object(payload, MediaFile, true, 0)
	}
	return r.files
}
