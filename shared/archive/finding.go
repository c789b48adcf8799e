package archive

import (
	"fmt"
	"time"
)

// Kinds of events that record what is not as it must be.
const (
	EventDamage       = "damage"        // Finding
	EventDamageClosed = "damage_closed" // FindingClosed
)

// Where says in which store an object lies.
type Where string

// Stores. What is derived can be made again, and so can the index; a finding there needs
// no event.
const (
	InArchive Where = "archive"
	InDerived Where = "derived"
	InIndex   Where = "index"
)

// FindingKind says what is wrong.
type FindingKind string

// Kinds of findings. They are only added, never changed.
const (
	Missing FindingKind = "missing" // the index or a neighbour says it is there, and it is not
	Altered FindingKind = "altered" // what is there is not what was put there, or cannot be read
	Stray   FindingKind = "stray"   // no part of the program puts it there; it changes nothing
	Hole    FindingKind = "hole"    // pages are missing between those that are there
)

// Finding is something that is not as it must be. It holds no content.
type Finding struct {
	Where   Where       `json:"where"`
	Kind    FindingKind `json:"kind"`
	Key     string      `json:"key"`            // of the object; of a hole, of the page where it begins
	From    uint64      `json:"from,omitempty"` // of a hole: messages after this seq
	To      uint64      `json:"to,omitempty"`   // up to this one
	By      string      `json:"by"`             // who noticed it: a stage, "reader", "scrub"
	Noticed time.Time   `json:"noticed"`        // ms
	Detail  string      `json:"detail,omitempty"`
}

// ID is the same whoever notices the same thing, and whenever.
func (f Finding) ID() string {
	return ShortHash(fmt.Sprintf("%s\n%s\n%s\n%d\n%d", f.Where, f.Kind, f.Key, f.From, f.To))
}

// ClosedAs says how a finding ended.
type ClosedAs string

// Ends of findings.
const (
	Mended       ClosedAs = "mended"       // it is as it must be again
	Acknowledged ClosedAs = "acknowledged" // it is not, and somebody took note
)

// FindingClosed is the end of a finding. Closed by somebody, it has a reason.
type FindingClosed struct {
	Finding Finding   `json:"finding"`
	As      ClosedAs  `json:"as"`
	By      string    `json:"by"` // the stage that mended it; who acknowledged it, as the sign-in or the machine says
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at"` // ms, later than Finding.Noticed
}

// MaxReason bounds FindingClosed.Reason, in bytes.
const MaxReason = 1000

// FindingKey names the object of a finding's event.
func FindingKey(f Finding) string {
	return eventKey(f.Noticed, fmt.Sprintf("damage-%013d-%s", f.Noticed.UnixMilli(), f.ID()))
}

// FindingClosedKey names the object of the event of a finding's end.
func FindingClosedKey(c FindingClosed) string {
	return eventKey(c.At, fmt.Sprintf("damageclosed-%013d-%s-%s", c.At.UnixMilli(), c.Finding.ID(), c.As))
}
