package segment_test

import (
	"errors"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

// FuzzDecodeSegment: damaged files give errors; they neither panic nor make the
// reader allocate what the file cannot hold.
func FuzzDecodeSegment(f *testing.F) {
	good, err := segment.Encode(segment.Meta{Corp: "ww", PageKey: archive.PageKey(0), WrittenAt: time.UnixMilli(0)}, fuzzRows())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-9])
	f.Add(good[4:])
	f.Add([]byte("PAR1PAR1"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		_, rows, err := segment.Decode(stored)
		if err != nil && !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
			t.Fatalf("neither damaged nor newer: %v", err)
		}
		if err != nil && rows != nil {
			t.Fatal("rows beside an error")
		}
	})
}

func fuzzRows() []archive.Row {
	return []archive.Row{
		{Position: 0, Seq: 11, HasSeq: true, MsgID: "a", PublicKeyVer: 1, PulledAt: time.UnixMilli(5), Raw: []byte(`{"x":1}`), RawSHA256: hexSum([]byte(`{"x":1}`)), Outcome: archive.OutcomeOK,
			Reading: archive.Reading{ParserVersion: 1, Conversation: "pair:a,b", ToIDs: []string{"b"}, Text: "文本", MsgTime: time.UnixMilli(7), Media: []archive.MediaRef{{Path: "image", Size: 4}}}},
		{Position: 1, Seq: 12, HasSeq: true, MsgID: "b", PublicKeyVer: -1, PulledAt: time.UnixMilli(5), Outcome: archive.OutcomeUnknownKey},
	}
}
