package mediafetch_test

import (
	"bytes"
	"context"
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
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

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
	for _, when := range []storetest.When{storetest.Before, storetest.After, storetest.Partly} {
		for k := 1; ; k++ {
			w := build(t)
			key := w.list()
			faults := storetest.NewFaults()
			faults.CrashAt(k, when)
			s := w.stage(func(c *mediafetch.Config) {
				c.Objects, c.Derived = faults.Objects(w.objects), faults.Derived(w.derived)
				c.Media = catalog.New(faults.Index(w.index)).Media
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
		f, err := w.catalog.Media.MediaFile(w.t.Context(), job.FileIDSHA256)
		if err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintln(&b, job.MsgID, l.State, l.Key, l.Reason, f.State, f.Key, f.Reason)
	}
	stored, err := storetest.Contents(w.t.Context(), w.objects, archive.MediaPrefix)
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
			job.MD5, job.Size = "", -1 // else a mismatch would have the file fetched again
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

// TestRequeue: lists are queued again when they are due, and not before.
func TestRequeue(t *testing.T) {
	w := newWorld(t)
	w.add("a", content("a", 1))
	w.lib.fault = func(string, string, int) error { return code(10002) }
	key := w.list()
	queue := &keys{}
	r := &mediafetch.Requeuer{Media: w.catalog.Media, Queue: queue, Now: w.clock}
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
type breaking struct{ store.Objects }

func (b breaking) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	err := b.Objects.PutIfAbsent(ctx, key, body)
	if errors.Is(err, store.ErrExists) && strings.HasPrefix(key, archive.MediaPrefix) {
		return errHere
	}
	return err
}

// TestSameFileInTwoLists: lists in work at the same time that need one file fetch it
// once, and do not disturb each other's spool.
func TestSameFileInTwoLists(t *testing.T) {
	w := newWorld(t)
	job := w.add("a", content("a", 8*sliceSize))
	w.lib.fault = func(string, string, int) error { time.Sleep(time.Millisecond); return nil } // so that they meet
	keys := []string{w.list()}
	for i := range uint64(3) {
		list := w.fetchList()
		list.SeqAsked = 900 + i
		if err := archive.PutFetchList(t.Context(), w.derived, list); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, list.Key())
	}
	s := w.stage()
	var group sync.WaitGroup
	for _, key := range keys {
		group.Go(func() {
			if err := s.Handle(t.Context(), key); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	w.checkStored(job)
	if calls := w.lib.callsOf(job.FileID); calls != 8 {
		t.Errorf("%d slices fetched, want 8", calls)
	}
	if c := w.count(); c.Stored != 4 || c.Pending() != 0 {
		t.Errorf("%+v", c)
	}
}
