package archive_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"wecom-archive/shared/archive"
)

// compacted is an object of two row groups, its rows, and what its directory says.
func compacted(t *testing.T) (object []byte, rows [][]archive.CompactRow, groups []archive.RowGroup) {
	t.Helper()
	pulled := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for g := range 2 {
		var of []archive.CompactRow
		for i := range 40 {
			r := archive.CompactRow{Page: 1000, Part: g, SegmentRow: i, Row: archive.Row{
				Position: i, Seq: int64(1000 + i), HasSeq: true, MsgID: fmt.Sprintf("m%d", i), PublicKeyVer: 1, PulledAt: pulled, Outcome: archive.OutcomeOK, Raw: fmt.Appendf(nil, `{"n":%d}`, i),
				Reading: archive.Reading{
					ParserVersion: 1, Conversation: fmt.Sprintf("pair:%d%02d", g, i/10), FromID: "li.na", MsgTime: pulled.Add(-time.Duration(i*i%17) * time.Hour), MsgType: "text",
					SenderKind: "employee", ChatKind: "internal", Text: fmt.Sprintf("合同 %d", i),
				},
			}}
			switch i % 4 {
			case 1:
				r.ToIDs = []string{"wang.wei", fmt.Sprintf("u%d", i)}
			case 2:
				r.Text, r.MsgType, r.Media = "", "mixed", []archive.MediaRef{{Path: "a", Kind: "image", Size: -1}, {Path: "b", Kind: "file", Name: "报价.pdf", Size: 7}}
			}
			sum := sha256.Sum256(r.Raw)
			r.RawSHA256 = hex.EncodeToString(sum[:])
			of = append(of, r)
		}
		rows = append(rows, of)
	}
	var out bytes.Buffer
	w := archive.NewCompactWriter(&out, "test", &parquet.Zstd)
	for i, of := range rows {
		if err := w.WriteGroup(of); err != nil {
			t.Fatal(err)
		}
		g := archive.NewRowGroup(of)
		g.Group, g.Object = i, "object"
		groups = append(groups, g)
	}
	layout, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	splits, footers, err := layout.Split(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for i := range groups {
		g, at := &groups[i], layout.Groups[i]
		g.Offset, g.Length, g.SHA256, g.Split, g.Own = at.Offset, at.Length, at.SHA256, splits[i], footers[i]
		g.Size, g.Footer, g.FooterSHA256 = layout.Size, layout.Footer, layout.FooterSHA256
	}
	return out.Bytes(), rows, groups
}

// part copies a range of the object.
func part(object []byte, at func() (offset, length int64)) []byte {
	offset, length := at()
	return bytes.Clone(object[offset : offset+length])
}

// readTail reads all columns, in two steps.
func readTail(g archive.RowGroup, data, footer []byte) ([]archive.Reading, error) {
	tail, err := g.OpenTail(data, footer)
	if err != nil {
		return nil, err
	}
	readings := make([]archive.Reading, g.Rows)
	if err := tail.Read(readings, archive.TailText|archive.TailFiles); err != nil {
		return nil, err
	}
	return readings, tail.Read(readings, archive.TailAll&^(archive.TailText|archive.TailFiles))
}

// searched is what searches read of a reading.
func searched(r archive.Reading) archive.Reading {
	s := archive.Reading{Conversation: r.Conversation, FromID: r.FromID, ToIDs: r.ToIDs, MsgTime: r.MsgTime, MsgType: r.MsgType, SenderKind: r.SenderKind, ChatKind: r.ChatKind, Text: r.Text}
	for _, m := range r.Media {
		s.Media = append(s.Media, archive.MediaRef{Kind: m.Kind, Name: m.Name, Size: -1})
	}
	return s
}

// TestParts: head and tail have what the rows have, and lie beside raw.
func TestParts(t *testing.T) {
	object, rows, groups := compacted(t)
	for n, g := range groups {
		if !g.Split.Known() {
			t.Fatalf("row group %d cannot be cut", n)
		}
		footer := object[g.Footer:]
		if n%2 == 0 {
			footer = nil // its own
		}
		readings, err := readTail(g, part(object, g.Tail), footer)
		if err != nil {
			t.Fatal(err)
		}
		places, err := g.ReadHead(part(object, g.Head), footer)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows[n] {
			if !reflect.DeepEqual(readings[i], searched(r.Reading)) {
				t.Errorf("row %d: %+v, want %+v", i, readings[i], searched(r.Reading))
			}
			places[i].Reading = readings[i]
			if p := places[i]; p.Place() != r.Place() || p.Seq != r.Seq || !p.Readable() {
				t.Errorf("row %d lies at %+v, want %+v", i, p.Place(), r.Place())
			}
		}
	}
}

// TestOwnFooter: the footer of a row group alone shows the same rows as that of the
// object, and is short.
func TestOwnFooter(t *testing.T) {
	object, rows, groups := compacted(t)
	for n, g := range groups {
		layout, at := g.Layout()
		data := object[at.Offset : at.Offset+at.Length]
		if len(g.Own) == 0 || len(g.Own) > 4<<10 {
			t.Errorf("row group %d: a footer of %d bytes", n, len(g.Own))
		}
		for _, conversation := range []string{"", rows[n][0].Conversation, "nobody"} {
			want, err := layout.ReadGroup(n, at, data, object[g.Footer:], conversation)
			if err != nil {
				t.Fatal(err)
			}
			own, err := g.OpenOwn(data, conversation)
			if err != nil {
				t.Fatal(err)
			}
			times, err := own.Times()
			if err != nil || len(times) != len(want) {
				t.Errorf("row group %d, %q: %d times, %v; want %d", n, conversation, len(times), err, len(want))
			}
			for i := range want {
				for _, j := range []int{i, i + 1, len(want)} {
					if got, err := own.Read(i, j); err != nil || len(got) != j-i || j > i && !reflect.DeepEqual(got, want[i:j]) {
						t.Fatalf("row group %d, %q, rows %d to %d: %d, %v", n, conversation, i, j, len(got), err)
					}
				}
				if times[i] != want[i].MsgTime.UnixMilli() {
					t.Errorf("row group %d, %q: row %d at %d", n, conversation, i, times[i])
				}
			}
		}
		damaged := bytes.Clone(data)
		damaged[len(damaged)/2] ^= 1
		if _, err := g.OpenOwn(damaged, ""); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("row group %d, damaged: %v", n, err)
		}
		for i := range g.Own {
			of := g
			of.Own = bytes.Clone(g.Own)
			of.Own[i] ^= 0x55
			if _, err := of.OpenOwn(data, ""); !errors.Is(err, archive.ErrDamaged) {
				t.Fatalf("row group %d, byte %d of its own footer altered: %v", n, i, err)
			}
		}
	}
}

// TestPartsDamaged: whatever byte is wrong, nothing of it is believed.
func TestPartsDamaged(t *testing.T) {
	object, _, groups := compacted(t)
	g := groups[1]
	footer := object[g.Footer:]
	tail, head := part(object, g.Tail), part(object, g.Head)
	for i := range tail {
		tail[i] ^= 1
		if _, err := readTail(g, tail, footer); !errors.Is(err, archive.ErrDamaged) {
			t.Fatalf("byte %d of the tail: %v", i, err)
		}
		tail[i] ^= 1
	}
	for i := range head {
		head[i] ^= 1
		if _, err := g.ReadHead(head, footer); !errors.Is(err, archive.ErrDamaged) {
			t.Fatalf("byte %d of the head: %v", i, err)
		}
		head[i] ^= 1
	}
	other := part(object, groups[0].Tail)
	if _, err := readTail(g, other, footer); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("the tail of another row group: %v", err)
	}
	layout, _ := g.Layout()
	object[g.Offset] ^= 1
	layout.Groups = []archive.GroupLayout{{Offset: g.Offset, Length: g.Length, Rows: g.Rows, SHA256: g.SHA256}}
	if _, _, err := layout.Split(bytes.NewReader(object)); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("a damaged object was split: %v", err)
	}
}

// TestGroupBounds: what a row group says of itself holds for its rows.
func TestGroupBounds(t *testing.T) {
	_, rows, groups := compacted(t)
	for n, g := range groups {
		first, last := rows[n][0].MsgTime.UnixMilli(), rows[n][0].MsgTime.UnixMilli()
		for _, r := range rows[n] {
			first, last = min(first, r.MsgTime.UnixMilli()), max(last, r.MsgTime.UnixMilli())
			for _, id := range r.People() {
				if !g.MayHoldPerson(id) {
					t.Errorf("%s is not in row group %d", id, n)
				}
			}
		}
		if *g.Bounds != (archive.TimeBounds{First: first, Last: last}) {
			t.Errorf("bounds %+v, want %d to %d", g.Bounds, first, last)
		}
		if g.MayHoldPerson("nobody") {
			t.Error("nobody is in it")
		}
	}
}
