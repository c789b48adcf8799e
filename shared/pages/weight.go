package pages

import (
	"unicode/utf8"

	"wecom-archive/shared/show"
)

// Lambda answers at most 6 MB, and an answer travels as a string of JSON: what a stranger
// writes can take many times its bytes on the way. So a message shows at most so much,
// and says that there is more. Weights are bytes of an answer.
const (
	bubbleWeight = 96 << 10  // of a message in a transcript: a full screen stays below half of an answer
	recordWeight = 1 << 20   // of the message in its record
	rawWeight    = 3 << 20   // of its raw JSON
	hitWeight    = 128 << 10 // of the text of a hit
	besideWeight = 4 << 10   // of a text beside a hit
	itemWeight   = 600       // of the markup of an item
)

// weight of a character in a page that travels as JSON: first as HTML, then as JSON.
func weight(r rune) int {
	switch {
	case r == '<' || r == '>' || r == '&' || r == '"' || r == '\'':
		return 10
	case r < ' ' || r == '\\' || r == '+' || r == 0x2028 || r == 0x2029:
		return 6
	}
	return utf8.RuneLen(max(r, 0))
}

// clip is as much of a text as fits into what is left of a weight on a page, and takes
// it away.
func clip(s string, left *int) (clipped string, cut bool) { return show.ClipBy(weight, s, left) }

// lighten cuts a body to a weight.
func (o *body) lighten(limit int) {
	o.Cut = o.clip(&limit)
}

func (o *body) clip(left *int) (cut bool) {
	for _, s := range []*string{&o.Quote, &o.Title, &o.Text, &o.JSON} {
		more := false
		*s, more = clip(*s, left)
		cut = cut || more
	}
	for i := range o.Lines {
		more := false
		o.Lines[i].Value, more = clip(o.Lines[i].Value, left)
		cut = cut || more
	}
	for i := range o.Files {
		if *left -= itemWeight; i > 0 && *left <= 0 {
			o.Files, *left = o.Files[:i], 0
			return true
		}
		more := false
		o.Files[i].Name, more = clip(o.Files[i].Name, left)
		cut = cut || more
	}
	for i := range o.Items {
		if *left -= itemWeight; *left <= 0 {
			o.Items, *left = o.Items[:i], 0
			return true
		}
		if o.Items[i].clip(left) {
			cut = true
		}
	}
	return cut
}
