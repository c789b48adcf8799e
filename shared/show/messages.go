package show

import (
	"context"
	"strconv"
	"strings"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/person"
	"wecom-archive/shared/query"
)

type messagesInput struct {
	ID     string `path:"id" example:"pair:li.na,wang.wei" doc:"Id of the conversation, percent-encoded"`
	From   string `query:"from" maxLength:"64" example:"2026-11-23T00:00:00Z" doc:"Only messages at or after this time: RFC 3339, or Unix milliseconds. Messages have whole ones; a fraction is rounded up"`
	To     string `query:"to" maxLength:"64" example:"1795392000000" doc:"Only messages before this time: RFC 3339, or Unix milliseconds. Messages have whole ones; a fraction is rounded up, so that a message of that millisecond is shown"`
	Order  string `query:"order" enum:"asc,desc" default:"asc" doc:"asc: oldest first; desc: newest first"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before; the other parameters but limit and raw must stay the same"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Most messages to return. Fewer may come, with a next_cursor, if they are long"`
	Raw    bool   `query:"raw" doc:"Also return each message as it was decrypted. Needs the role auditor: it holds the ids that open the files"`
}

type messagesOutput struct {
	Body struct {
		Messages   []Message     `json:"messages" nullable:"false" doc:"By time, then by seq, in the order asked for"`
		People     []Participant `json:"people" nullable:"false" doc:"Everybody who takes part in these messages, in byte order of their ids, called as at the first of them"`
		NextCursor string        `json:"next_cursor,omitempty" doc:"Absent at the end"`
		Complete   bool          `json:"complete" doc:"false: messages may be missing here, also between those that are. What is compacted of them cannot be read, and not all segments could be read in its place. Ask again: each try gets further. The daily compaction makes anew what is lost of it; the status says what is damaged"`
	}
}

// Messages shows messages of a conversation. The look is recorded.
func (s *Content) Messages(ctx context.Context, in *messagesInput) (*messagesOutput, error) {
	if who := AskerOf(ctx).Person; in.Raw && !who.Has(person.Auditor) {
		return nil, Forbidden(person.Auditor)
	}
	query, sum, err := in.query()
	if err != nil {
		return nil, err
	}
	query.Limit = in.Limit + 1 // one more tells whether there is more
	part, err := s.transcript.Some(ctx, query)
	if err != nil {
		return nil, err
	}
	found := part.Messages
	aliases, err := s.config.Catalog.People.Aliases(ctx)
	if err != nil {
		return nil, err
	}
	shown := make([]Message, min(in.Limit, len(found)))
	for i := range shown {
		shown[i] = View(s.newest(found[i], aliases), in.Raw)
	}
	shown = shown[:fitting(shown)]
	tells, err := s.indexTells(ctx)
	if err != nil {
		return nil, err
	}
	out := new(messagesOutput)
	out.Body.Messages, out.Body.Complete = shown, tells && !part.Incomplete
	if out.Body.People, err = s.people.nameMessages(ctx, shown); err != nil {
		return nil, err
	}
	if err := s.linkRecalls(ctx, in.ID, shown); err != nil {
		return nil, err
	}
	if n := len(shown); n < len(found) {
		out.Body.NextCursor = encodeCursor(sum, EncodePosition(found[n-1].Place.Position))
	}
	if err := s.recordLook(ctx, access.Look{Conversation: in.ID, What: whatOf(in.Raw), From: query.From, To: query.To}, shown); err != nil {
		return nil, err
	}
	return out, nil
}

// query understands the parameters. sum ties cursors to them.
func (in *messagesInput) query() (q catalog.PlaceQuery, sum [querySumSize]byte, err error) {
	if !conversationID(in.ID) {
		return q, sum, BadParameter("path.id",
			"The conversation's id must be UTF-8, percent-encoded, of 1 to "+strconv.Itoa(maxConversationID)+" bytes.")
	}
	q = catalog.PlaceQuery{Conversation: in.ID, Descending: in.Order == "desc"}
	if q.From, err = ParseBound("from", in.From); err != nil {
		return q, sum, err
	}
	if q.To, err = ParseBound("to", in.To); err != nil {
		return q, sum, err
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		return q, sum, BadParameter("query.to", "to must be after from.")
	}
	sum = querySum("messages", in.ID, q.From.Format(time.RFC3339Nano), q.To.Format(time.RFC3339Nano), in.Order)
	if in.Cursor == "" {
		return q, sum, nil
	}
	place, err := decodeCursor(in.Cursor, sum)
	if err != nil {
		return q, sum, refusedCursor(err, "id, from, to and order")
	}
	after, err := DecodePosition(place)
	if err != nil {
		return q, sum, refusedCursor(err, "")
	}
	q.After = &after
	return q, sum, nil
}

// ParseBound reads a bound of time. Messages have whole milliseconds, and so has what it
// returns: a fraction of one is rounded up, so that the same messages lie before it. Empty
// is zero: no bound.
func ParseBound(name, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, value)
	if ms, numErr := strconv.ParseInt(value, 10, 64); numErr == nil {
		if t, err = time.UnixMilli(ms), nil; ms >= MaxTime.UnixMilli() {
			t = MaxTime // UnixMilli overflows
		}
	}
	if err != nil {
		detail := name + " must be a time like 2026-11-23T08:00:00Z, or Unix milliseconds."
		if strings.Contains(value, " ") {
			detail += " Write + as %2B in a URL."
		}
		return t, BadParameter("query."+name, detail)
	}
	if t = query.WholeMS(t.UTC()); t.Before(time.UnixMilli(0)) || !t.Before(MaxTime) {
		return t, BadParameter("query."+name, name+" must lie between 1970 and 9999. Unix times are in milliseconds.")
	}
	return t, nil
}
