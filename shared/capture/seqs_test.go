package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/health"
	"wecom-archive/shared/wecom/wecomtest"
)

// TestBogusHugeSeq: a seq that could skip messages for ever stops the puller with
// an alarm, again and again, until a believable reply comes.
func TestBogusHugeSeq(t *testing.T) {
	w := newWorld(50)
	w.stream.fail(1, nil)
	w.stream.fail(3, wecomtest.SeqFarAhead)
	for n := range 3 {
		run, err := w.pull(t)
		if !errors.Is(err, archive.ErrImplausibleSeq) || run.Stopped != capture.StoppedError || run.Remedy == "" {
			t.Fatalf("run %+v: %v", run, err)
		}
		cursor, err := w.catalog.Pages.Cursor(t.Context())
		if err != nil || cursor.Seq != w.stream.seqs[19] {
			t.Fatalf("the cursor is at %d (%v), want %d", cursor.Seq, err, w.stream.seqs[19])
		}
		if got := w.rejects(t); len(got) != n+1 || got[n].SeqAsked != cursor.Seq {
			t.Errorf("%d rejects, want %d", len(got), n+1)
		}
		state, err := w.catalog.Pages.PullState(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if alarms := health.Judge(w.Now(), health.Facts{State: state, Cursor: cursor}); len(alarms) != 1 || alarms[0].Code != health.AlarmPull || alarms[0].Remedy == "" {
			t.Errorf("alarms %+v, want one of the failed pull with a remedy", alarms)
		}
	}
	w.mustPull(t)
	w.checkComplete(t)
}

// TestAlteredSeq: one reply whose last seq was altered, by a little or by much,
// skips nothing: it is asked for again, goes to rejects, and the true page is
// stored in the same run.
func TestAlteredSeq(t *testing.T) {
	for _, bit := range []int{11, 13, 20, 25, 29} {
		t.Run(fmt.Sprintf("bit %d", bit), func(t *testing.T) {
			w := newWorld(60)
			w.stream.fail(1, nil)
			w.stream.fail(1, alterLastSeq(bit))
			run := w.mustPull(t)
			w.checkComplete(t)
			rejects := w.rejects(t)
			if len(rejects) != 1 || rejects[0].Reason != archive.ErrUnconfirmed.Error() || run.Rejects != 1 {
				t.Errorf("rejects %+v", rejects)
			}
		})
	}
}

// TestAlwaysAltered: replies whose great step is another one each time store
// nothing, and the run ends with an error that says what to do.
func TestAlwaysAltered(t *testing.T) {
	w := newWorld(60)
	w.stream.fail(1, nil)
	for bit := range 8 {
		w.stream.fail(1, alterLastSeq(13+bit))
	}
	run, err := w.pull(t)
	if err == nil || run.Stopped != capture.StoppedError || run.Remedy == "" || run.Pages != 1 {
		t.Fatalf("run %+v: %v", run, err)
	}
	w.mustPull(t)
	w.checkComplete(t)
}

// TestGreatStep: a great step that WeCom confirms is believed, also while the
// stream grows between the two replies.
func TestGreatStep(t *testing.T) {
	w := newWorld(25)
	w.stream.seqs = append(w.stream.seqs, w.stream.seqs[24]+1<<25)
	w.stream.onCall = func(n int) {
		if n == 2 {
			w.stream.seqs = append(w.stream.seqs, w.stream.seqs[25]+1)
		}
	}
	run := w.mustPull(t)
	w.checkComplete(t)
	if rejects := w.rejects(t); len(rejects) > 0 || run.Calls != len(w.stream.asked) {
		t.Errorf("%d rejects, run %+v", len(rejects), run)
	}
}

// TestNothingAfterDoubt: an empty reply after a doubted one is not the end of the
// stream before it has come twice.
func TestNothingAfterDoubt(t *testing.T) {
	w := newWorld(50)
	w.stream.fail(1, nil)
	w.stream.fail(1, alterLastSeq(20))
	w.stream.fail(1, func(uint64, int, []byte) ([]byte, error) {
		return []byte(`{"errcode":0,"errmsg":"ok","chatdata":[]}`), nil
	})
	w.mustPull(t)
	w.checkComplete(t)
}

// TestMovingWindow: while WeCom forgets the oldest messages, each reply to the first
// question begins later. Pulling must not wait for two that are alike.
func TestMovingWindow(t *testing.T) {
	w := newWorld(120)
	for i := range w.stream.seqs {
		w.stream.seqs[i] += 1_000_000
	}
	w.stream.onCall = func(n int) {
		if n < 4 {
			w.stream.seqs = w.stream.seqs[3:]
		}
	}
	run := w.mustPull(t)
	if _, seqs := w.checkChain(t); run.Envelopes < 110 || len(seqs) != run.Envelopes || run.Rejects != 0 {
		t.Errorf("%d messages stored of 111 that were there: %+v", len(seqs), run)
	}
}

// alterLastSeq flips a bit of the reply's last seq.
func alterLastSeq(bit int) wecomtest.Fault {
	return func(_ uint64, _ int, reply []byte) ([]byte, error) {
		at := bytes.LastIndex(reply, []byte(`"seq":`)) + len(`"seq":`)
		end := at + bytes.IndexByte(reply[at:], ',')
		seq, err := strconv.ParseUint(string(reply[at:end]), 10, 64)
		if err != nil {
			return nil, err
		}
		return slices.Concat(reply[:at], strconv.AppendUint(nil, seq^1<<bit, 10), reply[end:]), nil
	}
}

// TestSeqBeyondIntegers: an envelope whose seq does not fit stays in the page, and
// the cursor moves by the others.
func TestSeqBeyondIntegers(t *testing.T) {
	for name, fault := range map[string]wecomtest.Fault{"int64": wecomtest.SeqBeyondInt64, "uint64": wecomtest.SeqBeyondUint64} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(50)
			w.stream.fail(1, nil)
			w.stream.fail(1, fault)
			w.mustPull(t)
			headers := w.checkComplete(t)
			if headers[1].Count != 20 || headers[1].LastSeq != w.stream.seqs[38] {
				t.Errorf("page %+v, want 19 messages and the intruder", headers[1])
			}
		})
	}
}
