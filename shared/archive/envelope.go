package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"wecom-archive/shared/store"
)

// Envelope is one encrypted message of a page.
type Envelope struct {
	Position int // in the reply's chatdata, from 0; of a stored alternate, from PageHeader.FirstPosition

	// Seq is valid if HasSeq. WeCom's seq is a uint64; one beyond int64 cannot be
	// stored in a segment and is taken for garbage (HasSeq false).
	Seq    int64
	HasSeq bool

	MsgID            string
	PublicKeyVer     int64  // -1 if it cannot be read
	EncryptRandomKey string // base64 of the RSA ciphertext
	EncryptChatMsg   string // for DecryptData, as it is
}

// SeqLimits bounds what seqs are believed. WeCom promises neither contiguity
// nor a largest step, so all are settings.
type SeqLimits struct {
	Doubtful uint64 // steps above it count only if a second reply has them too; see Reply.Confirms
	MaxJump  uint64 // greatest step between two neighbours in the stream
	MaxFirst uint64 // greatest first seq of a stream asked from 0
}

// DefaultSeqLimits doubt steps that are greater than ordinary gaps, and refuse what
// no corp can send: MaxJump is 10,000 messages a second for a day. A seq altered by
// less than Doubtful is believed.
func DefaultSeqLimits() SeqLimits {
	return SeqLimits{Doubtful: 1000, MaxJump: 1e9, MaxFirst: 1e13}
}

// Reasons why a reply is no page.
var (
	// ErrNotJSON: not a JSON object, cut off, or followed by something else.
	ErrNotJSON = errors.New("reply is not a JSON object of the known form")
	// ErrErrcode: WeCom refused; Reply says with what.
	ErrErrcode = errors.New("reply carries an errcode")
	// ErrBadSeq: an envelope without a seq, or with one that was not asked for.
	ErrBadSeq = errors.New("reply has an envelope that does not come after the seq asked")
	// ErrImplausibleSeq: a seq so far ahead that following it could skip messages
	// for ever. The puller stops until somebody has looked.
	ErrImplausibleSeq = errors.New("reply jumps implausibly far ahead")
	// ErrUnconfirmed: the same question, asked again, had other seqs for an answer.
	ErrUnconfirmed = errors.New("reply has a step of seq that the next one does not confirm")
)

// Reply is what GetChatData returned, understood.
type Reply struct {
	Errcode   int
	Errmsg    string
	Envelopes []Envelope // empty: nothing more now
	ProvesEnd bool       // the list of messages came, and is empty
	FirstSeq  uint64     // least and greatest believable seq; 0 without envelopes
	LastSeq   uint64

	asked uint64
	seqs  []uint64 // believable ones, ascending
}

// Doubtful says whether a step of seq is so great that it must be confirmed by a
// second reply: following a wrong one would skip messages for ever.
func (r Reply) Doubtful(limits SeqLimits) bool { return !r.Confirms(Reply{}, limits) }

// Confirms says whether an earlier reply to the same question had the seqs that this
// one's doubtful steps lead to. More may differ: WeCom's window moves on at its old
// end, the stream grows at its new one, and the limit may be another.
func (r Reply) Confirms(earlier Reply, limits SeqLimits) bool {
	before := r.asked
	for _, s := range r.seqs {
		if s-before > limits.Doubtful {
			if _, same := slices.BinarySearch(earlier.seqs, s); !same || r.asked != earlier.asked {
				return false
			}
		}
		before = s
	}
	return true
}

// ParseReply reads the reply to "what comes after asked". Without error it is a
// page or, without envelopes, says that there is nothing more; whether that is
// the end of the stream, ProvesEnd tells. Otherwise the error wraps
// one of the reasons above, and the reply must not move the cursor.
func ParseReply(reply []byte, asked uint64, limits SeqLimits) (Reply, error) {
	var doc struct {
		Errcode  member[*int]              `json:"errcode"`
		Errmsg   string                    `json:"errmsg"`
		Chatdata member[[]json.RawMessage] `json:"chatdata"`
	}
	if err := json.Unmarshal(reply, &doc); err != nil {
		return Reply{}, fmt.Errorf("%w: %s", ErrNotJSON, JSONFault(err))
	}
	if doc.Errcode.value == nil {
		return Reply{}, fmt.Errorf("%w: no errcode", ErrNotJSON)
	}
	if doc.Errcode.times > 1 || doc.Chatdata.times > 1 {
		return Reply{}, fmt.Errorf("%w: errcode or chatdata twice", ErrNotJSON)
	}
	chatdata := doc.Chatdata.value
	r := Reply{Errcode: *doc.Errcode.value, Errmsg: doc.Errmsg, asked: asked}
	if r.Errcode != 0 {
		return r, fmt.Errorf("%w: %d", ErrErrcode, r.Errcode)
	}
	r.ProvesEnd = chatdata != nil && len(chatdata) == 0
	r.Envelopes = make([]Envelope, len(chatdata))
	for i, raw := range chatdata {
		env, err := parseEnvelope(raw, asked)
		if err != nil {
			return r, fmt.Errorf("envelope %d: %w", i, err)
		}
		env.Position = i
		r.Envelopes[i] = env
	}
	return r, r.bound(asked, limits)
}

// member is a member of a JSON object that counts how often it came: of two with
// the same name encoding/json would keep the last one and hide the first.
type member[T any] struct {
	value T
	times int
}

func (m *member[T]) UnmarshalJSON(raw []byte) error {
	m.times++
	return json.Unmarshal(raw, &m.value)
}

// ParseStored reads the envelopes of a page that is already stored: it was
// judged when it was pulled, so only its form is checked.
func ParseStored(p Page) ([]Envelope, error) {
	r, err := ParseReply(p.Reply, p.Header.SeqAsked, SeqLimits{MaxJump: math.MaxUint64, MaxFirst: math.MaxUint64})
	if err != nil {
		return nil, fmt.Errorf("page %d: %w", p.Header.SeqAsked, err)
	}
	if len(r.Envelopes) > 1<<alternateBits {
		return nil, fmt.Errorf("page %d: %d envelopes, and a position has room for %d: %w", p.Header.SeqAsked, len(r.Envelopes), 1<<alternateBits, store.ErrDamaged)
	}
	for i := range r.Envelopes {
		r.Envelopes[i].Position += p.Header.FirstPosition()
	}
	return r.Envelopes, nil
}

// JSONFault describes an error of package json, which may quote what it read, without
// quoting it: what is stored and what WeCom says is nothing for logs.
func JSONFault(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("syntax error at byte %d", syntax.Offset)
	}
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Sprintf("unexpected type in %q at byte %d", typ.Field, typ.Offset)
	}
	return "not readable"
}

// parseEnvelope is strict about the seq, since the cursor depends on it, and
// tolerant about everything else: the archiver keeps what it cannot read.
func parseEnvelope(raw json.RawMessage, asked uint64) (Envelope, error) {
	var doc struct {
		Seq    member[json.RawMessage] `json:"seq"`
		MsgID  json.RawMessage         `json:"msgid"`
		KeyVer json.RawMessage         `json:"publickey_ver"`
		Key    json.RawMessage         `json:"encrypt_random_key"`
		Msg    json.RawMessage         `json:"encrypt_chat_msg"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return Envelope{}, fmt.Errorf("%w: no JSON object", ErrBadSeq)
	}
	env := Envelope{
		MsgID:            lenientString(doc.MsgID),
		PublicKeyVer:     -1,
		EncryptRandomKey: lenientString(doc.Key),
		EncryptChatMsg:   lenientString(doc.Msg),
	}
	if v, err := strconv.ParseInt(lenientString(doc.KeyVer), 10, 64); err == nil && v >= 0 {
		env.PublicKeyVer = v
	}
	if doc.Seq.times > 1 {
		return Envelope{}, fmt.Errorf("%w: seq twice", ErrBadSeq)
	}
	seq := string(bytes.TrimSpace(doc.Seq.value))
	switch n, err := strconv.ParseUint(seq, 10, 64); {
	case err == nil && n <= asked:
		return Envelope{}, fmt.Errorf("%w: %d after %d", ErrBadSeq, n, asked)
	case err == nil && n <= math.MaxInt64:
		env.Seq, env.HasSeq = int64(n), true
	case err == nil || (errors.Is(err, strconv.ErrRange) && !strings.HasPrefix(seq, "-")):
		// Beyond int64: kept as an unreadable row, and the cursor ignores it.
	default:
		return Envelope{}, fmt.Errorf("%w: no whole number", ErrBadSeq)
	}
	return env, nil
}

// lenientString reads a JSON string, or any other scalar as it is written.
func lenientString(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// bound finds the first and last believable seq and refuses a jump.
func (r *Reply) bound(asked uint64, limits SeqLimits) error {
	if len(r.Envelopes) == 0 {
		return nil
	}
	seqs := make([]uint64, 0, len(r.Envelopes))
	for _, e := range r.Envelopes {
		if e.HasSeq {
			seqs = append(seqs, uint64(e.Seq))
		}
	}
	if len(seqs) == 0 {
		return fmt.Errorf("%w: every seq is beyond int64", ErrImplausibleSeq)
	}
	slices.Sort(seqs)
	before, limit := asked, limits.MaxJump
	if asked == 0 {
		limit = limits.MaxFirst
	}
	for _, s := range seqs {
		if s-before > limit {
			return fmt.Errorf("%w: from %d to %d (the limit is %d)", ErrImplausibleSeq, before, s, limit)
		}
		before, limit = s, limits.MaxJump
	}
	r.FirstSeq, r.LastSeq, r.seqs = seqs[0], seqs[len(seqs)-1], seqs
	return nil
}
