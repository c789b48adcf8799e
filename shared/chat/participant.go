package chat

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind says what sort of participant an id names.
type Kind string

// Kinds of participants.
const (
	Employee Kind = "employee" // the corp's userid, free text of at most 64 bytes
	External Kind = "external" // customer on WeChat (wm…) or WeCom (wo…)
	Robot    Kind = "robot"    // wb…
)

// Participant is who sends or receives a message. Two are the same if and only
// if they are equal.
type Participant struct {
	ID   string // employee: case-folded userid; others as WeCom wrote it
	Kind Kind
}

// minOpaqueID is the shortest id, in bytes, that is believed to be one of
// WeCom's own. Real ones have 32.
const minOpaqueID = 12

// ParticipantOf reads an id as it stands in a message. The empty id is nobody:
// the zero Participant.
//
// Employees choose their userids, which compare case-insensitively and may well
// begin with wm, wo or wb. External and robot ids are base64url of WeCom's own
// and compare exactly. Where an id could be either, the doubt is settled so that
// the cheaper error remains: folding an external id would merge two customers,
// which is worse than splitting an employee's conversation by spelling. So an id
// is WeCom's own only if it looks like base64url of some length.
func ParticipantOf(id string) Participant {
	switch {
	case id == "":
		return Participant{}
	case !isOpaque(id):
		return Participant{ID: Fold(id), Kind: Employee}
	case id[:2] == "wb":
		return Participant{ID: id, Kind: Robot}
	default:
		return Participant{ID: id, Kind: External}
	}
}

// isOpaque says whether id has the form of WeCom's own ids.
func isOpaque(id string) bool {
	if len(id) < minOpaqueID || id[0] != 'w' || !strings.ContainsRune("mob", rune(id[1])) {
		return false
	}
	upper := false
	for _, c := range []byte(id[2:]) {
		switch {
		case 'A' <= c && c <= 'Z':
			upper = true
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return upper
}

// Fold is Unicode's simple case folding (CaseFolding.txt, statuses C and S):
// one character becomes one character, independent of language, and what it does
// to an assigned character never changes in later Unicode versions. The stored
// ids of conversations depend on it.
func Fold(s string) string { return strings.Map(foldRune, s) }

func foldRune(r rune) rune {
	switch {
	case 'A' <= r && r <= 'Z':
		return r + 'a' - 'A'
	case r < utf8.RuneSelf:
		return r
	case 0x13A0 <= r && r <= 0x13FD, 0xAB70 <= r && r <= 0xABBF:
		return unicode.ToUpper(r) // Cherokee got its lower case later, so it folds upwards
	}
	// The runes that are one letter form a ring. The folded one is the lower case
	// of an upper-case member, or the first where none is upper case.
	least, folded := r, rune(-1)
	for m := unicode.SimpleFold(r); ; m = unicode.SimpleFold(m) {
		least = min(least, m)
		if lower := unicode.ToLower(m); lower != m && (folded < 0 || lower < folded) {
			folded = lower
		}
		if m == r {
			break
		}
	}
	if unicode.SimpleFold(r) == r || folded < 0 {
		return least
	}
	return folded
}

// What ids of conversations begin with.
const (
	RoomPrefix = "room:"
	PairPrefix = "pair:"
)

// Unparsed is the conversation of messages that cannot be attributed to one: the
// plaintext is no JSON object, or it names neither room nor participant.
const Unparsed = "unparsed"

// maxConversation bounds a conversation's id, in bytes. WeCom's own ids stay far
// below; garbage must still fit into an index key.
const maxConversation = 512

// ConversationOf returns the id of the conversation between these participants,
// or of the room if there is one. Order and repetition of participants do not
// matter, zero participants do not count.
//
//	room:<roomid>        messages in a room, whoever takes part
//	pair:<id>,<id>       two participants; one who writes to themself, or is alone, stands twice
//	multi:<hex sha256>   several people without a room: of the sorted ids, joined with "\n"
//	long:<hex sha256>    where one of the above would have more than 512 bytes: of what it would have been
//	unparsed             nobody
//
// The ids of a pair are sorted by their bytes and then escaped as in a URL path,
// with ',' and ':' escaped too. Employees' ids are case-folded (see ParticipantOf).
func ConversationOf(roomid string, participants ...Participant) string {
	id := conversation(roomid, participants)
	if len(id) > maxConversation {
		return "long:" + hexSHA256(id)
	}
	return id
}

func conversation(roomid string, participants []Participant) string {
	if roomid != "" {
		return RoomPrefix + roomid
	}
	ids := make([]string, 0, len(participants))
	for _, p := range participants {
		switch {
		case p.ID == "":
		case p.Kind == Employee:
			ids = append(ids, Fold(p.ID))
		default:
			ids = append(ids, p.ID)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	switch len(ids) {
	case 0:
		return Unparsed
	case 1:
		return PairPrefix + escapeID(ids[0]) + "," + escapeID(ids[0])
	case 2:
		return PairPrefix + escapeID(ids[0]) + "," + escapeID(ids[1])
	default:
		return "multi:" + hexSHA256(strings.Join(ids, "\n"))
	}
}

// escapeID: url.PathEscape leaves ':' as it is and escapes ','.
func escapeID(id string) string {
	return strings.ReplaceAll(url.PathEscape(id), ":", "%3A")
}

func hexSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// PairOf are the two who talk in a conversation pair:…, once if they are one; nil if
// it is another.
func PairOf(conversation string) []Participant {
	rest, ok := strings.CutPrefix(conversation, PairPrefix)
	if !ok {
		return nil
	}
	a, b, ok := strings.Cut(rest, ",")
	first, errA := url.PathUnescape(a)
	second, errB := url.PathUnescape(b)
	if !ok || errA != nil || errB != nil {
		return nil
	}
	return slices.Compact([]Participant{ParticipantOf(first), ParticipantOf(second)})
}

// Renamed is what the conversation of two is called if employees are called by the
// first of their userids, which first tells. What rooms, and what several people
// without a room are called does not depend on it, or cannot be told from the name.
func Renamed(conversation string, first func(userid string) string) string {
	var people []Participant
	changed := false
	for _, p := range PairOf(conversation) {
		if p.Kind == Employee {
			id := first(p.ID)
			p.ID, changed = id, changed || id != p.ID
		}
		people = append(people, p)
	}
	if !changed {
		return conversation
	}
	return ConversationOf("", people...)
}

// RoomOf is the roomid of a conversation room:…
func RoomOf(conversation string) (room string, ok bool) {
	return strings.CutPrefix(conversation, RoomPrefix)
}
