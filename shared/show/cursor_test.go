package show

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
)

// FuzzCursor: a cursor that is taken is the very one that was handed out for this query,
// and what it leads to is written the same way again.
func FuzzCursor(f *testing.F) {
	sum := querySum("messages", "pair:a,b")
	position := EncodePosition(archive.Position{Time: time.UnixMilli(1795420800007), Seq: 1 << 62, Page: 1<<64 - 1, Envelope: 999})
	for _, place := range [][]byte{position, position[1:], nil, bytes.Repeat([]byte{0xff}, positionSize), []byte("2026-11-23pair:a,b"), []byte("2026-11-31pair:a,b"), []byte("2026-11-23\xff"), []byte("2026-11-23" + strings.Repeat("c", 3000))} {
		cursor := encodeCursor(sum, place)
		f.Add(cursor)
		f.Add(cursor[:len(cursor)/2])
		f.Add(cursor + "=")
		f.Add(cursor + "\n")
		f.Add("B" + cursor[1:])
		f.Add(encodeCursor(querySum("messages", "pair:a,", "b"), place))
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		place, err := decodeCursor(cursor, sum)
		if err != nil {
			if place != nil || len(refusedCursor(err, "conversation").Detail) > 300 {
				t.Fatalf("%q beside %v", place, err)
			}
			return
		}
		// Package base64 passes over ends of lines.
		if encodeCursor(sum, place) != strings.NewReplacer("\r", "", "\n", "").Replace(cursor) {
			t.Fatalf("%q passes for %q", cursor, encodeCursor(sum, place))
		}
		if p, err := DecodePosition(place); err == nil && (!bytes.Equal(EncodePosition(p), place) || p.Time.Before(time.UnixMilli(0)) || !p.Time.Before(MaxTime)) {
			t.Fatalf("%x passes for %+v", place, p)
		}
		if talk, err := decodeTalk(place); err == nil && (talk.Day+talk.Conversation != string(place) || !IsDay(talk.Day) || !conversationID(talk.Conversation)) {
			t.Fatalf("%q passes for %+v", place, talk)
		}
	})
}
