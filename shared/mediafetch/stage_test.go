package mediafetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// TestStored: files of all sizes around slices are stored as they are, with a
// verdict on what the message says of them.
func TestStored(t *testing.T) {
	w := newWorld(t)
	var whole []*archive.MediaJob
	w.jobs = make([]archive.MediaJob, 0, 100) // so that pointers stay
	for _, size := range []int{0, 1, sliceSize - 1, sliceSize, sliceSize + 1, 5*sliceSize + 7} {
		whole = append(whole, w.add(fmt.Sprint("size", size), content("x", size)))
	}
	same := w.refer("size1", whole[1].MD5, 1)
	upper := w.refer("size1", strings.ToUpper(whole[1].MD5), -1)
	lies := w.add("lies", content("lies", 100))
	lies.MD5, lies.Size = whole[1].MD5, 99
	silent := w.add("silent", content("silent", 100))
	silent.MD5, silent.Size = "", -1
	twin := w.add("twin", content("size1's claim", 10)) // claims another file's MD5
	twin.MD5, twin.Size = whole[2].MD5, whole[2].Size
	w.handle(w.stage(), w.list())

	for _, job := range whole {
		if l := w.checkStored(job); l.MD5Verdict != archive.VerdictMatch || l.SizeVerdict != archive.VerdictMatch || !strings.HasPrefix(l.Key, "media/2026-11/") {
			t.Errorf("%+v", l)
		}
	}
	for _, test := range []struct {
		job       *archive.MediaJob
		md5, size archive.Verdict
		calls     int
	}{
		{same, archive.VerdictMatch, archive.VerdictMatch, 1}, // with two others: fetched once
		{upper, archive.VerdictMatch, archive.VerdictAbsent, 1},
		{lies, archive.VerdictMismatch, archive.VerdictMismatch, 2}, // once more, in case it was altered on the way
		{silent, archive.VerdictAbsent, archive.VerdictAbsent, 1},
		{twin, archive.VerdictMismatch, archive.VerdictMismatch, 2}, // an MD5 is no proof
	} {
		if l := w.checkStored(test.job); l.MD5Verdict != test.md5 || l.SizeVerdict != test.size {
			t.Errorf("%s: verdicts %s, %s; want %s, %s", test.job.MsgID, l.MD5Verdict, l.SizeVerdict, test.md5, test.size)
		}
		if calls := w.lib.callsOf(test.job.FileID); calls != test.calls {
			t.Errorf("%s: %d calls, want %d", test.job.MsgID, calls, test.calls)
		}
	}
	if c := w.count(); c.Stored != len(w.jobs) || c.Pending() != 0 || c.Mismatches != 2 || len(w.pending()) != 0 {
		t.Errorf("counted %+v, %d lists pending", c, len(w.pending()))
	}
	before := w.lib.total
	w.handle(w.stage(), w.list())
	if w.lib.total != before {
		t.Error("what is stored was fetched again")
	}
	if left, err := os.ReadDir(w.spool); err != nil || len(left) != 0 {
		t.Errorf("left in the spool: %v, %v", left, err)
	}
}

// TestAlteredOnTheWay: a file that does not match is fetched once more.
func TestAlteredOnTheWay(t *testing.T) {
	w := newWorld(t)
	job := w.add("a", content("a", 3*sliceSize))
	altered := false
	w.lib.alter = func(_ string, slice []byte) []byte {
		if !altered {
			slice[5] ^= 1
		}
		altered = true
		return slice
	}
	w.handle(w.stage(), w.list())
	if l := w.checkStored(job); l.MD5Verdict != archive.VerdictMatch {
		t.Errorf("%+v", l)
	}
}

// TestSliceAlone: a slice that fails is asked for again, and no other.
func TestSliceAlone(t *testing.T) {
	w := newWorld(t)
	job := w.add("a", content("a", 4*sliceSize))
	third := fmt.Sprintf("Range:bytes=%d-", 2*sliceSize)
	w.lib.fault = func(_, index string, n int) error {
		if strings.HasPrefix(index, third) && n < 4 {
			return code(10003)
		}
		return nil
	}
	w.handle(w.stage(), w.list())
	w.checkStored(job)
	if w.lib.total != 4+3 {
		t.Errorf("%d calls, want 7", w.lib.total)
	}
}

// TestNextMonth: a file that a message of the next month refers to is stored under
// that month, too, without WeCom, which may have forgotten it.
func TestNextMonth(t *testing.T) {
	w := newWorld(t)
	job := w.add("a", content("a", 2*sliceSize+1))
	w.handle(w.stage(), w.list())
	november := w.checkStored(job)
	calls := w.lib.total

	w.advance(20 * 24 * time.Hour)
	list := w.fetchList()
	list.SeqAsked, list.PulledAt = 900, w.clock()
	if err := archive.PutFetchList(t.Context(), w.derived, list); err != nil {
		t.Fatal(err)
	}
	w.handle(w.stage(), list.Key())
	file, err := w.catalog.Media.MediaFile(t.Context(), job.FileIDSHA256)
	if err != nil || file.Key != strings.Replace(november.Key, "2026-11", "2026-12", 1) {
		t.Errorf("%+v, %v", file, err)
	}
	if body, err := store.ReadObject(t.Context(), w.objects, file.Key); err != nil || !bytes.Equal(body, w.lib.files[job.FileID]) {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if w.lib.total != calls {
		t.Error("it was fetched from WeCom again")
	}
}

// TestSpoolIsSmall: files wait for room; one that is larger than all of it fails,
// and one whose message makes it smaller than it is comes all the same.
func TestSpoolIsSmall(t *testing.T) {
	w := newWorld(t)
	w.jobs = make([]archive.MediaJob, 0, 10)
	var jobs []*archive.MediaJob
	for i := range 6 {
		jobs = append(jobs, w.add(fmt.Sprint(i), content(fmt.Sprint(i), 3*sliceSize)))
	}
	jobs[1].Size, jobs[3].Size = 1, 1
	huge, claims := w.add("huge", content("huge", 8*sliceSize+1)), w.add("claims", content("claims", 10))
	claims.Size = 1 << 50
	w.handle(w.stage(func(c *mediafetch.Config) { c.SpoolLimit = 8 * sliceSize }), w.list())
	for _, job := range append(jobs, claims) {
		w.checkStored(job)
	}
	w.checkState(huge, archive.MediaFailed, archive.ReasonTooLarge)
	if left, err := os.ReadDir(w.spool); err != nil || len(left) != 0 {
		t.Errorf("left in the spool: %v, %v", left, err)
	}
}

// TestSpoolFails: when the disk does not take a file, nothing counts against it.
func TestSpoolFails(t *testing.T) {
	w := newWorld(t)
	job := w.add("a", content("a", 10))
	s, key := w.stage(), w.list()
	if err := os.RemoveAll(w.spool); err != nil {
		t.Fatal(err)
	}
	if err := s.Handle(t.Context(), key); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%v, want what the disk says", err)
	}
	w.checkState(job, archive.MediaPending, "")
	w.handle(w.stage(), key)
	w.checkStored(job)
}

// TestOldestFirst: what expires first is fetched first.
func TestOldestFirst(t *testing.T) {
	w := newWorld(t)
	w.jobs = make([]archive.MediaJob, 0, 20)
	for i := range 20 {
		w.add(fmt.Sprintf("%02d", i), content("x", 10)).Expires = start.Add(time.Duration(i*7%20) * time.Hour)
	}
	var order []string
	w.lib.fault = func(id, _ string, _ int) error { order = append(order, id); return nil }
	w.handle(w.stage(func(c *mediafetch.Config) { c.Workers = 1 }), w.list())
	if len(order) != 20 {
		t.Fatalf("%d calls", len(order))
	}
	for i, id := range order {
		if want := fmt.Sprintf("secret-%02d", i*3%20); id != want { // 3·7 ≡ 1
			t.Fatalf("%d-th came %s, want %s", i, id, want)
		}
	}
}

func TestStrangeLists(t *testing.T) {
	w := newWorld(t)
	w.add("a", content("a", 1))
	key := w.list()
	s := w.stage(func(c *mediafetch.Config) { c.Corp = "another" })
	if err := s.Handle(t.Context(), key); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a list of another corp: %v", err)
	}
	if err := w.stage().Handle(t.Context(), archive.FetchKey(start, 8, 0)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no list: %v", err)
	}
	c := w.config()
	c.Lock = storetest.NewUnlockedObjects()
	if err := mediafetch.New(c).Ready(t.Context()); !errors.Is(err, store.ErrNotLocked) {
		t.Errorf("a bucket that does not lock: %v", err)
	}
}

type keys struct{ got []string }

func (k *keys) Notify(_ context.Context, keys ...string) error {
	k.got = append(k.got, keys...)
	return nil
}

// TestAlreadyThere: a file that another message brought is not sent once more.
func TestAlreadyThere(t *testing.T) {
	w := newWorld(t)
	w.jobs = make([]archive.MediaJob, 0, 2)
	a, b := w.add("a", content("same", 1000)), w.add("b", content("same", 1000))
	w.handle(w.stage(func(c *mediafetch.Config) { c.Objects, c.Workers = breaking{w.objects}, 1 }), w.list())
	if w.checkStored(a).Key != w.checkStored(b).Key {
		t.Error("stored twice")
	}
	if w.lib.total != 2 {
		t.Errorf("%d calls, want each file fetched", w.lib.total)
	}
}

// TestOtherFileUnderTheKey: an object that is not what its key says is not taken for
// the file.
func TestOtherFileUnderTheKey(t *testing.T) {
	w := newWorld(t)
	job := w.add("a", content("a", 1000))
	sum := sha256.Sum256(content("a", 1000))
	key := archive.MediaKey(start, hex.EncodeToString(sum[:]))
	if err := w.objects.PutIfAbsent(t.Context(), key, strings.NewReader("another")); err != nil {
		t.Fatal(err)
	}
	if err := w.stage().Handle(t.Context(), w.list()); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("%v, want ErrDamaged", err)
	}
	w.checkState(job, archive.MediaPending, "")
}
