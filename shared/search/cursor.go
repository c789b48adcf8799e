package search

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
)

// Cursor is where a search goes on.
type Cursor struct {
	After    *archive.Position // what comes up to it was returned; nil: nothing yet
	progress *progress         // of the page behind it, if the time was over; nil: none
}

// progress is how far a page was looked for. The messages found so far are not in
// it: the units that hold them are read again.
type progress struct {
	digest  [digestSize]byte // of the plan: its runs, directories, parts and folding; another one begins anew
	lastKey string
	done    int      // units of the plan
	found   []int    // of these, those that hold something of the page
	lost    []string // months whose segments are read instead of their runs
}

// goesOn is the progress that the search goes on from.
func (r *run) goesOn() *progress {
	if r.known.forget {
		return nil
	}
	return r.query.Cursor.progress
}

// resume says where to go on in the plan.
func (r *run) resume() (done int, again []int) {
	p := r.goesOn()
	if p == nil || p.digest != r.plan.digest || p.done > len(r.plan.units) {
		return 0, nil
	}
	return p.done, p.found
}

// progress notes that so many units are done.
func (r *run) progress(done int) *progress {
	p := &progress{digest: r.plan.digest, lastKey: r.plan.lastKey, done: done, lost: r.known.lostMonths()}
	for i, u := range r.plan.units[:done] {
		if slices.ContainsFunc(r.best, func(h Hit) bool { return h.unit == u.name() }) {
			p.found = append(p.found, i)
		}
	}
	return p
}

// maxUnits is more than any archive has.
const maxUnits = 1 << 30

// ErrCursor means that bytes are no cursor.
var ErrCursor = errors.New("no cursor of a search")

// Flags of a cursor.
const (
	flagAfter = 1 << iota
	flagOld   // progress of a program that did not say of which units: it is not gone on from
	flagProgress
	flagsEnd
)

const oldDigestSize = 8

// maxLost bounds the months of a cursor: ten years.
const maxLost = 120

// Append writes the cursor behind b. It is at most about 800 bytes, and 2 for each month
// that is lost.
func (c Cursor) Append(b []byte) []byte {
	flags := byte(0)
	if c.After != nil {
		flags |= flagAfter
	}
	if c.progress != nil {
		flags |= flagProgress
	}
	b = append(b, flags)
	if p := c.After; p != nil {
		b = binary.AppendVarint(b, p.Time.UnixMilli())
		b = binary.AppendVarint(b, p.Seq)
		b = binary.AppendUvarint(b, p.Page)
		b = binary.AppendUvarint(b, uint64(p.Envelope))
	}
	if p := c.progress; p != nil {
		b = append(b, p.digest[:]...)
		b = binary.AppendUvarint(b, uint64(p.done))
		b = binary.AppendUvarint(b, uint64(len(p.found)))
		last := 0
		for _, i := range p.found {
			b = binary.AppendUvarint(b, uint64(i-last))
			last = i
		}
		lost := p.lost[:min(len(p.lost), maxLost)]
		b = binary.AppendUvarint(b, uint64(len(lost)))
		for _, month := range lost {
			b = binary.AppendUvarint(b, monthNumber(month))
		}
		b = append(b, p.lastKey...)
	}
	return b
}

// ParseCursor is the reverse of Append.
func ParseCursor(b []byte) (Cursor, error) {
	if len(b) == 0 || b[0] >= flagsEnd || b[0]&flagOld != 0 && b[0]&flagProgress != 0 {
		return Cursor{}, ErrCursor
	}
	d := decoder{rest: b[1:]}
	var c Cursor
	if b[0]&flagAfter != 0 {
		p := archive.Position{Time: time.UnixMilli(d.signed()).UTC(), Seq: d.signed(), Page: d.unsigned()}
		p.Envelope = d.number(1 << 31)
		c.After = &p
	}
	switch {
	case b[0]&flagOld != 0:
		if len(d.rest) < oldDigestSize {
			return Cursor{}, ErrCursor
		}
		d.rest = nil // the page is looked for from its beginning
	case b[0]&flagProgress != 0:
		p := &progress{}
		if len(d.rest) < digestSize {
			return Cursor{}, ErrCursor
		}
		copy(p.digest[:], d.rest)
		d.rest = d.rest[digestSize:]
		p.done = d.number(maxUnits)
		last := 0
		for range d.number(MaxLimit + 1) {
			last += d.number(maxUnits)
			p.found = append(p.found, last)
		}
		if len(p.found) > 0 && last >= p.done {
			d.bad = true
		}
		for range d.number(maxLost) {
			p.lost = append(p.lost, monthOf(d.number(12*9999)))
		}
		if !slices.IsSorted(p.lost) || len(slices.Compact(slices.Clone(p.lost))) != len(p.lost) {
			d.bad = true
		}
		p.lastKey, d.rest = string(d.rest), nil
		c.progress = p
	}
	if d.bad || len(d.rest) > 0 {
		return Cursor{}, ErrCursor
	}
	return c, nil
}

// monthNumber counts months (2026-11) from the year 0 on; monthOf is the reverse.
func monthNumber(month string) uint64 {
	at, err := time.Parse(archive.MonthLayout, month)
	if err != nil {
		return 0
	}
	return uint64(at.Year()*12 + int(at.Month()) - 1)
}

func monthOf(number int) string { return fmt.Sprintf("%04d-%02d", number/12, number%12+1) }

// decoder takes numbers off bytes; bad remembers that one was missing.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) signed() int64 {
	v, n := binary.Varint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) unsigned() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) skip(n int) {
	if n <= 0 {
		d.bad, d.rest = true, nil
		return
	}
	d.rest = d.rest[n:]
}

// number is one that is not above most.
func (d *decoder) number(most uint64) int {
	v := d.unsigned()
	if v > most {
		d.bad = true
		return 0
	}
	return int(v)
}
