package decode_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// TestVerbatim: raw is what DecryptData returned, whatever it is.
func TestVerbatim(t *testing.T) {
	raws := []string{
		message(1), "", "{}", "null", "\x00", "{\"msgid\":\"a\x01b\u2028\"}", strings.Repeat("[", 100_000),
		`{"from":{"nested":[]},"tolist":7,"msgtime":"x"}`, "\r\n\t {\"text\":{\"content\":\"\x1b[31m\"}} \n",
		"plain words", `{"msgtype":"text","text":{"content":"` + strings.Repeat("长", 50_000) + `"}}`,
	}
	w := newWorld(t)
	var envelopes []envelope
	for i, raw := range raws {
		envelopes = append(envelopes, seal(t, 0, i+1, 1, raw))
	}
	key := w.page(t, 0, envelopes...)
	w.handle(t, key)
	rows := w.parts(t, key)[0]
	for i, raw := range raws {
		sum := sha256.Sum256([]byte(raw))
		if r := rows[i]; string(r.Raw) != raw || r.Raw == nil || r.RawSHA256 != hex.EncodeToString(sum[:]) || r.Conversation == "" || r.MsgTime.IsZero() {
			t.Errorf("message %d of %d bytes is archived with %d bytes, conversation %q, at %v", i+1, len(raw), len(r.Raw), r.Conversation, r.MsgTime)
		}
	}
}

// TestLibraryFails: an error of the library itself stores nothing, and the page
// is archived when it works again.
func TestLibraryFails(t *testing.T) {
	for name, broken := range map[string]library{"error": {err: errors.New("the child died")}, "too few results": {short: true}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			key := w.page(t, 0, seal(t, 0, 1, 1, message(1)), seal(t, 0, 2, 1, message(2)))
			*w.library = broken
			if err := w.archiver().Handle(t.Context(), key); err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("error %v, want one that names the page", err)
			}
			if parts := w.parts(t, key); len(parts) > 0 {
				t.Errorf("%d parts are stored", len(parts))
			}
			*w.library = library{}
			if got := w.handle(t, key); got != "1:ok 2:ok" {
				t.Errorf("outcomes %s", got)
			}
		})
	}
}

// TestParserPanics: a parser that panics costs its reading, not the message.
func TestParserPanics(t *testing.T) {
	w := newWorld(t)
	w.read = func(raw []byte, id string, at time.Time) archive.Reading {
		if id == msgid(2) {
			panic("index out of range")
		}
		return reading.Read(raw, id, at)
	}
	key := w.page(t, 0, seal(t, 0, 1, 1, message(1)), seal(t, 0, 2, 1, message(2)), seal(t, 0, 3, 1, message(3)))
	if got := w.handle(t, key); got != "1:ok 2:ok 3:ok" {
		t.Fatalf("outcomes %s", got)
	}
	rows := w.parts(t, key)[0]
	if string(rows[1].Raw) != message(2) || rows[1].Conversation != "unparsed" || rows[0].Conversation == "unparsed" {
		t.Errorf("row %+v", rows[1])
	}
}

// TestCountsWhatIsParsed: plaintext that is no message, one that names nobody, and one of
// an unknown type are counted, each once however often the page is handled, and whoever
// watches is told after the index has them.
func TestCountsWhatIsParsed(t *testing.T) {
	w := newWorld(t)
	said := func(seq int, types string) string {
		return fmt.Sprintf(`{"msgid":%q,%s,"from":"anna","tolist":["wmbob"]}`, msgid(seq), types)
	}
	key := w.page(t, 0, seal(t, 0, 1, 1, message(1)), seal(t, 0, 2, 1, "<xml>"), seal(t, 0, 3, 1, `{"msgtype":"text","text":{"content":"to nobody"}}`),
		seal(t, 0, 4, 1, said(4, `"action":"send","msgtype":"hologram"`)), seal(t, 0, 5, 1, said(5, `"action":"send","msgtype":"Image"`)),
		seal(t, 0, 6, 1, said(6, `"action":"switch"`)), seal(t, 0, 7, 1, said(7, `"action":"send"`)), seal(t, 2, 8, 2, "not for our keys"))
	want := catalog.ParseCount{Messages: 7, Unparsed: 2, UnknownType: 2}
	check := func(when string) {
		t.Helper()
		days, err := w.catalog.Pages.ParsedDays(t.Context(), noon)
		if err != nil || len(days) != 1 || days[0].Day != "2026-11-23" || days[0].ParseCount != want {
			t.Errorf("%s: %+v, want %+v: %v", when, days, want, err)
		}
	}
	archiver, told := w.archiver(), 0
	archiver.Indexed = func(_ context.Context, page catalog.ParseCount) {
		if told++; page != want {
			t.Errorf("told of %+v, want %+v", page, want)
		}
		check("when it was told")
	}
	for range 3 {
		if err := archiver.Handle(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	check("handled three times")
	if told != 3 {
		t.Errorf("told %d times", told)
	}
	w.addKey(t, 2, rsaKeys()[2])
	w.handle(t, key)
	want.Messages, want.Unparsed = 8, 3
	check("with another part")
}

// TestIndexSaysWhatIsStored: a reading with bytes that are no UTF-8 is indexed
// under the name that the stored row has.
func TestIndexSaysWhatIsStored(t *testing.T) {
	w := newWorld(t)
	w.read = func(raw []byte, id string, at time.Time) archive.Reading {
		return archive.Reading{ParserVersion: 1, Conversation: "room:\xff\xfe", MsgTime: at.Add(1234567 * time.Nanosecond)}
	}
	key := w.page(t, 0, seal(t, 0, 1, 1, message(1)))
	w.handle(t, key)
	row := w.parts(t, key)[0][0]
	places, err := w.catalog.Conversations.Places(t.Context(), catalog.PlaceQuery{Conversation: row.Conversation, Limit: 10})
	if err != nil || len(places) != 1 || !places[0].Time.Equal(row.MsgTime) {
		t.Errorf("places of %q: %+v: %v", row.Conversation, places, err)
	}
}

// TestNoPage: what is no page of this corp is not archived; that it is there is a finding.
func TestNoPage(t *testing.T) {
	w := newWorld(t)
	good := w.page(t, 0, seal(t, 0, 1, 1, message(1)))
	stored, err := store.ReadObject(t.Context(), w.objects, good)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := archive.PageKey(777)
	w.put(t, elsewhere, stored)
	damaged := archive.PageKey(888)
	own, err := archive.EncodePage(archive.PageHeader{Corp: corpID, SeqAsked: 888, LastSeq: 900, Count: 1}, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, damaged, own[:len(own)-3])
	foreign, err := archive.EncodePage(archive.PageHeader{Corp: "wwother", SeqAsked: 999, LastSeq: 1000, Count: 1}, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, archive.PageKey(999), foreign)
	for key, want := range map[string]error{
		archive.PageKey(5): store.ErrNotFound, "pages/x": nil, archive.SegmentKey(noon, 0, 0): nil,
	} {
		if err := w.archiver().Handle(t.Context(), key); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", key, err, want)
		}
	}
	for key, want := range map[string]archive.FindingKind{elsewhere: archive.Stray, damaged: archive.Altered, archive.PageKey(999): archive.Stray} {
		if err := w.archiver().Handle(t.Context(), key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if found, err := w.findings().Summary(t.Context()); err != nil || !slices.ContainsFunc(found.Open, func(e damage.Entry) bool { return e.Finding.Key == key && e.Finding.Kind == want }) {
			t.Errorf("%s: findings %+v, %v", key, found.Open, err)
		}
	}
	for info, err := range w.objects.List(t.Context(), archive.SegmentsPrefix, "") {
		t.Errorf("stored %s (%v)", info.Key, err)
	}
}

// TestDamagedParts: a part that cannot be read, or was made of another page, is
// passed over; all that it should hold is stored in the next part, and the damage
// stays in sight.
func TestDamagedParts(t *testing.T) {
	foreign, err := segment.Encode(segment.Meta{Corp: corpID, PageSHA256: "beef", WrittenAt: noon},
		[]archive.Row{{Seq: 1, HasSeq: true, PulledAt: noon, Outcome: archive.OutcomeUnknownKey}})
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{"garbage": []byte("PAR1 garbage PAR1"), "empty": {}, "of another page": foreign} {
		for number := range 2 {
			t.Run(fmt.Sprintf("%s, part %d", name, number), func(t *testing.T) {
				w := newWorld(t)
				key := w.page(t, 0, seal(t, 0, 1, 1, message(1)), seal(t, 0, 2, 1, message(2)), seal(t, 0, 3, 1, message(3)))
				if number == 1 { // the first part holds messages 1 and 2 as ok
					w.handleWith(t, key, 2)
				}
				bad := archive.SegmentKey(noon, 0, number)
				w.put(t, bad, body)
				for range 2 { // the second time nothing is added
					w.handleWith(t, key, 2)
				}
				w.handleWith(t, key, 3)

				ok := map[int64]int{}
				stored := 0
				for info, err := range w.objects.List(t.Context(), archive.SegmentsPrefix, "") {
					if err != nil {
						t.Fatal(err)
					}
					if stored++; info.Key == bad {
						continue
					}
					body, err := store.ReadObject(t.Context(), w.objects, info.Key)
					if err != nil {
						t.Fatal(err)
					}
					_, rows, err := segment.Decode(body)
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range rows {
						if r.Readable() {
							ok[r.Seq]++
						}
					}
				}
				if stored != 3 || len(ok) != 3 || ok[1] != 1 || ok[2] != 1 || ok[3] != 1 {
					t.Errorf("%d parts, readable rows by seq %v", stored, ok)
				}
				state, err := w.catalog.Pages.Page(t.Context(), 0)
				if err != nil || state.Parts != 3 || state.OK != 3 || len(state.Unreadable) != 0 || len(state.Damaged) != 1 || state.Damaged[0] != bad {
					t.Errorf("state %+v: %v", state, err)
				}
				listed, err := w.catalog.Pages.Quarantined(t.Context(), 0, 10)
				if err != nil || len(listed) != 1 {
					t.Errorf("%d pages in the quarantine: %v", len(listed), err)
				}
			})
		}
	}
}

// TestNewerPart: a part that a later program stored is left to that program.
func TestNewerPart(t *testing.T) {
	w := newWorld(t)
	key := w.page(t, 0, seal(t, 0, 1, 1, message(1)))
	w.put(t, archive.SegmentKey(noon, 0, 0), newerSegment(t))
	if err := w.archiver().Handle(t.Context(), key); !errors.Is(err, archive.ErrNewFormat) {
		t.Errorf("error %v", err)
	}
}

// newerSegment is a segment as a later program would store it: with another format
// in its footer, and a SHA-256 to match (docs/format.md, "Segments").
func newerSegment(t *testing.T) []byte {
	t.Helper()
	body, err := segment.Encode(segment.Meta{Corp: corpID, WrittenAt: noon},
		[]archive.Row{{Seq: 1, HasSeq: true, PulledAt: noon, Outcome: archive.OutcomeUnknownKey}})
	if err != nil {
		t.Fatal(err)
	}
	body = bytes.Replace(body, []byte("wecom-archive.format\x18\x011"), []byte("wecom-archive.format\x18\x012"), 1)
	at := bytes.LastIndex(body, []byte("wecom-archive.sha256\x18\x40")) + len("wecom-archive.sha256\x18\x40")
	digest := body[at : at+64]
	copy(digest, strings.Repeat("0", 64))
	sum := sha256.Sum256(body)
	hex.Encode(digest, sum[:])
	return body
}

// TestManyParts: recovered one by one, messages stand in one part each, and the
// tenth part sorts after the ninth.
func TestManyParts(t *testing.T) {
	w := newWorld(t)
	var envelopes []envelope
	const n = 12
	for i := range n {
		envelopes = append(envelopes, seal(t, 0, i+1, 1, message(i+1)))
	}
	key := w.page(t, 0, envelopes...)
	for up := range n + 1 {
		w.handleWith(t, key, up)
	}
	parts := w.parts(t, key)
	if len(parts) != n+1 {
		t.Fatalf("%d parts", len(parts))
	}
	for i, rows := range parts[1:] {
		if len(rows) != 1 || rows[0].Seq != int64(i+1) || !rows[0].Readable() {
			t.Errorf("part %d: %+v", i+1, rows)
		}
	}
	places, err := w.catalog.Conversations.Places(t.Context(), catalog.PlaceQuery{Conversation: parts[1][0].Conversation, Limit: 100})
	if err != nil || len(places) != n {
		t.Errorf("%d places: %v", len(places), err)
	}
	state, err := w.catalog.Pages.Page(t.Context(), 0)
	if err != nil || state.Parts != n+1 || state.OK != n || len(state.Unreadable) != 0 {
		t.Errorf("state %+v: %v", state, err)
	}
}

// handleWith archives with a library that opens only messages up to a seq.
func (w *world) handleWith(t *testing.T, key string, up int) {
	t.Helper()
	c := w.archiver().Config
	c.Library = limited{w.library, up}
	if err := decode.New(c).Handle(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

// TestOvertaken: when another archiver stores the segment first, only the
// difference to it is added.
func TestOvertaken(t *testing.T) {
	w := newWorld(t)
	key := w.page(t, 0, seal(t, 0, 1, 1, message(1)), seal(t, 0, 2, 1, message(2)))
	slow := w.archiver().Config
	slow.Objects = &overtaken{Objects: w.objects, f: func() { w.handleWith(t, key, 1) }}
	if err := decode.New(slow).Handle(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if got := w.handle(t, key); got != "1:ok 2:bad_message 2:ok" {
		t.Errorf("outcomes %s, want message 2 alone in a second part", got)
	}
}

// TestStaleFinish: an archiver that marks a page after another one has stored a
// further part does not leave the index behind.
func TestStaleFinish(t *testing.T) {
	w := newWorld(t)
	key := w.page(t, 0, seal(t, 0, 1, 1, message(1)), seal(t, 0, 2, 1, message(2)))
	slow := w.archiver().Config
	slow.Library = limited{w.library, 1}
	// Just before the slow one marks the page, the quick one handles it whole.
	slow.Pages = catalog.New(&interrupted{Index: w.index, sort: fmt.Sprintf("%020d", 0), f: func() { w.handle(t, key) }}).Pages
	if err := decode.New(slow).Handle(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	state, err := w.catalog.Pages.Page(t.Context(), 0)
	if err != nil || state.OK != 2 || state.Parts != 2 || len(state.Unreadable) != 0 || state.Types["text"] != 2 || len(state.Types) != 1 {
		t.Errorf("state %+v: %v", state, err)
	}
	if quarantined, err := w.catalog.Pages.Quarantined(t.Context(), 0, 10); err != nil || len(quarantined) > 0 {
		t.Errorf("quarantined %+v: %v", quarantined, err)
	}
}

// TestPartOfAnArchiverThatDied: one that stores a further part while another marks the
// page, and dies of it, has its part indexed: nobody else would look for it.
func TestPartOfAnArchiverThatDied(t *testing.T) {
	w := newWorld(t)
	key := w.page(t, 0, seal(t, 0, 1, 1, message(1)), seal(t, 0, 2, 1, message(2)))
	died := errors.New("died")
	slow := w.archiver().Config
	slow.Library = limited{w.library, 1}
	slow.Pages = catalog.New(&interrupted{Index: w.index, sort: fmt.Sprintf("%020d", 0), f: func() {
		quick := w.archiver().Config
		quick.Conversations = dying{w.catalog.Conversations, died}
		if err := decode.New(quick).Handle(t.Context(), key); !errors.Is(err, died) {
			t.Errorf("the quick one: %v", err)
		}
	}}).Pages
	if err := decode.New(slow).Handle(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	state, err := w.catalog.Pages.Page(t.Context(), 0)
	if err != nil || state.OK != 2 || state.Parts != 2 || len(state.Unreadable) != 0 {
		t.Errorf("state %+v: %v", state, err)
	}
	places, err := w.catalog.Conversations.Places(t.Context(), catalog.PlaceQuery{Conversation: "pair:anna,wmbob", Limit: 10})
	if err != nil || len(places) != 2 {
		t.Errorf("%d messages can be read: %v", len(places), err)
	}
	if quarantined, err := w.catalog.Pages.Quarantined(t.Context(), 0, 10); err != nil || len(quarantined) > 0 {
		t.Errorf("quarantined %+v: %v", quarantined, err)
	}
}

// TestUnlockedBucket: the archiver refuses to work without the lock.
func TestUnlockedBucket(t *testing.T) {
	w := newWorld(t)
	if err := w.archiver().Ready(t.Context()); err != nil {
		t.Error(err)
	}
	c := w.archiver().Config
	c.Lock = storetest.NewUnlockedObjects()
	if err := decode.New(c).Ready(t.Context()); !errors.Is(err, store.ErrNotLocked) {
		t.Errorf("error %v", err)
	}
}
