package wecom

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decodeJSON reads one JSON value more tolerantly than encoding/json does: a byte
// order mark may come before it and NULs after it, and strings may hold raw
// control characters and backslashes that escape nothing. Numbers stay as they
// are written (json.Number). Of repeated keys the last one counts.
func decodeJSON(b []byte) (any, bool) {
	b = bytes.TrimPrefix(b, []byte("\uFEFF"))
	if v, ok := decodeStrict(b); ok {
		return v, true
	}
	if mended := mendJSON(b); !bytes.Equal(mended, b) {
		return decodeStrict(mended)
	}
	return nil, false
}

func decodeStrict(b []byte) (any, bool) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil, false
	}
	rest := b[dec.InputOffset():]
	return v, len(bytes.TrimLeft(rest, " \t\r\n\x00")) == 0
}

// decodeContainer reads a string that holds a JSON object or array. Other JSON
// values are taken for plain text that happens to look like JSON.
func decodeContainer(s string) (any, bool) {
	inner := strings.Trim(s, " \t\r\n\x00\uFEFF")
	if len(inner) < 2 || !(inner[0] == '{' && inner[len(inner)-1] == '}' || inner[0] == '[' && inner[len(inner)-1] == ']') {
		return nil, false
	}
	return decodeJSON([]byte(inner))
}

// mendJSON returns b with what encoding/json refuses in strings made legal: a raw
// control character becomes its escape, a backslash that begins no legal escape
// becomes an escaped backslash. Legal escapes stay as they are. Control characters
// between values become spaces.
func mendJSON(b []byte) []byte {
	const hexDigits = "0123456789abcdef"
	out := make([]byte, 0, len(b)+len(b)/8)
	inString := false
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c < 0x20 && inString:
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < 0x20:
			out = append(out, ' ')
		case c == '"':
			inString = !inString
			out = append(out, c)
		case c == '\\' && inString:
			if n := escapeLen(b[i:]); n > 0 {
				out = append(out, b[i:i+n]...)
				i += n - 1
			} else {
				out = append(out, '\\', '\\')
			}
		default:
			out = append(out, c)
		}
	}
	return out
}

// escapeLen is the length of the legal escape that b begins with, else 0.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
				return 0
			}
		}
		return 6
	}
	return 0
}

// scalarString returns a string, a number as it is written, or a boolean. Others
// give "".
func scalarString(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// wholeNumber reads a decimal number whose value is whole, exactly: "3", "3.0"
// and "1.767e12" are whole, "3.5" is not. Magnitudes beyond uint64 are not ok.
func wholeNumber(s string) (negative bool, magnitude uint64, ok bool) {
	s = strings.TrimSpace(s)
	s, negative = strings.CutPrefix(s, "-")
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil {
			return false, 0, false
		}
		mantissa, exponent = s[:i], e
	}
	whole, fraction, dotted := strings.Cut(mantissa, ".")
	if whole == "" || dotted && fraction == "" {
		return false, 0, false
	}
	point := len(whole) + exponent // digits before the decimal point
	digits := whole + fraction
	kept := strings.TrimRight(digits, "0")
	digits = strings.TrimLeft(kept, "0")
	point -= len(kept) - len(digits)
	switch {
	case digits == "":
		return negative, 0, true
	case point < len(digits) || point > 20: // a fraction remains, or beyond uint64
		return false, 0, false
	}
	digits += strings.Repeat("0", point-len(digits))
	magnitude, err := strconv.ParseUint(digits, 10, 64)
	return negative, magnitude, err == nil
}

// wholeInt is wholeNumber for int64.
func wholeInt(s string) (int64, bool) {
	negative, magnitude, ok := wholeNumber(s)
	switch {
	case !ok || magnitude > math.MaxInt64:
		return 0, false
	case negative:
		return -int64(magnitude), true
	default:
		return int64(magnitude), true
	}
}

// validText replaces what is no UTF-8. Strings out of encoding/json need it not;
// ids from an envelope may.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
