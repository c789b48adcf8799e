package wecom

import (
	"cmp"
	"strconv"
	"strings"
)

// MaxDepth is how many messages within messages (forwarded chat histories, mixed
// messages, JSON inside strings) Parse opens. What lies deeper is kept as text,
// as it is written, so that nothing is unfindable.
const MaxDepth = 16

// maxPath bounds how many members and items a Media's path has. Files further
// down are not reported: WeCom nests nothing so deep, and the paths of a hostile
// message would grow with the square of its size.
const maxPath = 64

// readContent collects the text of a message and the files that it speaks of; unopened says
// that something in it lies deeper than MaxDepth.
func readContent(f Fields, msgtype string) (text string, files []Media, unopened bool) {
	var r reader
	body := f.Without(envelope...)
	missing := r.message(body, strings.ToLower(msgtype), 0)
	r.settle(0, missing)
	return strings.Join(r.parts, "\n"), r.files, r.unopened
}

// reader walks through one message.
type reader struct {
	path  []string // where it is
	parts []string
	files []Media // also those whose sdkfileid the message does not name

	unopened bool // a message or JSON lies too deep, and was taken as it is written
}

// within walks what is one step further down.
func (r *reader) within(step string, walk func()) {
	r.path = append(r.path, step)
	walk()
	r.path = r.path[:len(r.path)-1]
}

func (r *reader) add(s string) {
	if strings.TrimSpace(s) != "" {
		r.parts = append(r.parts, s)
	}
}

// file notes the object where the reader is, if it is a file. One with an empty
// sdkfileid is one, too: nobody can fetch it, and readers are to know that.
func (r *reader) file(f Fields, kind string) {
	if id := f.value("sdkfileid"); len(r.path) > maxPath || id == nil && !f.has("sdkfileid") || id != nil && id != "" && scalarString(id) == "" {
		return
	}
	r.files = append(r.files, mediaOf(f, r.where(), kind))
}

// where is the path of the object where the reader is.
func (r *reader) where() string {
	var path strings.Builder
	for i, step := range r.path {
		if i > 0 && step[0] != '[' {
			path.WriteByte('.')
		}
		path.WriteString(step)
	}
	return path.String()
}

// settle notes the file that a payload of its type speaks of without naming it, unless
// there is one since: it may stand beside the payload.
func (r *reader) settle(since int, missing *Media) {
	if missing != nil && len(r.files) == since && len(r.path) <= maxPath {
		r.files = append(r.files, *missing)
	}
}

// message reads a message, or an item's content, of the given lower-case type. The file
// that it returns is for settle.
func (r *reader) message(f Fields, msgtype string, depth int) (missing *Media) {
	s, known := shapes[msgtype]
	if !known {
		r.object(f, MediaFile, true, depth)
		return nil
	}
	payload, name := locate(f, msgtype)
	if _, object := asObject(f.value(name)); !object { // bare words are text among what else there is
		payload, name = f, ""
	}
	read := func() { missing = r.payload(payload, msgtype, s, depth) }
	switch {
	case name != "":
		r.within(name, read)
		r.object(f.Without(strings.ToLower(name)), MediaFile, false, depth)
	case hasItems(msgtype):
		r.within(msgtype, read)
	default:
		read()
	}
	return missing
}

// payload reads the payload of a known type. If it has nothing where its type
// should have it, whatever text it has is taken.
func (r *reader) payload(f Fields, msgtype string, s shape, depth int) (missing *Media) {
	before, files := len(r.parts), len(r.files)
	r.members(f, s.text)
	if s.list != "" {
		for _, element := range f.List(s.list) {
			r.members(element, s.listText)
		}
	}
	if hasItems(msgtype) {
		r.items(f, s, depth)
		return nil
	}
	r.object(f, cmp.Or(s.media, MediaFile), len(r.parts) == before, depth)
	if s.media == "" || s.media == MediaCall || len(r.files) > files { // not every call is recorded
		return nil
	}
	file := mediaOf(f, r.where(), s.media)
	return &file
}

func (r *reader) items(f Fields, s shape, depth int) {
	items := asList(f.value("item"))
	for i, item := range items {
		r.within("item["+strconv.Itoa(i)+"]", func() { r.item(item, depth) })
	}
	rest := f.Without(append([]string{"item"}, s.text...)...)
	r.object(rest, MediaFile, items == nil, depth)
}

func (r *reader) members(f Fields, names []string) {
	for _, name := range names {
		for _, s := range f.Strings(name) {
			r.add(cutWrittenIDs(s))
		}
	}
}

// item reads one item of a chatrecord or mixed message: {type, content}, where
// content is an object written as a JSON string.
func (r *reader) item(v any, depth int) {
	f, ok := v.(map[string]any)
	if !ok {
		r.value("", v, true, depth)
		return
	}
	before, item := len(r.files), Fields{f}
	missing := r.itemContent(item, depth)
	if item.value("content") != nil {
		r.object(item.Without("content"), MediaFile, false, depth)
	}
	r.settle(before, missing)
}

func (r *reader) itemContent(item Fields, depth int) (missing *Media) {
	msgtype := itemType(item.String("type"))
	switch c := contentOf(item).(type) {
	case map[string]any:
		return r.content(Fields{c}, msgtype, depth)
	case string:
		r.written(c, depth, func(v any) {
			if members, ok := v.(map[string]any); ok {
				missing = r.message(Fields{members}, msgtype, depth+1)
			} else {
				r.value("", v, true, depth+1)
			}
		})
	default:
		r.add(scalarString(c))
		r.value("", c, true, depth)
	}
	return missing
}

// content reads an item's content that is an object, not a string.
func (r *reader) content(f Fields, msgtype string, depth int) (missing *Media) {
	if depth >= MaxDepth {
		r.unopened = true
		r.object(f, MediaFile, true, depth)
		return nil
	}
	return r.message(f, msgtype, depth+1)
}

// written opens a value that is written as JSON inside a string. What is no JSON,
// or too deep, is text.
func (r *reader) written(s string, depth int, open func(any)) {
	if depth < MaxDepth {
		if v, ok := decodeContainer(s); ok {
			open(v)
			return
		}
	} else if _, ok := decodeContainer(s); ok {
		r.unopened = true
	}
	r.add(cutFileIDs(s))
}

// object walks through an object of which nothing is known, in the order of its
// names: every object with an sdkfileid is a file, and if text is wanted, every
// string is text whose name does not speak against it.
func (r *reader) object(f Fields, kind string, text bool, depth int) {
	if len(f.members) == 0 {
		return
	}
	r.file(f, kind)
	for _, name := range f.Keys() {
		v := f.members[name]
		if opensFile(name) || !text && !mayHoldFile(v) {
			continue
		}
		step := name
		if step == "" {
			step = `""`
		}
		r.within(step, func() { r.value(name, v, text, depth) })
	}
}

func mayHoldFile(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// value walks through the value of a member, or of an element of the list that
// the member is.
func (r *reader) value(name string, v any, text bool, depth int) {
	switch v := v.(type) {
	case string:
		switch {
		case text && searchable(name):
			r.written(v, depth, func(v any) { r.value(name, v, text, depth+1) })
		case text && secret(name) && depth < MaxDepth: // no text, but there may be files in it
			if v, ok := decodeContainer(v); ok {
				r.value(name, v, false, depth+1)
			}
		}
	case map[string]any:
		kind := shapes[strings.ToLower(name)].media
		if kind == "" {
			kind = MediaFile
		}
		r.object(Fields{v}, kind, text && !secret(name), depth)
	case []any:
		for i, element := range v {
			if text || mayHoldFile(element) {
				r.within("["+strconv.Itoa(i)+"]", func() { r.value(name, element, text, depth) })
			}
		}
	}
}
