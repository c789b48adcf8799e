package wecom

import (
	"encoding/json"
	"regexp"
	"strings"
)

// hidden stands where a page leaves out what opens a file.
const hidden = "…"

// separators stand between the words of a name in some spellings.
var separators = strings.NewReplacer("_", "", "-", "", " ", "", ".", "")

// foldName takes away what differs between the spellings of a name: sdkfileid,
// SdkFileId, sdk_file_id, SDK-FILE-ID.
func foldName(name string) string { return strings.ToLower(separators.Replace(name)) }

// secret says whether what stands under this name may open a file, however it is
// spelt: no text may have it, and no page may show it.
func secret(name string) bool { return strings.Contains(foldName(name), "fileid") }

// opensFile says whether the member itself is what opens a file.
func opensFile(name string) bool { return strings.HasSuffix(foldName(name), "fileid") }

// Redacted is f as a page may show it: without what opens files, in JSON inside of
// strings too, which is opened for it.
func (f Fields) Redacted() Fields {
	if f.members == nil {
		return f
	}
	v, _ := redact(f.members, false, 0)
	return Fields{v.(map[string]any)}
}

// redact says beside the redacted value whether it differs. Below a secret name
// everything is hidden.
func redact(v any, hide bool, depth int) (redacted any, changed bool) {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inner := range v {
			one, other := redact(inner, hide || secret(name), depth)
			out[name], changed = one, changed || other
		}
		return out, changed
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			one, other := redact(inner, hide, depth)
			out[i], changed = one, changed || other
		}
		return out, changed
	case string:
		return redactString(v, hide, depth)
	case json.Number, bool:
		if hide {
			return hidden, true
		}
	}
	return v, false
}

func redactString(s string, hide bool, depth int) (any, bool) {
	if hide {
		if s == "" {
			return s, false
		}
		return hidden, true
	}
	if depth < MaxDepth {
		if v, ok := decodeContainer(s); ok {
			if inner, changed := redact(v, false, depth+1); changed {
				return inner, true
			}
			return s, false
		}
	}
	cut := cutFileIDs(s)
	return cut, cut != s
}

// Mask hides the sdkfileids that the message uses in what is shown of it, under
// whatever name they stand there.
func (m Message) Mask() *strings.Replacer { return masking(m.Media, hidden) }

func masking(files []Media, with string) *strings.Replacer {
	var pairs []string
	for _, m := range files {
		if maskable(m.FileID) {
			pairs = append(pairs, m.FileID, with)
		}
	}
	if len(pairs) == 0 {
		return nothing
	}
	return strings.NewReplacer(pairs...)
}

// nothing masks nothing: most messages have no file.
var nothing = strings.NewReplacer()

// maskable says whether an sdkfileid is one: a word of some length. Masking a
// shorter one would punch holes into what people wrote.
func maskable(id string) bool {
	return len(id) >= 8 && len(id) <= 4096 && !strings.ContainsAny(id, " \t\r\n")
}

// fileIDName is the end of every spelling of the name.
var fileIDName = regexp.MustCompile(`(?i)file[_\-]?id`)

// cutFileIDs cuts the values of sdkfileids out of JSON that stays as it is written,
// at whatever level of escaping: from the name to the quote that ends the value, or
// to the end of the string.
func cutFileIDs(s string) string {
	var out strings.Builder
	for {
		name := fileIDName.FindStringIndex(s)
		if name == nil {
			break
		}
		end := name[1]
		if value, ok := afterColon(s[end:]); ok {
			length := strings.IndexByte(value, '"')
			if length < 0 {
				length = len(value)
			}
			start := len(s) - len(value)
			out.WriteString(s[:start])
			end = start + length
		} else {
			out.WriteString(s[:end])
		}
		s = s[end:]
	}
	out.WriteString(s)
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
