package compaction_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// mostMemory bounds what reading one row group of these tests may ask for, in bytes.
const mostMemory = 256 << 20

// allocated is how many bytes do asks for.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// fitting is the entry of a run's directory for these bytes, with digests that fit: who
// can write the bucket and the index can do so, and a program that is wrong does.
func fitting(g compaction.RowGroup, data, own []byte) compaction.RowGroup {
	sum := sha256.Sum256(data)
	g.Length, g.SHA256 = int64(len(data)), hex.EncodeToString(sum[:])
	sum = sha256.Sum256(own)
	g.Own = append(slices.Clone(own), sum[:16]...)
	return g
}

// judged fails unless rows are such as a compacted object may have, or the error says
// what kind of fault there is, and no more.
func judged(t *testing.T, rows []compaction.Row, err error, most int, conversation string, outside ...[]byte) {
	t.Helper()
	if err != nil {
		if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
			t.Fatalf("neither damaged nor newer: %v", err)
		}
		for _, b := range outside {
			storetest.Discreet(t, err, b)
		}
		return
	}
	if len(rows) > most {
		t.Fatalf("%d rows of %d", len(rows), most)
	}
	for i, r := range rows {
		if err := r.Check(); err != nil {
			t.Fatalf("row %d %v", i, err)
		}
	}
}

// FuzzRowGroup: the Parquet of a row group and its own footer, damaged before their
// digests were made: rows that pass every check of a row, or an error; no panic, and no
// more memory than a row group may need.
func FuzzRowGroup(f *testing.F) {
	object, _, groups := compacted(f)
	g := groups[1]
	data, own := object[g.Offset:g.Offset+g.Length], g.Own[:len(g.Own)-16]
	of := func(b []byte, at int, x byte) []byte {
		b = bytes.Clone(b)
		b[at] ^= x
		return b
	}
	f.Add(data, own, "")
	f.Add(data, own, "pair:101")
	f.Add(data, own, "nobody")
	f.Add(data[:len(data)-1], own, "")
	f.Add(data[:0], own, "")
	f.Add(data, own[:8], "")
	f.Add(data, own[:0], "")
	f.Add(append(bytes.Clone(data), data...), own, "")
	f.Add(data, binary.LittleEndian.AppendUint32(bytes.Clone(own[:len(own)-8]), 1<<31), "")
	for i := 0; i < len(data); i += max(1, len(data)/24) {
		f.Add(of(data, i, 0x7f), own, "pair:101")
	}
	for i := 0; i < len(own); i += max(1, len(own)/48) {
		f.Add(data, of(own, i, 0x11), "")
	}
	f.Fuzz(func(t *testing.T, data, own []byte, conversation string) {
		g := fitting(g, data, own)
		var rows *compaction.GroupRows
		var read []compaction.Row
		var err, times error
		most := allocated(func() {
			if rows, err = g.OpenOwn(data, conversation); err != nil {
				return
			}
			_, times = rows.Times()
			read, err = rows.Read(0, rows.Len())
		})
		judged(t, read, err, g.Rows, conversation, data, own)
		judged(t, nil, times, 0, "")
		if most > mostMemory {
			t.Fatalf("%d bytes are asked for", most)
		}
		if err != nil || len(read) == 0 {
			return
		}
		half := len(read) / 2
		if again, err := rows.Read(half, len(read)); err == nil && !reflect.DeepEqual(again, read[half:]) {
			t.Fatal("the second half is another one when it is read alone")
		}
		rewritten(t, read)
	})
}

// rewritten fails unless rows can be written again and stay the same.
func rewritten(t *testing.T, rows []compaction.Row) {
	t.Helper()
	var out bytes.Buffer
	w := compaction.NewWriter(&out, "test", &parquet.Uncompressed)
	if err := w.WriteGroup(rows); err != nil {
		t.Fatal(err)
	}
	layout, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	at := layout.Groups[0]
	again, err := layout.ReadGroup(0, at, out.Bytes()[at.Offset:at.Offset+at.Length], out.Bytes()[layout.Footer:], "")
	if err != nil || !reflect.DeepEqual(again, rows) {
		t.Fatalf("%d other rows come back, %v", len(again), err)
	}
}

// FuzzReadGroup: as FuzzRowGroup, for entries without a footer of their own, by that of
// the object.
func FuzzReadGroup(f *testing.F) {
	object, _, groups := compacted(f)
	g := groups[0]
	data, footer := object[g.Offset:g.Offset+g.Length], object[g.Footer:]
	f.Add(data, footer, "")
	f.Add(data, footer, "pair:001")
	f.Add(data[:len(data)/2], footer, "")
	f.Add(data, footer[:len(footer)-1], "")
	f.Add(data, footer[:0], "")
	for i := 0; i < len(footer); i += max(1, len(footer)/48) {
		flipped := bytes.Clone(footer)
		flipped[i] ^= 0x11
		f.Add(data, flipped, "pair:001")
	}
	f.Fuzz(func(t *testing.T, data, footer []byte, conversation string) {
		g := fitting(g, data, nil)
		sum := sha256.Sum256(footer)
		g.Size, g.FooterSHA256 = g.Footer+int64(len(footer)), hex.EncodeToString(sum[:])
		layout, at := g.Layout()
		if err := layout.CheckFooter(footer); err != nil {
			t.Fatal(err)
		}
		var rows []compaction.Row
		var err error
		most := allocated(func() { rows, err = layout.ReadGroup(0, at, data, footer, conversation) })
		judged(t, rows, err, g.Rows, conversation, data, footer)
		if most > mostMemory {
			t.Fatalf("%d bytes are asked for", most)
		}
	})
}

// FuzzParseKey: the key of an object of a run says its month and run, and nothing else
// passes for one.
func FuzzParseKey(f *testing.F) {
	key := compaction.Key("2026-11", "run", 7)
	for _, key := range []string{key, key[:len(key)-1], key + "/", "compactions///", "compactions/2026-11//x", "compactions/2026-11/run/", "", "/" + key, strings.ReplaceAll(key, "/", "//"), strings.Replace(key, "2026-11", "2026-13", 1), strings.Replace(key, "run", "..", 1)} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		month, run, ok := compaction.ParseKey(key)
		if !ok {
			if month != "" || run != "" {
				t.Fatalf("%q: %q and %q beside no", key, month, run)
			}
			return
		}
		if name, found := strings.CutPrefix(key, compaction.Prefix+month+"/"+run+"/"); !found || name == "" || month == "" || run == "" || strings.Contains(month+run+name, "/") {
			t.Fatalf("%q passes for an object of run %q in %q", key, run, month)
		}
	})
}

func TestParseKey(t *testing.T) {
	for key, want := range map[string][2]string{
		compaction.Key("2026-11", "r1", 7):     {"2026-11", "r1"},
		"compactions/2026-11/r1/00007.extract": {"2026-11", "r1"},
		"compactions/2026-11/r1/":              {},
		"compactions/2026-11//00007.parquet":   {},
		"compactions//r1/00007.parquet":        {},
		"compactions/2026-11/r1":               {},
		"compactions/2026-11/r1/a/b":           {},
		"messages/2026-11/r1/00007.parquet":    {},
	} {
		if month, run, ok := compaction.ParseKey(key); month != want[0] || run != want[1] || ok != (want[0] != "") {
			t.Errorf("%s: %q, %q, %v", key, month, run, ok)
		}
	}
}
