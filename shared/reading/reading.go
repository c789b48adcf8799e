// Package reading makes the reading of a message: what the parser of this program
// (package wecom) understands of it, in the words of the archive. The archiver, the
// compactor and the API share it, so that a message is read in one way.
package reading

import (
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/wecom"
)

// Func makes a reading of a message. msgid and pulledAt come from envelope and
// page, for what the message itself does not say.
type Func func(raw []byte, msgid string, pulledAt time.Time) archive.Reading

// Read is the Func of this program.
func Read(raw []byte, msgid string, pulledAt time.Time) archive.Reading {
	m := wecom.Parse(raw, msgid, pulledAt)
	r := archive.Reading{
		ParserVersion: wecom.ParserVersion,
		Action:        m.Action,
		Conversation:  m.Conversation,
		RoomID:        m.RoomID,
		FromID:        m.From.ID,
		MsgTime:       m.Time,
		TimeSource:    m.TimeSource,
		MsgType:       m.MsgType,
		SenderKind:    string(m.From.Kind),
		ChatKind:      m.ChatKind,
		RefMsgID:      m.Ref,
		Text:          m.Text,
	}
	for _, p := range m.To {
		r.ToIDs = append(r.ToIDs, p.ID)
	}
	for _, f := range m.Media {
		r.Media = append(r.Media, archive.MediaRef{
			Path: f.Path, Kind: f.Kind, Name: f.Name, Size: f.Size, MD5: f.MD5, FileIDSHA256: f.FileIDHash(),
		})
	}
	return r
}
