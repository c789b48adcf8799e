package access_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

var at = time.Date(2026, 11, 23, 23, 59, 59, 123_456_789, time.FixedZone("", -2*3600)) // the 24th in UTC

func look() access.Look {
	return access.Look{
		Who: "sub-1", How: access.HowAPI, What: access.WhatMessages, Conversation: "pair:a,b",
		Seqs: access.SeqsOf([]int64{9, 3, 7}), From: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		Remote: "192.0.2.1", Request: "REQ1",
	}
}

func ids(names ...string) func() string {
	return func() string {
		name := names[0]
		if len(names) > 1 {
			names = names[1:]
		}
		return name
	}
}

// The stored format is locked for years: these bytes must not change.
func TestStored(t *testing.T) {
	objects := storetest.NewObjects()
	r := &access.Recorder{Objects: objects, Now: func() time.Time { return at }, NewID: ids("ABCDEFGH")}
	if err := r.Record(t.Context(), look()); err != nil {
		t.Fatal(err)
	}
	stored, err := storetest.Contents(t.Context(), objects, "")
	if err != nil {
		t.Fatal(err)
	}
	const key = "access/dt=2026-11-24/1795485599123-ABCDEFGH.json"
	const want = `{"format":1,"at":"2026-11-24T01:59:59.123Z","who":"sub-1","how":"api","what":"messages","conversation":"pair:a,b",` +
		`"seqs":{"first":3,"last":9,"count":3,"list":[3,7,9]},"from":"2026-11-01T00:00:00Z","remote":"192.0.2.1","request":"REQ1"}`
	if len(stored) != 1 || string(stored[key]) != want {
		t.Fatalf("got %q", stored)
	}
	got, err := access.Decode(stored[key])
	wanted := look()
	wanted.At = at.UTC().Truncate(time.Millisecond)
	if err != nil || !reflect.DeepEqual(got, wanted) {
		t.Errorf("decoded %+v, %v; want %+v", got, err, wanted)
	}
}

func TestSeqsOf(t *testing.T) {
	if got := access.SeqsOf(nil); !reflect.DeepEqual(got, access.Seqs{}) {
		t.Errorf("of none: %+v", got)
	}
	many := make([]int64, 1001)
	for i := range many {
		many[i] = int64(2000 - i)
	}
	if got := access.SeqsOf(many); got.List != nil || got.First != 1000 || got.Last != 2000 || got.Count != 1001 {
		t.Errorf("of 1001: %+v", got)
	}
	if got := access.SeqsOf(many[:1000]); len(got.List) != 1000 || !slices.IsSorted(got.List) || many[0] != 2000 {
		t.Errorf("of 1000: %+v", got)
	}
}

func TestIncomplete(t *testing.T) {
	objects := storetest.NewObjects()
	r := &access.Recorder{Objects: objects, Now: func() time.Time { return at }, NewID: ids("ABCDEFGH")}
	for name, spoil := range map[string]func(*access.Look){
		"who": func(l *access.Look) { l.Who = "" }, "how": func(l *access.Look) { l.How = "" },
		"what": func(l *access.Look) { l.What = "" }, "conversation": func(l *access.Look) { l.Conversation = "" },
		"request": func(l *access.Look) { l.Request = "" },
	} {
		l := look()
		spoil(&l)
		if err := r.Record(t.Context(), l); !errors.Is(err, access.ErrIncomplete) {
			t.Errorf("no %s: %v", name, err)
		}
	}
	for _, id := range []string{"", "short", "has/slash", "has space", strings.Repeat("x", 65)} {
		r.NewID = ids(id)
		if err := r.Record(t.Context(), look()); err == nil {
			t.Errorf("name %q was taken", id)
		}
	}
	if stored, err := storetest.Contents(t.Context(), objects, ""); err != nil || len(stored) != 0 {
		t.Errorf("stored %q, %v", stored, err)
	}
}

func TestTakenNames(t *testing.T) {
	objects := storetest.NewObjects()
	r := &access.Recorder{Objects: objects, Now: func() time.Time { return at }, NewID: ids("AAAAAAAA", "AAAAAAAA", "BBBBBBBB")}
	other := look()
	other.Who = "sub-2"
	for _, l := range []access.Look{look(), other} {
		if err := r.Record(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := storetest.Contents(t.Context(), objects, archive.AccessPrefix)
	if err != nil || len(stored) != 2 || !bytes.Contains(stored[access.Key(at, "BBBBBBBB")], []byte("sub-2")) {
		t.Errorf("stored %q, %v", stored, err)
	}
	r.NewID = ids("AAAAAAAA")
	if err := r.Record(t.Context(), other); !errors.Is(err, store.ErrExists) {
		t.Errorf("only taken names: %v", err)
	}
	if err := objects.Verify(); err != nil {
		t.Error(err)
	}
}

// repeating answers a put that worked with "already there", as a store does
// whose first answer got lost and whose client tried again.
type repeating struct{ store.Objects }

func (o repeating) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	if err := o.Objects.PutIfAbsent(ctx, key, body); err != nil {
		return err
	}
	return store.ErrExists
}

func TestRepeatedPut(t *testing.T) {
	objects := storetest.NewObjects()
	r := &access.Recorder{Objects: repeating{objects}, Now: func() time.Time { return at }, NewID: ids("AAAAAAAA", "BBBBBBBB")}
	if err := r.Record(t.Context(), look()); err != nil {
		t.Fatal(err)
	}
	if stored, err := storetest.Contents(t.Context(), objects, ""); err != nil || len(stored) != 1 {
		t.Errorf("stored %q, %v", stored, err)
	}
}

func TestStoreFails(t *testing.T) {
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		faults := storetest.NewFaults()
		faults.FailAt(1, when)
		r := &access.Recorder{Objects: faults.Objects(storetest.NewObjects()), Now: func() time.Time { return at }, NewID: ids("AAAAAAAA")}
		if err := r.Record(t.Context(), look()); !errors.Is(err, storetest.ErrInjected) {
			t.Errorf("%v: %v", when, err)
		}
		if err := r.Record(t.Context(), look()); err != nil {
			t.Errorf("again: %v", err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for doc, want := range map[string]error{
		``:             store.ErrDamaged,
		`[]`:           store.ErrDamaged,
		`{}`:           store.ErrDamaged,
		`{"format":3}`: archive.ErrNewFormat,
		`{"format":1,"at":"2026-11-24T01:59:59.123Z"}`: store.ErrDamaged,
		`{"format":1,"at":"yesterday"}`:                store.ErrDamaged,
	} {
		if _, err := access.Decode([]byte(doc)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", doc, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	l := look()
	l.At = at.UTC().Truncate(time.Millisecond)
	doc, err := access.Encode(l)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	f.Add([]byte(`{"format":1,"at":"2026-11-24T01:59:59+08:00","who":"a","how":"web","what":"x","conversation":"c","request":"r","new":1}`))
	f.Fuzz(func(t *testing.T, stored []byte) {
		l, err := access.Decode(stored)
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		again, err := access.Encode(l)
		if err != nil {
			t.Fatalf("%+v does not encode: %v", l, err)
		}
		if back, err := access.Decode(again); err != nil || back.Who != l.Who || !back.At.Equal(l.At) || !reflect.DeepEqual(back.Seqs.List, l.Seqs.List) && len(l.Seqs.List) > 0 {
			t.Errorf("%+v became %+v, %v", l, back, err)
		}
	})
}

// A search is stored with its terms, also one that found nothing, and is limited to a
// conversation or not.
func TestStoredSearch(t *testing.T) {
	objects := storetest.NewObjects()
	r := &access.Recorder{Objects: objects, Now: func() time.Time { return at }, NewID: ids("ABCDEFGH")}
	l := access.Look{Who: "sub-1", How: access.HowWeb, What: access.WhatSearch, Search: map[string]string{"q": "合同", "person": "li.na"}, Conversations: []string{"room:b", "pair:a,b", "room:b"}, Request: "REQ1"}
	if err := r.Record(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	stored, err := storetest.Contents(t.Context(), objects, "")
	if err != nil {
		t.Fatal(err)
	}
	const key = "access/dt=2026-11-24/1795485599123-ABCDEFGH.json"
	const want = `{"format":2,"at":"2026-11-24T01:59:59.123Z","who":"sub-1","how":"web","what":"search",` +
		`"search":{"person":"li.na","q":"合同"},"conversations":["pair:a,b","room:b"],"seqs":{"first":0,"last":0,"count":0},"request":"REQ1"}`
	if len(stored) != 1 || string(stored[key]) != want {
		t.Fatalf("got %q", stored)
	}
	l.At, l.Conversations = at.UTC().Truncate(time.Millisecond), []string{"pair:a,b", "room:b"}
	if got, err := access.Decode(stored[key]); err != nil || !reflect.DeepEqual(got, l) {
		t.Errorf("decoded %+v, %v; want %+v", got, err, l)
	}
	l.Search = nil
	if err := r.Record(t.Context(), l); !errors.Is(err, access.ErrIncomplete) {
		t.Errorf("a search without a search: %v", err)
	}
}

// TestName: the name as signed in stays with the look; a look without one has no member.
func TestName(t *testing.T) {
	l := look()
	l.At = at.UTC()
	without, err := access.Encode(l)
	if err != nil || strings.Contains(string(without), `"name"`) {
		t.Fatalf("%s, %v", without, err)
	}
	l.Name = "李娜"
	stored, err := access.Encode(l)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := access.Decode(stored); err != nil || got.Name != "李娜" || got.Who != "sub-1" {
		t.Errorf("%+v, %v", got, err)
	}
}
