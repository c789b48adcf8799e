package segment_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

func encode(t testing.TB, rows ...archive.Row) []byte {
	t.Helper()
	stored, err := segment.Encode(segment.Meta{Corp: "ww", PageKey: archive.PageKey(7), PageSHA256: "aa", Part: 2, Program: "v1", WrittenAt: time.UnixMilli(9)}, rows)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// TestSegmentSchema pins names and types of the columns: other programs read them.
func TestSegmentSchema(t *testing.T) {
	stored := encode(t, fuzzRows()...)
	f, err := parquet.OpenFile(bytes.NewReader(stored), int64(len(stored)))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "segment-schema.golden", []byte(f.Schema().String()+"\n"))
	for _, column := range f.Metadata().RowGroups[0].Columns {
		if column.MetaData.Codec.String() != "ZSTD" {
			t.Errorf("%v is not zstd", column.MetaData.PathInSchema)
		}
	}
	if len(f.ColumnIndexes()) == 0 || len(f.OffsetIndexes()) == 0 {
		t.Error("no page index")
	}
}

// TestStoredSegmentStaysReadable reads a segment that an earlier program stored.
func TestStoredSegmentStaysReadable(t *testing.T) {
	path := filepath.Join("testdata", "segment-v1.parquet")
	if _, err := os.Stat(path); err != nil && *update {
		if err := os.WriteFile(path, encode(t, fuzzRows()...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	meta, rows, err := segment.Decode(stored)
	if err != nil || len(rows) != 2 || string(rows[0].Raw) != `{"x":1}` || rows[0].Text != "文本" || rows[1].Outcome != archive.OutcomeUnknownKey {
		t.Errorf("%+v, %v", rows, err)
	}
	if meta.Part != 2 || meta.PageKey != archive.PageKey(7) {
		t.Errorf("%+v", meta)
	}
}

// TestSegmentRoundTrip: rows come back as they were, in seq order; raw byte for
// byte, and null apart from empty.
func TestSegmentRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, stored := drawSegment(t)
		_, got, err := segment.Decode(stored)
		if err != nil {
			t.Fatal(err)
		}
		archive.SortRows(rows)
		for i, want := range rows {
			want.Text = strings.ToValidUTF8(want.Text, "\uFFFD") // a reading is UTF-8, raw need not be
			want.MsgID = strings.ToValidUTF8(want.MsgID, "\uFFFD")
			if !reflect.DeepEqual(got[i], want) {
				t.Fatalf("row %d\ngot  %#v\nwant %#v", i, got[i], want)
			}
		}
	})
}

// drawSegment draws rows and how they are stored.
func drawSegment(t *rapid.T) (rows []archive.Row, stored []byte) {
	rows = make([]archive.Row, rapid.IntRange(1, 20).Draw(t, "rows"))
	for i := range rows {
		rows[i] = drawRow(t, i)
	}
	stored, err := segment.Encode(segment.Meta{WrittenAt: time.UnixMilli(9)}, rows)
	if err != nil {
		t.Fatal(err)
	}
	return rows, stored
}

func drawRow(t *rapid.T, position int) archive.Row {
	text := rapid.OneOf(rapid.String(), rapid.Just("\xff\x00中文"), rapid.Just(""))
	r := archive.Row{
		Position: position, MsgID: text.Draw(t, "msgid"), PublicKeyVer: rapid.Int64Range(-1, 1<<40).Draw(t, "ver"),
		PulledAt: time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "pulled")).UTC(),
	}
	if r.HasSeq = rapid.Bool().Draw(t, "has seq"); r.HasSeq {
		r.Seq = rapid.Int64Min(1).Draw(t, "seq")
	}
	if !r.HasSeq || rapid.Bool().Draw(t, "unreadable") {
		r.Outcome = rapid.SampledFrom([]archive.Outcome{archive.OutcomeBadSeq, archive.OutcomeUnknownKey, "a later reason"}).Draw(t, "why")
		return r
	}
	r.Outcome = archive.OutcomeOK
	r.Raw = rapid.SliceOf(rapid.Byte()).Draw(t, "raw")
	if r.Raw == nil {
		r.Raw = []byte{}
	}
	r.RawSHA256 = hexSum(r.Raw)
	r.Reading = archive.Reading{
		ParserVersion: rapid.IntRange(0, 1000).Draw(t, "parser"),
		Conversation:  "pair:a,b", Text: text.Draw(t, "text"), MsgType: rapid.SampledFrom([]string{"", "text"}).Draw(t, "type"),
		MsgTime: time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "time")).UTC(),
	}
	if rapid.Bool().Draw(t, "to") {
		r.ToIDs = []string{"li.na", "", "wmX"}
	}
	if rapid.Bool().Draw(t, "media") {
		r.Media = []archive.MediaRef{{Path: "image", Kind: "image", Name: "报价.xlsx", Size: rapid.Int64Range(-1, 1<<40).Draw(t, "size"), MD5: "m", FileIDSHA256: "f"}}
	}
	return r
}

func TestRowsThatMakeNoSegment(t *testing.T) {
	ok := fuzzRows()[0]
	tests := map[string]func(*archive.Row){
		"no outcome":          func(r *archive.Row) { r.Outcome = "" },
		"ok without raw":      func(r *archive.Row) { r.Raw = nil },
		"ok without hash":     func(r *archive.Row) { r.RawSHA256 = "" },
		"ok without seq":      func(r *archive.Row) { r.HasSeq = false },
		"ok, belongs nowhere": func(r *archive.Row) { r.Conversation = "" },
		"unreadable with raw": func(r *archive.Row) { r.Outcome = archive.OutcomeBadKey },
		"position":            func(r *archive.Row) { r.Position = -1 },
		"another's hash":      func(r *archive.Row) { r.RawSHA256 = hexSum([]byte("other")) },
		"hash of nothing":     func(r *archive.Row) { r.Outcome, r.Raw = archive.OutcomeBadKey, nil },
		"parser version":      func(r *archive.Row) { r.ParserVersion = 1 << 40 },
	}
	for name, spoil := range tests {
		row := ok
		spoil(&row)
		if _, err := segment.Encode(segment.Meta{}, []archive.Row{row}); !errors.Is(err, segment.ErrRows) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := segment.Encode(segment.Meta{}, []archive.Row{ok, ok}); !errors.Is(err, segment.ErrRows) {
		t.Errorf("a position twice: %v", err)
	}
	if _, err := segment.Encode(segment.Meta{}, nil); !errors.Is(err, segment.ErrRows) {
		t.Errorf("no rows: %v", err)
	}
}

func TestForeignSegments(t *testing.T) {
	var foreign bytes.Buffer
	if err := parquet.Write(&foreign, []struct{ A int }{{1}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := segment.Decode(foreign.Bytes()); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a Parquet file of somebody else: %v", err)
	}
	// The footer holds the format's number as text, just after its key.
	newer := bytes.Replace(encode(t, fuzzRows()...), []byte("wecom-archive.format\x18\x011"), []byte("wecom-archive.format\x18\x012"), 1)
	if err := segment.Reseal(newer); err != nil {
		t.Fatal(err)
	}
	if _, _, err := segment.Decode(newer); !errors.Is(err, archive.ErrNewFormat) {
		t.Errorf("a segment of a later program: %v", err)
	}
}

// someObjects has one object.
type someObjects struct {
	store.ObjectReader
	body []byte
}

func (o someObjects) Get(context.Context, string) (io.ReadCloser, store.ObjectInfo, error) {
	return io.NopCloser(bytes.NewReader(o.body)), store.ObjectInfo{Size: int64(len(o.body))}, nil
}

// TestSomeRows: rows that are read alone are those that are read with all, and no byte of
// the segment can differ unseen.
func TestSomeRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, stored := drawSegment(t)
		_, all, err := segment.Decode(stored)
		if err != nil {
			t.Fatal(err)
		}
		part, err := segment.Fetch(context.Background(), someObjects{body: stored}, "key")
		if err != nil || part.Len() != len(all) {
			t.Fatal(part, err)
		}
		from := rapid.IntRange(0, len(all)).Draw(t, "from")
		to := rapid.IntRange(from, len(all)).Draw(t, "to")
		if some, err := part.Rows(from, to); err != nil || len(some) != to-from || to > from && !reflect.DeepEqual(some, all[from:to]) {
			t.Fatalf("rows %d to %d: %+v, %v", from, to, some, err)
		}
		seqs := 0
		if err := part.Seqs(func(row int, seq int64) {
			seqs++
			if !all[row].HasSeq || all[row].Seq != seq {
				t.Fatalf("row %d has seq %d", row, seq)
			}
		}); err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			if r.HasSeq {
				seqs--
			}
		}
		if seqs != 0 {
			t.Fatalf("%d seqs too many", seqs)
		}
		stored[rapid.IntRange(0, len(stored)-1).Draw(t, "at")] ^= 0x20
		if _, err := segment.Fetch(context.Background(), someObjects{body: stored}, "key"); !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
			t.Fatalf("altered: %v", err)
		}
		if _, err := part.Rows(0, len(all)+1); !errors.Is(err, store.ErrDamaged) {
			t.Fatalf("a row too many: %v", err)
		}
	})
}
