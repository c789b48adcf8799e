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
// everything is hidden, names too: they may be ids.
func redact(v any, hide bool, depth int) (redacted any, changed bool) {
	switch v := v.(type) {
	case map[string]any:
		if hide && len(v) > 0 {
			return hidden, true
		}
		out := make(map[string]any, len(v))
		for name, inner := range v {
			one, other := redact(inner, secret(name), depth)
			out[name], changed = one, changed || other
		}
		return out, changed
	case []any:
		if hide && len(v) > 0 {
			return hidden, true
		}
		out := make([]any, len(v))
		for i, inner := range v {
			one, other := redact(inner, false, depth)
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

// beforeID is every spelling of the name, up to where its value begins: after a colon or
// an equals sign, and quotes at whatever level of escaping.
const beforeID = `file[_\-. ]*id(?:[s0-9_\-. ]|list)*[\\"'\s]*(?::|=|%3[ad])[\\"'\s]*`

var (
	beforeFileID    = regexp.MustCompile(`(?i)` + beforeID)
	beforeSDKFileID = regexp.MustCompile(`(?i)sdk[_\-. ]*` + beforeID)
)

// shortestID is of a word that may be an sdkfileid.
const shortestID = 8

// cutFileIDs cuts the values of sdkfileids out of JSON that stays as it is written.
func cutFileIDs(s string) string { return cutIDs(s, beforeFileID, false) }

// cutWrittenIDs does it with the words of people, who may write of files and their ids:
// only what can be nothing else is cut: words of some length, and lists of them.
func cutWrittenIDs(s string) string { return cutIDs(s, beforeSDKFileID, true) }

func cutIDs(s string, before *regexp.Regexp, written bool) string {
	if !strings.ContainsAny(s, ":=%") { // most words that people write
		return s
	}
	var out strings.Builder
	for {
		name := before.FindStringIndex(s)
		if name == nil {
			break
		}
		value := s[name[1]:]
		length, delimited := valueLength(s[name[0]:name[1]], value, written)
		if length < shortestID && (written || !delimited) {
			length = 0
		}
		out.WriteString(s[:name[1]])
		s = value[length:]
	}
	out.WriteString(s)
	return out.String()
}

// valueLength is how far a value goes: to the end of the list or object that it is, to
// the quote that ends it or, without either, to the end of the word. What people wrote
// goes no further than a list on one line, or a word.
func valueLength(before, value string, written bool) (length int, delimited bool) {
	if strings.HasPrefix(value, "[") || strings.HasPrefix(value, "{") {
		return nestedLength(value, written), true
	}
	quotes := before[len(strings.TrimRight(before, "\\\"' \t\r\n")):]
	last := strings.LastIndexAny(quotes, `"'`)
	length = strings.IndexFunc(value, func(r rune) bool {
		word := r > ' ' && r <= '~'
		if last >= 0 {
			return r == rune(quotes[last]) || written && !word
		}
		return !word || strings.ContainsRune("&\"'<>#;,(){}[]|", r)
	})
	if length < 0 {
		length = len(value)
	}
	return length, last >= 0
}

// nestedLength is the length of the list or object that s begins with, of all of s if it
// does not end.
func nestedLength(s string, written bool) int {
	depth := 0
	for i, r := range s {
		switch {
		case written && (r < ' ' || r > '~'):
			return i
		case r == '[' || r == '{':
			depth++
		case r == ']' || r == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}
