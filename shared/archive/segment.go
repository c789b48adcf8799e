package archive

import (
	"iter"
	"slices"
	"time"
)

// Outcome says what became of one envelope.
type Outcome string

// Outcomes. Everything but OutcomeOK and OutcomeElsewhere is unreadable for now, and a
// redrive may read it later.
const (
	OutcomeOK         Outcome = "ok"
	OutcomeUnknownKey Outcome = "unknown_key_version" // no private key of ours opens it
	OutcomeBadKey     Outcome = "bad_random_key"      // encrypt_random_key is no RSA block, or the key it names does not open it
	OutcomeBadMessage Outcome = "bad_message"         // DecryptData refused key or body
	OutcomeCrash      Outcome = "library_crash"       // WeCom's library died of it
	OutcomeBadSeq     Outcome = "seq_out_of_range"    // seq beyond int64

	// OutcomeElsewhere is that of an envelope of an alternate, or of a page that has
	// alternates, whose message another row has: one that was there before.
	OutcomeElsewhere Outcome = "elsewhere"

	// OutcomeDamaged is never stored: a reader says it of a message whose segment
	// cannot be read.
	OutcomeDamaged Outcome = "damaged"
)

// Row is one row of a segment: one envelope of one page.
type Row struct {
	// Facts. They never change.
	Position     int    // of the envelope in the page's chatdata, from PageHeader.FirstPosition
	Seq          int64  // valid if HasSeq
	HasSeq       bool   // false: the seq is beyond int64
	MsgID        string // as the envelope says
	PublicKeyVer int64  // -1 if the envelope has none that can be read
	PulledAt     time.Time
	Raw          []byte // exactly what DecryptData returned; nil unless Outcome is ok
	RawSHA256    string // hex; empty unless Outcome is ok
	Outcome      Outcome

	// Reading is what the parser of that day made of Raw. Zero unless Outcome is ok.
	Reading
}

// Readable says whether the row holds its message.
func (r Row) Readable() bool { return r.Outcome == OutcomeOK }

// Reading is how one parser version understands a message. It can be superseded;
// the facts beside it cannot.
type Reading struct {
	ParserVersion int
	Action        string
	Conversation  string // see docs/format.md, conversation ids
	RoomID        string
	FromID        string // employees case-folded
	ToIDs         []string
	MsgTime       time.Time // UTC, ms
	TimeSource    string    // where MsgTime was read
	MsgType       string
	SenderKind    string // employee, external, robot
	ChatKind      string // internal, external, updown_stream
	RefMsgID      string // the message this one refers to
	Text          string // what a person would search for
	Media         []MediaRef
}

// MediaRef is a file that a message refers to. The sdkfileid itself opens the
// file and stands only in Raw.
type MediaRef struct {
	Path         string // where in the message
	Kind         string // image, voice, video, emotion, file, call, voip_doc
	Name         string
	Size         int64 // bytes; -1 if the message does not say
	MD5          string
	FileIDSHA256 string // hex, of the sdkfileid
}

// FileKinds yields the kinds of the files that a message refers to, each once.
func (r Reading) FileKinds() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, m := range r.Media {
			if !slices.ContainsFunc(r.Media[:i], func(before MediaRef) bool { return before.Kind == m.Kind }) && !yield(m.Kind) {
				return
			}
		}
	}
}
