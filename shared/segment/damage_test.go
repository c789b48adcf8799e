package segment_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
)

// TestDamagedSegment cuts a segment at every byte and flips a bit of each. It is
// never read, and never makes the reader allocate more than the file's size.
func TestDamagedSegment(t *testing.T) {
	good := encode(t, fuzzRows()...)
	for n := range good {
		if _, _, err := segment.Decode(good[:n]); !errors.Is(err, store.ErrDamaged) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	var before, after runtime.MemStats
	damaged := slices.Clone(good)
	runtime.ReadMemStats(&before)
	for i := range good {
		damaged[i] ^= 1 << (i % 8)
		if _, rows, err := segment.Decode(damaged); !errors.Is(err, store.ErrDamaged) || rows != nil {
			t.Fatalf("bit %d of byte %d: %d rows, %v", i%8, i, len(rows), err)
		}
		damaged[i] = good[i]
	}
	runtime.ReadMemStats(&after)
	if grown := (after.TotalAlloc - before.TotalAlloc) / uint64(len(good)); grown > uint64(len(good)) {
		t.Errorf("%d bytes allocated for a file of %d", grown, len(good))
	}
}

// TestLyingFooters announce what the file cannot hold. Believed, they would end
// the process: out of memory is not an error that can be caught.
func TestLyingFooters(t *testing.T) {
	file := func(footer []byte, length uint32) []byte {
		b := append([]byte("PAR1"), footer...)
		return append(binary.LittleEndian.AppendUint32(b, length), "PAR1"...)
	}
	good := encode(t, fuzzRows()...)
	longFooter := slices.Clone(good)
	binary.LittleEndian.PutUint32(longFooter[len(longFooter)-8:], 1<<31)
	longList := []byte{0x15, 2, 0x19, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0} // version, then 2³¹-1 schema elements
	for name, stored := range map[string][]byte{
		"long footer":    longFooter,
		"long list":      file(longList, uint32(len(longList))),
		"empty footer":   file(nil, 0),
		"nothing":        nil,
		"magic only":     []byte("PAR1PAR1"),
		"no digest":      []byte("wecom-archive.sha256\x18\x40"),
		"twice the file": append(slices.Clone(good), good...),
		"something more": append(slices.Clone(good), 0),
	} {
		if _, _, err := segment.Decode(stored); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSealIsOfTheWholeFile: anyone can check a segment with the digest's digits
// set to zero, also if a message quotes the place where it stands.
func TestSealIsOfTheWholeFile(t *testing.T) {
	row := fuzzRows()[0]
	row.Raw = []byte("wecom-archive.sha256\x18\x40" + strings.Repeat("0", 64))
	row.RawSHA256, row.Text = hexSum(row.Raw), string(row.Raw)
	stored := encode(t, row)
	if _, rows, err := segment.Decode(stored); err != nil || !bytes.Equal(rows[0].Raw, row.Raw) {
		t.Fatalf("%+v, %v", rows, err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(stored), int64(len(stored)))
	if err != nil {
		t.Fatal(err)
	}
	digest, _ := f.Lookup("wecom-archive.sha256")
	if strings.Count(string(stored), digest) != 1 || hexSum(bytes.Replace(stored, []byte(digest), bytes.Repeat([]byte("0"), 64), 1)) != digest {
		t.Errorf("%q is not the file's SHA-256", digest)
	}
}

// TestLongSegments crosses the size of the reader's buffer, and the size of data
// pages with a few large messages among small ones.
func TestLongSegments(t *testing.T) {
	var rows []archive.Row
	for i := range 2500 {
		r := fuzzRows()[i%2]
		r.Position, r.Seq, r.MsgID = i, int64(i+1), fmt.Sprint("m", i)
		if r.Readable() {
			r.Raw = fmt.Appendf(nil, `{"n":%d}`, i)
			if i%500 == 0 {
				r.Raw = bytes.Repeat(r.Raw, 40_000)
			}
			r.RawSHA256, r.ToIDs = hexSum(r.Raw), []string{fmt.Sprint("to", i)}
		}
		rows = append(rows, r)
	}
	stored := encode(t, rows...)
	_, got, err := segment.Decode(stored)
	if err != nil || len(got) != len(rows) {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	for i, r := range got {
		if r.Seq != int64(i+1) || r.MsgID != rows[i].MsgID || !bytes.Equal(r.Raw, rows[i].Raw) || !slices.Equal(r.ToIDs, rows[i].ToIDs) {
			t.Fatalf("row %d is %.200v", i, r)
		}
	}
	if len(stored) > 1<<20 {
		t.Errorf("%d bytes: messages stand uncompressed in the headers of data pages", len(stored))
	}
}

// TestColumnAdded: a later program may add columns to the format, and this one
// still reads the others.
func TestColumnAdded(t *testing.T) {
	stored := encode(t, fuzzRows()...)
	old, err := parquet.OpenFile(bytes.NewReader(stored), int64(len(stored)))
	if err != nil {
		t.Fatal(err)
	}
	columns := parquet.Group{"added": parquet.Optional(parquet.String())}
	for _, field := range old.Schema().Fields() {
		columns[field.Name()] = field
	}
	schema := parquet.NewSchema("later", columns)
	conversion, err := parquet.Convert(schema, old.Schema())
	if err != nil {
		t.Fatal(err)
	}
	options := []parquet.WriterOption{schema, parquet.Compression(&parquet.Zstd)}
	for _, kv := range old.Metadata().KeyValueMetadata {
		options = append(options, parquet.KeyValueMetadata(kv.Key, kv.Value))
	}
	var later bytes.Buffer
	w := parquet.NewGenericWriter[any](&later, options...)
	in := parquet.ConvertRowGroup(old.RowGroups()[0], conversion).Rows()
	defer in.Close()
	if _, err := parquet.CopyRows(w, in); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := segment.Reseal(later.Bytes()); err != nil {
		t.Fatal(err)
	}
	meta, rows, err := segment.Decode(later.Bytes())
	if err != nil || len(rows) != 2 || string(rows[0].Raw) != `{"x":1}` || rows[0].Text != "文本" || !slices.Equal(rows[0].ToIDs, []string{"b"}) || rows[1].Raw != nil || meta.Part != 2 {
		t.Errorf("%+v, %+v, %v", meta, rows, err)
	}
}
