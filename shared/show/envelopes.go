package show

import (
	"context"
	"errors"
	"slices"
	"time"

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
			if one[0].Recalls, _, err = s.recalledBy(ctx, m, m.Place.Position); err != nil {
				return nil, err
			}
		}
		shown := one[0]
		out.Body.Messages = append(out.Body.Messages, placedMessage{m.Conversation, shown})
		look := lookInput{conversation: m.Conversation, raw: in.Raw}
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
	found, unreadable, err = s.withSeq(ctx, page, seq)
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
		if errors.Is(err, store.ErrDamaged) {
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

// newest is the message at the newest reading. A parser that panics must cost no
// more than that.
func (s *Content) newest(m transcript.Message, aliases catalog.Aliases) (newest transcript.Message) {
	defer func() {
		if recover() != nil { // the panic's value may quote the message
			s.config.Log.Error("the parser panicked", "seq", m.Seq)
			newest = m
		}
	}()
	newest = m
	if r := s.config.Read(m.Raw, m.MsgID, m.PulledAt); r.ParserVersion > m.ParserVersion {
		newest.Reading = r
	}
	newest.Reading = reading.Apply(aliases, newest.Reading)
	return newest
}

// lookInput is what a record of a look says beside what was shown.
type lookInput struct {
	conversation string
	raw          bool
	from, to     time.Time
	what         string // empty: messages
}

// recordLook makes the record that must exist before messages leave. An answer
// without messages carries no content.
func (s *Content) recordLook(ctx context.Context, in lookInput, shown []Message) error {
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
	who := AskerOf(ctx)
	if s.config.AskReason && who.Reason == "" {
		return noReason()
	}
	look := access.Look{
		At: s.config.Now(), Who: who.Person.Subject, Name: who.Person.Name, How: who.How, What: access.WhatMessages,
		Conversation: in.conversation, Seqs: access.SeqsOf(seqs), From: in.from, To: in.to,
		Remote: who.Remote, Request: who.Request, Reason: who.Reason,
	}
	switch {
	case in.what != "":
		look.What = in.what
	case in.raw:
		look.What = access.WhatMessagesRaw
	}
	if err := s.config.Access.Record(ctx, look); err != nil {
		s.LogFailure(ctx, "recording the look", err)
		return &Problem{Kind: NotNow, Detail: "This look could not be recorded, so nothing is shown. Try again later."}
	}
	return nil
}
