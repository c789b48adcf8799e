package pipeline_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/health"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom"
	"wecom-archive/shared/wecom/wecomtest"
)

const day = 24 * time.Hour

// talking is a corp that talks for three weeks, archived up to now.
func talking(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 240, 10, func(c *wecomtest.Config) {
		c.Extents = []wecomtest.Extent{{Count: 240, From: start.Add(-3 * day), To: start.Add(18 * day)}}
	})
	w.pull(t, nil)
	return w
}

// pull runs the puller once and checks how it ends.
func (w *world) pull(t *testing.T, want error) archive.Run {
	t.Helper()
	run, err := w.boot(nil).puller.Run(t.Context())
	if !errors.Is(err, want) {
		t.Fatalf("run %+v: %v, want %v", run, err, want)
	}
	return run
}

// facts is what the index says of the puller.
func (w *world) facts(t *testing.T) (health.Facts, []archive.Gap) {
	t.Helper()
	catalog := catalog.New(w.index)
	state, err := catalog.Pages.PullState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cursor, err := catalog.Pages.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gaps, err := catalog.Journal.Gaps(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return health.Facts{State: state, Cursor: cursor, Gaps: gaps}, gaps
}

// lagAlarm is what the countdown says now: "", "behind 1" to "behind 4", "loss 1".
func (w *world) lagAlarm(t *testing.T) string {
	t.Helper()
	facts, _ := w.facts(t)
	for _, a := range health.Judge(w.Now(), facts) {
		if a.Code == health.AlarmBehind || a.Code == health.AlarmLoss {
			return fmt.Sprint(a.Code, " ", a.Level)
		}
	}
	return ""
}

func (w *world) hasAlarm(t *testing.T, code health.AlarmCode) bool {
	t.Helper()
	facts, _ := w.facts(t)
	for _, a := range health.Judge(w.Now(), facts) {
		if a.Code == code {
			return true
		}
	}
	return false
}

// gapEvents are the gap objects of the bucket.
func (w *world) gapEvents(t *testing.T) []archive.Gap {
	t.Helper()
	var gaps []archive.Gap
	for info, err := range w.objects.List(t.Context(), archive.EventsPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(info.Key, "/gap-") {
			continue
		}
		var g archive.Gap
		if e, err := archive.GetEvent(t.Context(), w.objects, info.Key, &g); err != nil || e.Kind != archive.EventGap {
			t.Fatalf("%s: %+v: %v", info.Key, e, err)
		}
		gaps = append(gaps, g)
	}
	return gaps
}

// countdown is the alarm that must stand so many hours after the last proof.
func countdown(hours int) string {
	switch {
	case hours >= 120:
		return "loss 1"
	case hours >= 96:
		return "behind 4"
	case hours >= 72:
		return "behind 3"
	case hours >= 48:
		return "behind 2"
	case hours >= 26:
		return "behind 1"
	}
	return ""
}

// TestGapRule: outages of one to eight days, in which the puller is refused or
// does not run at all, count down, and from the fifth day on leave a record that
// survives everything.
func TestGapRule(t *testing.T) {
	for days := 1; days <= 8; days++ {
		for _, refused := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d days, refused %v", days, refused), func(t *testing.T) {
				w := talking(t)
				before, _ := w.facts(t)
				w.outage(t, days, refused)
				w.corp.Heal()
				run := w.pull(t, nil)
				if run.Pages == 0 {
					t.Fatal("nothing was pulled after the outage")
				}
				w.checkGap(t, before, days, refused)
				w.checkGapSurvives(t)
			})
		}
	}
}

// outage lets days pass, and looks at the alarm each hour.
func (w *world) outage(t *testing.T, days int, refused bool) {
	t.Helper()
	if refused {
		w.corp.Fail(-1, wecomtest.Errcode(301042))
	}
	for hour := 1; hour <= 24*days; hour++ {
		w.advance(time.Hour)
		if got := w.lagAlarm(t); got != countdown(hour) {
			t.Errorf("after %d hours: alarm %q, want %q", hour, got, countdown(hour))
		}
		if refused && hour%24 == 0 && hour < 24*days {
			w.pull(t, wecom.ErrUntrustedIP)
		}
	}
}

func (w *world) checkGap(t *testing.T, before health.Facts, days int, refused bool) {
	t.Helper()
	facts, gaps := w.facts(t)
	events := w.gapEvents(t)
	flagged := []uint64{}
	for _, page := range w.read(t).pages {
		if page.Header.Gap {
			flagged = append(flagged, page.Header.SeqAsked)
		}
	}
	if w.lagAlarm(t) != "" || !facts.State.EndReachedAt.Equal(w.Now()) {
		t.Errorf("after the outage: alarm %q, state %+v", w.lagAlarm(t), facts.State)
	}
	if w.hasAlarm(t, health.AlarmGap) != (days >= 5) {
		t.Error("wrong alarm about gaps")
	}
	if days < 5 {
		if len(gaps)+len(events)+len(flagged) > 0 {
			t.Errorf("an outage of %d days left gaps %+v, events %+v, flags %v", days, gaps, events, flagged)
		}
		return
	}
	wantEvents := 1
	if refused {
		wantEvents = days - 4
	}
	want := archive.Gap{
		Since: before.State.EndReachedAt, Until: w.Now().Add(-archive.Window),
		Seq: before.Cursor.Seq, Run: gaps[0].Run, SeenAt: w.Now(),
	}
	if len(gaps) != 1 || gaps[0] != want {
		t.Errorf("gaps %+v, want %+v", gaps, want)
	}
	if len(events) != wantEvents || events[len(events)-1] != want {
		t.Errorf("gap events %+v, want %d, the last one %+v", events, wantEvents, want)
	}
	if len(flagged) != 1 || flagged[0] != before.Cursor.Seq {
		t.Errorf("pages %v are flagged, want the first after %d", flagged, before.Cursor.Seq)
	}
}

// checkGapSurvives drops the index: gaps, the last proof and the cursor come back
// even if WeCom refuses at that time, and later runs record no gap again.
func (w *world) checkGapSurvives(t *testing.T) {
	t.Helper()
	facts, gaps := w.facts(t)
	events := len(w.gapEvents(t))
	w.index = storetest.NewIndex()
	w.corp.Fail(-1, wecomtest.SDKCode(10009))
	w.advance(time.Hour)
	w.pull(t, wecom.ErrUntrustedIP)
	after, again := w.facts(t)
	if fmt.Sprint(again) != fmt.Sprint(gaps) || !after.State.EndReachedAt.Equal(facts.State.EndReachedAt) ||
		!after.State.FirstRunAt.Equal(facts.State.FirstRunAt) {
		t.Errorf("restored gaps %+v, state %+v, want %+v and %+v", again, after.State, gaps, facts.State)
	}
	a, b := after.Cursor, facts.Cursor
	if a.Seq != b.Seq || a.Pages != b.Pages || a.Envelopes != b.Envelopes || a.Bytes != b.Bytes || !a.PulledAt.Equal(b.PulledAt) {
		t.Errorf("restored cursor %+v, want %+v", a, b)
	}
	w.corp.Heal()
	w.advance(time.Hour)
	w.pull(t, nil)
	if n := len(w.gapEvents(t)); n != events {
		t.Errorf("%d gap events, there were %d", n, events)
	}
}

// TestGapWithoutIndex: the index is lost during the outage, and the gap is still
// noticed, with the seq that it begins at.
func TestGapWithoutIndex(t *testing.T) {
	w := talking(t)
	before, _ := w.facts(t)
	w.advance(6 * day)
	w.index = storetest.NewIndex()
	w.pull(t, nil)
	events := w.gapEvents(t)
	if len(events) != 1 || !events[0].Since.Equal(before.State.EndReachedAt) || events[0].Seq != before.Cursor.Seq {
		t.Errorf("gap events %+v, want one since %v at %d", events, before.State.EndReachedAt, before.Cursor.Seq)
	}
}

// TestGapTwiceADay: each run records how far the gap has grown, and the last
// record counts.
func TestGapTwiceADay(t *testing.T) {
	w := talking(t)
	w.corp.Fail(-1, wecomtest.Errcode(301052))
	w.advance(5*day + time.Hour)
	w.pull(t, wecom.ErrServiceExpired)
	w.advance(time.Hour)
	w.pull(t, wecom.ErrServiceExpired)
	_, gaps := w.facts(t)
	if events := w.gapEvents(t); len(events) != 2 || len(gaps) != 1 || gaps[0] != events[1] || !events[1].Until.After(events[0].Until) {
		t.Errorf("gaps %+v, events %+v", gaps, events)
	}
}

// TestGapBeforeTheFirstPull: who never got through since the archive was set up
// has a gap from then on.
func TestGapBeforeTheFirstPull(t *testing.T) {
	w := newWorld(t, 10, 10, nil)
	w.corp.Fail(-1, wecomtest.Errcode(301053))
	first := w.Now()
	for hours := 0; hours < 120; hours += 12 {
		w.pull(t, wecom.ErrServiceNotOpen)
		if len(w.gapEvents(t)) > 0 {
			t.Fatalf("a gap after %d hours", hours)
		}
		w.advance(12 * time.Hour)
	}
	w.pull(t, wecom.ErrServiceNotOpen)
	if events := w.gapEvents(t); len(events) != 1 || !events[0].Since.Equal(first) {
		t.Errorf("gap events %+v, want one since %v", events, first)
	}
}

// TestIndexFromABackup: an index that is six days behind learns what happened since
// from objects. Every query answers as before, and no gap is recorded.
func TestIndexFromABackup(t *testing.T) {
	w := talking(t)
	w.boot(nil).mustFinish(t)
	backup := storetest.NewIndex()
	if err := backup.Put(t.Context(), w.index.All()...); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		w.advance(day)
		w.boot(nil).mustFinish(t)
	}
	before := w.answers(t, w.read(t))
	w.index = backup
	w.boot(nil).mustFinish(t)
	if after := w.answers(t, w.read(t)); after != before {
		t.Errorf("the index answers\n%s\nbefore:\n%s", after, before)
	}
	if _, gaps := w.facts(t); len(gaps)+len(w.gapEvents(t)) > 0 {
		t.Errorf("gaps %+v, events %+v", gaps, w.gapEvents(t))
	}
}
