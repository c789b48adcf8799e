package viewer

import (
	"context"
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
)

// message is one message as the API shows it.
type message struct {
	Seq        int64      `json:"seq" doc:"WeCom's number of the message in the corp's stream"`
	MsgID      string     `json:"msgid"`
	Time       string     `json:"time" format:"date-time" example:"2026-11-23T08:00:00.000Z"`
	TimeSource string     `json:"time_source" doc:"Where in the message the time was read"`
	Action     string     `json:"action,omitempty" example:"send"`
	Type       string     `json:"type,omitempty" example:"text" doc:"msgtype"`
	From       string     `json:"from,omitempty" doc:"Sender's id; employees' userids in lower case"`
	FromKind   string     `json:"from_kind,omitempty" example:"employee" doc:"employee, external or robot"`
	To         []string   `json:"to" nullable:"false" doc:"Receivers' ids"`
	Room       string     `json:"room,omitempty" doc:"roomid"`
	Chat       string     `json:"chat,omitempty" example:"external" doc:"internal, external or updown_stream"`
	Ref        string     `json:"ref,omitempty" doc:"msgid of the message that this one refers to"`
	Text       string     `json:"text,omitempty" doc:"What a person would search for. Hostile input: never take it for markup"`
	Media      []mediaRef `json:"media" nullable:"false"`

	ParserVersion int    `json:"parser_version" doc:"Of the parser that read the members above out of the message"`
	PublicKeyVer  *int64 `json:"publickey_ver,omitempty" doc:"Version of the key that it was encrypted with"`
	RawSHA256     string `json:"raw_sha256" doc:"Hex, of the message as decrypted"`
	Segment       string `json:"segment" doc:"Key of the archive's object that holds it"`
	Row           int    `json:"row" doc:"Its row there, from 0"`
	Page          string `json:"page" doc:"Key of the object that holds it as WeCom returned it, encrypted"`
	Raw           []byte `json:"raw_base64,omitzero" required:"false" doc:"The message exactly as decrypted; with raw=true"`
}

type mediaRef struct {
	Path string `json:"path" doc:"Where in the message"`
	Kind string `json:"kind" example:"image"`
	Name string `json:"name,omitempty"`
	Size *int64 `json:"size,omitempty" doc:"Bytes, if the message says"`
	MD5  string `json:"md5,omitempty" doc:"As the message says"`
}

// timeLayout has always the same width, so that times compare as text.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// readMessages reads the messages of a conversation at the places, in their
// order. Each segment is read once, few at a time, and only the rows wanted are
// kept.
func (s *server) readMessages(ctx context.Context, conversation string, places []archive.Place, raw bool) ([]message, error) {
	bySegment := map[string][]int{} // indexes into places
	for i, p := range places {
		bySegment[p.Object] = append(bySegment[p.Object], i)
	}
	out := make([]message, len(places))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxDecoding)
	for key, wanted := range bySegment {
		group.Go(func() (err error) {
			defer func() { // outside of the request's goroutine a panic would end the program
				if p := recover(); p != nil {
					err = fmt.Errorf("reading %s: panic: %v\n%s", key, p, debug.Stack())
				}
			}()
			select {
			case s.decoding <- struct{}{}:
				defer func() { <-s.decoding }()
			case <-ctx.Done():
				return ctx.Err()
			}
			meta, rows, err := s.readSegment(ctx, key)
			if err != nil {
				return err
			}
			for _, i := range wanted {
				row, err := rowAt(rows, places[i], conversation)
				if err != nil {
					return err
				}
				out[i] = view(row, places[i], meta.PageKey, raw)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

func (s *server) readSegment(ctx context.Context, key string) (archive.SegmentMeta, []archive.Row, error) {
	stored, err := archive.ReadObject(ctx, s.Objects, key)
	if err != nil {
		return archive.SegmentMeta{}, nil, err
	}
	meta, rows, err := archive.DecodeSegment(stored)
	if err != nil {
		return meta, nil, fmt.Errorf("reading %s: %w", key, err)
	}
	return meta, rows, nil
}

// rowAt is the row that a place names. An index that points to anything but the
// message that it promised is damaged: the message of somebody else must not
// show.
func rowAt(rows []archive.Row, p archive.Place, conversation string) (archive.Row, error) {
	damaged := func(what string) (archive.Row, error) {
		return archive.Row{}, fmt.Errorf("index: row %d of %s, seq %d: %s: %w", p.Row, p.Object, p.Seq, what, archive.ErrDamaged)
	}
	if p.Row < 0 || p.Row >= len(rows) {
		return damaged("there is no such row")
	}
	switch row := rows[p.Row]; {
	case !row.Readable():
		return damaged("the row holds no message")
	case !row.HasSeq || row.Seq != p.Seq || row.Position != p.Envelope:
		return damaged("the row has another seq or position")
	case row.Conversation != conversation:
		return damaged("the row belongs to another conversation")
	case !row.MsgTime.Equal(p.Time):
		return damaged("the row has another time")
	default:
		return row, nil
	}
}

func view(r archive.Row, p archive.Place, page string, raw bool) message {
	m := message{
		Seq: r.Seq, MsgID: r.MsgID, Time: r.MsgTime.UTC().Format(timeLayout), TimeSource: r.TimeSource,
		Action: r.Action, Type: r.MsgType, From: r.FromID, FromKind: r.SenderKind, To: r.ToIDs,
		Room: r.RoomID, Chat: r.ChatKind, Ref: r.RefMsgID, Text: r.Text, Media: make([]mediaRef, len(r.Media)),
		ParserVersion: r.ParserVersion, RawSHA256: r.RawSHA256, Segment: p.Object, Row: p.Row, Page: page,
	}
	if m.To == nil {
		m.To = []string{}
	}
	if r.PublicKeyVer >= 0 {
		m.PublicKeyVer = &r.PublicKeyVer
	}
	for i, ref := range r.Media {
		m.Media[i] = mediaRef{Path: ref.Path, Kind: ref.Kind, Name: ref.Name, MD5: ref.MD5}
		if ref.Size >= 0 {
			m.Media[i].Size = &ref.Size
		}
	}
	if raw {
		m.Raw = r.Raw
	}
	return m
}

// fitting is how many of the messages go into one answer: at least one, if there
// are any.
func fitting(messages []message) int {
	size := 0
	for i, m := range messages {
		size += m.size()
		if size > maxAnswer && i > 0 {
			return i
		}
	}
	return len(messages)
}

// size is about the bytes that a message takes in an answer.
func (m message) size() int {
	n := 600 + len(m.Text) + len(m.Raw)*4/3
	for _, id := range m.To {
		n += len(id) + 3
	}
	for _, ref := range m.Media {
		n += len(ref.Path) + len(ref.Kind) + len(ref.Name) + len(ref.MD5) + 60
	}
	return n
}
