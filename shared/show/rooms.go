package show

import (
	"context"
	"unicode/utf8"

	"wecom-archive/shared/chat"
	"wecom-archive/shared/store"
)

// RoomsInput asks for rooms.
type RoomsInput struct {
	Query  string `query:"q" maxLength:"64" example:"项目" doc:"Only rooms one of whose names, of now or before, contains it (full-width forms and case do not matter)"`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Most rooms to return"`
}

type roomsOutput struct {
	Body struct {
		Rooms      []ChatRoom `json:"rooms" nullable:"false" doc:"In byte order of their ids; with q by what follows it in their names"`
		NextCursor string     `json:"next_cursor,omitempty" doc:"Absent at the end"`
	}
}

// ChatRoom is a room that was seen in messages.
type ChatRoom struct {
	ID           string `json:"id" doc:"roomid"`
	Conversation string `json:"conversation" doc:"Id of the conversation"`
	Customers    bool   `json:"customers,omitempty" doc:"It has customers, as far as WeCom was asked"`
	Owner        string `json:"owner,omitempty" doc:"Userid"`
	DirectoryName
}

// Rooms lists rooms, all or those that are called so.
func (s *People) Rooms(ctx context.Context, in *RoomsInput) (*roomsOutput, error) {
	if in.Query != "" {
		return s.roomsCalled(ctx, in)
	}
	sum := querySum("rooms")
	after := ""
	if in.Cursor != "" {
		place, err := decodeCursor(in.Cursor, sum)
		if err == nil && (len(place) == 0 || !utf8.Valid(place) || len(place) > store.MaxIndexKey/2) {
			err = errBadCursor
		}
		if err != nil {
			return nil, refusedCursor(err, "limit")
		}
		after = string(place)
	}
	ids, err := s.config.Catalog.People.Rooms(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out, err := s.roomList(ctx, ids[:min(in.Limit, len(ids))])
	if err == nil && len(ids) > in.Limit {
		out.Body.NextCursor = encodeCursor(sum, []byte(ids[in.Limit-1]))
	}
	return out, err
}

// roomsCalled lists rooms by what they are called.
func (s *People) roomsCalled(ctx context.Context, in *RoomsInput) (*roomsOutput, error) {
	if !utf8.ValidString(in.Query) {
		return nil, BadParameter("query.q", "q must be UTF-8.")
	}
	sum := querySum("rooms", "q", in.Query)
	_, after, err := calledCursor(in.Cursor, sum, "q")
	if err != nil {
		return nil, err
	}
	ids, next, err := s.config.Catalog.People.CalledRooms(ctx, in.Query, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out, err := s.roomList(ctx, ids)
	if err == nil && next != "" {
		out.Body.NextCursor = encodeCursor(sum, []byte(string(inNames)+next))
	}
	return out, err
}

func (s *People) roomList(ctx context.Context, ids []string) (*roomsOutput, error) {
	n, err := s.NamesOf(ctx, nil, ids)
	if err != nil {
		return nil, err
	}
	out := new(roomsOutput)
	out.Body.Rooms = []ChatRoom{}
	for _, id := range ids {
		e := n.Rooms[id]
		out.Body.Rooms = append(out.Body.Rooms, ChatRoom{ID: id, Conversation: chat.RoomPrefix + id, Customers: e.Customers, Owner: e.Owner, DirectoryName: Detailed(e)})
	}
	return out, nil
}
