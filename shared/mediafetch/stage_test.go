package mediafetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/archive/archivetest"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/wecom"
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

// TestFates: each way in which a file may fail ends in its own state.
func TestFates(t *testing.T) {
	always := func(err error) func(string, string, int) error {
		return func(string, string, int) error { return err }
	}
	for _, test := range []struct {
		name   string
		fault  func(fileID, index string, n int) error
		state  archive.MediaState
		reason archive.MediaReason
		calls  [2]int // least and most
	}{
		{"expired", always(code(10010)), archive.MediaLost, archive.ReasonExpired, [2]int{1, 1}},
		{"missing", always(wecom.NewReplyError("GetMediaData", 301048, "")), archive.MediaLost, archive.ReasonExpired, [2]int{1, 1}},
		{"10002 five times", func(_, _ string, n int) error {
			if n <= 5 {
				return code(10002)
			}
			return nil
		}, archive.MediaStored, "", [2]int{6, 6}},
		{"10002 for ever", always(code(10002)), archive.MediaFailed, archive.ReasonUnavailable, [2]int{20, 48}},
		{"10001 for ever", always(code(10001)), archive.MediaFailed, archive.ReasonUnavailable, [2]int{20, 48}},
		{"bad fileid", always(code(10005)), archive.MediaFailed, archive.ReasonRefused, [2]int{3, 3}},
		{"undecryptable", always(code(10006)), archive.MediaFailed, archive.ReasonUnreadable, [2]int{3, 3}},
		{"undecryptable once", func(_, _ string, n int) error {
			if n == 1 {
				return code(10006)
			}
			return nil
		}, archive.MediaStored, "", [2]int{2, 2}},
		{"crash", always(fmt.Errorf("GetMediaData: %w", wecom.ErrLibraryCrash)), archive.MediaFailed, archive.ReasonCrash, [2]int{20, 48}},
		{"strange", always(errHere), archive.MediaFailed, archive.ReasonUnavailable, [2]int{20, 48}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.jobs = make([]archive.MediaJob, 0, 2)
			job, fine := w.add("a", content("a", 10)), w.add("fine", content("fine", 10))
			w.lib.fault = func(fileID, index string, n int) error {
				if fileID == job.FileID {
					return test.fault(fileID, index, n)
				}
				return nil
			}
			w.untilDone(w.stage(), w.list())
			w.checkStored(fine)
			if test.state == archive.MediaStored {
				w.checkStored(job)
			} else {
				w.checkState(job, test.state, test.reason)
			}
			if calls := w.lib.callsOf(job.FileID); calls < test.calls[0] || calls > test.calls[1] {
				t.Errorf("%d calls, want %v", calls, test.calls)
			}
			if took := w.clock().Sub(start); took > archive.Window+time.Hour {
				t.Errorf("it took %v", took)
			} else if test.calls[1] == 48 && took < 4*24*time.Hour {
				t.Errorf("given up after %v, with days left", took)
			}
			troubles, _, err := w.catalog.MediaTroublesBefore(t.Context(), "", 10)
			if err != nil || len(troubles) != 0 && test.state == archive.MediaStored || len(troubles) != 1 && test.state != archive.MediaStored {
				t.Errorf("troubles: %+v, %v", troubles, err)
			}
		})
	}
}

// TestNoFileID: a reference without sdkfileid is given up, and no other is
// confused with it.
func TestNoFileID(t *testing.T) {
	w := newWorld(t)
	w.jobs = make([]archive.MediaJob, 0, 2)
	a, b := w.refer("", "", -1), w.refer("", "", -1)
	w.handle(w.stage(), w.list())
	w.checkState(a, archive.MediaFailed, archive.ReasonNoFileID)
	w.checkState(b, archive.MediaFailed, archive.ReasonNoFileID)
	if w.lib.total != 0 {
		t.Errorf("%d calls", w.lib.total)
	}
}

// TestSenselessSlices: slices that lead nowhere do not keep the stage for ever.
func TestSenselessSlices(t *testing.T) {
	w := newWorld(t)
	job := w.add("a", nil)
	c := w.config()
	c.Library = stuck{}
	s := mediafetch.New(c)
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.untilDone(s, w.list())
	w.checkState(job, archive.MediaFailed, archive.ReasonNonsense)
}

type stuck struct{}

func (stuck) GetMediaData(_ context.Context, _, index string) (wecom.MediaSlice, error) {
	if index == "" {
		return wecom.MediaSlice{Data: []byte("x"), Next: "a"}, nil
	}
	return wecom.MediaSlice{Data: []byte("x"), Next: index}, nil
}

// TestStop: what only an operator can mend ends the pass, and counts against no
// file.
func TestStop(t *testing.T) {
	w := newWorld(t)
	w.jobs = make([]archive.MediaJob, 0, 20)
	for i := range 20 {
		w.add(fmt.Sprint(i), content(fmt.Sprint(i), 10))
	}
	w.lib.fault = func(string, string, int) error { return code(10009) }
	s, key := w.stage(), w.list()
	for range 20 {
		if err := s.Handle(t.Context(), key); !errors.Is(err, wecom.ErrUntrustedIP) || !strings.Contains(err.Error(), "trusted IPs") {
			t.Fatalf("%v, want the remedy", err)
		}
	}
	w.lib.fault = nil
	w.handle(s, key)
	for i := range w.jobs {
		if l := w.checkStored(&w.jobs[i]); l.Attempts != 1 {
			t.Errorf("attempts %d", l.Attempts)
		}
	}
}

// TestRedrive: a file that failed is tried again when somebody asks for it, with
// all tries, and one that is lost is not.
func TestRedrive(t *testing.T) {
	w := newWorld(t)
	w.jobs = make([]archive.MediaJob, 0, 2)
	job, lost := w.add("a", content("a", 10)), w.refer("lost", "", -1)
	w.lib.fault = func(id, _ string, _ int) error {
		if id == job.FileID {
			return code(10005)
		}
		return nil
	}
	s := w.stage()
	w.untilDone(s, w.list())
	redrive := func() {
		t.Helper()
		for _, j := range w.jobs {
			if err := w.catalog.RedriveMedia(t.Context(), j.FileIDSHA256, w.clock()); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := w.lib.total
	w.handle(s, w.list())
	if w.lib.total != before {
		t.Error("tried again though nobody asked")
	}
	redrive()
	w.untilDone(s, w.list())
	if calls := w.lib.callsOf(job.FileID); calls != 6 {
		t.Errorf("%d calls, want 3 more", calls)
	}
	w.checkState(job, archive.MediaFailed, archive.ReasonRefused)
	w.lib.fault = nil
	redrive()
	w.untilDone(s, w.list())
	w.checkStored(job)
	w.checkState(lost, archive.MediaLost, archive.ReasonExpired)
	if c := w.count(); c.Stored != 1 || c.Failed != 0 || c.Lost != 1 {
		t.Errorf("%+v", c)
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
	file, err := w.catalog.MediaFile(t.Context(), job.FileIDSHA256)
	if err != nil || file.Key != strings.Replace(november.Key, "2026-11", "2026-12", 1) {
		t.Errorf("%+v, %v", file, err)
	}
	if body, err := archive.ReadObject(t.Context(), w.objects, file.Key); err != nil || !bytes.Equal(body, w.lib.files[job.FileID]) {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if w.lib.total != calls {
		t.Error("it was fetched from WeCom again")
	}
}

// TestCrashAtEveryStep: wherever the stage dies, the next run ends as if nothing
// had happened.
func TestCrashAtEveryStep(t *testing.T) {
	build := func(t *testing.T) *world {
		w := newWorld(t)
		w.jobs = make([]archive.MediaJob, 0, 5)
		w.add("a", content("a", sliceSize+3))
		w.add("b", content("b", 0))
		w.refer("a", "", -1)
		w.refer("lost", "", -1)
		w.refer("", "", -1)
		return w
	}
	want := build(t)
	want.handle(want.stage(), want.list())
	for _, when := range []archivetest.When{archivetest.Before, archivetest.After, archivetest.Partly} {
		for k := 1; ; k++ {
			w := build(t)
			key := w.list()
			faults := archivetest.NewFaults()
			faults.CrashAt(k, when)
			s := w.stage(func(c *mediafetch.Config) {
				c.Objects, c.Derived = faults.Objects(w.objects), faults.Derived(w.derived)
				c.Catalog = archive.NewCatalog(faults.Index(w.index))
			})
			err := s.Handle(t.Context(), key)
			if !faults.Crashed() {
				if err != nil || k < 8 {
					t.Fatalf("%d steps, %v", k-1, err)
				}
				break
			}
			if err == nil {
				t.Fatalf("step %d: it crashed and says nothing", k)
			}
			w.handle(w.stage(), key)
			if got, want := fates(w), fates(want); got != want {
				t.Fatalf("crash %v %d:\n%s\nwant\n%s", when, k, got, want)
			}
		}
	}
}

// fates is what became of the files, as links, bucket and index say.
func fates(w *world) string {
	w.t.Helper()
	var b strings.Builder
	links := w.links()
	for _, job := range w.jobs {
		l := links[job.MsgID]
		f, err := w.catalog.MediaFile(w.t.Context(), job.FileIDSHA256)
		if err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintln(&b, job.MsgID, l.State, l.Key, l.Reason, f.State, f.Key, f.Reason)
	}
	stored, err := archivetest.Contents(w.t.Context(), w.objects, archive.MediaPrefix)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, key := range sorted(stored) {
		fmt.Fprintln(&b, key, len(stored[key]))
	}
	c := w.count()
	c.FailedAt, c.LostAt = time.Time{}, time.Time{}
	fmt.Fprintf(&b, "%+v %d\n", c, len(w.pending()))
	return b.String()
}

// TestResume: a file that was broken off goes on where it was, if what is spooled
// is still what was fetched.
func TestResume(t *testing.T) {
	const size = 40*sliceSize + 9 // beyond a note
	for _, test := range []struct {
		name   string
		damage func(t *testing.T, dir, name string)
		least  int // slices fetched in the second run
	}{
		{"whole", func(*testing.T, string, string) {}, 1},
		{"altered", func(t *testing.T, dir, name string) {
			f, err := os.OpenFile(filepath.Join(dir, name+".part"), os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte("?"), 100); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}, 41},
		{"cut off", func(t *testing.T, dir, name string) {
			if err := os.Truncate(filepath.Join(dir, name+".part"), 1000); err != nil {
				t.Fatal(err)
			}
		}, 41},
		{"note damaged", func(t *testing.T, dir, name string) {
			if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(`{"size":5,"sha256":"","next":"Range:bytes=5-"}`), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 41},
		{"index refused", func(t *testing.T, dir, name string) {
			note := filepath.Join(dir, name+".json")
			text, err := os.ReadFile(note)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(note, bytes.Replace(text, []byte("Range:bytes="), []byte("What"), 1), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 42},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			job := w.add("a", content("a", size))
			ctx, cancel := context.WithCancel(t.Context())
			w.lib.fault = func(_, index string, _ int) error {
				if strings.HasPrefix(index, fmt.Sprintf("Range:bytes=%d-", 39*sliceSize)) {
					cancel()
					return ctx.Err()
				}
				return nil
			}
			key := w.list()
			if err := w.stage().Handle(ctx, key); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			test.damage(t, w.spool, job.FileIDSHA256)
			w.lib.fault = nil
			before := w.lib.total
			w.untilDone(w.stage(), key)
			w.checkStored(job)
			if calls := w.lib.total - before; calls < test.least || test.least == 1 && calls > 20 {
				t.Errorf("%d slices fetched again", calls)
			}
		})
	}
}

// TestDeadline: near its deadline the stage records what it has, and says that
// there is more.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.jobs = make([]archive.MediaJob, 0, 40)
		for i := range 40 {
			w.add(fmt.Sprint(i), content(fmt.Sprint(i), 10))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		s := w.stage(func(c *mediafetch.Config) { c.CallsPerMinute, c.Margin = 15, 20*time.Second })
		key := w.list()
		err := s.Handle(ctx, key)
		if !errors.Is(err, mediafetch.ErrNoTime) || ctx.Err() != nil {
			t.Fatalf("%v, %v; want ErrNoTime before the deadline", err, ctx.Err())
		}
		if c := w.count(); c.Stored < 20 || c.Stored > 30 || len(w.pending()) != 1 {
			t.Errorf("after 100 s with 15 calls a minute: %+v", c)
		}
		w.handle(s, key)
		if c := w.count(); c.Stored != 40 || w.lib.total > 40+4 {
			t.Errorf("at the end: %+v, %d calls", c, w.lib.total)
		}
	})
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

// TestManyAtOnce: stages that work on the same list do not disturb each other.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	w.jobs = make([]archive.MediaJob, 0, 100)
	for i := range 60 {
		w.add(fmt.Sprint(i%50), content(fmt.Sprint(i%50), 100*i%50))
	}
	w.refer("lost", "", -1)
	key := w.list()
	var group sync.WaitGroup
	for i := range 4 {
		s := w.stage(func(c *mediafetch.Config) { c.Spool = filepath.Join(w.spool, fmt.Sprint(i)) })
		for range 2 {
			group.Go(func() {
				if err := s.Handle(t.Context(), key); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	for i := range 60 {
		w.checkStored(&w.jobs[i])
	}
	if c := w.count(); c.Stored != 60 || c.Lost != 1 || len(w.pending()) != 0 {
		t.Errorf("%+v, %d pending", c, len(w.pending()))
	}
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
	if err := s.Handle(t.Context(), key); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("a list of another corp: %v", err)
	}
	if err := w.stage().Handle(t.Context(), archive.FetchKey(start, 8, 0)); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("no list: %v", err)
	}
	c := w.config()
	c.Objects = archivetest.NewUnlockedObjects()
	if err := mediafetch.New(c).Ready(t.Context()); !errors.Is(err, archive.ErrNotLocked) {
		t.Errorf("a bucket that does not lock: %v", err)
	}
}

type keys struct{ got []string }

func (k *keys) Notify(_ context.Context, keys ...string) error {
	k.got = append(k.got, keys...)
	return nil
}

// TestRequeue: lists are queued again when they are due, and not before.
func TestRequeue(t *testing.T) {
	w := newWorld(t)
	w.add("a", content("a", 1))
	w.lib.fault = func(string, string, int) error { return code(10002) }
	key := w.list()
	queue := &keys{}
	r := &mediafetch.Requeuer{Catalog: w.catalog, Queue: queue, Now: w.clock}
	check := func(step string, want int) {
		t.Helper()
		queue.got = nil
		n, err := r.Run(t.Context())
		if err != nil || n != want || len(queue.got) != want || want == 1 && queue.got[0] != key {
			t.Errorf("%s: %d queued, %v, %v; want %d", step, n, queue.got, err, want)
		}
	}
	check("new: its event is on its way", 0)
	w.advance(11 * time.Minute)
	check("the event did not come", 1)
	check("queued a moment ago", 0)
	w.handle(w.stage(), key)
	w.advance(31 * time.Minute)
	check("due", 1)
	for range 3 {
		w.handle(w.stage(), key)
		w.advance(w.pending()[0].NextTry.Sub(w.clock()))
	}
	w.handle(w.stage(), key) // the next try is in hours
	w.advance(31 * time.Minute)
	check("not due", 0)
	w.lib.fault = nil
	w.advance(24 * time.Hour)
	w.handle(w.stage(), key)
	check("done", 0)
}

// breaking is a bucket that breaks the connection where it should say ErrExists.
type breaking struct{ archive.Objects }

func (b breaking) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	err := b.Objects.PutIfAbsent(ctx, key, body)
	if errors.Is(err, archive.ErrExists) && strings.HasPrefix(key, archive.MediaPrefix) {
		return errHere
	}
	return err
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
	if err := w.stage().Handle(t.Context(), w.list()); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("%v, want ErrDamaged", err)
	}
	w.checkState(job, archive.MediaPending, "")
}
