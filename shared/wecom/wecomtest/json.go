package wecomtest

import "strconv"

// writer appends compact JSON in the order of the calls. encoding/json would
// escape <, > and &, replace invalid UTF-8 and be several times slower; the
// simulator wants bytes as WeCom sends them.
type writer struct{ b []byte }

// sep writes a comma unless this is the first element.
func (w *writer) sep() {
	if n := len(w.b); n > 0 {
		switch w.b[n-1] {
		case '{', '[', ':':
		default:
			w.b = append(w.b, ',')
		}
	}
}

func (w *writer) key(k string) {
	w.sep()
	w.b = append(w.b, '"')
	w.b = append(w.b, k...)
	w.b = append(w.b, '"', ':')
}

// object opens an object as the value of k, or as an element if k is empty.
func (w *writer) object(k string) { w.open(k, '{') }

// array opens an array as the value of k.
func (w *writer) array(k string) { w.open(k, '[') }

func (w *writer) open(k string, bracket byte) {
	if k == "" {
		w.sep()
	} else {
		w.key(k)
	}
	w.b = append(w.b, bracket)
}

func (w *writer) endObject() { w.b = append(w.b, '}') }
func (w *writer) endArray()  { w.b = append(w.b, ']') }

func (w *writer) str(k, v string) {
	w.key(k)
	w.b = appendString(w.b, v)
}

func (w *writer) num(k string, v int64) {
	w.key(k)
	w.b = strconv.AppendInt(w.b, v, 10)
}

func (w *writer) unum(k string, v uint64) {
	w.key(k)
	w.b = strconv.AppendUint(w.b, v, 10)
}

func (w *writer) float(k string, v float64) {
	w.key(k)
	w.b = strconv.AppendFloat(w.b, v, 'f', -1, 64)
}

func (w *writer) boolean(k string, v bool) {
	w.key(k)
	w.b = strconv.AppendBool(w.b, v)
}

// elem writes a string as an element of an array.
func (w *writer) elem(v string) {
	w.sep()
	w.b = appendString(w.b, v)
}

// appendString appends s as a JSON string. Bytes above 0x1f are left as they are,
// valid UTF-8 or not.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
