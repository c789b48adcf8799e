package pipeline_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom"
)

// files has a small file for each sdkfileid, but for some that are gone or never
// come, by the first byte of their hash.
type files struct{ calls atomic.Int64 }

func fileOf(fileID string) []byte { return []byte("the file of " + fileID) }

func fateOf(fileID string) archive.MediaState {
	switch sum := sha256.Sum256([]byte(fileID)); sum[0] % 8 {
	case 0:
		return archive.MediaLost
	case 1:
		return archive.MediaFailed
	}
	return archive.MediaStored
}

func (f *files) GetMediaData(_ context.Context, fileID, _ string) (wecom.MediaSlice, error) {
	f.calls.Add(1)
	switch fateOf(fileID) {
	case archive.MediaLost:
		return wecom.MediaSlice{}, wecom.NewSDKError("GetMediaData", 10010)
	case archive.MediaFailed:
		return wecom.MediaSlice{}, wecom.NewSDKError("GetMediaData", 10005)
	}
	return wecom.MediaSlice{Data: fileOf(fileID), Last: true}, nil
}

// fetchAll has the media stage work on all job lists until nothing waits.
func (w *world) fetchAll(t *testing.T, lib mediafetch.Library) {
	t.Helper()
	catalog := catalog.New(w.index)
	stage := mediafetch.New(mediafetch.Config{
		Corp: corpID, Program: "test", Objects: w.objects, Lock: w.objects, Derived: w.derived, Media: catalog.Media, Library: lib,
		Now: w.Now, Sleep: w.Sleep, Log: w.log, Spool: t.TempDir(),
	})
	if err := stage.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		lists, err := catalog.Media.PendingMedia(t.Context(), nil, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(lists) == 0 {
			return
		}
		for _, l := range lists {
			if err := stage.Handle(t.Context(), l.Key()); err != nil {
				t.Fatal(err)
			}
		}
		w.advance(13 * time.Hour)
	}
	t.Fatal("files wait for ever")
}

// references are the files that messages of the corp refer to, but for those in
// messages that cannot be read; by msgid and path.
func (w *world) references(t *testing.T) map[string]wecom.Media {
	t.Helper()
	refs := map[string]wecom.Media{}
	for i := range w.corp.Len() {
		m, err := w.corp.Served(i)
		if err != nil {
			t.Fatal(err)
		}
		if m.Unreadable != "" {
			continue
		}
		for _, f := range wecom.Parse(m.Raw, m.MsgID, time.Time{}).Media {
			refs[m.MsgID+" "+f.Path] = f
		}
	}
	return refs
}

// mediaFacts is what the index knows of files.
type mediaFacts struct {
	Facts    catalog.MediaFacts
	Files    map[string]catalog.MediaFile
	Troubles []catalog.MediaTrouble
}

func (w *world) mediaFacts(t *testing.T) (m mediaFacts) {
	t.Helper()
	catalog := catalog.New(w.index)
	hashes := map[string]bool{}
	for _, f := range w.references(t) {
		hashes[f.FileIDHash()] = true
	}
	var list []string
	for h := range hashes {
		list = append(list, h)
	}
	var err error
	if m.Facts, err = catalog.Media.MediaFacts(t.Context()); err == nil {
		if m.Files, err = catalog.Media.MediaFiles(t.Context(), list...); err == nil {
			m.Troubles, _, err = catalog.Media.MediaTroublesBefore(t.Context(), "", 1000)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMedia: every file that a message refers to, nested ones too, is fetched and
// linked; and an index that is made again says the same of each.
func TestMedia(t *testing.T) {
	w := newWorld(t, 300, 40, nil)
	w.boot(nil).mustFinish(t)
	lib := &files{}
	w.fetchAll(t, lib)

	refs := w.references(t)
	before := w.mediaFacts(t)
	if len(refs) < 40 || before.Facts.Refs < len(refs) || before.Facts.Pending() != 0 || before.Facts.Lost == 0 || before.Facts.Failed == 0 || before.Facts.Stored == 0 {
		t.Fatalf("%d references, counted %+v", len(refs), before.Facts)
	}
	links := map[string]archive.Link{}
	for info, err := range w.objects.List(t.Context(), archive.LinksPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		doc, err := store.ReadObject(t.Context(), w.objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		l, err := archive.DecodeLinks(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range l.Links {
			links[link.MsgID+" "+link.Path] = link
		}
	}
	for place, f := range refs {
		l := links[place]
		if l.State != fateOf(f.FileID) || l.Kind != f.Kind {
			t.Errorf("%s of kind %s is linked as %+v, want %s", place, f.Kind, l, fateOf(f.FileID))
		}
		if l.State != archive.MediaStored {
			continue
		}
		body, err := store.ReadObject(t.Context(), w.objects, l.Key)
		sum := sha256.Sum256(body)
		if err != nil || !bytes.Equal(body, fileOf(f.FileID)) || l.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %q, %v", place, body, err)
		}
	}

	// Neither the index nor the derived bucket holds a fact of its own.
	calls := lib.calls.Load()
	w.index, w.derived = storetest.NewIndex(), storetest.NewDerived()
	report := w.reindex(t, false)
	if report.Media != 0 {
		t.Errorf("%d pages with files to fetch, after all were", report.Media)
	}
	if after := w.mediaFacts(t); !reflect.DeepEqual(after, before) {
		t.Errorf("after a rebuild:\n%+v\nwant\n%+v", after, before)
	}
	w.fetchAll(t, lib)
	if lib.calls.Load() != calls {
		t.Error("after a rebuild, files were fetched again")
	}
}

// TestMediaAfterRebuild: files that were not fetched when index and derived bucket
// were lost are fetched afterwards.
func TestMediaAfterRebuild(t *testing.T) {
	w := newWorld(t, 120, 40, nil)
	w.boot(nil).mustFinish(t)
	w.index, w.derived = storetest.NewIndex(), storetest.NewDerived()
	if report := w.reindex(t, false); report.Media != report.Pages {
		t.Errorf("%+v, want files in each page", report)
	}
	p := w.boot(nil)
	for page, err := range w.objects.List(t.Context(), archive.PagesPrefix, "") { // what reindex has queued
		if err == nil {
			err = p.archiver.Handle(t.Context(), page.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.fetchAll(t, &files{})
	if m := w.mediaFacts(t); m.Facts.Refs < 10 || m.Facts.Pending() != 0 {
		t.Errorf("%+v", m.Facts)
	}
}

// TestMediaRedrive: what failed is fetched when somebody asks for it, also when its
// job list is gone.
func TestMediaRedrive(t *testing.T) {
	w := newWorld(t, 120, 40, nil)
	w.boot(nil).mustFinish(t)
	w.fetchAll(t, &files{})
	before := w.mediaFacts(t)
	if before.Facts.Failed == 0 {
		t.Fatal("nothing failed")
	}
	w.derived = storetest.NewDerived()
	p := w.boot(nil)
	pages, err := (&rebuild.Redriver{
		Corp: corpID, Objects: w.objects, Pages: p.catalog.Pages, Media: p.catalog.Media, Queue: p.queue, Now: w.Now, NewID: func() string { return "r1" },
	}).Run(t.Context(), rebuild.Selection{Media: true}, "me")
	if err != nil || pages == 0 || pages != len(p.queue.keys) {
		t.Fatalf("%d pages, %d queued, %v", pages, len(p.queue.keys), err)
	}
	p.mustFinish(t)
	w.fetchAll(t, all{})
	after := w.mediaFacts(t)
	if after.Facts.Failed != 0 || after.Facts.Stored != before.Facts.Stored+before.Facts.Failed || after.Facts.Lost != before.Facts.Lost {
		t.Errorf("%+v, before %+v", after.Facts, before.Facts)
	}
	w.index = storetest.NewIndex()
	w.reindex(t, false)
	if again := w.mediaFacts(t); !reflect.DeepEqual(again.Facts, after.Facts) || len(again.Troubles) != len(after.Troubles) {
		t.Errorf("after a rebuild: %+v, want %+v", again.Facts, after.Facts)
	}
}

// all has every file.
type all struct{}

func (all) GetMediaData(_ context.Context, fileID, _ string) (wecom.MediaSlice, error) {
	return wecom.MediaSlice{Data: fileOf(fileID), Last: true}, nil
}

// TestJobListsSurviveCrashes: wherever the archiver dies, the lists are there in the
// end, and name no text and no file.
func TestJobListsSurviveCrashes(t *testing.T) {
	base := newWorld(t, 24, 12, nil)
	lists := func(w *world) string {
		var b bytes.Buffer
		for info, err := range w.derived.List(t.Context(), archive.FetchPrefix, "") {
			if err != nil {
				t.Fatal(err)
			}
			doc, err := store.ReadObject(t.Context(), w.derived, info.Key)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(doc, []byte("filename")) || bytes.Contains(doc, []byte("content")) {
				t.Errorf("%s holds more than it should: %s", info.Key, doc)
			}
			fmt.Fprintf(&b, "%s %s\n", info.Key, doc)
		}
		return b.String()
	}
	world := func() *world {
		w := base.copy(t)
		w.derived = storetest.NewDerived()
		return w
	}
	quiet := world()
	quiet.boot(nil).mustFinish(t)
	want := lists(quiet)
	if len(want) == 0 {
		t.Fatal("no lists")
	}
	for k := 1; ; k++ {
		w := world()
		w.faults.CrashAt(k, storetest.After)
		err := w.boot(nil).finish(t.Context())
		if !w.faults.Crashed() {
			if k < 10 {
				t.Fatalf("%d steps, %v", k-1, err)
			}
			return
		}
		if !errors.Is(err, storetest.ErrCrashed) {
			t.Fatalf("step %d: %v", k, err)
		}
		w.faults.Restart()
		w.boot(nil).mustFinish(t)
		if got := lists(w); got != want {
			t.Fatalf("crash at %d:\n%s\nwant\n%s", k, got, want)
		}
	}
}
