package viewer

import (
	"context"
	"net/http"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"wecom-archive/shared/archive"
)

type roomsInput struct {
	Cursor string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Most rooms to return"`
}

type roomsOutput struct {
	Body struct {
		Rooms      []chatRoom `json:"rooms" nullable:"false" doc:"In byte order of their ids"`
		NextCursor string     `json:"next_cursor,omitempty" doc:"Absent at the end"`
	}
}

type chatRoom struct {
	ID           string `json:"id" doc:"roomid"`
	Conversation string `json:"conversation" doc:"Id of the conversation"`
	Customers    bool   `json:"customers,omitempty" doc:"It has customers, as far as WeCom was asked"`
	Owner        string `json:"owner,omitempty" doc:"Userid"`
	directoryName
}

func (s *server) registerRooms() {
	register(s, huma.Operation{
		OperationID: "list-rooms",
		Path:        "/v1/rooms",
		Summary:     "Rooms that were seen in messages",
		Tags:        []string{"content"},
		Errors:      []int{http.StatusBadRequest},
	}, contentRoles, s.rooms)
}

func (s *server) rooms(ctx context.Context, in *roomsInput) (*roomsOutput, error) {
	sum := querySum("rooms")
	after := ""
	if in.Cursor != "" {
		place, err := decodeCursor(in.Cursor, sum)
		if err == nil && (len(place) == 0 || !utf8.Valid(place) || len(place) > archive.MaxIndexKey/2) {
			err = errBadCursor
		}
		if err != nil {
			return nil, refusedCursor(err, "limit")
		}
		after = string(place)
	}
	ids, err := s.Catalog.Rooms(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	shown := ids[:min(in.Limit, len(ids))]
	n, err := s.namesOf(ctx, nil, shown)
	if err != nil {
		return nil, err
	}
	out := new(roomsOutput)
	out.Body.Rooms = []chatRoom{}
	for _, id := range shown {
		e := n.rooms[id]
		out.Body.Rooms = append(out.Body.Rooms, chatRoom{ID: id, Conversation: "room:" + id, Customers: e.Customers, Owner: e.Owner, directoryName: detailed(e)})
	}
	if len(ids) > in.Limit {
		out.Body.NextCursor = encodeCursor(sum, []byte(ids[in.Limit-1]))
	}
	return out, nil
}
