package viewer

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/transcript"
	"wecom-archive/shared/wecom"
)

const (
	// screenful is how many messages a page of a transcript shows at most.
	screenful = 30
	// screenRequests is what finding them may take, of the 15 requests to index and
	// buckets that a page may. The others are for what stands beside them, for gaps and
	// for the record of the look (two).
	screenRequests = 11
	// gapRequests is what looking at the message before a page may take, where a gap is
	// recorded; that there is none is what everybody works for.
	gapRequests = 4
	// besideScreen is how many things may stand beside the messages of a page: what one
	// request to the index returns.
	besideScreen = 100
	// screenBytes is how long the messages of a page are together, in bytes of their
	// plaintexts, unless one alone is longer: the first screen, style and script with
	// it, stays below 100 kB.
	screenBytes = 45_000
)

// transcriptView is a page of a conversation.
type transcriptView struct {
	ID           string
	Kind         string // room, pair, multi, unparsed
	Title        titled
	Bubbles      []bubble
	Older, Newer string        // cursors; empty: there are none
	Gaps         []archive.Gap // after the last message
	Full         int           // messages of a full page: the script adds older pages to a shorter one
	Seq          int64         // that a permalink named; 0: none
}

// bubble is a message as a page draws it.
type bubble struct {
	message
	At      time.Time
	Sender  participant
	Mark    string        // wechat, wecom, robot; empty: employee
	Company string        // of a customer
	Own     bool          // on the side of the company
	NewDay  bool          // the first of its day here
	Follows bool          // of the same sender as the one before
	Gaps    []archive.Gap // between the message before it and this one
	Notice  bool          // a line in the middle, not a bubble
	Body    body

	here map[int64]bool // seqs on the page
}

// place is where on a conversation's time line a page lies.
type place struct {
	before, after *archive.Position // exclusive
	around        time.Time         // zero: not asked for
	message       *archive.Position // that a permalink leads to; nil: none
	from          time.Time         // zero: not asked for
	seq           int64
}

// placeOf reads the parameters before, after, at (ms, with seq) and date, a day of the zone.
func placeOf(q url.Values, zone *time.Location) (p place, err error) {
	position := func(name string) *archive.Position {
		raw, decodeErr := base64.RawURLEncoding.DecodeString(q.Get(name))
		found, positionErr := decodePosition(raw)
		if decodeErr != nil || positionErr != nil {
			err = huma.Error400BadRequest("no place in a conversation")
		}
		return &found
	}
	switch {
	case q.Get("before") != "":
		p.before = position("before")
	case q.Get("after") != "":
		p.after = position("after")
	case q.Get("m") != "":
		p.message = position("m")
		p.seq, _ = strconv.ParseInt(q.Get("seq"), 10, 64)
	case q.Get("at") != "":
		p.around, err = parseBound("at", q.Get("at"))
		p.seq, _ = strconv.ParseInt(q.Get("seq"), 10, 64)
	case q.Get("date") != "":
		day, dayErr := time.ParseInLocation(time.DateOnly, q.Get("date"), zone)
		if dayErr != nil || day.Year() < 1971 || day.Year() > 9000 {
			return p, huma.Error400BadRequest("no date")
		}
		p.from = day
	}
	return p, err
}

func cursorOf(p archive.Position) string {
	return base64.RawURLEncoding.EncodeToString(encodePosition(p))
}

// screen is what a page of a conversation shows: messages, oldest first.
type screen struct {
	found        []transcript.Message
	older, newer bool // there are more
	long         bool // what is here is as long as a page may be
}

// screen reads a page. It has fewer messages than a screenful where those lie in many
// months or segments, or have many files.
func (s *server) screen(ctx context.Context, id string, p place) (screen, error) {
	read := func(q catalog.PlaceQuery) (transcript.Part, error) {
		q.Conversation, q.Limit = id, screenful
		return s.transcript.Part(ctx, q, screenRequests)
	}
	switch {
	case p.after != nil:
		part, err := read(catalog.PlaceQuery{After: p.after})
		return screen{part.Messages, true, part.More, false}.fitting(id, 0), err
	case p.message != nil:
		before := screenful / 2
		earlier, later, err := s.transcript.AroundMessage(ctx, id, *p.message, before, screenful-before, screenRequests)
		return around(earlier, later).fitting(id, len(earlier.Messages)), err
	case !p.from.IsZero() || !p.around.IsZero():
		from, before := p.from, 0
		if !p.around.IsZero() {
			from, before = p.around, screenful/2
		}
		earlier, later, err := s.transcript.Around(ctx, id, from, before, screenful-before, screenRequests)
		return around(earlier, later).fitting(id, len(earlier.Messages)), err
	default:
		part, err := read(catalog.PlaceQuery{After: p.before, Descending: true})
		slices.Reverse(part.Messages)
		return screen{part.Messages, part.More, p.before != nil, false}.fitting(id, len(part.Messages)-1), err
	}
}

// around joins what was read on both sides of a place.
func around(earlier, later transcript.Part) screen {
	found := slices.Clone(earlier.Messages)
	slices.Reverse(found)
	return screen{found: append(found, later.Messages...), older: earlier.More, newer: later.More}
}

// fitting is the part of a screen, from one of its messages on and then before it, whose
// names, files and recalls one request returns, and that is not too long.
func (sc screen) fitting(id string, from int) screen {
	if from < 0 || from >= len(sc.found) {
		from = max(0, len(sc.found)-1)
	}
	room := besideScreen - 2 - len(chat.PairOf(id)) // aliases, and somebody whose conversations are looked at
	length := screenBytes
	senders := map[string]bool{}
	fits := func(m transcript.Message) bool {
		room -= 1 + len(m.Media)
		length -= len(m.Raw)
		if !senders[m.FromID] {
			senders[m.FromID], room = true, room-1
		}
		return room >= 0 && length >= 0
	}
	first, end := from, from
	for end < len(sc.found) && (fits(sc.found[end]) || end == from) {
		end++
	}
	for first > 0 && fits(sc.found[first-1]) {
		first--
	}
	return screen{sc.found[first:end], sc.older || first > 0, sc.newer || end < len(sc.found), length < 0}
}

// asides reads what stands beside messages of a conversation, in one request, and
// remembers the names.
func (s *server) asides(ctx context.Context, id string, found []transcript.Message, others ...string) (catalog.Asides, error) {
	q := catalog.AsidesQuery{Conversation: id, People: others}
	for _, p := range chat.PairOf(id) {
		q.People = append(q.People, p.ID)
	}
	if room, ok := chat.RoomOf(id); ok {
		q.Rooms = []string{room}
	}
	for _, m := range found {
		q.People, q.Messages = append(q.People, m.FromID), append(q.Messages, m.MsgID)
		for _, ref := range m.Media {
			q.Files = append(q.Files, ref.FileIDSHA256)
		}
	}
	a, err := s.Catalog.Asides(ctx, q)
	if err != nil {
		return a, err
	}
	if memory, ok := ctx.Value(namesKey{}).(*names); ok {
		memory.learn(q.People, a.People, q.Rooms, a.Rooms)
	}
	return a, nil
}

// transcriptOf makes a page of a conversation, and records the look.
func (s *server) transcriptOf(r *http.Request, id, person string) (*transcriptView, error) {
	ctx := r.Context()
	if !conversationID(id) {
		return nil, huma.Error400BadRequest("no conversation")
	}
	where, err := placeOf(r.URL.Query(), s.zone(ctx))
	if err != nil {
		return nil, err
	}
	shows, err := s.screen(ctx, id, where)
	if err != nil {
		return nil, err
	}
	found := shows.found
	beside, err := s.asides(ctx, id, found, person)
	if err != nil {
		return nil, err
	}
	view := &transcriptView{ID: id, Kind: strings.SplitN(id, ":", 2)[0], Seq: where.seq, Full: screenful}
	view.Bubbles = s.bubbles(r, found, beside, person, bubbleWeight)
	if err := s.placeGaps(ctx, view, shows); err != nil {
		return nil, err
	}
	if shows.long { // the script need not make it longer
		view.Full = 0
	}
	view.Title = names{people: beside.People, rooms: beside.Rooms}.title(id, time.Time{})
	if n := len(found); n > 0 {
		if shows.older {
			view.Older = cursorOf(found[0].Place.Position)
		}
		if shows.newer {
			view.Newer = cursorOf(found[n-1].Place.Position)
		}
	}
	shown := make([]message, len(view.Bubbles))
	for i, b := range view.Bubbles {
		shown[i] = b.message
	}
	return view, s.recordLook(ctx, lookInput{conversation: id, remote: remoteOf(r)}, shown)
}

// bubbles makes of messages of a conversation what a page draws, each up to a weight.
func (s *server) bubbles(r *http.Request, found []transcript.Message, beside catalog.Asides, person string, weight int) []bubble {
	lang, zone := languageOf(r), s.zone(r.Context())
	draw := newBodies(lang, zone, beside.Files)
	all := make([]bubble, len(found))
	for i, m := range found {
		b := &all[i]
		b.message, b.At = view(m, false), m.MsgTime
		entry := beside.People[m.FromID]
		kind := chat.ParticipantOf(m.FromID).Kind
		b.Sender = participant{ID: m.FromID, Kind: string(kind), naming: called(entry, m.MsgTime)}
		b.Mark, b.Company = markOf(m.FromID, kind), entry.CorpName
		b.Own = own(m, kind, person, beside.Aliases)
		if m.Readable() {
			b.Body = s.draw(draw, m)
			b.Body.lighten(weight)
		}
		b.Notice = noticeTypes[b.Body.Type]
		if i == 0 || dayIn(lang, all[i-1].At.In(zone)) != dayIn(lang, b.At.In(zone)) {
			b.NewDay = true
		}
		b.Follows = i > 0 && !b.NewDay && all[i-1].From == b.From && !all[i-1].Notice
	}
	linkBubbles(beside.Recalls, all)
	return all
}

// draw costs no more than its message if it panics: messages are hostile input.
func (s *server) draw(b bodies, m transcript.Message) (drawn body) {
	defer func() {
		if recover() != nil { // the panic's value may quote the message
			s.Log.Error("drawing a message panicked", "seq", m.Seq)
			drawn = body{Type: m.MsgType, Text: m.Text}
		}
	}()
	b.seq = m.Seq
	return b.of(wecom.Parse(m.Raw, m.MsgID, m.PulledAt))
}

// noticeTypes are facts about the conversation, not things that somebody said.
var noticeTypes = map[string]bool{"revoke": true, "agree": true, "disagree": true, "switch": true}

func markOf(id string, kind chat.Kind) string {
	switch {
	case kind == chat.Robot:
		return "robot"
	case kind == chat.External && strings.HasPrefix(id, "wo"):
		return "wecom"
	case kind == chat.External:
		return "wechat"
	}
	return ""
}

// own says whether a message stands on the right: that of the person whose
// conversations are looked at, else of the company's own people, else, among
// colleagues, of the first of the two. Somebody whose userid changed is one person.
func own(m transcript.Message, kind chat.Kind, person string, aliases catalog.Aliases) bool {
	from := aliases.First(m.FromID)
	if person != "" {
		person = aliases.First(person)
		if from == person || slices.ContainsFunc(m.ToIDs, func(id string) bool { return aliases.First(id) == person }) {
			return from == person
		}
	}
	if m.ChatKind == chat.InternalChat {
		pair := chat.PairOf(m.Conversation)
		return len(pair) > 0 && from == pair[0].ID
	}
	return kind == chat.Employee
}

// placeGaps puts each gap before the first message after its beginning, wherever the
// pages are cut, or behind the last message of all.
func (s *server) placeGaps(ctx context.Context, view *transcriptView, shows screen) error {
	gaps, err := s.Catalog.Journal.Gaps(ctx, statusGaps)
	if err != nil || len(view.Bubbles) == 0 {
		return err
	}
	slices.Reverse(gaps) // oldest first
	from, err := s.before(ctx, view, shows, gaps)
	if err != nil {
		return err
	}
	for _, g := range gaps {
		if !from.IsZero() && g.Since.Before(from) || from.IsZero() && !shows.older && g.Since.Before(view.Bubbles[0].At) {
			continue // on a page before this one, or before the conversation began
		}
		i := slices.IndexFunc(view.Bubbles, func(b bubble) bool { return b.At.After(g.Since) })
		switch {
		case i >= 0:
			view.Bubbles[i].Gaps = append(view.Bubbles[i].Gaps, g)
		case !shows.newer:
			view.Gaps = append(view.Gaps, g)
		}
	}
	return nil
}

// before is the time of the message before the first one of a page; zero: there is none.
// It costs requests, so it is looked for only where a gap could stand between the two.
func (s *server) before(ctx context.Context, view *transcriptView, shows screen, gaps []archive.Gap) (time.Time, error) {
	first := shows.found[0]
	if !shows.older {
		return time.Time{}, nil
	}
	if !slices.ContainsFunc(gaps, func(g archive.Gap) bool { return g.Since.Before(first.MsgTime) }) {
		return first.MsgTime, nil
	}
	part, err := s.transcript.Part(ctx, catalog.PlaceQuery{Conversation: view.ID, After: &first.Place.Position, Descending: true, Limit: 1}, gapRequests)
	if err != nil || len(part.Messages) == 0 {
		return first.MsgTime, err
	}
	return part.Messages[0].MsgTime, nil
}
