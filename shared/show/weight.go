package show

import "unicode/utf8"

// answerWeight is that of the messages in an answer of the API; see weightInJSON.
const answerWeight = 5 << 20

// weightInJSON of a character in an answer of the API: JSON within JSON.
func weightInJSON(r rune) int {
	switch {
	case r == '"' || r == '\\':
		return 4
	case r == '\n' || r == '\r' || r == '\t':
		return 3
	case r == '<' || r == '>' || r == '&':
		return 6
	case r < ' ' || r == 0x2028 || r == 0x2029 || r == utf8.RuneError:
		return 7
	}
	return utf8.RuneLen(r)
}

// sizeInJSON is the weight of a text in an answer of the API.
func sizeInJSON(s string) (n int) {
	for _, r := range s {
		n += weightInJSON(r)
	}
	return n
}

// ClipBy is as much of a text as fits into what is left of a weight, and takes it away.
func ClipBy(weight func(rune) int, s string, left *int) (clipped string, cut bool) {
	for i, r := range s {
		if *left -= weight(r); *left < 0 {
			*left = 0
			return s[:i], true
		}
	}
	return s, false
}
