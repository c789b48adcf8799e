package catalog_test

import (
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store/storetest"
)

// TestMediaCounts follows a list from the archiver to a redrive.
func TestMediaCounts(t *testing.T) {
	ctx, objects := t.Context(), storetest.NewObjects()
	cat := catalog.New(storetest.NewIndex())
	jobs := []archive.MediaJob{mediaJob(0, "image", "a"), mediaJob(1, "video", "b"), mediaJob(2, "file", "c")}
	list := mediaList(jobs...)
	page, err := archive.ReadPageLinks(ctx, objects, mediaPulled, 7)
	if err != nil {
		t.Fatal(err)
	}
	check := func(step string, pendingLists, stored, failed, lost int) {
		t.Helper()
		pending, err := cat.Media.PendingMedia(ctx, nil, 10)
		if err != nil {
			t.Fatal(err)
		}
		days, err := cat.Media.MediaDays(ctx, "", 10)
		if err != nil || len(days) != 1 {
			t.Fatalf("%s: %v, %v", step, days, err)
		}
		d := days[0]
		if len(pending) != pendingLists || d.Stored != stored || d.Failed != failed || d.Lost != lost || d.Refs != 3 {
			t.Errorf("%s: %d lists pending, %+v; want %d, and %d stored, %d failed, %d lost", step, len(pending), d, pendingLists, stored, failed, lost)
		}
	}
	index := func() {
		t.Helper()
		if _, err := cat.Media.IndexLinks(ctx, list, page); err != nil {
			t.Fatal(err)
		}
	}
	add := func(l ...archive.Link) {
		t.Helper()
		if _, err := page.Add(ctx, objects, archive.Links{Links: l}); err != nil {
			t.Fatal(err)
		}
		index()
	}
	index()
	check("new", 1, 0, 0, 0)
	index()
	check("new, twice", 1, 0, 0, 0)
	add(link(jobs[0], archive.MediaStored))
	check("one stored", 1, 1, 0, 0)
	if err := cat.Media.NoteMediaList(ctx, catalog.NewMediaList(list, new(archive.PageLinks)), false); err != nil {
		t.Fatal(err)
	}
	check("an archiver that comes late", 1, 1, 0, 0)
	add(link(jobs[1], archive.MediaFailed), link(jobs[2], archive.MediaLost))
	check("done", 0, 1, 1, 1)
	if troubles, next, err := cat.Media.MediaTroublesBefore(ctx, "", 10); err != nil || next != "" || len(troubles) != 2 || troubles[0].SeqAsked != 7 {
		t.Errorf("troubles %+v, %q, %v", troubles, next, err)
	}
	for _, job := range jobs {
		if err := cat.Media.RedriveMedia(ctx, job.FileIDSHA256, mediaPulled); err != nil {
			t.Fatal(err)
		}
	}
	index()
	check("redriven", 1, 1, 1, 1)
	files, err := cat.Media.MediaFiles(ctx, jobs[0].FileIDSHA256, jobs[1].FileIDSHA256, jobs[2].FileIDSHA256, "unknown")
	if err != nil || files["hash-a"].State != archive.MediaStored || files["hash-b"].State != archive.MediaPending ||
		files["hash-c"].State != archive.MediaLost || files["unknown"].State != archive.MediaPending {
		t.Errorf("files %+v, %v", files, err)
	}
	add(link(jobs[1], archive.MediaStored))
	check("came after all", 0, 2, 0, 1)
	if troubles, _, err := cat.Media.MediaTroublesBefore(ctx, "", 10); err != nil || len(troubles) != 1 || troubles[0].State != archive.MediaLost {
		t.Errorf("troubles %+v, %v", troubles, err)
	}
}
