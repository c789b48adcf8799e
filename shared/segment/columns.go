package segment

import (
	"strings"
	"time"

	"wecom-archive/shared/archive"
)

func ColumnsOf(r archive.Row) Columns {
	p := Columns{
		Position:  int32(r.Position),
		MsgID:     valid(r.MsgID),
		PulledAt:  r.PulledAt.UnixMilli(),
		Outcome:   string(r.Outcome),
		RawSHA256: orNull(r.RawSHA256),
	}
	if r.HasSeq {
		p.Seq = &r.Seq
	}
	if r.Raw != nil {
		p.Raw = &r.Raw
	}
	if r.PublicKeyVer >= 0 {
		p.PublicKeyVer = &r.PublicKeyVer
	}
	if !r.Readable() {
		return p
	}
	version, msgTime := int32(r.ParserVersion), r.MsgTime.UnixMilli()
	p.ParserVersion = &version
	p.MsgTime = &msgTime
	p.Action = orNull(r.Action)
	p.Conversation = orNull(r.Conversation)
	p.RoomID = orNull(r.RoomID)
	p.FromID = orNull(r.FromID)
	p.TimeSource = orNull(r.TimeSource)
	p.MsgType = orNull(r.MsgType)
	p.SenderKind = orNull(r.SenderKind)
	p.ChatKind = orNull(r.ChatKind)
	p.RefMsgID = orNull(r.RefMsgID)
	p.Text = orNull(r.Text)
	for _, id := range r.ToIDs {
		p.ToIDs = append(p.ToIDs, valid(id))
	}
	for _, m := range r.Media {
		pm := parquetMedia{Path: valid(m.Path), Kind: valid(m.Kind), Name: valid(m.Name), MD5: valid(m.MD5), FileIDSHA256: m.FileIDSHA256}
		if m.Size >= 0 {
			pm.Size = &m.Size
		}
		p.Media = append(p.Media, pm)
	}
	return p
}

func (p Columns) Row() archive.Row {
	r := archive.Row{
		Position:     int(p.Position),
		MsgID:        p.MsgID,
		PublicKeyVer: -1,
		PulledAt:     time.UnixMilli(p.PulledAt).UTC(),
		RawSHA256:    fromNull(p.RawSHA256),
		Outcome:      archive.Outcome(p.Outcome),
	}
	if p.Seq != nil {
		r.Seq, r.HasSeq = *p.Seq, true
	}
	if p.Raw != nil {
		r.Raw = *p.Raw
	}
	if p.PublicKeyVer != nil {
		r.PublicKeyVer = *p.PublicKeyVer
	}
	if !r.Readable() {
		return r
	}
	r.Reading = archive.Reading{
		Action:       fromNull(p.Action),
		Conversation: fromNull(p.Conversation),
		RoomID:       fromNull(p.RoomID),
		FromID:       fromNull(p.FromID),
		TimeSource:   fromNull(p.TimeSource),
		MsgType:      fromNull(p.MsgType),
		SenderKind:   fromNull(p.SenderKind),
		ChatKind:     fromNull(p.ChatKind),
		RefMsgID:     fromNull(p.RefMsgID),
		Text:         fromNull(p.Text),
	}
	if p.ParserVersion != nil {
		r.ParserVersion = int(*p.ParserVersion)
	}
	if p.MsgTime != nil {
		r.MsgTime = time.UnixMilli(*p.MsgTime).UTC()
	}
	if len(p.ToIDs) > 0 {
		r.ToIDs = p.ToIDs
	}
	for _, m := range p.Media {
		ref := archive.MediaRef{Path: m.Path, Kind: m.Kind, Name: m.Name, Size: -1, MD5: m.MD5, FileIDSHA256: m.FileIDSHA256}
		if m.Size != nil {
			ref.Size = *m.Size
		}
		r.Media = append(r.Media, ref)
	}
	return r
}

// valid makes s what Parquet's STRING must be: UTF-8. Only readings and ids pass
// through it; raw is bytes.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	s = valid(s)
	return &s
}

func fromNull(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
