package pages

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/show"
	"wecom-archive/shared/transcript"
	"wecom-archive/shared/wecom"
)

// transcriptView is a page of a conversation.
type transcriptView struct {
	ID           string
	Kind         string // room, pair, multi, unparsed
	Title        show.Titled
	Bubbles      []bubble
	Older, Newer string        // cursors; empty: there are none
	Gaps         []archive.Gap // after the last message
	Full         int           // messages of a full page: the script adds older pages to a shorter one
	Seq          int64         // that a permalink named; 0: none
	Incomplete   bool          // messages may be missing
}

// bubble is a message as a page draws it.
type bubble struct {
	show.Message
	At      time.Time
	Sender  show.Participant
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

// placeOf reads the parameters before, after, m (with seq), at (ms, with seq) and date, a
// day of the zone. seq is that of the message which a link names; 0: none.
func placeOf(q url.Values, zone *time.Location) (p show.ScreenPlace, seq int64, err error) {
	position := func(name string) *archive.Position {
		raw, decodeErr := base64.RawURLEncoding.DecodeString(q.Get(name))
		found, positionErr := show.DecodePosition(raw)
		if decodeErr != nil || positionErr != nil {
			err = show.NoPlace("no place in a conversation")
		}
		return &found
	}
	switch {
	case q.Get("before") != "":
		p.Before = position("before")
	case q.Get("after") != "":
		p.After = position("after")
	case q.Get("m") != "":
		p.Message = position("m")
		seq, _ = strconv.ParseInt(q.Get("seq"), 10, 64)
	case q.Get("at") != "":
		p.Around, err = show.ParseBound("at", q.Get("at"))
		seq, _ = strconv.ParseInt(q.Get("seq"), 10, 64)
	case q.Get("date") != "":
		day, dayErr := time.ParseInLocation(time.DateOnly, q.Get("date"), zone)
		if dayErr != nil || day.Year() < 1971 || day.Year() > 9000 {
			return p, 0, show.NoPlace("no date")
		}
		p.From = day
	}
	return p, seq, err
}

func cursorOf(p archive.Position) string {
	return base64.RawURLEncoding.EncodeToString(show.EncodePosition(p))
}

// transcriptOf makes a page of a conversation.
func (s *server) transcriptOf(r *http.Request, id, person string) (*transcriptView, error) {
	ctx := r.Context()
	where, seq, err := placeOf(r.URL.Query(), s.show.Days(ctx))
	if err != nil {
		return nil, err
	}
	shows, err := s.show.Content.Screen(ctx, id, person, where)
	if err != nil {
		return nil, err
	}
	found := shows.Found
	view := &transcriptView{ID: id, Kind: strings.SplitN(id, ":", 2)[0], Seq: seq, Full: show.Screenful, Incomplete: shows.Incomplete}
	view.Bubbles = s.bubbles(r, found, shows.Beside, person, bubbleWeight)
	view.placeGaps(shows)
	if shows.Long { // the script need not make it longer
		view.Full = 0
	}
	view.Title = show.NamesBeside(shows.Beside).Title(id, time.Time{})
	if n := len(found); n > 0 {
		if shows.Older {
			view.Older = cursorOf(found[0].Place.Position)
		}
		if shows.Newer {
			view.Newer = cursorOf(found[n-1].Place.Position)
		}
	}
	return view, nil
}

// placeGaps puts each gap before the first message after its beginning, wherever the
// pages are cut, or behind the last message of all.
func (view *transcriptView) placeGaps(shows show.Screen) {
	for _, g := range shows.Gaps {
		from := shows.Behind
		if !from.IsZero() && g.Since.Before(from) || from.IsZero() && !shows.Older && g.Since.Before(view.Bubbles[0].At) {
			continue // on a page before this one, or before the conversation began
		}
		i := slices.IndexFunc(view.Bubbles, func(b bubble) bool { return b.At.After(g.Since) })
		switch {
		case i >= 0:
			view.Bubbles[i].Gaps = append(view.Bubbles[i].Gaps, g)
		case !shows.Newer:
			view.Gaps = append(view.Gaps, g)
		}
	}
}

// bubbles makes of messages of a conversation what a page draws, each up to a weight.
func (s *server) bubbles(r *http.Request, found []transcript.Message, beside catalog.Asides, person string, weight int) []bubble {
	lang, zone := languageOf(r), s.show.Days(r.Context())
	draw := newBodies(lang, zone, beside.Files)
	all := make([]bubble, len(found))
	for i, m := range found {
		b := &all[i]
		b.Message, b.At = show.View(m, false), m.MsgTime
		entry := beside.People[m.FromID]
		kind := chat.ParticipantOf(m.FromID).Kind
		b.Sender = show.Participant{ID: m.FromID, Kind: string(kind), Naming: show.Called(entry, m.MsgTime)}
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
