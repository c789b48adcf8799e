package archive_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

var asked = time.Date(2026, 11, 23, 19, 0, 0, 123e6, time.UTC)

func examplePart() archive.DirectoryPart {
	return archive.DirectoryPart{
		Corp: "ww1", Run: "run-1", Part: 3, At: asked, Program: "test",
		Records: []archive.DirectoryRecord{
			{Kind: archive.SubjectEmployee, ID: "li.na", At: asked, Answer: archive.Named, Name: `李娜 "<&>" part_sha256":"`, Spelling: "Li.Na", Departments: []int64{1, 2}, Status: 1},
			{Kind: archive.SubjectExternal, ID: "wmA", At: asked, Answer: archive.Named, Name: "王伟", Type: 1, Followers: []archive.Follower{{UserID: "Li.Na", Remark: "王总", Tags: []string{"等级/老客户"}, CreatedAt: asked}}},
			{Kind: archive.SubjectRoom, ID: "wrA", At: asked, Answer: archive.NoApp, Customers: true, Members: []archive.RoomMember{{ID: "wmA", JoinedAt: asked}}},
			{Kind: archive.SubjectSeats, At: asked, Answer: archive.Named, Seats: map[string][]string{"1": {"Li.Na"}, "3": {"Li.Na", "wang.wei"}}},
		},
	}
}

func TestDirectoryPart(t *testing.T) {
	ctx := t.Context()
	objects := storetest.NewObjects()
	want := examplePart()
	key, err := archive.PutDirectoryPart(ctx, objects, want)
	if err != nil || key != "directory/dt=2026-11-23/1795460400123-run-1-00003.json.zst" {
		t.Fatalf("%s, %v", key, err)
	}
	if _, err := archive.PutDirectoryPart(ctx, objects, want); err != nil {
		t.Errorf("again: %v", err)
	}
	if at, ok := archive.ParseDirectoryKey(key); !ok || !at.Equal(asked) {
		t.Errorf("time of the key: %v, %v", at, ok)
	}
	got, err := archive.GetDirectoryPart(ctx, objects, key)
	if err != nil {
		t.Fatal(err)
	}
	got.Format, got.SHA256 = 0, ""
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	other := strings.Replace(key, "00003", "00004", 1)
	stored, err := store.ReadObject(ctx, objects, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := objects.PutIfAbsent(ctx, other, bytes.NewReader(stored)); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.GetDirectoryPart(ctx, objects, other); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("under another key: %v", err)
	}
}

// TestDamagedDirectoryPart: not one changed byte of the document is believed.
func TestDamagedDirectoryPart(t *testing.T) {
	objects := storetest.NewObjects()
	key, err := archive.PutDirectoryPart(t.Context(), objects, examplePart())
	if err != nil {
		t.Fatal(err)
	}
	stored, err := store.ReadObject(t.Context(), objects, key)
	if err != nil {
		t.Fatal(err)
	}
	dec, _ := zstd.NewReader(nil)
	enc, _ := zstd.NewWriter(nil)
	doc, err := dec.DecodeAll(stored, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range doc {
		altered := bytes.Clone(doc)
		altered[i] ^= 1
		if _, err := archive.DecodeDirectoryPart(enc.EncodeAll(altered, nil)); !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
			t.Fatalf("byte %d of %q: %v", i, doc, err)
		}
	}
	newer := bytes.Replace(doc, []byte(`"format":1`), []byte(`"format":2`), 1)
	if _, err := archive.DecodeDirectoryPart(enc.EncodeAll(newer, nil)); !errors.Is(err, archive.ErrNewFormat) {
		t.Errorf("a newer format: %v", err)
	}
}

func FuzzDecodeDirectoryPart(f *testing.F) {
	objects := storetest.NewObjects()
	key, err := archive.PutDirectoryPart(f.Context(), objects, examplePart())
	if err != nil {
		f.Fatal(err)
	}
	stored, err := store.ReadObject(f.Context(), objects, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stored)
	f.Add([]byte("rot"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		p, err := archive.DecodeDirectoryPart(stored)
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
				t.Errorf("%v is neither damage nor a newer format", err)
			}
			return
		}
		// What is believed can be put into an index.
		catalog := catalog.New(storetest.NewIndex())
		if err := catalog.People.ApplyDirectoryPart(t.Context(), "key", p); err != nil {
			t.Log(err)
		}
	})
}
