package archive_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// TestFlippedBits flips every bit of a page: what is read is the reply, or an
// error that says why not.
func TestFlippedBits(t *testing.T) {
	stored := samplePage(t)
	for i := range len(stored) * 8 {
		flipped := slices.Clone(stored)
		flipped[i/8] ^= 1 << (i % 8)
		page, err := archive.DecodePage(flipped)
		if err == nil && string(page.Reply) != goodReply {
			t.Fatalf("bit %d of byte %d: read %q", i%8, i/8, page.Reply)
		}
		if err != nil && !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
			t.Fatalf("bit %d of byte %d: %v", i%8, i/8, err)
		}
	}
}

// TestNewerDocuments: in a newer format any other field may have another type;
// the document must count as newer, not as damaged.
func TestNewerDocuments(t *testing.T) {
	head := []byte(`{"format":2,"seq_asked":{"since":10},"pulled_at":1700000000,"header_sha256":"` + strings.Repeat("0", 64) + `"}`)
	newer := binary.LittleEndian.AppendUint32([]byte{0x50, 0x2A, 0x4D, 0x18}, uint32(len(head)))
	newer = append(newer, head...)
	if err := archive.ResealHeader(newer); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.DecodePageHeader(newer); !errors.Is(err, archive.ErrNewFormat) {
		t.Errorf("page header: %v", err)
	}
	if _, _, err := archive.DecodeReject(newer); !errors.Is(err, archive.ErrNewFormat) {
		t.Errorf("reject header: %v", err)
	}
	for format, want := range map[string]error{"0": store.ErrDamaged, "2": archive.ErrNewFormat, `"1"`: store.ErrDamaged} {
		objects := objectsWith(t, "events/dt=2026-11-23/x.json", `{"format":`+format+`,"at":7}`)
		if _, err := archive.GetEvent(t.Context(), objects, "events/dt=2026-11-23/x.json", nil); !errors.Is(err, want) {
			t.Errorf("event of format %s: %v", format, err)
		}
	}
}

// TestDamagedEvent flips every bit of an event: none goes unnoticed.
func TestDamagedEvent(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	gap := archive.Gap{Since: at.AddDate(0, 0, -6), Until: at.AddDate(0, 0, -5), Seq: 7, Run: `"event_sha256":"`, SeenAt: at}
	objects := storetest.NewObjects()
	if err := archive.PutEvent(t.Context(), objects, archive.GapKey(gap), archive.EventGap, "ww1", at, gap); err != nil {
		t.Fatal(err)
	}
	doc, err := store.ReadObject(t.Context(), objects, archive.GapKey(gap))
	if err != nil {
		t.Fatal(err)
	}
	var read archive.Gap
	if _, err := archive.GetEvent(t.Context(), objects, archive.GapKey(gap), &read); err != nil || read != gap {
		t.Fatalf("read %+v, %v", read, err)
	}
	for bit := range 8 * len(doc) {
		flipped := slices.Clone(doc)
		flipped[bit/8] ^= 1 << (bit % 8)
		_, err := archive.GetEvent(t.Context(), objectsWith(t, "events/x", string(flipped)), "events/x", nil)
		if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
			t.Fatalf("bit %d of byte %d (%q): %v", bit%8, bit/8, doc[bit/8], err)
		}
	}
}

// TestPagesThatCannotBeRead: a page that could not be read back must not be
// stored, since the cursor would never get past it.
func TestPagesThatCannotBeRead(t *testing.T) {
	good := archive.PageHeader{SeqAsked: 10, LastSeq: 14, FirstSeq: 11, Count: 2}
	for name, spoil := range map[string]func(*archive.PageHeader){
		"ends where it begins": func(h *archive.PageHeader) { h.LastSeq = 10 },
		"no envelopes":         func(h *archive.PageHeader) { h.Count = 0 },
		"longer than a probe":  func(h *archive.PageHeader) { h.Program = strings.Repeat("v", archive.HeaderProbe) },
		"a year beyond 9999":   func(h *archive.PageHeader) { h.PulledAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		h := good
		spoil(&h)
		if _, err := archive.EncodePage(h, []byte(goodReply)); err == nil {
			t.Errorf("%s: it is packed", name)
		}
	}
	longest := good
	longest.Program = strings.Repeat("v", archive.HeaderProbe-600)
	stored, err := archive.EncodePage(longest, bytes.Repeat([]byte("noise"), 10_000))
	if err != nil {
		t.Fatal(err)
	}
	if h, err := archive.DecodePageHeader(stored[:min(len(stored), archive.HeaderProbe)]); err != nil || h.LastSeq != 14 {
		t.Errorf("header %+v from a probe, %v", h, err)
	}
}

func TestHugePageAndEmptyReject(t *testing.T) {
	noise := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(noise) // never fails
	reply := bytes.Repeat(noise, 64)
	stored, err := archive.EncodePage(archive.PageHeader{SeqAsked: 1, LastSeq: 2, Count: 1}, reply)
	if err != nil {
		t.Fatal(err)
	}
	if page, err := archive.DecodePage(stored); err != nil || !bytes.Equal(page.Reply, reply) {
		t.Errorf("a reply of 64 MB: %v", err)
	}
	empty, err := archive.EncodeReject(archive.RejectHeader{SeqAsked: 1, Reason: "empty"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if h, got, err := archive.DecodeReject(empty); err != nil || len(got) != 0 || h.Reason != "empty" {
		t.Errorf("an empty reply: %+v, %q, %v", h, got, err)
	}
	if got := unzstd(t, empty); len(got) != 0 {
		t.Errorf("a zstd tool reads %q", got)
	}
}

// TestPageWithMoreBehindIt: nothing may hide behind the reply.
func TestPageWithMoreBehindIt(t *testing.T) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	for name, tail := range map[string][]byte{"another frame": enc.EncodeAll([]byte("more"), nil), "noise": []byte("more")} {
		if _, err := archive.DecodePage(append(samplePage(t), tail...)); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func unzstd(t *testing.T, stored []byte) []byte {
	t.Helper()
	dec, err := zstd.NewReader(bytes.NewReader(stored))
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(dec); err != nil {
		t.Fatal(err)
	}
	return plain.Bytes()
}

// objectsWith is a bucket with one object.
func objectsWith(t *testing.T, key, body string) *storetest.Objects {
	t.Helper()
	objects := storetest.NewObjects()
	if err := objects.PutIfAbsent(t.Context(), key, strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	return objects
}

// TestDocumentsOfNowhere: what no encoder of ours can have written is damage, even with a
// digest that fits: its key would be that of something else, or it could not be put into
// an index and would stop whoever tries.
func TestDocumentsOfNowhere(t *testing.T) {
	const beyond = "9999-12-31T23:59:59-01:00" // the year 10000 in UTC
	digest := strings.Repeat("0", 64)
	seal := func(doc, prefix string) []byte {
		doc += prefix + digest + `"}`
		sealed := []byte(doc)
		if err := archive.Seal(sealed, prefix); err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	list := func(members string) error {
		_, err := archive.DecodeFetchList(seal(`{"format":1,`+members+`,`, archive.ListSeal))
		return err
	}
	links := func(members string) error {
		_, err := archive.DecodeLinks(seal(`{"format":1,`+members+`,`, archive.LinksSeal))
		return err
	}
	event := func(members string) error {
		_, err := archive.DecodeEvent(seal(`{"format":1,`+members+`,`, archive.EventSeal))
		return err
	}
	record := func(members string) error {
		_, err := archive.GetKeyRecord(t.Context(), objectsWith(t, "keys/a.json", `{"format":1,"id":"a",`+members+`}`), "a")
		return err
	}
	for name, test := range map[string]struct {
		decode func(string) error
		bad    string
		good   string
	}{
		"a job list of part -1":       {list, `"part":-1`, `"part":0`},
		"a job list of the year 1e4":  {list, `"pulled_at":"` + beyond + `"`, `"pulled_at":"9999-12-31T23:59:59Z"`},
		"links of number -1":          {links, `"number":-1`, `"number":0`},
		"links of the year 1e4":       {links, `"pulled_at":"` + beyond + `"`, `"pulled_at":"2026-11-23T08:00:00+08:00"`},
		"an event of the year 1e4":    {event, `"at":"` + beyond + `"`, `"at":"2026-11-23T08:00:00+08:00"`},
		"an event of the year -1":     {event, `"at":"0000-01-01T00:00:00+01:00"`, `"at":"0000-01-01T00:00:00Z"`},
		"a key pair of the year 1e4":  {record, `"created_at":"` + beyond + `"`, `"created_at":"2026-11-23T08:00:00Z"`},
		"a key pair made at no time ": {record, `"created_at":"what somebody said"`, `"imported":true`},
	} {
		err := test.decode(test.bad)
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		storetest.Discreet(t, err, []byte(test.bad[5:]))
		if err := test.decode(test.good); err != nil {
			t.Errorf("%s, mended: %v", name, err)
		}
	}
}

// TestPartOfNowhere: a part of the directory whose key nobody would list is damage.
func TestPartOfNowhere(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for name, part := range map[string]archive.DirectoryPart{
		"of no run": {At: at}, "of a run with a slash": {Run: "a/b", At: at}, "of part -1": {Run: "r", Part: -1, At: at}, "before 1970": {Run: "r", At: time.UnixMilli(-1)}, "": {Run: "r", At: at},
	} {
		objects := storetest.NewObjects()
		key, err := archive.PutDirectoryPart(t.Context(), objects, part)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := archive.GetDirectoryPart(t.Context(), objects, key); errors.Is(err, store.ErrDamaged) != (name != "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestErrorsQuoteNothing: package json quotes strings where a time should be, and numbers
// of any length; ids and names may be anything in a damaged document.
func TestErrorsQuoteNothing(t *testing.T) {
	const secret = "what somebody said in confidence"
	digits := strings.Repeat("7", 5000)
	for _, doc := range []string{
		`{"format":1,"created_at":"` + secret + `"}`, `{"format":1,"at":"` + secret + `"}`, `{"format":1,"pulled_at":"` + secret + `"}`,
		`{"format":1,"id":"` + secret + digits + `"}`, `{"format":` + digits + `}`, `{"format":1,"seq_asked":` + digits + `}`, `{"format":1,"` + secret + `":` + secret + `}`,
	} {
		_, record := archive.GetKeyRecord(t.Context(), objectsWith(t, "keys/a.json", doc), "a")
		_, event := archive.DecodeEvent([]byte(doc))
		body := archive.Event{Body: []byte(doc)}.DecodeBody(&archive.Scope{})
		_, list := archive.DecodeFetchList([]byte(doc))
		_, links := archive.DecodeLinks([]byte(doc))
		for _, err := range []error{record, event, body, list, links} {
			storetest.Discreet(t, err, []byte(doc))
		}
		if record == nil || event == nil || list == nil || links == nil {
			t.Errorf("%.80s is read", doc)
		}
	}
}

// TestKeysOfAnotherDay: the day in a key is that of the time in it.
func TestKeysOfAnotherDay(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	event := archive.RunKey(archive.Run{ID: "r", StartedAt: at})
	part := archive.DirectoryKey(archive.DirectoryPart{Run: "r", At: at})
	for _, day := range []string{"2026-11-23", "2026-11-22", "2026-11-24", "2026-11-31", "9999-99-99"} {
		_, _, ok := archive.ParseEventKey(strings.Replace(event, "2026-11-23", day, 1))
		_, is := archive.ParseDirectoryKey(strings.Replace(part, "2026-11-23", day, 1))
		if ok != (day == "2026-11-23") || is != ok {
			t.Errorf("%s: event %v, directory %v", day, ok, is)
		}
	}
}
