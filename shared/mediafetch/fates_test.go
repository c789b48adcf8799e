package mediafetch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/wecom"
)

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
			troubles, _, err := w.catalog.Media.MediaTroublesBefore(t.Context(), "", 10)
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
			if err := w.catalog.Media.RedriveMedia(t.Context(), j.FileIDSHA256, w.clock()); err != nil {
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

// TestExpiredMeanwhile: a file that WeCom may have forgotten is not tried for ever,
// and one that nobody looked at in time is tried all the same.
func TestExpiredMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.jobs = make([]archive.MediaJob, 0, 3)
	soon, past, there := w.add("soon", nil), w.add("past", nil), w.add("there", content("there", 9))
	soon.Expires, past.Expires, there.Expires = start.Add(time.Hour), start.Add(-time.Hour), start.Add(-time.Hour)
	w.lib.fault = func(id, _ string, _ int) error {
		if id == there.FileID {
			return nil
		}
		return code(10002)
	}
	w.untilDone(w.stage(), w.list())
	w.checkState(soon, archive.MediaFailed, archive.ReasonUnavailable)
	w.checkState(past, archive.MediaFailed, archive.ReasonUnavailable)
	w.checkStored(there)
	if took := w.clock().Sub(start); took < 50*time.Minute || took > 70*time.Minute {
		t.Errorf("it took %v", took)
	}
	if calls := w.lib.callsOf(past.FileID); calls != 4 { // one pass
		t.Errorf("%d calls for what is past", calls)
	}
}
