package archive

import (
	"cmp"
	"time"
)

// Place is where a message of a conversation lies.
type Place struct {
	Object string // segment's key
	Row    int    // row in it, from 0
	Position
}

// Position is a message's place in the order that people read: by time, then by
// seq. WeCom's seqs are unique as far as we know; page and envelope tell apart what
// would show once otherwise. It names the message, wherever a copy of it lies.
type Position struct {
	Time     time.Time // ms
	Seq      int64
	Page     uint64 // seq asked
	Envelope int    // position in the page
}

// Compare orders positions.
func (p Position) Compare(q Position) int {
	return cmp.Or(p.Time.Compare(q.Time), cmp.Compare(p.Seq, q.Seq), cmp.Compare(p.Page, q.Page), cmp.Compare(p.Envelope, q.Envelope))
}

// Part is the part of the page's segment that Object is. Of copies of a message,
// that in the lowest part counts.
func (p Place) Part() int {
	_, _, part, _ := ParseSegmentKey(p.Object)
	return part
}
