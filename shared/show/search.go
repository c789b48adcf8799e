package show

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/query"
	"wecom-archive/shared/search"
)

// These leave room below the 29 s that API Gateway waits.
const (
	defaultSearchTime = 20 * time.Second
	defaultBesideTime = 5 * time.Second
)

// SearchInput is what is searched for, as the API takes it.
type SearchInput struct {
	Q            string `query:"q" maxLength:"1024" example:"合同 \"下午三点\" -草稿" doc:"What the text must hold, wherever in it, nested records included: terms separated by spaces must all occur; OR between two lets one of them do; NOT or a leading - excludes; quotes make a phrase; parentheses group. Case, width and compatibility forms make no difference. Empty: every text"`
	Variants     string `query:"variants" enum:"true" doc:"true: traditional and simplified characters that stand for each other count as one in q: 合同編號 finds 合同编号"`
	Conversation string `query:"conversation" maxLength:"1024" example:"pair:li.na,wang.wei" doc:"Only this conversation: a pair, in any order, room:<roomid>, or a roomid"`
	Person       string `query:"person" maxLength:"512" example:"li.na" doc:"Only messages from or to this person. Employees' userids in any case; one whose userid was changed is found under each of them"`
	Sender       string `query:"sender" maxLength:"512" doc:"Only messages from this person"`
	SenderKind   string `query:"sender_kind" enum:"employee,external,robot" doc:"Only messages from people of this kind; external are customers"`
	Chat         string `query:"chat" enum:"internal,external,updown_stream" doc:"Only chats of this kind"`
	Type         string `query:"type" maxLength:"64" example:"file" doc:"Only messages of this msgtype"`
	HasMedia     string `query:"has_media" enum:"true,false" doc:"Only messages that refer to a file, or that do not"`
	File         string `query:"file" maxLength:"256" doc:"Only messages with a file whose name holds this"`
	From         string `query:"from" maxLength:"64" example:"2026-11-23T00:00:00Z" doc:"Only messages at or after this time: RFC 3339, or Unix milliseconds. Messages have whole ones; a fraction is rounded up"`
	To           string `query:"to" maxLength:"64" example:"1795392000000" doc:"Only messages before this time: RFC 3339, or Unix milliseconds. Messages have whole ones; a fraction is rounded up, so that a message of that millisecond is shown"`
	Order        string `query:"order" enum:"asc,desc" default:"desc" doc:"asc: oldest first; desc: newest first"`
	Cursor       string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before; the other parameters but limit must stay the same"`
	Limit        int    `query:"limit" minimum:"1" maximum:"50" default:"20" doc:"Most hits to return. Fewer may come, with a next_cursor"`
}

// SearchOutput is what a search found.
type SearchOutput struct{ Body SearchBody }

// SearchBody is what a search found, and what it could not look at.
type SearchBody struct {
	Hits       []Hit  `json:"hits" nullable:"false" doc:"By time, then by seq, in the order asked for"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Absent at the end"`
	Complete   bool   `json:"complete" doc:"false: the time was over before the page was full, or something cannot be read (damaged), or the index does not tell of all that is archived (the status says so). There may be more hits than those here, which follow with next_cursor, if there is one; a page may even have none"`

	NotLookedAt notLookedAt `json:"not_looked_at" doc:"What a hit could be in all the same"`
	LookedAt    lookedAt    `json:"looked_at" doc:"For this page"`
}

// Hit is a message that was found, between its neighbours.
type Hit struct {
	Conversation string `json:"conversation"`
	Titled       Titled `json:"conversation_name" doc:"How the conversation was called at the time of the message"`
	Message
	Ranges []TextRange `json:"ranges" nullable:"false" doc:"Where the terms stand in text"`
	Before *Message    `json:"before,omitempty" doc:"The message before it in its conversation"`
	After  *Message    `json:"after,omitempty" doc:"The message after it"`
	More   bool        `json:"ranges_cut,omitempty" doc:"true: the terms stand in more places of the text, behind those in ranges"`
	Alone  bool        `json:"context_cut,omitempty" doc:"true: the messages beside it were not read: the time was over, or what they lie in cannot be read"`

	Original      string `json:"original,omitempty" enum:"missing,unread" doc:"The object that holds the message was not read: missing: it is gone; unread: it is damaged, or the time was over. What is shown is what the search found it by; other members are absent, though the message may have them. Absent: it was read, or its compacted copy"`
	RecallUnknown bool   `json:"recall_unknown,omitempty" doc:"true: whether the message was recalled is not known"`
	Link          string `json:"link" example:"/m/17" doc:"Leads to the place in the transcript, on the web pages"`

	position archive.Position
}

// TextRange is where a term stands.
type TextRange struct {
	Start int `json:"start" doc:"Bytes of UTF-8, from 0"`
	End   int `json:"end" doc:"Exclusive"`
}

type notLookedAt struct {
	Contents     map[string]int64 `json:"contents" doc:"Messages among those looked at for this page that fit the filters, the words aside, and refer to files whose contents are no text: by voice, image, video, file, emotion, call (a recording), voip_doc (shown in a call). Names of files and what the messages say beside them were searched"`
	Unreadable   int64            `json:"unreadable" doc:"Messages of the whole archive that are not decrypted (yet)"`
	WaitingPages int64            `json:"waiting_pages" doc:"Pages of WeCom's stream that are stored and not decrypted yet"`
	Unopened     int64            `json:"unopened" doc:"Messages among those looked at for this page, and those that filters beside the time passed over, whose text could not be looked into wholly: the message is no JSON object, or nested deeper than the parser opens. Their own conversation, people and type may be unknown, so those filters do not count"`
	Damaged      []string         `json:"damaged" nullable:"false" doc:"Keys of the archive's objects that should have been looked at for this page and cannot be read. Ask the operator for wecom-archive redrive"`
}

type lookedAt struct {
	Messages int64 `json:"messages"`
	Bytes    int64 `json:"bytes" doc:"Read out of the buckets"`
	Requests int64 `json:"requests" doc:"To the buckets, for the search itself"`

	WithoutExtracts int      `json:"without_extracts,omitempty" doc:"Row groups of compacted objects that were read themselves, which takes longer, since their extracts are gone, damaged, or made by a program that folds texts otherwise. wecom-archive compact --rebuild makes them again"`
	Instead         []string `json:"instead,omitempty" nullable:"false" doc:"Names of what is derived and cannot be read. All that it should hold was looked at elsewhere, if need be in the archive itself. Ask the operator for compact --rebuild"`

	MS int64 `json:"ms" doc:"Time that it took, in ms"`
}

// Search finds messages. The look, with the terms, is recorded, also if nothing was found.
func (s *Content) Search(ctx context.Context, in *SearchInput) (*SearchOutput, error) {
	query, sum, err := in.query()
	if err != nil {
		return nil, err
	}
	aliases, err := s.config.Catalog.People.Aliases(ctx)
	if err != nil {
		return nil, err
	}
	known(aliases, &query.Query)
	query.Time = s.config.SearchTime
	began := time.Now()
	out := new(SearchOutput)
	body := &out.Body
	counting, countCtx := errgroup.WithContext(ctx)
	counting.Go(func() error { return s.countUnread(countCtx, &body.NotLookedAt) })
	found, err := s.scanner.Search(ctx, query)
	if err := errors.Join(err, counting.Wait()); err != nil {
		return nil, err
	}
	if body.Hits, err = s.hits(ctx, found.Hits, aliases); err != nil {
		return nil, err
	}
	if body.Complete, err = s.complete(ctx, found); err != nil {
		return nil, err
	}
	next := found.Next
	if n := fittingHits(body.Hits); n < len(body.Hits) {
		body.Hits = body.Hits[:n]
		next = &search.Cursor{After: &body.Hits[n-1].position}
	}
	if next != nil {
		body.NextCursor = encodeCursor(sum, next.Append(nil))
	}
	l := found.Looked
	body.NotLookedAt.Contents, body.NotLookedAt.Unopened, body.NotLookedAt.Damaged = l.Contents, l.Unopened, append([]string{}, found.Damaged...)
	body.LookedAt = lookedAt{Messages: l.Messages, Bytes: l.Bytes, Requests: l.Requests, WithoutExtracts: l.Plain, Instead: found.Instead, MS: time.Since(began).Milliseconds()}
	s.logDamage(ctx, found)
	if err := s.recordSearch(ctx, in, query, body.Hits); err != nil {
		return nil, err
	}
	return out, nil
}

// complete says whether a search looked at everything. What the index does not tell of, it
// could not.
func (s *Content) complete(ctx context.Context, found search.Answer) (bool, error) {
	if !found.Complete {
		return false, nil
	}
	return s.indexTells(ctx)
}

// known widens a query to all userids of the people in it, and calls the conversation as
// it is called since one was changed.
func known(aliases catalog.Aliases, q *query.Query) {
	for _, ids := range []*query.IDs{&q.Person, &q.Sender} {
		if len(*ids) > 0 {
			*ids = aliases.All((*ids)[0])
		}
	}
	q.Conversation = chat.Renamed(q.Conversation, aliases.First)
}

// conversationOf is the conversation that somebody asks for: by its id, whatever the
// order and the case of those in a pair, or by the id of a room.
func conversationOf(asked string) (conversation string, ok bool) {
	kind, rest, found := strings.Cut(asked, ":")
	switch {
	case asked == "" || asked == chat.Unparsed:
		return asked, true
	case !found:
		return chat.ConversationOf(asked), true
	case kind == "pair":
		pair := chat.PairOf(asked)
		return chat.ConversationOf("", pair...), len(pair) > 0
	}
	return asked, rest != "" && slices.Contains([]string{"room", "multi", "long"}, kind)
}

// query understands the parameters. sum ties cursors to them.
func (in *SearchInput) query() (q search.Query, sum [querySumSize]byte, err error) {
	words, err := query.ParseWords(in.Q)
	if errors.Is(err, query.ErrWords) {
		return q, sum, BadParameter("query.q", err.Error())
	}
	if err != nil {
		return q, sum, err
	}
	if in.Variants != "" {
		words = words.WithVariants()
	}
	for _, p := range in.given() {
		if !utf8.ValidString(p[1]) {
			return q, sum, BadParameter("query."+p[0], p[0]+" must be UTF-8.")
		}
	}
	conversation, ok := conversationOf(in.Conversation)
	if !ok {
		return q, sum, BadParameter("query.conversation", "conversation must be one as pair:li.na,wang.wei or room:<roomid>.")
	}
	q = search.Query{Limit: in.Limit, Descending: in.Order == "desc", Query: query.Query{
		Words: words, Conversation: conversation, SenderKind: in.SenderKind, ChatKind: in.Chat, MsgType: in.Type, File: in.File,
	}}
	if in.Person != "" {
		q.Person = query.IDs{chat.ParticipantOf(in.Person).ID}
	}
	if in.Sender != "" {
		q.Sender = query.IDs{chat.ParticipantOf(in.Sender).ID}
	}
	if in.HasMedia != "" {
		has := in.HasMedia == "true"
		q.HasMedia = &has
	}
	if q.From, err = ParseBound("from", in.From); err != nil {
		return q, sum, err
	}
	if q.To, err = ParseBound("to", in.To); err != nil {
		return q, sum, err
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		return q, sum, BadParameter("query.to", "to must be after from.")
	}
	parts := []string{"search"}
	for _, p := range in.given() {
		parts = append(parts, p[0], p[1])
	}
	sum = querySum(parts...)
	if in.Cursor == "" {
		return q, sum, nil
	}
	place, err := decodeCursor(in.Cursor, sum)
	if err == nil {
		if q.Cursor, err = search.ParseCursor(place); err != nil {
			err = errBadCursor
		}
	}
	if err != nil {
		return q, sum, refusedCursor(err, "parameters, limit aside,")
	}
	return q, sum, nil
}

// given are the parameters that were given and say what is searched for.
func (in *SearchInput) given() (pairs [][2]string) {
	for _, p := range [][2]string{
		{"q", in.Q}, {"variants", in.Variants}, {"conversation", in.Conversation}, {"person", in.Person}, {"sender", in.Sender}, {"sender_kind", in.SenderKind},
		{"chat", in.Chat}, {"type", in.Type}, {"has_media", in.HasMedia}, {"file", in.File}, {"from", in.From}, {"to", in.To}, {"order", in.Order},
	} {
		if p[1] != "" {
			pairs = append(pairs, p)
		}
	}
	return pairs
}

// countUnread counts what no search can look at yet.
func (s *Content) countUnread(ctx context.Context, n *notLookedAt) error {
	const batch = 1000
	each := func(list func(context.Context, uint64, int) ([]catalog.PageState, error), do func(catalog.PageState)) error {
		for from := uint64(0); ; {
			states, err := list(ctx, from, batch)
			if err != nil {
				return err
			}
			for _, p := range states {
				do(p)
			}
			if len(states) < batch {
				return nil
			}
			from = states[batch-1].SeqAsked + 1
		}
	}
	if err := each(s.config.Catalog.Pages.PendingPages, func(catalog.PageState) { n.WaitingPages++ }); err != nil {
		return err
	}
	return each(s.config.Catalog.Pages.Quarantined, func(p catalog.PageState) {
		for _, count := range p.Unreadable {
			n.Unreadable += int64(count)
		}
	})
}

// logDamage says what a search could not read, and reports it.
func (s *Content) logDamage(ctx context.Context, found search.Answer) {
	for _, key := range found.Damaged {
		s.config.Log.ErrorContext(ctx, "a search could not read an object", "key", key, "request", AskerOf(ctx).Request)
		s.report(ctx, unreadObject(key, "a search could not read it"))
	}
	for _, name := range found.Instead {
		s.config.Log.ErrorContext(ctx, "a search could not read what is derived, and read it elsewhere", "name", name, "request", AskerOf(ctx).Request)
		s.report(ctx, unreadObject(name, "a search could not read it, and read what it was made from"))
	}
}

// unreadObject is the finding about an object, or a row group of one (key#3), that was
// not what it must be.
func unreadObject(name, why string) archive.Finding {
	key, _, _ := strings.Cut(name, "#")
	f := archive.Finding{Where: archive.InArchive, Kind: archive.Altered, Key: key, By: reader, Detail: why}
	if strings.HasPrefix(key, compaction.Prefix) {
		f.Where = archive.InDerived
	}
	return f
}

// recordSearch makes the record that must exist before the answer leaves, even of a
// search that found nothing: that nothing was found says something.
func (s *Content) recordSearch(ctx context.Context, in *SearchInput, q search.Query, hits []Hit) error {
	var seqs []int64
	seen := map[int64]bool{}
	var conversations []string
	for i := range hits {
		conversations = append(conversations, hits[i].Conversation)
		for _, m := range []*Message{hits[i].Before, &hits[i].Message, hits[i].After} {
			if m != nil && m.Unreadable == "" && !seen[m.Seq] {
				seen[m.Seq] = true
				seqs = append(seqs, m.Seq)
			}
		}
	}
	asked := map[string]string{}
	for _, p := range in.given() {
		asked[p[0]] = p[1]
	}
	return s.record(ctx, access.Look{
		What: access.WhatSearch, Conversation: q.Conversation, Search: asked, Conversations: conversations,
		Seqs: access.SeqsOf(seqs), From: q.From, To: q.To,
	})
}
