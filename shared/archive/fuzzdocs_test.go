package archive_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// spoiled are documents like one that the program wrote: it, and what damage, a careless
// hand and a hostile one make of it.
func spoiled(doc []byte) [][]byte {
	text := string(doc)
	flipped := slices.Clone(doc)
	flipped[len(flipped)/2] ^= 1
	return [][]byte{
		doc, doc[:len(doc)/2], doc[:len(doc)-1], flipped, {},
		[]byte(strings.Replace(text, `"format":1`, `"format":2`, 1)),
		[]byte(strings.Replace(text, `"format":1`, `"format":1,"FORMAT":1,"corp":"first","corp":"second"`, 1)),
		[]byte(strings.Replace(text, `"format":1`, `"format":1,"corp":["what somebody said in confidence"]`, 1)),
		[]byte(strings.Replace(text, `"format":1`, `"format":1,"at":"what somebody said in confidence","pulled_at":"what somebody said in confidence","created_at":"what somebody said in confidence"`, 1)),
		[]byte(strings.Replace(text, `"format":1`, `"format":1,"seq_asked":`+strings.Repeat("9", 2000), 1)),
		[]byte(strings.Replace(text, `"format":1`, `"format":1,"part":-1,"number":-1`, 1)),
		[]byte(strings.Replace(text, `"format":1`, `"format":1,"other":`+strings.Repeat("[", 2000)+strings.Repeat("]", 2000), 1)),
		[]byte(strings.ReplaceAll(text, "2026-", "9999-")),
		[]byte(strings.ReplaceAll(text, "2026-11-23T08:00:00Z", "9999-12-31T23:59:59-01:00")),
		[]byte(strings.ReplaceAll(text, "2026-11-23T08:00:00Z", "0000-01-01T00:00:00+01:00")),
	}
}

// resealed is the document as it was, and with its own digest made to fit: whoever can
// write one can do so.
func resealed(doc []byte, prefix string) [][]byte {
	fitting := slices.Clone(doc)
	if archive.Seal(fitting, prefix) != nil {
		return [][]byte{doc}
	}
	return [][]byte{doc, fitting}
}

// refused fails unless an error says what kind of fault there is, and no more.
func refused(t *testing.T, err error, doc []byte) {
	t.Helper()
	if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
		t.Fatalf("neither damaged nor newer: %v", err)
	}
	storetest.Discreet(t, err, doc)
}

// sameJSON fails unless both say the same.
func sameJSON(t *testing.T, a, b any) {
	t.Helper()
	first, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Fatalf("%s comes back as %s", first, second)
	}
}

// FuzzDecodeFetchList: a job list that is read has a key of its own, which tells its
// page and part, and stays the same when it is stored again.
func FuzzDecodeFetchList(f *testing.F) {
	list := mediaList(mediaJob(0, "image", "a"), mediaJob(3, "mixed.1", `list_sha256":"`))
	list.Part = 2
	doc, err := list.Encode()
	if err != nil {
		f.Fatal(err)
	}
	for _, doc := range spoiled(doc) {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		for _, doc := range resealed(doc, archive.ListSeal) {
			l, err := archive.DecodeFetchList(doc)
			if err != nil {
				refused(t, err, doc)
				continue
			}
			day, asked, part, ok := archive.ParseFetchKey(l.Key())
			if !ok || day != archive.Day(l.PulledAt) || asked != l.SeqAsked || part != l.Part {
				t.Fatalf("%s is no key of page %d, part %d", l.Key(), l.SeqAsked, l.Part)
			}
			stored, err := l.Encode()
			if err != nil {
				t.Fatal(err)
			}
			again, err := archive.DecodeFetchList(stored)
			if err != nil {
				t.Fatal(err)
			}
			l.Format, l.SHA256 = again.Format, again.SHA256
			sameJSON(t, l, again)
		}
	})
}

// FuzzDecodeReject: a rejected reply that is read is the one that its header vouches
// for, and stays the same when it is stored again.
func FuzzDecodeReject(f *testing.F) {
	h := archive.RejectHeader{Corp: "ww1", SeqAsked: 10, Limit: 1000, PulledAt: mediaPulled, Run: "r", Program: "test", Reason: `errcode 301042 "header_sha256":"`}
	for _, reply := range []string{"", goodReply, "<html>", strings.Repeat("9", 5000)} {
		stored, err := archive.EncodeReject(h, []byte(reply))
		if err != nil {
			f.Fatal(err)
		}
		for _, stored := range [][]byte{
			stored, stored[:len(stored)-1], stored[:len(stored)/2], stored[8:], append(slices.Clone(stored), stored...),
			bytes.Replace(stored, []byte(`"size":`), []byte(`"SIZE":`), 1),
			bytes.Replace(stored, []byte(`"limit":1000`), []byte(`"limit":"qqq`), 1),
			bytes.Replace(stored, []byte("2026-11-23T08:00:00Z"), []byte("what somebody said 0"), 1),
			bytes.Replace(stored, []byte(`"format":1`), []byte(`"format":9`), 1),
		} {
			f.Add(stored)
		}
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		fitting := slices.Clone(stored)
		_ = archive.ResealHeader(fitting) // what has no header stays as it is
		for _, stored := range [][]byte{stored, fitting} {
			h, reply, err := archive.DecodeReject(stored)
			if err != nil {
				refused(t, err, stored)
				if reply != nil {
					t.Fatal("a reply beside an error")
				}
				continue
			}
			if h.Size != int64(len(reply)) {
				t.Fatalf("%d bytes, and its header says %d", len(reply), h.Size)
			}
			again, err := archive.EncodeReject(h, reply)
			if err != nil {
				t.Fatal(err)
			}
			h2, reply2, err := archive.DecodeReject(again)
			if err != nil || !bytes.Equal(reply, reply2) {
				t.Fatalf("another reply, %v", err)
			}
			h.Format, h.HeaderSHA256 = h2.Format, h2.HeaderSHA256
			sameJSON(t, h, h2)
			if !bytes.Equal(unzstd(t, again), reply) {
				t.Fatal("a zstd tool reads something else")
			}
		}
	})
}

// FuzzKeyRecord: a record that is read is that of its id, shows nothing of the private
// half, and stays the same when it is stored again.
func FuzzKeyRecord(f *testing.F) {
	rec := archive.KeyRecord{
		Format: archive.KeyFormat, ID: "2026-11-a", Corp: "ww1", PublicPEM: "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n", Fingerprint: strings.Repeat("ab", 32),
		Wrapped: bytes.Repeat([]byte("wrapped private key "), 60), Imported: true, CreatedAt: mediaPulled,
	}
	for _, indent := range []string{"", "  "} {
		doc, err := json.MarshalIndent(rec, "", indent)
		if err != nil {
			f.Fatal(err)
		}
		doc = bytes.ReplaceAll(doc, []byte(`"format": `), []byte(`"format":`))
		for _, doc := range spoiled(doc) {
			f.Add(doc, rec.ID)
		}
		f.Add(doc, "another")
		f.Add(bytes.ReplaceAll(doc, []byte(`"wrapped"`), []byte(`"id"`)), rec.ID)
		f.Add(bytes.ReplaceAll(doc, []byte(`"wrapped"`), []byte(`"created_at"`)), rec.ID)
	}
	f.Fuzz(func(t *testing.T, doc []byte, id string) {
		key := archive.KeyRecordKey(id)
		if len(id) > 16 || store.CheckObjectKey(key) != nil {
			return
		}
		rec, err := archive.GetKeyRecord(t.Context(), objectsWith(t, key, string(doc)), id)
		if err != nil {
			refused(t, err, doc)
			if rec.ID != "" || rec.Wrapped != nil {
				t.Fatal("a record beside an error")
			}
			return
		}
		if rec.ID != id {
			t.Fatalf("asked for %q, got %q", id, rec.ID)
		}
		again, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		rec2, err := archive.GetKeyRecord(t.Context(), objectsWith(t, key, string(again)), id)
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, rec, rec2)
		if shown, err := json.Marshal(rec.Public()); err != nil || bytes.Contains(shown, []byte("wrapped\":")) {
			t.Fatalf("%s, %v", shown, err)
		}
	})
}

// example is an event of a kind: its key, and a body to decode others into.
type example struct {
	kind, key string
	body      any
	read      func() any
}

func of[T any](kind, key string, body T) example {
	return example{kind, key, body, func() any { return new(T) }}
}

// examples has one event of every kind.
func examples() []example {
	at := mediaPulled
	run := archive.Run{ID: "r", Stage: "puller", StartedAt: at, EndedAt: at, SeqTo: 1 << 63, EndReachedAt: at, Stopped: "end", Error: `"event_sha256":"`, Known: &archive.Known{
		Number: 7, EndReachedAt: at, Quiet: archive.Quiet{Seq: 9, Since: at, Silences: []archive.Silence{{From: at, To: at}}}}}
	gap := archive.Gap{Since: at.AddDate(0, 0, -6), Until: at, Seq: 7, Run: "r", SeenAt: at}
	binding := archive.KeyBinding{PublicKeyVer: 2, Key: "2026-11-a", MsgID: "m"}
	redrive := archive.Redrive{ID: "q", What: "all", Who: "operator", At: at, Pages: []uint64{0, 1 << 63}}
	checkup := archive.Checkup{ID: "c", At: at, Where: archive.CheckedHere, Lines: []archive.CheckupLine{{Check: "library", State: archive.CheckupAct, Found: archive.Bilingual{English: "old", Chinese: "旧"}}}}
	scope := archive.Scope{ID: "s", At: at, Who: "operator", UserIDs: []string{"li.na", "wang.wei"}}
	alias := archive.Alias{Was: "li.na", Is: "lina", At: at, Who: "operator"}
	pull := archive.PullRequest{ID: "p", Who: "operator", At: at}
	incident := archive.Incident{Key: archive.PageKey(7), Version: "v", Kind: archive.IncidentDeleteMarker, Modified: at, Size: 5}
	told := archive.Callback{SentAt: at, ReceivedAt: at, Event: "msgaudit_notify", XML: []byte("<xml>what somebody said in confidence</xml>")}
	return []example{
		of(archive.EventRun, archive.RunKey(run), run), of(archive.EventGap, archive.GapKey(gap), gap), of(archive.EventBinding, archive.BindingKey(binding, at), binding),
		of(archive.EventRedrive, archive.RedriveKey(redrive), redrive), of(archive.EventCheckup, archive.CheckupKey(checkup), checkup), of(archive.EventScope, archive.ScopeKey(scope), scope),
		of(archive.EventAlias, archive.AliasKey(alias), alias), of(archive.EventPullRequest, archive.PullRequestKey(pull), pull),
		of(archive.EventIncident, archive.IncidentKey(incident), incident), of(archive.EventCallback, archive.CallbackKey(told), told),
	}
}

// FuzzDecodeEvent: an event that is read, of whichever kind, stays the same when it is
// stored again.
func FuzzDecodeEvent(f *testing.F) {
	kinds := map[string]example{}
	for _, e := range examples() {
		kinds[e.kind] = e
		objects := storetest.NewObjects()
		if err := archive.PutEvent(f.Context(), objects, e.key, e.kind, "ww1", mediaPulled, e.body); err != nil {
			f.Fatal(err)
		}
		doc, err := store.ReadObject(f.Context(), objects, e.key)
		if err != nil {
			f.Fatal(err)
		}
		for _, doc := range spoiled(doc) {
			f.Add(doc)
		}
		f.Add(bytes.Replace(doc, []byte(`"body":{`), []byte(`"body":null,"other":{`), 1))
		f.Add(bytes.Replace(doc, []byte(`"body":{`), []byte(`"other":{`), 1))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		for _, doc := range resealed(doc, archive.EventSeal) {
			e, err := archive.DecodeEvent(doc)
			if err != nil {
				refused(t, err, doc)
				continue
			}
			kind, known := kinds[e.Kind]
			if !known {
				kind = example{read: func() any { return new(json.RawMessage) }}
			}
			body, body2 := kind.read(), kind.read()
			if err := e.DecodeBody(body); err != nil {
				refused(t, err, doc)
				continue
			}
			objects, key := storetest.NewObjects(), "events/x.json"
			if err := archive.PutEvent(t.Context(), objects, key, e.Kind, e.Corp, e.At, body); err != nil {
				t.Fatal(err)
			}
			again, err := archive.GetEvent(t.Context(), objects, key, body2)
			if err != nil {
				t.Fatal(err)
			}
			if again.Kind != e.Kind || again.Corp != e.Corp || !again.At.Equal(e.At) {
				t.Fatalf("%+v comes back as %+v", e, again)
			}
			sameJSON(t, body, body2)
		}
	})
}

// FuzzParseKeys: a key that is taken for one of ours is exactly the one that we would
// have given.
func FuzzParseKeys(f *testing.F) {
	part := examplePart()
	for _, key := range []string{
		archive.PageKey(0), archive.PageKey(1<<64 - 1), archive.SegmentKey(mediaPulled, 7, 0), archive.SegmentKey(mediaPulled, 7, 12), archive.FetchKey(mediaPulled, 7, 0), archive.FetchKey(mediaPulled, 7, 1<<31),
		archive.LinksKey(mediaPulled, 7, 0), archive.LinksKey(mediaPulled, 7, 99), archive.KeyRecordKey("2026-11-a"), archive.DirectoryKey(part), archive.RejectKey(7, "r", 1), archive.MediaKey(mediaPulled, "ab"),
	} {
		f.Add(key)
		f.Add(key[:len(key)-1])
		f.Add(key[:len(key)/2] + key)
		f.Add(strings.Replace(key, "2026-11-23", "2026-11-31", 1))
		f.Add(strings.Replace(key, "2026-11-23", "2026-11-22", 1))
		f.Add(strings.Replace(key, "2026-11-23", "2026-11-23/..", 1))
		f.Add(strings.Replace(key, "-", "--", 3))
		f.Add(strings.Replace(key, "0000", "+000", 1))
		f.Add(strings.Replace(key, "0000", "00_0", 1))
		f.Add(strings.Replace(key, ".", "\n.", 1))
	}
	f.Fuzz(func(t *testing.T, key string) {
		given := func(what string, ok bool, want string) {
			if ok && want != key {
				t.Fatalf("%q passes for the key of %s, which is %q", key, what, want)
			}
		}
		on := func(day string) time.Time {
			at, err := time.Parse(time.DateOnly, day)
			if err != nil {
				return time.Time{}
			}
			return at
		}
		asked, ok := archive.ParsePageKey(key)
		given("a page", ok, archive.PageKey(asked))
		day, asked, n, ok := archive.ParseSegmentKey(key)
		given("a segment", ok, archive.SegmentKey(on(day), asked, n))
		day, asked, n, ok = archive.ParseFetchKey(key)
		given("a job list", ok, archive.FetchKey(on(day), asked, n))
		day, asked, n, ok = archive.ParseLinksKey(key)
		given("links", ok, archive.LinksKey(on(day), asked, n))
		id, ok := archive.ParseKeyRecordKey(key)
		given("a key pair", ok, archive.KeyRecordKey(id))
		at, ok := archive.ParseDirectoryKey(key)
		given("a directory part", ok && !strings.HasPrefix(key, archive.DirectoryPrefix+"dt="+archive.Day(at)+"/"), "of another day")
		kind, at, ok := archive.ParseEventKey(key)
		given(kind, ok && !strings.HasPrefix(key, archive.EventsFrom(at)+"/"), "of another day")
	})
}
