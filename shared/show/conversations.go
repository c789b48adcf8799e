package show

import (
	"context"
	"time"
	"unicode/utf8"

	"wecom-archive/shared/store"
)

// ConversationsInput asks for the conversations of a day.
type ConversationsInput struct {
	Day    string `query:"day" required:"true" format:"date" example:"2026-11-23" doc:"UTC day"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Most conversations to return"`
}

type conversationsOutput struct {
	Body struct {
		Conversations []conversation `json:"conversations" nullable:"false" doc:"In byte order of their ids"`
		NextCursor    string         `json:"next_cursor,omitempty" doc:"Absent at the end"`
	}
}

type conversation struct {
	ID string `json:"id" example:"pair:li.na,wang.wei" doc:"Percent-encode it where it becomes part of a path"`
	Titled
}

// Conversations lists those with a message on a day.
func (s *People) Conversations(ctx context.Context, in *ConversationsInput) (*conversationsOutput, error) {
	if !IsDay(in.Day) {
		return nil, BadParameter("query.day", "day must be a date like 2026-11-23.")
	}
	sum := querySum("conversations", in.Day)
	after := ""
	if in.Cursor != "" {
		place, err := decodeCursor(in.Cursor, sum)
		if err == nil && !conversationID(string(place)) {
			err = errBadCursor
		}
		if err != nil {
			return nil, refusedCursor(err, "day")
		}
		after = string(place)
	}
	ids, err := s.config.Catalog.Conversations.ActiveConversations(ctx, in.Day, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := new(conversationsOutput)
	out.Body.Conversations = []conversation{}
	shown := ids[:min(in.Limit, len(ids))]
	titles, err := s.Titles(ctx, shown, func(int) time.Time { return endOfDay(in.Day) })
	if err != nil {
		return nil, err
	}
	for i, id := range shown {
		out.Body.Conversations = append(out.Body.Conversations, conversation{ID: id, Titled: titles[i]})
	}
	if len(ids) > in.Limit {
		out.Body.NextCursor = encodeCursor(sum, []byte(ids[in.Limit-1]))
	}
	return out, nil
}

// IsDay says whether a text is a date like 2026-11-23.
func IsDay(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// maxConversationID leaves room for what the index puts before an id.
const maxConversationID = store.MaxIndexKey - 64 // bytes

// conversationID says whether the index could know a conversation by this id.
func conversationID(id string) bool {
	return id != "" && len(id) <= maxConversationID && utf8.ValidString(id)
}
