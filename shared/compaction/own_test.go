package compaction_test

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
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/store"
)

// compacted is an object of two row groups, its rows, and what its directory says.
func compacted(t testing.TB) (object []byte, rows [][]compaction.Row, groups []compaction.RowGroup) {
	t.Helper()
	pulled := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for g := range 2 {
		var of []compaction.Row
		for i := range 40 {
			r := compaction.Row{Page: 1000, Part: g, SegmentRow: i, Row: archive.Row{
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
	w := compaction.NewWriter(&out, "test", &parquet.Zstd)
	for i, of := range rows {
		if err := w.WriteGroup(of); err != nil {
			t.Fatal(err)
		}
		g := compaction.NewRowGroup(of)
		g.Group, g.Object = i, "object"
		groups = append(groups, g)
	}
	layout, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	footers, err := layout.OwnFooters(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for i := range groups {
		g, at := &groups[i], layout.Groups[i]
		g.Offset, g.Length, g.SHA256, g.Own = at.Offset, at.Length, at.SHA256, footers[i]
		g.Size, g.Footer, g.FooterSHA256 = layout.Size, layout.Footer, layout.FooterSHA256
	}
	return out.Bytes(), rows, groups
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
		if _, err := g.OpenOwn(damaged, ""); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("row group %d, damaged: %v", n, err)
		}
		for i := range g.Own {
			of := g
			of.Own = bytes.Clone(g.Own)
			of.Own[i] ^= 0x55
			if _, err := of.OpenOwn(data, ""); !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("row group %d, byte %d of its own footer altered: %v", n, i, err)
			}
		}
	}
}
