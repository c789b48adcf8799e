package capture_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/health"
	"wecom-archive/shared/wecom/wecomtest"
)

// TestClockAhead: a clock that jumps ahead for one run is shown, silences nothing,
// and what it left gives way to the truth, also when the next runs fail.
func TestClockAhead(t *testing.T) {
	for _, jump := range []time.Duration{10 * time.Minute, 3 * day, 400 * day} {
		t.Run(fmt.Sprint(jump), func(t *testing.T) {
			w := newWorld(50)
			w.mustPull(t)
			w.advance(time.Hour)
			w.mustPull(t)
			last := w.Now()
			w.advance(time.Minute + jump)
			w.mustPull(t)
			w.advance(-jump)
			if codes, _ := w.judge(t); !slices.Contains(codes, health.AlarmClock) {
				t.Errorf("alarms %v", codes)
			}
			w.stream.fail(2, wecomtest.SDKCode(10009))
			if _, err := w.pull(t); err == nil {
				t.Fatal("the run ended well")
			}
			if _, f := w.judge(t); !f.State.EndReachedAt.Equal(last) || !f.State.FirstRunAt.Equal(morning) {
				t.Errorf("last proof %v, first run %v, want %v and %v", f.State.EndReachedAt, f.State.FirstRunAt, last, morning)
			}
			// Before the next proof, five days go by.
			events := w.gaps(t)
			w.advance(6 * day)
			if codes, _ := w.judge(t); !slices.Contains(codes, health.AlarmLoss) {
				t.Errorf("alarms %v after six days", codes)
			}
			if run, err := w.pull(t); err == nil || !run.Gap || w.gaps(t) != events+1 {
				t.Errorf("run %+v: %v; %d gaps", run, err, w.gaps(t))
			}
			w.mustPull(t)
			if codes, f := w.judge(t); slices.Contains(codes, health.AlarmClock) || !f.State.EndReachedAt.Equal(w.Now()) {
				t.Errorf("alarms %v, last proof %v", codes, f.State.EndReachedAt)
			}
		})
	}
}

// TestLostIndexAfterClockAhead: of the newest run events one is dated by a clock
// that ran ahead, and its proof is not believed when that time has come.
func TestLostIndexAfterClockAhead(t *testing.T) {
	w := newWorld(50)
	w.mustPull(t)
	last := w.Now()
	w.advance(10 * time.Hour)
	w.mustPull(t)
	w.advance(-9 * time.Hour)
	w.stream.fail(10, wecomtest.SDKCode(10009))
	for range 9 { // the last one before the date of the wrong proof
		if _, err := w.pull(t); err == nil {
			t.Fatal("the run ended well")
		}
		w.advance(61 * time.Minute)
	}
	w.loseIndex()
	if _, err := w.pull(t); err == nil {
		t.Fatal("the run ended well")
	}
	if _, f := w.judge(t); !f.State.EndReachedAt.Equal(last) {
		t.Errorf("last proof %v, want %v", f.State.EndReachedAt, last)
	}
}

// TestQuietRecordsAfterClockAhead: quiet runs leave a record also after a clock
// that ran ahead was set back.
func TestQuietRecordsAfterClockAhead(t *testing.T) {
	w := newWorld(50)
	w.mustPull(t)
	w.advance(100 * day)
	w.mustPull(t)
	w.advance(-100 * day)
	w.stream.fail(1, nil)
	run := w.mustPull(t)
	if _, err := w.objects.Head(t.Context(), archive.RunKey(run)); err != nil {
		t.Error(err)
	}
}
