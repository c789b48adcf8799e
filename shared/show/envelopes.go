package show

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/person"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/store"
	"wecom-archive/shared/transcript"
)

type messageInput struct {
	Seq int64 `path:"seq" minimum:"1" doc:"WeCom's number of the message"`
	Raw bool  `query:"raw" doc:"Also return the message as it was decrypted. Needs the role auditor"`
}

type messageOutput struct {
	Body struct {
		Page       string            `json:"page" doc:"Key of the page that holds it as WeCom returned it"`
		Messages   []placedMessage   `json:"messages" nullable:"false" doc:"One, unless WeCom used the seq twice; none if it cannot be read"`
		Unreadable []archive.Outcome `json:"unreadable,omitempty" doc:"Why an envelope with this seq cannot be read (yet)"`
		Waiting    bool              `json:"waiting" doc:"The page is not archived yet: ask again"`
	}
}

type placedMessage struct {
	Conversation string `json:"conversation"`
	Message
}

// Message shows the message with a seq. The look is recorded.
func (s *Content) Message(ctx context.Context, in *messageInput) (*messageOutput, error) {
	if in.Raw && !AskerOf(ctx).Person.Has(person.Auditor) {
		return nil, Forbidden(person.Auditor)
	}
	found, unreadable, page, err := s.envelopes(ctx, in.Seq)
	if err != nil {
		return nil, err
	}
	out := new(messageOutput)
	out.Body.Page, out.Body.Unreadable, out.Body.Waiting = page.Key, unreadable, !page.Archived
	out.Body.Messages = []placedMessage{}
	for _, m := range found {
		one := []Message{View(m, in.Raw)}
		one[0].lighten(answerWeight / len(found))
		if _, err := s.people.nameMessages(ctx, one); err != nil {
			return nil, err
		}
		if err := s.linkRecalls(ctx, m.Conversation, one); err != nil {
			return nil, err
		}
		if one[0].Ref != "" && one[0].Recalls == 0 {
			if one[0].Recalls, _, err = s.recalledBy(ctx, m, m.Place.Position); err != nil && !errors.Is(err, transcript.ErrIncomplete) {
				return nil, err
			}
		}
		shown := one[0]
		out.Body.Messages = append(out.Body.Messages, placedMessage{m.Conversation, shown})
		look := access.Look{Conversation: m.Conversation, What: whatOf(in.Raw)}
		if err := s.recordLook(ctx, look, []Message{shown}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// envelopes reads those with a seq, and tells of the page that they are in. There are
// none only while that page waits to be archived.
func (s *Content) envelopes(ctx context.Context, seq int64) (found []transcript.Message, unreadable []archive.Outcome, page catalog.PageState, err error) {
	page, err = s.config.Catalog.Pages.PageOf(ctx, uint64(seq))
	if errors.Is(err, store.ErrNotFound) {
		err = NoSuchMessage()
	}
	if err != nil {
		return nil, nil, page, err
	}
	for at := page; ; {
		found, unreadable, err = s.withSeq(ctx, at, seq)
		if err != nil || !slices.Contains(unreadable, archive.OutcomeElsewhere) {
			break
		}
		// It was there when an alternate came: in the segment of a page asked for before.
		before, beforeErr := s.config.Catalog.Pages.PageBefore(ctx, at.SeqAsked)
		if errors.Is(beforeErr, store.ErrNotFound) || beforeErr == nil && before.LastSeq < uint64(seq) {
			break
		}
		if at, err = before, beforeErr; err != nil {
			break
		}
	}
	if err == nil && len(found)+len(unreadable) == 0 && page.Archived {
		err = NoSuchMessage()
	}
	return found, unreadable, page, err
}

// withSeq reads the envelopes with a seq out of the parts of a page's segment, at
// their newest reading.
func (s *Content) withSeq(ctx context.Context, page catalog.PageState, seq int64) (found []transcript.Message, unreadable []archive.Outcome, err error) {
	readable := map[int]bool{} // positions
	failed := map[int]archive.Outcome{}
	damaged := false
	aliases, err := s.config.Catalog.People.Aliases(ctx)
	if err != nil {
		return nil, nil, err
	}
	for part := range page.Parts {
		key := archive.SegmentKey(page.PulledAt, page.SeqAsked, part)
		if slices.Contains(page.Damaged, key) {
			continue
		}
		rows, first, err := s.transcript.WithSeq(ctx, key, seq)
		if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrNotFound) || errors.Is(err, archive.ErrNewFormat) {
			s.config.Log.ErrorContext(ctx, "a segment cannot be read", "key", key, "request", AskerOf(ctx).Request, "error", err)
			damaged = true
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		for i, row := range rows {
			switch {
			case readable[row.Position]:
			case !row.Readable():
				failed[row.Position] = row.Outcome
			default:
				readable[row.Position] = true
				place := archive.Place{Object: key, Row: first + i, Position: archive.Position{Time: row.MsgTime, Seq: row.Seq, Page: page.SeqAsked, Envelope: row.Position}}
				found = append(found, s.newest(transcript.Message{Row: row, Place: place}, aliases))
			}
		}
	}
	for position, outcome := range failed {
		if !readable[position] {
			unreadable = append(unreadable, outcome)
		}
	}
	if damaged && len(found) == 0 { // it may have held the message
		unreadable = append(unreadable, archive.OutcomeDamaged)
	}
	slices.Sort(unreadable)
	return found, unreadable, nil
}

// newest is the message at the newest reading, in the conversation that it belongs to.
// Lists, screens, searches, permalinks and records all show it, so that a message is the
// same wherever it is seen, whatever parser read it when it was archived or compacted. A
// parser that panics must cost no more than that.
func (s *Content) newest(m transcript.Message, aliases catalog.Aliases) (newest transcript.Message) {
	defer func() {
		if recover() != nil { // the panic's value may quote the message
			s.config.Log.Error("the parser panicked", "seq", m.Seq)
			newest = m
		}
	}()
	newest = m
	if len(m.Raw) == 0 { // there is nothing to read
		newest.Reading = reading.Apply(aliases, newest.Reading)
		return newest
	}
	if parser := s.parser.Load(); parser == 0 || m.ParserVersion < int(parser) {
		r := s.config.Read(m.Raw, m.MsgID, m.PulledAt)
		if s.parser.Store(int64(r.ParserVersion)); r.ParserVersion > m.ParserVersion {
			newest.Reading = r
		}
	}
	newest.Reading = reading.Apply(aliases, newest.Reading)
	return newest
}

// recordLook makes the record that must exist before messages leave: look says what was
// asked for, who asks is in the context. An answer without messages carries no content.
func (s *Content) recordLook(ctx context.Context, look access.Look, shown []Message) error {
	var seqs []int64
	for _, m := range shown {
		if m.Unreadable == "" {
			seqs = append(seqs, m.Seq)
		} else {
			s.config.Log.ErrorContext(ctx, "a segment cannot be read", "key", m.Segment, "request", AskerOf(ctx).Request)
		}
	}
	if len(seqs) == 0 {
		return nil
	}
	look.Seqs = access.SeqsOf(seqs)
	return s.record(ctx, look)
}

// record completes the record of a look by who asks, and stores it.
func (s *Content) record(ctx context.Context, look access.Look) error {
	who := AskerOf(ctx)
	if s.config.AskReason && who.Reason == "" {
		return noReason()
	}
	look.At, look.Who, look.Name, look.How = s.config.Now(), who.Person.Subject, who.Person.Name, who.How
	look.Remote, look.Request, look.Reason = who.Remote, who.Request, who.Reason
	look.What = cmp.Or(look.What, access.WhatMessages)
	if err := s.config.Access.Record(ctx, look); err != nil {
		thing := "look"
		if look.What == access.WhatSearch {
			thing = "search"
		}
		s.LogFailure(ctx, "recording the "+thing, err)
		return &Problem{Kind: NotNow, Detail: "This " + thing + " could not be recorded, so nothing is shown. Try again later."}
	}
	return nil
}

// whatOf is what a look at messages shows of them.
func whatOf(raw bool) string {
	if raw {
		return access.WhatMessagesRaw
	}
	return access.WhatMessages
}
