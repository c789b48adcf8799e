package wecomtest

import (
	"fmt"
	"math/bits"
	"sort"
	"time"
)

// Extent is a period in which the corp talked: Count messages arrived evenly,
// with deterministic jitter, in [From, To).
type Extent struct {
	Count    int
	From, To time.Time
}

func (e Extent) check() error {
	if e.Count < 0 {
		return fmt.Errorf("extent of %d messages", e.Count)
	}
	if !e.From.Before(e.To) {
		return fmt.Errorf("extent from %s to %s: not a period", e.From, e.To)
	}
	return nil
}

// schedule says when each message arrived. It is immutable.
type schedule struct {
	seed    uint64
	extents []Extent
	ends    []int // index after the last message of each extent
}

func newSchedule(seed uint64, extents []Extent) (schedule, error) {
	s := schedule{seed: seed}
	for _, e := range extents {
		var err error
		if s, err = s.with(e); err != nil {
			return s, err
		}
	}
	return s, nil
}

// with returns the schedule with one more extent at its end.
func (s schedule) with(e Extent) (schedule, error) {
	if err := e.check(); err != nil {
		return s, err
	}
	if n := len(s.extents); n > 0 && e.From.Before(s.extents[n-1].To) {
		return s, fmt.Errorf("extent from %s begins before the last one ends at %s", e.From, s.extents[n-1].To)
	}
	// Full slice expressions: copies that readers hold must not see the growth.
	s.extents = append(s.extents[:len(s.extents):len(s.extents)], e)
	s.ends = append(s.ends[:len(s.ends):len(s.ends)], s.count()+e.Count)
	return s, nil
}

func (s schedule) count() int {
	if len(s.ends) == 0 {
		return 0
	}
	return s.ends[len(s.ends)-1]
}

// arrival is when message index reached WeCom. It never decreases with index.
// Whole numbers only: floating point may differ between architectures.
func (s schedule) arrival(index int) time.Time {
	at := sort.SearchInts(s.ends, index+1)
	e := s.extents[at]
	begin := s.ends[at] - e.Count
	const parts = 1024
	r := stream(s.seed, forArrival, uint64(index))
	offset := uint64(index-begin)*parts + uint64(r.n(parts))
	hi, lo := bits.Mul64(uint64(e.To.Sub(e.From)), offset)
	ns, _ := bits.Div64(hi, lo, uint64(e.Count)*parts)
	return e.From.Add(time.Duration(ns))
}

// since is the index of the first message that arrived at t or later.
func (s schedule) since(t time.Time) int {
	return sort.Search(s.count(), func(i int) bool { return !s.arrival(i).Before(t) })
}

// Seqs come in blocks: blockLen messages share blockSeqs numbers, some blocks
// without gaps between their messages and some with.
const (
	blockLen  = 32
	blockSeqs = 64
)

// seqs maps indexes to seqs and back.
type seqs struct{ seed, first uint64 }

func newSeqs(seed uint64) seqs {
	r := stream(seed, forSeq, 0)
	return seqs{seed: seed, first: 91_000 + uint64(r.n(1000))}
}

func (q seqs) seq(index int) uint64 {
	block, k := index/blockLen, index%blockLen
	r := stream(q.seed, forSeq, uint64(block)+1)
	start := q.first + uint64(block)*blockSeqs
	if r.oneIn(2) { // contiguous
		return start + uint64(r.n(blockSeqs-blockLen)+k)
	}
	return start + uint64(2*k) + (r.next()>>k)&1
}

// after is the index of the first message whose seq is greater than seq.
func (q seqs) after(seq uint64) int {
	if seq < q.first {
		return 0
	}
	block := (seq - q.first) / blockSeqs
	if block > 1<<50 {
		return 1 << 55 // far beyond any message; no overflow below
	}
	index := int(block) * blockLen
	return index + sort.Search(blockLen, func(k int) bool { return q.seq(index+k) > seq })
}

// Default key schedule: the message indexes at which the corp starts to use its
// next key version.
const (
	firstKeyChange  = 7_000
	secondKeyChange = 15_000
	keyChangeEvery  = 50_000
)

// keyVersion is the version that message index is encrypted with, were all keys
// of the schedule uploaded. A nil schedule is the default one.
func keyVersion(changes []int, index int) int {
	if changes != nil {
		return 1 + sort.SearchInts(changes, index+1)
	}
	switch {
	case index < firstKeyChange:
		return 1
	case index < secondKeyChange:
		return 2
	}
	return 3 + (index-secondKeyChange)/keyChangeEvery
}
