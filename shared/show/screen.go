package show

import (
	"context"
	"io"
	"slices"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/person"
	"wecom-archive/shared/transcript"
)

const (
	// Screenful is how many messages a screen of a transcript has at most.
	Screenful = 30
	// screenRequests is what finding them may take, of the 15 requests to index and
	// buckets that a page may. The others are for what stands beside them, for gaps and
	// for the record of the look (two), and for whether the index tells of all.
	screenRequests = 10
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

// ScreenPlace is where on a conversation's time line a screen lies. All zero: at its end.
type ScreenPlace struct {
	Before, After *archive.Position // exclusive
	Message       *archive.Position // in the middle; nil: none
	Around        time.Time         // in the middle; zero: not asked for
	From          time.Time         // at the beginning; zero: not asked for
}

// Screen is what a page of a conversation shows: messages, oldest first, and what stands
// beside them.
type Screen struct {
	Found        []transcript.Message
	Beside       catalog.Asides
	Older, Newer bool // there are more
	Long         bool // what is here is as long as a page may be
	Incomplete   bool // messages may be missing, also between those that are here

	Gaps   []archive.Gap // recorded ones, oldest first
	Behind time.Time     // of the message before the first one; zero: there is none
}

// Screen shows a page of a conversation, with what is known of somebody whose
// conversations are looked at (empty: nobody). It has fewer messages than a screenful
// where those lie in many months or segments, or have many files.
func (s *Content) Screen(ctx context.Context, id, beside string, p ScreenPlace) (Screen, error) {
	if !conversationID(id) {
		return Screen{}, NoPlace("no conversation")
	}
	tells, err := s.indexTells(ctx)
	if err != nil {
		return Screen{}, err
	}
	sc, err := s.screen(ctx, id, p)
	sc.Incomplete = sc.Incomplete || !tells
	if err != nil {
		return Screen{}, err
	}
	for i, m := range sc.Found { // first: what stands beside them is that of the newest reading
		sc.Found[i] = s.newest(m, nil)
	}
	if sc.Beside, err = s.asides(ctx, id, sc.Found, beside); err != nil {
		return Screen{}, err
	}
	for i, m := range sc.Found {
		sc.Found[i] = s.newest(m, sc.Beside.Aliases)
	}
	if err := s.gapsOf(ctx, id, &sc); err != nil {
		return Screen{}, err
	}
	if err := s.recordLook(ctx, access.Look{Conversation: id}, views(sc.Found)); err != nil {
		return Screen{}, err
	}
	return sc, nil
}

func views(found []transcript.Message) []Message {
	shown := make([]Message, len(found))
	for i, m := range found {
		shown[i] = View(m, false)
	}
	return shown
}

func (s *Content) screen(ctx context.Context, id string, p ScreenPlace) (Screen, error) {
	read := func(q catalog.PlaceQuery) (transcript.Part, error) {
		q.Conversation, q.Limit = id, Screenful
		return s.transcript.Part(ctx, q, screenRequests)
	}
	switch {
	case p.After != nil:
		part, err := read(catalog.PlaceQuery{After: p.After})
		return Screen{Found: part.Messages, Older: true, Newer: part.More, Incomplete: part.Incomplete}.fitting(id, 0), err
	case p.Message != nil:
		before := Screenful / 2
		earlier, later, err := s.transcript.AroundMessage(ctx, id, *p.Message, before, Screenful-before, screenRequests)
		return around(earlier, later).fitting(id, len(earlier.Messages)), err
	case !p.From.IsZero() || !p.Around.IsZero():
		from, before := p.From, 0
		if !p.Around.IsZero() {
			from, before = p.Around, Screenful/2
		}
		earlier, later, err := s.transcript.Around(ctx, id, from, before, Screenful-before, screenRequests)
		return around(earlier, later).fitting(id, len(earlier.Messages)), err
	default:
		part, err := read(catalog.PlaceQuery{After: p.Before, Descending: true})
		slices.Reverse(part.Messages)
		return Screen{Found: part.Messages, Older: part.More, Newer: p.Before != nil, Incomplete: part.Incomplete}.fitting(id, len(part.Messages)-1), err
	}
}

// around joins what was read on both sides of a place.
func around(earlier, later transcript.Part) Screen {
	found := slices.Clone(earlier.Messages)
	slices.Reverse(found)
	return Screen{Found: append(found, later.Messages...), Older: earlier.More, Newer: later.More, Incomplete: earlier.Incomplete || later.Incomplete}
}

// fitting is the part of a screen, from one of its messages on and then before it, whose
// names, files and recalls one request returns, and that is not too long.
func (sc Screen) fitting(id string, from int) Screen {
	if from < 0 || from >= len(sc.Found) {
		from = max(0, len(sc.Found)-1)
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
	for end < len(sc.Found) && (fits(sc.Found[end]) || end == from) {
		end++
	}
	for first > 0 && fits(sc.Found[first-1]) {
		first--
	}
	return Screen{
		Found: sc.Found[first:end], Older: sc.Older || first > 0, Newer: sc.Newer || end < len(sc.Found),
		Long: length < 0, Incomplete: sc.Incomplete,
	}
}

// asides reads what stands beside messages of a conversation, in one request, and
// remembers the names.
func (s *Content) asides(ctx context.Context, id string, found []transcript.Message, others ...string) (catalog.Asides, error) {
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
	a, err := s.config.Catalog.Asides(ctx, q)
	if err != nil {
		return a, err
	}
	if memory, ok := ctx.Value(namesKey{}).(*Names); ok {
		memory.learn(q.People, a.People, q.Rooms, a.Rooms)
	}
	return a, nil
}

// gapsOf reads the gaps that could stand on a screen. The message before it costs
// requests, so it is looked for only where a gap could stand between the two.
func (s *Content) gapsOf(ctx context.Context, id string, sc *Screen) error {
	gaps, err := s.config.Catalog.Journal.Gaps(ctx, statusGaps)
	if err != nil || len(sc.Found) == 0 {
		return err
	}
	slices.Reverse(gaps)
	sc.Gaps = gaps
	first := sc.Found[0]
	if !sc.Older {
		return nil
	}
	sc.Behind = first.MsgTime
	if !slices.ContainsFunc(gaps, func(g archive.Gap) bool { return g.Since.Before(first.MsgTime) }) {
		return nil
	}
	part, err := s.transcript.Part(ctx, catalog.PlaceQuery{Conversation: id, After: &first.Place.Position, Descending: true, Limit: 1}, gapRequests)
	if err == nil && len(part.Messages) > 0 {
		sc.Behind = part.Messages[0].MsgTime
	}
	return err
}

// Recorded is what proves a message: itself, and what stands beside it.
type Recorded struct {
	Message transcript.Message
	Raw     bool // it may be shown as it was decrypted: the look says so
	Beside  catalog.Asides
}

// Record shows the messages with a seq as their records: one, unless WeCom used the seq
// twice; none if it cannot be read. Auditors are shown them as they were decrypted, too,
// and the look says it.
func (s *Content) Record(ctx context.Context, seq int64) (records []Recorded, unreadable []archive.Outcome, page catalog.PageState, err error) {
	found, unreadable, page, err := s.envelopes(ctx, seq)
	if err != nil {
		return nil, nil, page, err
	}
	for _, m := range found {
		beside, err := s.asides(ctx, m.Conversation, []transcript.Message{m})
		if err != nil {
			return nil, nil, page, err
		}
		raw := AskerOf(ctx).Person.Has(person.Auditor)
		look := access.Look{Conversation: m.Conversation, What: whatOf(raw)}
		if err := s.recordLook(ctx, look, views([]transcript.Message{m})); err != nil {
			return nil, nil, page, err
		}
		records = append(records, Recorded{m, raw, beside})
	}
	return records, unreadable, page, nil
}

// Spot is where a message stands, without what it says.
type Spot struct {
	Conversation string
	Position     archive.Position
	Seq          int64
}

// Spots are where the messages with a seq stand. That is no content, so it is no look;
// where it leads is one (docs/invariants.md, 8).
func (s *Content) Spots(ctx context.Context, seq int64) ([]Spot, error) {
	found, _, _, err := s.envelopes(ctx, seq)
	spots := make([]Spot, len(found))
	for i, m := range found {
		spots[i] = Spot{m.Conversation, m.Place.Position, m.Seq}
	}
	return spots, err
}

// HandedFile is a stored file of a message, after the look at it was recorded.
type HandedFile struct {
	file
	Known catalog.MediaFile

	content *Content
}

// File hands out a file of the message with a seq. That it is not stored, or not as it
// was stored, is a Problem.
func (s *Content) File(ctx context.Context, seq int64, fileIDSHA256 string) (*HandedFile, error) {
	found, _, _, err := s.envelopes(ctx, seq)
	if err != nil {
		return nil, err
	}
	for _, m := range found {
		for _, ref := range m.Media {
			if ref.FileIDSHA256 != fileIDSHA256 {
				continue
			}
			known, err := s.config.Catalog.Media.MediaFile(ctx, ref.FileIDSHA256)
			if err != nil {
				return nil, err
			}
			if known.State != archive.MediaStored {
				return nil, NoSuchThing()
			}
			look := access.Look{Conversation: m.Conversation, What: access.WhatMedia}
			if err := s.recordLook(ctx, look, views([]transcript.Message{m})); err != nil {
				return nil, err
			}
			if intact, err := s.intact(ctx, known); err != nil {
				return nil, err
			} else if !intact {
				return nil, &Problem{Kind: NotThere, Detail: "What was stored of this file is missing or altered. It is reported to the operator."}
			}
			return &HandedFile{newFile(m.Conversation, ref, known), known, s}, nil
		}
	}
	return nil, NoSuchThing()
}

// Link makes a URL that downloads the file for a short time.
func (f *HandedFile) Link(ctx context.Context) (url string, err error) {
	err = f.content.link(ctx, &f.file)
	return f.URL, err
}

// Open reads the file.
func (f *HandedFile) Open(ctx context.Context) (io.ReadCloser, error) {
	body, _, err := f.content.config.Objects.Get(ctx, f.Known.Key)
	return body, err
}

// RecalledMessage is what was found of the message that a recall recalls.
type RecalledMessage struct {
	Recall int64             // seq of the recall
	Seq    int64             // of its message; 0: it was not found
	Next   *archive.Position // where to go on looking; nil: there is nothing before
}

// Recalled looks for the message that the recall with a seq recalls, from a position
// back (nil: from the recall). It shows no content.
func (s *Content) Recalled(ctx context.Context, seq int64, before *archive.Position) (r RecalledMessage, err error) {
	found, _, _, err := s.envelopes(ctx, seq)
	if err != nil {
		return r, err
	}
	i := slices.IndexFunc(found, func(m transcript.Message) bool { return m.RefMsgID != "" })
	if i < 0 {
		return r, NoSuchThing()
	}
	r.Recall = found[i].Seq
	from := found[i].Place.Position
	if before != nil && before.Compare(from) < 0 {
		from = *before
	}
	r.Seq, r.Next, err = s.recalledBy(ctx, found[i], from)
	return r, err
}
