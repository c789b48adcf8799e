package archive_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

func samplePage(t testing.TB) []byte {
	t.Helper()
	stored, err := archive.EncodePage(archive.PageHeader{
		Corp: "ww5117a9e0c0ffee01", SeqAsked: 10, Limit: 1000, FirstSeq: 11, LastSeq: 14, Count: 2,
		PulledAt: time.Date(2026, 11, 23, 8, 0, 0, 5e6, time.UTC), Run: "run-1", Program: "v1",
		SDKVersion: "simulator", Gap: true,
	}, []byte(goodReply))
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// golden compares with a file below testdata, which -update writes.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what was stored before; the format is locked for years\ngot  %q\nwant %q", path, got, want)
	}
}

// TestPageHeaderFormat pins the bytes of the header frame: other programs read it.
func TestPageHeaderFormat(t *testing.T) {
	stored := samplePage(t)
	length := 8 + int(stored[4]) + int(stored[5])<<8
	golden(t, "page-header.golden", stored[:length])
}

// TestAlternateHeaderFormat pins what an alternate has more than a page.
func TestAlternateHeaderFormat(t *testing.T) {
	stored, err := archive.EncodePage(archive.PageHeader{
		Corp: "ww5117a9e0c0ffee01", SeqAsked: 10, Limit: 2, FirstSeq: 11, LastSeq: 14, Count: 2,
		PulledAt: time.Date(2026, 11, 23, 8, 0, 0, 5e6, time.UTC), Run: "run-1", Program: "v1",
		SDKVersion: "simulator", Alternate: 3, Until: 17, Stem: "2026-11-20",
	}, []byte(goodReply))
	if err != nil {
		t.Fatal(err)
	}
	length := 8 + int(stored[4]) + int(stored[5])<<8
	golden(t, "alternate-header.golden", stored[:length])
	page, err := archive.DecodePage(stored)
	if err != nil || page.Header.Key() != "pages/00000000000000000010-3.json.zst" || page.Header.End() != 17 {
		t.Fatalf("%+v, %v", page.Header, err)
	}
	envelopes, err := archive.ParseStored(page)
	if err != nil || envelopes[1].Position != 3<<20+1 || archive.AlternateOf(envelopes[1].Position) != 3 {
		t.Errorf("%+v, %v", envelopes, err)
	}
}

// TestAlternatesThatAreNone: what contradicts itself is not stored, nor read.
func TestAlternatesThatAreNone(t *testing.T) {
	good := archive.PageHeader{SeqAsked: 10, FirstSeq: 11, LastSeq: 14, Count: 2, Alternate: 1, Until: 14, Stem: "2026-11-20"}
	for name, change := range map[string]func(*archive.PageHeader){
		"until before its end":   func(h *archive.PageHeader) { h.Until = 13 },
		"no day":                 func(h *archive.PageHeader) { h.Stem = "" },
		"a day that never was":   func(h *archive.PageHeader) { h.Stem = "2026-02-30" },
		"below the first":        func(h *archive.PageHeader) { h.Alternate = -1 },
		"beyond the last":        func(h *archive.PageHeader) { h.Alternate = archive.MaxAlternate + 1 },
		"a page with an end":     func(h *archive.PageHeader) { h.Alternate, h.Stem = 0, "" },
		"a page with a day":      func(h *archive.PageHeader) { h.Alternate, h.Until = 0, 0 },
		"no envelopes, as pages": func(h *archive.PageHeader) { h.Count = 0 },
	} {
		h := good
		change(&h)
		if _, err := archive.EncodePage(h, []byte(goodReply)); err == nil {
			t.Errorf("%s: it is stored", name)
		}
	}
	if _, err := archive.EncodePage(good, []byte(goodReply)); err != nil {
		t.Error(err)
	}
}

// TestFiled: the rows of a page say a time on the day of its segment, whatever that is.
func TestFiled(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 5e6, time.UTC)
	for stem, want := range map[string]time.Time{
		"": at, "2026-11-23": at,
		"2026-11-20": time.Date(2026, 11, 20, 23, 59, 59, 999e6, time.UTC),
		"2026-11-24": time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC),
	} {
		if got := (archive.PageHeader{PulledAt: at}).Filed(stem).PulledAt; !got.Equal(want) || stem != "" && archive.Day(got) != stem {
			t.Errorf("%s: %s, want %s", stem, got, want)
		}
	}
}

// TestStoredPageStaysReadable reads a whole page that an earlier program stored.
func TestStoredPageStaysReadable(t *testing.T) {
	path := filepath.Join("testdata", "page-v1.json.zst")
	if *update {
		if _, err := os.Stat(path); err != nil {
			if err := os.WriteFile(path, samplePage(t), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page, err := archive.DecodePage(stored)
	if err != nil {
		t.Fatal(err)
	}
	if string(page.Reply) != goodReply || page.Header.LastSeq != 14 || !page.Header.Gap || page.Header.Run != "run-1" {
		t.Errorf("read %+v, %q", page.Header, page.Reply)
	}
}

func TestPageVerbatim(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reply := rapid.SliceOf(rapid.Byte()).Draw(t, "reply")
		stored, err := archive.EncodePage(archive.PageHeader{SeqAsked: 1, LastSeq: 2, Count: 1}, reply)
		if err != nil {
			t.Fatal(err)
		}
		page, err := archive.DecodePage(stored)
		if err != nil || !bytes.Equal(page.Reply, reply) {
			t.Fatalf("%q, %v; want %q", page.Reply, err, reply)
		}
		dec, err := zstd.NewReader(bytes.NewReader(stored))
		if err != nil {
			t.Fatal(err)
		}
		defer dec.Close()
		var plain bytes.Buffer
		if _, err := plain.ReadFrom(dec); err != nil || !bytes.Equal(plain.Bytes(), reply) {
			t.Fatalf("a zstd tool reads %q, %v", plain.Bytes(), err)
		}
	})
}

// TestDamagedPage cuts a page at every byte and flips every byte: it is never
// read as something else.
func TestDamagedPage(t *testing.T) {
	stored := samplePage(t)
	for n := range stored {
		if _, err := archive.DecodePage(stored[:n]); !errors.Is(err, store.ErrDamaged) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		flipped := slices.Clone(stored)
		flipped[n] ^= 0x10
		if page, err := archive.DecodePage(flipped); err == nil && string(page.Reply) != goodReply {
			t.Fatalf("byte %d flipped: read %q", n, page.Reply)
		}
	}
}

// TestDamagedHeader flips every bit of the header: none goes unnoticed, in pages
// and in rejects.
func TestDamagedHeader(t *testing.T) {
	page := samplePage(t)
	reject, err := archive.EncodeReject(archive.RejectHeader{Corp: "ww5117a9e0c0ffee01", SeqAsked: 10, Run: "run-1", Reason: "not JSON"}, []byte("<html>"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		stored []byte
		decode func([]byte) error
	}{
		"page":   {page, func(b []byte) error { _, err := archive.DecodePageHeader(b); return err }},
		"reject": {reject, func(b []byte) error { _, _, err := archive.DecodeReject(b); return err }},
	} {
		length := 8 + int(test.stored[4]) + int(test.stored[5])<<8
		for bit := range 8 * length {
			flipped := slices.Clone(test.stored)
			flipped[bit/8] ^= 1 << (bit % 8)
			if err := test.decode(flipped); !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("%s, bit %d of byte %d (%q): %v", name, bit%8, bit/8, test.stored[bit/8], err)
			}
		}
	}
}

func TestNewerPage(t *testing.T) {
	newer := bytes.Replace(samplePage(t), []byte(`"format":1`), []byte(`"format":2`), 1)
	if err := archive.ResealHeader(newer); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.DecodePage(newer); !errors.Is(err, archive.ErrNewFormat) {
		t.Errorf("a page of a later program: %v", err)
	}
}
