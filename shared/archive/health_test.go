package archive_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"wecom-archive/shared/archive"
)

// TestCountdown: invariant 9. The longer no pull reaches the end, the louder;
// from day 5 on messages may be gone.
func TestCountdown(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for h := range 200 {
		want := ""
		switch {
		case h >= 120:
			want = "loss 1"
		case h >= 96:
			want = "behind 4"
		case h >= 72:
			want = "behind 3"
		case h >= 48:
			want = "behind 2"
		case h >= 26:
			want = "behind 1"
		}
		proof := now.Add(-time.Duration(h) * time.Hour)
		alarms := archive.Judge(now, archive.Facts{
			State:  archive.PullState{FirstRunAt: proof, EndReachedAt: proof},
			Cursor: archive.Cursor{PulledAt: proof},
		})
		got := ""
		for _, a := range alarms {
			got += fmt.Sprint(a.Code, " ", a.Level)
			if a.Message == "" || a.Remedy == "" {
				t.Errorf("%d h: %+v says too little", h, a)
			}
		}
		if got != want {
			t.Errorf("%d h: %q, want %q", h, got, want)
		}
	}
}

// TestNeverReachedTheEnd: without any proof, time counts from the first run.
func TestNeverReachedTheEnd(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	codes := judged(now, archive.Facts{State: archive.PullState{FirstRunAt: now.Add(-6 * 24 * time.Hour)}})
	if !slices.Contains(codes, archive.AlarmLoss) {
		t.Errorf("alarms %v", codes)
	}
	if codes := judged(now, archive.Facts{}); !slices.Equal(codes, []archive.AlarmCode{archive.AlarmNeverRan}) {
		t.Errorf("alarms %v before the first run", codes)
	}
}

// TestQuiet: invariant 9. An empty stream is healthy only if somebody is archived
// and such a silence was proven before.
func TestQuiet(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	seats := func(n int) *int { return &n }
	// before is a silence of so many hours that ended so many days ago.
	before := func(hours, days int) []archive.Silence {
		to := now.AddDate(0, 0, -days)
		return []archive.Silence{{From: to.Add(-time.Duration(hours) * time.Hour), To: to}}
	}
	tests := []struct {
		name     string
		seats    *int
		first    int // first run, days ago
		silences []archive.Silence
		last     int // last page, hours ago; 0: never
		want     bool
	}{
		{"seats not known", nil, 30, before(48, 8), 48, true},
		{"nobody archived", seats(0), 30, before(48, 8), 48, true},
		{"nobody archived, from the first minute on", seats(0), 0, nil, 0, true},
		{"nobody archived, though there was a message", seats(0), 30, nil, 1, true},
		{"a night", seats(5), 30, nil, 23, false},
		{"a night, seats not known", nil, 30, nil, 23, false},
		{"not usual", seats(5), 30, nil, 48, true},
		{"usual", seats(5), 30, before(48, 8), 48, false},
		{"usual, a bit longer", seats(5), 30, before(48, 8), 54, false},
		{"longer than usual", seats(5), 30, before(48, 8), 55, true},
		{"usual long ago", seats(5), 60, before(48, 36), 48, true},
		{"too young to tell", seats(5), 8, before(48, 4), 48, true},
		{"never a message", seats(5), 30, before(400, 8), 0, true},
		{"first day", seats(5), 0, nil, 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := archive.Facts{State: archive.PullState{
				FirstRunAt: now.AddDate(0, 0, -test.first), EndReachedAt: now, Seats: test.seats,
				Quiet: archive.Quiet{Silences: test.silences},
			}}
			if test.last > 0 {
				f.Cursor.PulledAt = now.Add(-time.Duration(test.last) * time.Hour)
			}
			if got := slices.Contains(judged(now, f), archive.AlarmQuiet); got != test.want {
				t.Errorf("quiet alarm %v, want %v", got, test.want)
			}
		})
	}
}

// TestOtherAlarms: each with its severity. What cannot be undone stays visible, and
// stops to count as unhealthy after a month.
func TestOtherAlarms(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	fresh, past := now.Add(-29*24*time.Hour), now.Add(-30*24*time.Hour)
	nobody := 0
	for _, test := range []struct {
		name   string
		change func(*archive.Facts)
		want   archive.AlarmCode
		record bool
	}{
		{"well", func(*archive.Facts) {}, "", false},
		{"archiver late", func(f *archive.Facts) { f.OldestPending = now.Add(-archive.PendingLimit - time.Second) }, archive.AlarmArchiver, false},
		{"archiver in time", func(f *archive.Facts) { f.OldestPending = now.Add(-archive.PendingLimit) }, "", false},
		{"pull failed", func(f *archive.Facts) { f.State.LastError, f.State.LastRemedy = "boom", "mend it" }, archive.AlarmPull, false},
		{"gap", func(f *archive.Facts) { f.Gaps = []archive.Gap{{SeenAt: past}, {SeenAt: fresh}} }, archive.AlarmGap, false},
		{"old gaps", func(f *archive.Facts) { f.Gaps = []archive.Gap{{SeenAt: past}, {SeenAt: past}} }, archive.AlarmGap, true},
		{"quarantine", func(f *archive.Facts) { f.Quarantine = archive.Quarantine{Pages: 1, Envelopes: 1, Newest: fresh} }, archive.AlarmQuarantine, false},
		{"old quarantine", func(f *archive.Facts) { f.Quarantine = archive.Quarantine{Pages: 1, Envelopes: 1, Newest: past} }, archive.AlarmQuarantine, true},
		{"old, and waits for a key", func(f *archive.Facts) {
			f.Quarantine = archive.Quarantine{Pages: 1, Envelopes: 1, Newest: past, Waiting: true}
		}, archive.AlarmQuarantine, false},
		{"damaged segments only", func(f *archive.Facts) { f.Quarantine = archive.Quarantine{Pages: 1, Newest: fresh} }, archive.AlarmQuarantine, false},
		{"events", func(f *archive.Facts) {
			f.State.Unreadable = archive.Unreadable{Count: 1, Key: "events/x", SeenAt: fresh}
		}, archive.AlarmEvents, false},
		{"old events", func(f *archive.Facts) {
			f.State.Unreadable = archive.Unreadable{Count: 1, Key: "events/x", SeenAt: past}
		}, archive.AlarmEvents, true},
		{"proof ahead", func(f *archive.Facts) { f.State.EndReachedAt = now.Add(archive.ClockSkew + time.Second) }, archive.AlarmClock, false},
		{"proof a bit ahead", func(f *archive.Facts) { f.State.EndReachedAt = now.Add(archive.ClockSkew) }, "", false},
		{"nobody archived", func(f *archive.Facts) { f.State.Seats = &nobody }, archive.AlarmQuiet, false},
	} {
		f := archive.Facts{State: archive.PullState{FirstRunAt: now, EndReachedAt: now}, Cursor: archive.Cursor{PulledAt: now}}
		test.change(&f)
		alarms := archive.Judge(now, f)
		if test.want == "" {
			if len(alarms) > 0 || !archive.Healthy(alarms) {
				t.Errorf("%s: %+v", test.name, alarms)
			}
			continue
		}
		severity := archive.SeverityAction
		if test.record {
			severity = archive.SeverityRecord
		}
		if len(alarms) != 1 || alarms[0].Code != test.want || alarms[0].Severity != severity || alarms[0].Message == "" || alarms[0].Remedy == "" {
			t.Errorf("%s: %+v, want %s of severity %s", test.name, alarms, test.want, severity)
		}
		if archive.Healthy(alarms) != test.record {
			t.Errorf("%s: healthy %v", test.name, !test.record)
		}
	}
}

// TestFailedBeforeAnythingIsKnown: an error shows also if no run got to work.
func TestFailedBeforeAnythingIsKnown(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	f := archive.Facts{State: archive.PullState{LastError: "no lock", LastRemedy: "lock it"}, Gaps: []archive.Gap{{SeenAt: now}}}
	want := []archive.AlarmCode{archive.AlarmNeverRan, archive.AlarmGap, archive.AlarmPull}
	if codes := judged(now, f); !slices.Equal(codes, want) {
		t.Errorf("alarms %v, want %v", codes, want)
	}
}

func judged(now time.Time, f archive.Facts) []archive.AlarmCode {
	var codes []archive.AlarmCode
	for _, a := range archive.Judge(now, f) {
		codes = append(codes, a.Code)
	}
	return codes
}
