package capture_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/health"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

// TestBadRepliesPass: a reply that is no page takes no key below pages/, is kept,
// and the true page is stored as soon as it comes, in the same run.
func TestBadRepliesPass(t *testing.T) {
	for _, test := range []struct {
		name    string
		fault   wecomtest.Fault
		times   int
		rejects int // kept
	}{
		{"garbage", wecomtest.Garbage, 3, 3},
		{"truncated", wecomtest.Truncated, 1, 1},
		{"empty bytes", wecomtest.Empty, 1, 1},
		{"HTML", wecomtest.HTML, 2, 2},
		{"seq asked", wecomtest.SeqNotAfter, 1, 1},
		{"no seq", wecomtest.SeqMissing, 1, 1},
		{"network", wecomtest.SDKCode(10001), 5, 0},
		{"library cannot read WeCom", wecomtest.SDKCode(10002), 1, 0},
		{"WeCom's system", wecomtest.SDKCode(10003), 1, 0},
		{"busy", wecomtest.Errcode(-1), 3, 1},
		{"token expired", wecomtest.Errcode(42001), 1, 1},
		{"unknown errcode", wecomtest.Errcode(999999), 2, 1},
		{"too many calls", wecomtest.Errcode(45009), 2, 1},
		{"too large", wecomtest.TooLarge(5), 3, 1},
		{"foreign error", func(uint64, int, []byte) ([]byte, error) { return nil, errors.New("pipe broke") }, 1, 0},
		{"JSON of something else", func(uint64, int, []byte) ([]byte, error) { return []byte(`{"message":"Forbidden"}`), nil }, 1, 1},
		{"two replies", func(_ uint64, _ int, reply []byte) ([]byte, error) { return slices.Concat(reply, reply), nil }, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(70)
			w.stream.fail(1, nil)
			w.stream.fail(test.times, test.fault)
			run := w.mustPull(t)
			w.checkComplete(t)
			rejects := w.rejects(t)
			if len(rejects) != test.rejects {
				t.Errorf("%d rejects kept, want %d", len(rejects), test.rejects)
			}
			for _, r := range rejects {
				if r.SeqAsked != w.stream.asked[1] {
					t.Errorf("reject says that %d was asked, it was %d", r.SeqAsked, w.stream.asked[1])
				}
			}
			if run.Calls != len(w.stream.asked) || run.Envelopes != 70 {
				t.Errorf("run says %d calls and %d envelopes; there were %d and 70", run.Calls, run.Envelopes, len(w.stream.asked))
			}
		})
	}
}

// TestNoChatdata: a reply without a list of messages means nothing more now. It is
// no page, proves no end, and the next run gets what was there.
func TestNoChatdata(t *testing.T) {
	null := func(uint64, int, []byte) ([]byte, error) { return []byte(`{"errcode":0,"chatdata":null}`), nil }
	for name, fault := range map[string]wecomtest.Fault{"none": wecomtest.NoChatdata, "null": null} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(50)
			w.stream.fail(1, nil)
			w.stream.fail(1, fault)
			if run := w.mustPull(t); !run.EndReachedAt.IsZero() {
				t.Errorf("it proves the end: %+v", run)
			}
			if _, seqs := w.checkChain(t); len(seqs) != 20 {
				t.Fatalf("%d messages stored, want one page of 20", len(seqs))
			}
			w.mustPull(t)
			w.checkComplete(t)

			w.stream.fail(100, fault)
			for range 27 {
				w.advance(time.Hour)
				w.mustPull(t)
			}
			if codes, _ := w.judge(t); !slices.Contains(codes, health.AlarmBehind) {
				t.Errorf("alarms %v after a day of such replies", codes)
			}
		})
	}
}

// TestSecondListHidesNoMessages: a reply that names its list twice is no page.
func TestSecondListHidesNoMessages(t *testing.T) {
	w := newWorld(50)
	w.stream.fail(1, nil)
	w.stream.fail(1, func(_ uint64, _ int, reply []byte) ([]byte, error) {
		return append(reply[:len(reply)-1], `,"chatdata":[]}`...), nil
	})
	w.mustPull(t)
	w.checkComplete(t)
	if rejects := w.rejects(t); len(rejects) != 1 {
		t.Errorf("%d rejects, want 1", len(rejects))
	}
}

// TestRefusalsStopAtOnce: what only an operator can mend is not tried again, and
// says what to do; once mended, the next run goes on without loss.
func TestRefusalsStopAtOnce(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault wecomtest.Fault
		want  error
	}{
		{"untrusted IP, SDK", wecomtest.SDKCode(10009), wecom.ErrUntrustedIP},
		{"untrusted IP, archive", wecomtest.Errcode(301042), wecom.ErrUntrustedIP},
		{"untrusted IP, API", wecomtest.Errcode(60020), wecom.ErrUntrustedIP},
		{"bad secret", wecomtest.Errcode(40001), wecom.ErrBadSecret},
		{"bad corpid", wecomtest.Errcode(40013), wecom.ErrBadCorp},
		{"not opened", wecomtest.Errcode(301053), wecom.ErrServiceNotOpen},
		{"expired", wecomtest.Errcode(301052), wecom.ErrServiceExpired},
		{"not granted", wecomtest.Errcode(48002), wecom.ErrNotGranted},
		{"certificate", wecomtest.SDKCode(10011), wecom.ErrCertificate},
		{"bad argument", wecomtest.SDKCode(10000), wecom.ErrBadArgument},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(50)
			w.stream.fail(1, nil)
			w.stream.fail(1, test.fault)
			run, err := w.pull(t)
			var refused *wecom.Error
			if !errors.Is(err, test.want) || !errors.As(err, &refused) {
				t.Fatalf("error %v, want a *wecom.Error that is %v", err, test.want)
			}
			if run.Stopped != capture.StoppedError || run.Error == "" || run.Remedy == "" || run.Calls != 2 {
				t.Errorf("run %+v, want one refused call, an error and a remedy", run)
			}
			state, err := w.catalog.Pages.PullState(t.Context())
			if err != nil || state.LastError != run.Error || state.LastRemedy != run.Remedy {
				t.Errorf("state %+v (%v) does not say what the run says", state, err)
			}
			w.checkChain(t)
			w.mustPull(t)
			w.checkComplete(t)
		})
	}
}

// TestBackoff: pauses grow, a minute follows too many calls, and a run gives up.
func TestBackoff(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault wecomtest.Fault
		want  string
		error error
	}{
		{"network", wecomtest.SDKCode(10001), "[1s 1.5s 2.25s 3.375s 5.0625s 7.59375s 11.390625s]", wecom.ErrNetwork},
		{"too many calls", wecomtest.Errcode(45009), "[1m0s 1m0s 1m0s 1m0s 1m0s 1m0s 1m0s]", wecom.ErrRateLimited},
		{"garbage", wecomtest.Garbage, "[1s 1.5s 2.25s 3.375s 5.0625s 7.59375s 11.390625s]", archive.ErrNotJSON},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(10)
			w.stream.fail(100, test.fault)
			run, err := w.pull(t)
			if !errors.Is(err, test.error) || run.Stopped != capture.StoppedError || run.Calls != 8 {
				t.Fatalf("run %+v: %v", run, err)
			}
			if got := fmt.Sprint(w.slept); got != test.want {
				t.Errorf("slept %s, want %s", got, test.want)
			}
		})
	}
}

// TestTooLarge: the limit halves until the reply fits, and recovers.
func TestTooLarge(t *testing.T) {
	w := newWorld(70)
	w.stream.fail(3, wecomtest.TooLarge(4)) // 20, 10, 5; the fourth call passes
	w.mustPull(t)
	w.checkComplete(t)
	if got := fmt.Sprint(w.stream.limits[:7]); got != "[20 10 5 2 4 8 16]" {
		t.Errorf("limits %s", got)
	}
	if len(w.slept) > 0 {
		t.Errorf("slept %v before asking for less", w.slept)
	}

	w = newWorld(10)
	w.stream.fail(1000, wecomtest.Errcode(301058))
	if run, err := w.pull(t); !errors.Is(err, wecom.ErrTooLarge) || run.Calls != 5 {
		t.Errorf("a message that never fits: %+v: %v", run, err)
	}
}

// TestHalvingIsNoTry: from 1,000 down to one message are more calls than Tries; what
// bounds them is the limit. Calls that failed otherwise count on beside them.
func TestHalvingIsNoTry(t *testing.T) {
	w := newWorld(3)
	w.stream.fail(9, wecomtest.TooLarge(1))
	c := w.config()
	c.Limit, c.Tries = 1000, 2
	if run, err := capture.New(c).Run(t.Context()); err != nil || run.Stopped != capture.StoppedEnd {
		t.Fatalf("run %+v: %v", run, err)
	}
	w.checkComplete(t)
	if got := fmt.Sprint(w.stream.limits[:10]); got != "[1000 500 250 125 62 31 15 7 3 1]" {
		t.Errorf("limits %s", got)
	}

	w = newWorld(3)
	w.stream.fail(1, wecomtest.SDKCode(10001))
	w.stream.fail(2, wecomtest.TooLarge(1))
	w.stream.fail(1, wecomtest.SDKCode(10001))
	c = w.config()
	c.Tries = 2
	if run, err := capture.New(c).Run(t.Context()); !errors.Is(err, wecom.ErrNetwork) || run.Calls != 4 {
		t.Errorf("two calls that failed, two replies too large between them: %+v: %v", run, err)
	}
}

// TestRejectsAreBounded: a run keeps at most MaxRejects replies and counts all;
// refusals do not use the room up.
func TestRejectsAreBounded(t *testing.T) {
	w := newWorld(0)
	for range 30 {
		w.stream.fail(1, wecomtest.TooLarge(0)) // halves the limit and pauses no run
		w.stream.fail(1, wecomtest.Garbage)
	}
	w.stream.seqs = newStream(100).seqs
	c := w.config()
	c.Limit, c.Tries, c.MaxRejects = 1000, 20, 7
	run, err := capture.New(c).Run(t.Context())
	if err == nil {
		t.Fatal("the run ended well")
	}
	got := w.rejects(t)
	if len(got) != 7 || run.Rejects <= 7 {
		t.Errorf("%d rejects kept of %d, want 7 of more", len(got), run.Rejects)
	}
	refusals := 0
	for _, r := range got {
		if len(r.reply) < 100 {
			refusals++
		}
	}
	if refusals != 1 {
		t.Errorf("%d of them are refusals with the same errcode, want 1", refusals)
	}
}

// TestRejectThatCannotBeStored stops the run: asking WeCom again would not help.
func TestRejectThatCannotBeStored(t *testing.T) {
	w := newWorld(50)
	w.stream.fail(1, wecomtest.Garbage)
	faults := storetest.NewFaults()
	c := w.config()
	c.Objects = faults.Objects(w.objects)
	faults.FailAt(1, storetest.Before) // the first object of this run is the reject
	run, err := capture.New(c).Run(t.Context())
	if !errors.Is(err, storetest.ErrInjected) || run.Calls != 1 {
		t.Fatalf("run %+v: %v", run, err)
	}
	w.mustPull(t)
	w.checkComplete(t)
}

// TestUnlockedBucket: nothing is asked of WeCom, and the index says why.
func TestUnlockedBucket(t *testing.T) {
	w := newWorld(10)
	c := w.config()
	c.Lock = storetest.NewUnlockedObjects()
	run, err := capture.New(c).Run(t.Context())
	if !errors.Is(err, store.ErrNotLocked) || run.Stopped != capture.StoppedError || run.Remedy == "" {
		t.Fatalf("run %+v: %v", run, err)
	}
	state, err := w.catalog.Pages.PullState(t.Context())
	if err != nil || state.LastError == "" || len(w.stream.asked) != 0 {
		t.Errorf("state %+v (%v), %d calls", state, err, len(w.stream.asked))
	}
}

// TestForeignPage: the chain of another corp in the same bucket is not adopted.
func TestForeignPage(t *testing.T) {
	w := newWorld(30)
	w.mustPull(t)
	index := storetest.NewIndex()
	w.catalog = catalog.New(index)
	c := w.config()
	c.Corp = "wwsomebodyelse"
	run, err := capture.New(c).Run(t.Context())
	if err == nil || !strings.Contains(run.Remedy, "another company") || run.Adopted != 0 || run.Calls != 0 {
		t.Fatalf("run %+v: %v", run, err)
	}
}

// TestHugePage: a page of 64 MB is a page like any other.
func TestHugePage(t *testing.T) {
	size := 64 << 20
	if underRace {
		size = 4 << 20
	}
	w := newWorld(50)
	w.stream.fail(1, nil)
	w.stream.fail(1, wecomtest.HugeErrmsg(size))
	w.mustPull(t)
	headers := w.checkComplete(t)
	if headers[1].Size < int64(size) {
		t.Errorf("page of %d bytes, want %d", headers[1].Size, size)
	}
}

// TestQuietRunsLeaveFewRecords: runs without news leave a locked event once an
// hour, and the index has all of them.
func TestQuietRunsLeaveFewRecords(t *testing.T) {
	w := newWorld(10)
	for range 19 { // three hours
		w.mustPull(t)
		w.advance(10 * time.Minute)
	}
	events := 0
	for _, err := range w.objects.List(t.Context(), archive.EventsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		events++
	}
	runs, err := w.catalog.Journal.Runs(t.Context(), "puller", 100)
	if err != nil || len(runs) != 19 || events != 4 {
		t.Errorf("%d events and %d runs in the index (%v), want 4 and 19", events, len(runs), err)
	}
}
