package wecom

import (
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

// readContent collects the text and the files of a message.
func readContent(f Fields, msgtype string) (string, []Media) {
	var r reader
	body := f.without(envelope...)
	r.message(body, strings.ToLower(msgtype), 0)
	return r.text(), r.media
}

// reader walks through one message.
type reader struct {
	path  []string // where it is
	parts []string
	media []Media
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

// file notes the object where the reader is, if it is a file.
func (r *reader) file(f Fields, kind string) {
	if len(r.path) > maxPath || f.String("sdkfileid") == "" {
		return
	}
	var path strings.Builder
	for i, step := range r.path {
		if i > 0 && step[0] != '[' {
			path.WriteByte('.')
		}
		path.WriteString(step)
	}
	r.media = append(r.media, mediaOf(f, path.String(), kind))
}

// message reads a message, or an item's content, of the given lower-case type.
func (r *reader) message(f Fields, msgtype string, depth int) {
	s, known := shapes[msgtype]
	if !known {
		r.object(f, MediaFile, true, depth)
		return
	}
	payload, name := locate(f, msgtype)
	read := func() { r.payload(payload, msgtype, s, depth) }
	switch {
	case name != "":
		r.within(name, read)
		r.object(f.without(strings.ToLower(name)), MediaFile, false, depth)
	case hasItems(msgtype):
		r.within(msgtype, read)
	default:
		read()
	}
}

// payload reads the payload of a known type. If it has nothing where its type
// should have it, whatever text it has is taken.
func (r *reader) payload(f Fields, msgtype string, s shape, depth int) {
	before := len(r.parts)
	r.members(f, s.text)
	if s.list != "" {
		for _, element := range f.List(s.list) {
			r.members(element, s.listText)
		}
	}
	if hasItems(msgtype) {
		r.items(f, s, depth)
		return
	}
	r.object(f, s.media, len(r.parts) == before, depth)
}

func (r *reader) items(f Fields, s shape, depth int) {
	items := asList(f.value("item"))
	for i, item := range items {
		r.within("item["+strconv.Itoa(i)+"]", func() { r.item(item, depth) })
	}
	rest := f.without(append([]string{"item"}, s.text...)...)
	r.object(rest, MediaFile, items == nil, depth)
}

func (r *reader) members(f Fields, names []string) {
	for _, name := range names {
		for _, s := range f.Strings(name) {
			r.add(s)
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
	item := Fields{f}
	msgtype := itemType(item.String("type"))
	content := item.value("content")
	if content == nil {
		r.content(item.without("type", "msgtime"), msgtype, depth)
		return
	}
	switch c := content.(type) {
	case map[string]any:
		r.content(Fields{c}, msgtype, depth)
	case string:
		r.written(c, depth, func(v any) {
			if members, ok := v.(map[string]any); ok {
				r.message(Fields{members}, msgtype, depth+1)
			} else {
				r.value("", v, true, depth+1)
			}
		})
	default:
		r.add(scalarString(c))
		r.value("", c, true, depth)
	}
	r.object(item.without("content"), MediaFile, false, depth)
}

// content reads an item's content that is an object, not a string.
func (r *reader) content(f Fields, msgtype string, depth int) {
	if depth >= MaxDepth {
		r.object(f, MediaFile, true, depth)
		return
	}
	r.message(f, msgtype, depth+1)
}

// written opens a value that is written as JSON inside a string. What is no JSON,
// or too deep, is text.
func (r *reader) written(s string, depth int, open func(any)) {
	if depth < MaxDepth {
		if v, ok := decodeContainer(s); ok {
			open(v)
			return
		}
	}
	r.add(withoutFileIDs(s))
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
		if secret(name) || !text && !mayHoldFile(v) {
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
		if text && searchable(name) {
			r.written(v, depth, func(v any) { r.value(name, v, text, depth+1) })
		}
	case map[string]any:
		kind := shapes[strings.ToLower(name)].media
		if kind == "" {
			kind = MediaFile
		}
		r.object(Fields{v}, kind, text, depth)
	case []any:
		for i, element := range v {
			if text || mayHoldFile(element) {
				r.within("["+strconv.Itoa(i)+"]", func() { r.value(name, element, text, depth) })
			}
		}
	}
}

// text joins the parts. No sdkfileid that the message uses may stand in it, under
// whatever name WeCom may have repeated it.
func (r *reader) text() string {
	text := strings.Join(r.parts, "\n")
	var pairs []string
	for _, m := range r.media {
		if maskable(m.FileID) {
			pairs = append(pairs, m.FileID, "\n")
		}
	}
	if len(pairs) == 0 {
		return text
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// maskable says whether an sdkfileid is one: a word of some length. Masking a
// shorter one would punch holes into what people wrote.
func maskable(id string) bool {
	return len(id) >= 8 && len(id) <= 4096 && !strings.ContainsAny(id, " \t\r\n")
}

// withoutFileIDs cuts the values of sdkfileids out of JSON that stays as it is
// written, at whatever level of escaping: from the name to the quote that ends
// the value, or to the end of the string.
func withoutFileIDs(s string) string {
	const name = "fileid"
	var out strings.Builder
	rest, folded := s, asciiLower(s)
	for {
		i := strings.Index(folded, name)
		if i < 0 {
			break
		}
		end := i + len(name)
		if value, ok := afterColon(rest[end:]); ok {
			length := strings.IndexByte(value, '"')
			if length < 0 {
				length = len(value)
			}
			start := len(rest) - len(value)
			out.WriteString(rest[:start])
			end = start + length
		} else {
			out.WriteString(rest[:end])
		}
		rest, folded = rest[end:], folded[end:]
	}
	out.WriteString(rest)
	return out.String()
}

// afterColon returns what follows the quote that ends a member's name, the colon
// and the quote that opens its value.
func afterColon(s string) (string, bool) {
	const noise = "\\\" \t\r\n"
	colon := strings.TrimLeft(s, noise)
	if !strings.HasPrefix(colon, ":") {
		return "", false
	}
	return strings.TrimLeft(colon[1:], noise), true
}

// asciiLower keeps the length, other than strings.ToLower.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
