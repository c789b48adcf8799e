package wecomtest

import (
	"encoding/binary"
	"math/bits"
)

// rng is SplitMix64. math/rand/v2 would do, but its sources allocate and this
// one is started anew several times for every message.
type rng struct{ state uint64 }

// purpose keeps the random streams of one message apart, so that a change to one
// of them leaves the others as they are.
type purpose uint64

const (
	forPeople purpose = iota + 1
	forRooms
	forKinds
	forArrival
	forSeq
	forMsgID
	forLane
	forSession
	forScript
	forDetail
	forSpeaker
	forContent
	forOddity
	forKey
	forPadding
	forNonce
	forUnreadable
	forToken
	forForeignKey
)

// stream starts the random stream that seed, purpose and n determine.
func stream(seed uint64, p purpose, n uint64) rng {
	return rng{mix(mix(seed^uint64(p)*0x9e3779b97f4a7c15) + n)}
}

// mix is SplitMix64's finisher, a bijection on uint64.
func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func (r *rng) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return mix(r.state)
}

// n returns a number in [0, k).
func (r *rng) n(k int) int {
	hi, _ := bits.Mul64(r.next(), uint64(k))
	return int(hi)
}

// between returns a number in [lo, hi].
func (r *rng) between(lo, hi int) int { return lo + r.n(hi-lo+1) }

// few returns a number in [0, k), small ones more often.
func (r *rng) few(k int) int { return min(r.n(k), r.n(k)) }

// oneIn is true once in k times.
func (r *rng) oneIn(k int) bool { return r.n(k) == 0 }

func (r *rng) fill(b []byte) {
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, r.next())
		b = b[8:]
	}
	if len(b) > 0 {
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], r.next())
		copy(b, last[:])
	}
}

// name returns length characters of alphabet.
func (r *rng) name(alphabet string, length int) string {
	b := make([]byte, length)
	for i := range b {
		b[i] = alphabet[r.n(len(alphabet))]
	}
	return string(b)
}

func pick[T any](r *rng, from []T) T { return from[r.n(len(from))] }
