package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

var mediaPulled = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func mediaJob(position int, path, id string) archive.MediaJob {
	return archive.MediaJob{
		MediaPlace: archive.MediaPlace{Position: position, Path: path, Seq: int64(100 + position), MsgID: fmt.Sprint("m", position), Kind: "image", FileIDSHA256: "hash-" + id},
		FileID:     "secret-" + id, MD5: "0cc175b9c0f1b6a831c399e269772661", Size: 1, Expires: mediaPulled.Add(archive.Window),
	}
}

func mediaList(jobs ...archive.MediaJob) archive.FetchList {
	return archive.FetchList{Corp: "ww1", SeqAsked: 7, PulledAt: mediaPulled, Jobs: jobs}
}

func TestMediaKeys(t *testing.T) {
	if got, want := archive.FetchKey(mediaPulled, 7, 2), "fetch/dt=2026-11-23/00000000000000000007-r2.json"; got != want {
		t.Errorf("FetchKey = %s", got)
	}
	if day, asked, part, ok := archive.ParseFetchKey(archive.FetchKey(mediaPulled, 7, 2)); !ok || day != "2026-11-23" || asked != 7 || part != 2 {
		t.Errorf("ParseFetchKey = %s, %d, %d, %v", day, asked, part, ok)
	}
	if got, want := archive.LinksKey(mediaPulled, 7, 11), "links/dt=2026-11-23/00000000000000000007-11.json"; got != want {
		t.Errorf("LinksKey = %s", got)
	}
	if day, asked, n, ok := archive.ParseLinksKey(archive.LinksKey(mediaPulled, 7, 11)); !ok || day != "2026-11-23" || asked != 7 || n != 11 {
		t.Errorf("ParseLinksKey = %s, %d, %d, %v", day, asked, n, ok)
	}
	if got, want := archive.MediaKey(time.Date(2026, 12, 1, 7, 0, 0, 0, time.FixedZone("", 8*3600)), "ab"), "media/2026-11/ab"; got != want {
		t.Errorf("MediaKey = %s: months are UTC", got)
	}
	for _, bad := range []string{
		"", "links/dt=2026-11-23/00000000000000000007.json", "links/dt=2026-11-23/00000000000000000007-01.json",
		"links/dt=2026-11-23/7-1.json", "links/dt=2026-13-23/00000000000000000007-1.json", "links/dt=2026-11-23/00000000000000000007--1.json",
		"fetch/dt=2026-11-23/00000000000000000007-r0.json", "fetch/dt=2026-11-23/00000000000000000007.parquet",
	} {
		if _, _, _, ok := archive.ParseLinksKey(bad); ok {
			t.Errorf("ParseLinksKey takes %q", bad)
		}
		if _, _, _, ok := archive.ParseFetchKey(bad); ok {
			t.Errorf("ParseFetchKey takes %q", bad)
		}
	}
}

func TestMediaExpiry(t *testing.T) {
	day := 24 * time.Hour
	for _, test := range []struct {
		msg    time.Time
		source string
		want   time.Time
	}{
		{mediaPulled.Add(-day), "msgtime", mediaPulled.Add(4 * day)},
		{mediaPulled.Add(-day), "pulled_at", mediaPulled.Add(5 * day)}, // the time is made up
		{mediaPulled.Add(day), "msgtime", mediaPulled.Add(5 * day)},    // from the future
		{time.Unix(0, 0), "msgtime", mediaPulled.Add(5 * day)},         // would not have been served
	} {
		if got := archive.MediaExpiry(test.msg, mediaPulled, test.source); !got.Equal(test.want) {
			t.Errorf("a message of %v (%s) expires %v, want %v", test.msg, test.source, got, test.want)
		}
	}
}

func TestVerdicts(t *testing.T) {
	const md5 = "0cc175b9c0f1b6a831c399e269772661"
	for claimed, want := range map[string]archive.Verdict{
		md5: archive.VerdictMatch, strings.ToUpper(md5): archive.VerdictMatch, " " + md5 + "\n": archive.VerdictMatch,
		"": archive.VerdictAbsent, "x": archive.VerdictAbsent, strings.Repeat("z", 32): archive.VerdictAbsent,
		strings.Repeat("0", 32): archive.VerdictMismatch,
	} {
		if got := archive.JudgeMD5(claimed, md5); got != want {
			t.Errorf("JudgeMD5(%q) = %s, want %s", claimed, got, want)
		}
	}
	for claimed, want := range map[int64]archive.Verdict{-1: archive.VerdictAbsent, 5: archive.VerdictMatch, 0: archive.VerdictMismatch, 1 << 40: archive.VerdictMismatch} {
		if got := archive.JudgeSize(claimed, 5); got != want {
			t.Errorf("JudgeSize(%d) = %s, want %s", claimed, got, want)
		}
	}
}

// TestFetchListStored: what is stored comes back, and one that was altered or lies
// at a wrong key is refused. It shows no sdkfileid when printed.
func TestFetchListStored(t *testing.T) {
	derived := storetest.NewDerived()
	list := mediaList(mediaJob(0, "image", "a"), mediaJob(3, "mixed.item[1]", "b"))
	if err := archive.PutFetchList(t.Context(), derived, list); err != nil {
		t.Fatal(err)
	}
	got, err := archive.ReadFetchList(t.Context(), derived, list.Key())
	if err != nil || len(got.Jobs) != 2 || got.Jobs[1] != list.Jobs[1] {
		t.Fatalf("read %+v, %v", got, err)
	}
	if text := fmt.Sprintf("%v %+v %#v", got.Jobs[0], got, got.Jobs); strings.Contains(text, "secret-") {
		t.Errorf("the sdkfileid is printed: %s", text)
	}
	doc, err := store.ReadObject(t.Context(), derived, list.Key())
	if err != nil {
		t.Fatal(err)
	}
	for i := range doc {
		bad := bytes.Clone(doc)
		bad[i] ^= 1
		if _, err := archive.DecodeFetchList(bad); !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
			t.Fatalf("with byte %d altered: %v", i, err)
		}
	}
	elsewhere := archive.FetchKey(mediaPulled, 8, 0)
	if err := derived.Put(t.Context(), elsewhere, bytes.NewReader(doc)); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.ReadFetchList(t.Context(), derived, elsewhere); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a list at another's key: %v", err)
	}
}

func link(job archive.MediaJob, state archive.MediaState) archive.Link {
	l := archive.Link{MediaPlace: job.MediaPlace, State: state, At: mediaPulled, Attempts: 1}
	switch state {
	case archive.MediaStored:
		l.SHA256, l.Size, l.MD5Verdict, l.SizeVerdict = "ab", 5, archive.VerdictMatch, archive.VerdictMismatch
		l.Key = archive.MediaKey(mediaPulled, l.SHA256)
	case archive.MediaFailed:
		l.Reason = archive.ReasonUnavailable
	case archive.MediaLost:
		l.Reason = archive.ReasonExpired
	}
	return l
}

// TestLinksByMany: many write links of one page at a time; each reference is
// linked once, and only "stored" supersedes.
func TestLinksByMany(t *testing.T) {
	objects := storetest.NewObjects()
	var jobs []archive.MediaJob
	for i := range 12 {
		jobs = append(jobs, mediaJob(i, "image", fmt.Sprint(i)))
	}
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			page, err := archive.ReadPageLinks(t.Context(), objects, mediaPulled, 7)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 12 {
				l := link(jobs[(i+worker)%12], archive.MediaFailed)
				if _, err := page.Add(t.Context(), objects, archive.Links{Links: []archive.Link{l}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	page, err := archive.ReadPageLinks(t.Context(), objects, mediaPulled, 7)
	if err != nil || page.Objects != 12 || len(page.All()) != 12 {
		t.Fatalf("%d objects with %d links, %v; want 12 of each", page.Objects, len(page.All()), err)
	}
	for _, test := range []struct {
		state archive.MediaState
		added int
	}{{archive.MediaFailed, 0}, {archive.MediaLost, 1}, {archive.MediaFailed, 0}, {archive.MediaStored, 1}, {archive.MediaStored, 0}, {archive.MediaLost, 0}} {
		added, err := page.Add(t.Context(), objects, archive.Links{Links: []archive.Link{link(jobs[0], test.state)}})
		if err != nil || len(added) != test.added {
			t.Errorf("adding %s: %d added, %v; want %d", test.state, len(added), err, test.added)
		}
	}
	if again, err := archive.ReadPageLinks(t.Context(), objects, mediaPulled, 7); err != nil || again.Objects != 14 {
		t.Errorf("read again: %+v, %v", again, err)
	} else if l, ok := again.Of(jobs[0].MediaPlace); !ok || l.State != archive.MediaStored {
		t.Errorf("the reference is %+v", l)
	}
}

// TestDamagedLinks: an object that cannot be read says nothing, and its number is
// taken.
func TestDamagedLinks(t *testing.T) {
	objects := storetest.NewObjects()
	if err := objects.PutIfAbsent(t.Context(), archive.LinksKey(mediaPulled, 7, 0), strings.NewReader(`{"format":1}`)); err != nil {
		t.Fatal(err)
	}
	page, err := archive.ReadPageLinks(t.Context(), objects, mediaPulled, 7)
	if err != nil || len(page.Damaged) != 1 || page.Objects != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	if _, err := page.Add(t.Context(), objects, archive.Links{Links: []archive.Link{link(mediaJob(0, "image", "a"), archive.MediaLost)}}); err != nil {
		t.Fatal(err)
	}
	if page, err = archive.ReadPageLinks(t.Context(), objects, mediaPulled, 7); err != nil || len(page.All()) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
}

func FuzzDecodeLinks(f *testing.F) {
	objects := storetest.NewObjects()
	links := archive.Links{SeqAsked: 7, PulledAt: mediaPulled, Links: []archive.Link{link(mediaJob(0, "image", "a"), archive.MediaStored)}}
	if err := archive.PutLinks(f.Context(), objects, links); err != nil {
		f.Fatal(err)
	}
	doc, err := store.ReadObject(f.Context(), objects, links.Key())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	list, err := mediaList(mediaJob(0, "image", "a")).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(list)
	f.Fuzz(func(t *testing.T, doc []byte) {
		if _, err := archive.DecodeLinks(doc); err != nil && !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
			t.Error(err)
		}
		if _, err := archive.DecodeFetchList(doc); err != nil && !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
			t.Error(err)
		}
	})
}
