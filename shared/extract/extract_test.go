package extract_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/extract"
	"wecom-archive/shared/query"
	"wecom-archive/shared/store"
)

var update = flag.Bool("update", false, "write the golden files")

var day = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// rowsOf makes rows of few or many people, with texts and files of all kinds.
func rowsOf() *rapid.Generator[[]compaction.Row] {
	id := rapid.SampledFrom([]string{"li.na", "wang.wei", "wmCustomer", "", "zhao\xff"})
	file := rapid.Custom(func(t *rapid.T) archive.MediaRef {
		return archive.MediaRef{Kind: rapid.SampledFrom([]string{"image", "file", "voice"}).Draw(t, "kind"), Name: rapid.SampledFrom([]string{"", "报价.pdf"}).Draw(t, "name"), Size: -1}
	})
	row := rapid.Custom(func(t *rapid.T) compaction.Row {
		r := compaction.Row{Page: rapid.Uint64().Draw(t, "page"), Part: rapid.IntRange(0, 3).Draw(t, "part"), SegmentRow: rapid.IntRange(0, 9999).Draw(t, "row")}
		r.Outcome, r.PulledAt = archive.OutcomeOK, day.Add(time.Duration(rapid.Int32().Draw(t, "pulled"))*time.Millisecond)
		r.Row.Position = rapid.IntRange(0, 1000).Draw(t, "envelope")
		if r.HasSeq = rapid.Bool().Draw(t, "has seq"); r.HasSeq {
			r.Seq = rapid.Int64().Draw(t, "seq")
		}
		r.Reading = archive.Reading{
			Conversation: rapid.SampledFrom([]string{"pair:li.na,wang.wei", "room:r1"}).Draw(t, "conversation"), FromID: id.Draw(t, "from"),
			MsgTime: day.Add(time.Duration(rapid.Int32().Draw(t, "time")) * time.Millisecond), MsgType: rapid.SampledFrom([]string{"text", "mixed"}).Draw(t, "type"),
			SenderKind: "employee", ChatKind: "internal", Text: rapid.SampledFrom([]string{"", "合同，ＡＢＣ", "é\u200b!", "a", "x\xffy"}).Draw(t, "text"),
		}
		if to := rapid.SliceOfN(id, 0, 3).Draw(t, "to"); len(to) > 0 {
			r.ToIDs = to
		}
		if files := rapid.SliceOfN(file, 0, 3).Draw(t, "files"); len(files) > 0 {
			r.Media = files
		}
		return r
	})
	return rapid.Custom(func(t *rapid.T) []compaction.Row {
		rows := rapid.SliceOfN(row, 1, 30).Draw(t, "rows")
		slices.SortFunc(rows, compaction.Row.Compare)
		return rows
	})
}

// read is what is read of a row group's extract.
type read struct {
	rows   []compaction.Row // with their texts
	folded []string
}

func section(object []byte, s extract.Section) []byte {
	return bytes.Clone(object[s.Offset : s.Offset+s.Length])
}

func readAll(object []byte, b extract.Block) (out read, err error) {
	texts, err := b.OpenTexts(nil, section(object, b.Texts))
	if err != nil {
		return out, err
	}
	if err := texts.Each(&b, func(_ int, folded []byte) bool {
		out.folded = append(out.folded, string(folded))
		return true
	}); err != nil {
		return out, err
	}
	parts := make([]string, b.Rows)
	if err := b.EachPart(section(object, b.Texts), func(row int, part []byte, _ bool) error {
		parts[row] += string(part)
		return nil
	}); err != nil || !slices.Equal(parts, out.folded) {
		return out, errors.Join(err, fmt.Errorf("in parts: %q, not %q", parts, out.folded))
	}
	facts, err := b.OpenFacts(section(object, b.Facts))
	if err != nil {
		return out, err
	}
	every := make([]int, b.Rows)
	for i := range every {
		every[i] = i
	}
	originals, err := b.OpenOriginals(section(object, b.Originals), every)
	if err != nil {
		return out, err
	}
	for i := range every {
		row, err := facts.Row(i)
		if err != nil {
			return out, err
		}
		row.Text = originals[i]
		out.rows = append(out.rows, row)
	}
	return out, nil
}

// TestRoundTrip: what was written is read, its texts folded, and the directory says by
// what it can be passed over.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.SliceOfN(rowsOf(), 1, 3).Draw(t, "groups")
		w := extract.NewWriter(7)
		for _, rows := range groups {
			w.Add(rows)
		}
		object, written := w.Finish()
		blocks, err := extract.DecodeDirectory(extract.EncodeDirectory(written))
		if err != nil || len(blocks) != len(groups) {
			t.Fatalf("%d blocks of %d: %v", len(blocks), len(groups), err)
		}
		for i, b := range blocks {
			got, err := readAll(object, b)
			if err != nil || !reflect.DeepEqual(got.rows, groups[i]) {
				t.Fatalf("row group %d: %+v, want %+v: %v", i, got.rows, groups[i], err)
			}
			files := map[string]int64{}
			for n, r := range groups[i] {
				if want := query.Fold(string(bytes.ToValidUTF8([]byte(r.Text), []byte("\uFFFD")))); got.folded[n] != want {
					t.Fatalf("%q is folded to %q, want %q", r.Text, got.folded[n], want)
				}
				for _, id := range append([]string{r.FromID}, r.ToIDs...) {
					if !b.MayHoldPerson(id) {
						t.Fatalf("%s is passed over", id)
					}
				}
				if ms := r.MsgTime.UnixMilli(); !b.MayHold(r.Conversation) || ms < b.Bounds.First || ms > b.Bounds.Last {
					t.Fatalf("%+v is passed over: %+v", r, b)
				}
				kinds := map[string]int64{}
				for _, m := range r.Media {
					kinds[m.Kind] = 1
				}
				for kind := range kinds {
					files[kind]++
				}
			}
			if b.Object != 7 || b.Group != i || b.Rows != len(groups[i]) || b.MayHoldPerson("nobody at all") || len(files)+len(b.Files) > 0 && !reflect.DeepEqual(b.Files, files) {
				t.Fatalf("%+v, want files %v", b, files)
			}
		}
	})
}

// fixed are the rows of the golden files.
func fixed() []compaction.Row {
	var rows []compaction.Row
	for i := range 5 {
		r := compaction.Row{Page: 1000, SegmentRow: i, Row: archive.Row{Position: i, Seq: int64(1001 + i), HasSeq: true, PulledAt: day, Outcome: archive.OutcomeOK}}
		r.Reading = archive.Reading{
			Conversation: "pair:li.na,wmCustomer", FromID: "li.na", ToIDs: []string{"wmCustomer"}, MsgTime: day.Add(time.Duration(i) * time.Minute),
			MsgType: "text", SenderKind: "employee", ChatKind: "external", Text: fmt.Sprintf("合同編號：ＡＢＣ－%d", i),
		}
		if i == 3 {
			r.MsgType, r.Media = "file", []archive.MediaRef{{Kind: "file", Name: "合同.pdf", Size: -1}}
		}
		rows = append(rows, r)
	}
	return rows
}

// TestStoredFormat: what was written once is read today. A new format, or new tables of
// Unicode, are told apart; then Format is raised, or FoldVersion has changed, and -update
// writes these again.
func TestStoredFormat(t *testing.T) {
	object, directory := filepath.Join("testdata", "v2.extract"), filepath.Join("testdata", "v2.directory")
	if *update {
		w := extract.NewWriter(0)
		w.Add(fixed())
		data, blocks := w.Finish()
		listed, _ := extract.EncodeDirectory(blocks)
		if err := errors.Join(os.WriteFile(object, data, 0o644), os.WriteFile(directory, listed, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	listed, err := os.ReadFile(directory)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := extract.DecodeDirectory(listed, extract.DirectoryOf(listed))
	if err != nil || len(blocks) != 1 {
		t.Fatal(blocks, err)
	}
	if got, err := readAll(data, blocks[0]); err != nil || !reflect.DeepEqual(got.rows, fixed()) || got.folded[1] != "合同編號:abc-1" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestDamage: no byte can differ without being noticed.
func TestDamage(t *testing.T) {
	w := extract.NewWriter(0)
	w.Add(fixed())
	object, blocks := w.Finish()
	data, said := extract.EncodeDirectory(blocks)
	for at := range object {
		spoilt := bytes.Clone(object)
		spoilt[at] ^= 4
		if _, err := readAll(spoilt, blocks[0]); !errors.Is(err, store.ErrDamaged) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
	for at := range data {
		spoilt := bytes.Clone(data)
		spoilt[at] ^= 4
		if _, err := extract.DecodeDirectory(spoilt, said); !errors.Is(err, store.ErrDamaged) {
			t.Fatalf("byte %d of the directory: %v", at, err)
		}
	}
	if _, err := extract.DecodeDirectory(data[:len(data)-1], said); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("cut off: %v", err)
	}
	other := append([]byte{9}, data[1:]...)
	if _, err := extract.DecodeDirectory(other, extract.DirectoryOf(other)); !errors.Is(err, archive.ErrNewFormat) {
		t.Errorf("format 9: %v", err)
	}
	old, err := os.ReadFile(filepath.Join("testdata", "v1.directory"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := extract.DecodeDirectory(old, extract.DirectoryOf(old)); !errors.Is(err, archive.ErrNewFormat) {
		t.Errorf("format 1: %v", err)
	}
	other = bytes.Replace(data, []byte(query.FoldVersion), []byte("9"+query.FoldVersion[1:]), 1)
	if _, err := extract.DecodeDirectory(other, extract.DirectoryOf(other)); !errors.Is(err, archive.ErrNewFormat) {
		t.Errorf("folded otherwise: %v", err)
	}
}
