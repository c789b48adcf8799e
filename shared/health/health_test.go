package health_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/health"
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
		alarms := health.Judge(now, health.Facts{
			State:  catalog.PullState{FirstRunAt: proof, EndReachedAt: proof},
			Cursor: catalog.Cursor{PulledAt: proof},
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
	codes := judged(now, health.Facts{State: catalog.PullState{FirstRunAt: now.Add(-6 * 24 * time.Hour)}})
	if !slices.Contains(codes, health.AlarmLoss) {
		t.Errorf("alarms %v", codes)
	}
	if codes := judged(now, health.Facts{}); !slices.Equal(codes, []health.AlarmCode{health.AlarmNeverRan}) {
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
			f := health.Facts{State: catalog.PullState{
				FirstRunAt: now.AddDate(0, 0, -test.first), EndReachedAt: now, Seats: test.seats,
				Quiet: archive.Quiet{Silences: test.silences},
			}}
			if test.last > 0 {
				f.Cursor.PulledAt = now.Add(-time.Duration(test.last) * time.Hour)
			}
			if got := slices.Contains(judged(now, f), health.AlarmQuiet); got != test.want {
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
		change func(*health.Facts)
		want   health.AlarmCode
		record bool
	}{
		{"well", func(*health.Facts) {}, "", false},
		{"archiver late", func(f *health.Facts) { f.OldestPending = now.Add(-health.PendingLimit - time.Second) }, health.AlarmArchiver, false},
		{"archiver in time", func(f *health.Facts) { f.OldestPending = now.Add(-health.PendingLimit) }, "", false},
		{"pull failed", func(f *health.Facts) { f.State.LastError, f.State.LastRemedy = "boom", "mend it" }, health.AlarmPull, false},
		{"gap", func(f *health.Facts) { f.Gaps = []archive.Gap{{SeenAt: past}, {SeenAt: fresh}} }, health.AlarmGap, false},
		{"old gaps", func(f *health.Facts) { f.Gaps = []archive.Gap{{SeenAt: past}, {SeenAt: past}} }, health.AlarmGap, true},
		{"quarantine", func(f *health.Facts) { f.Quarantine = health.Quarantine{Pages: 1, Envelopes: 1, Newest: fresh} }, health.AlarmQuarantine, false},
		{"old quarantine", func(f *health.Facts) { f.Quarantine = health.Quarantine{Pages: 1, Envelopes: 1, Newest: past} }, health.AlarmQuarantine, true},
		{"old, and waits for a key", func(f *health.Facts) {
			f.Quarantine = health.Quarantine{Pages: 1, Envelopes: 1, Newest: past, Waiting: true}
		}, health.AlarmQuarantine, false},
		{"damaged segments only", func(f *health.Facts) { f.Quarantine = health.Quarantine{Pages: 1, Parts: 1, Newest: fresh} }, health.AlarmQuarantine, false},
		{"an index that does not say why", func(f *health.Facts) { f.Quarantine = health.Quarantine{Pages: 1, Newest: fresh} }, health.AlarmQuarantine, false},
		{"events", func(f *health.Facts) {
			f.State.Unreadable = catalog.Unreadable{Count: 1, Key: "events/x", SeenAt: fresh}
		}, health.AlarmEvents, false},
		{"old events", func(f *health.Facts) {
			f.State.Unreadable = catalog.Unreadable{Count: 1, Key: "events/x", SeenAt: past}
		}, health.AlarmEvents, true},
		{"proof ahead", func(f *health.Facts) { f.State.EndReachedAt = now.Add(archive.ClockSkew + time.Second) }, health.AlarmClock, false},
		{"proof a bit ahead", func(f *health.Facts) { f.State.EndReachedAt = now.Add(archive.ClockSkew) }, "", false},
		{"nobody archived", func(f *health.Facts) { f.State.Seats = &nobody }, health.AlarmQuiet, false},
	} {
		f := health.Facts{State: catalog.PullState{FirstRunAt: now, EndReachedAt: now}, Cursor: catalog.Cursor{PulledAt: now}}
		test.change(&f)
		alarms := health.Judge(now, f)
		if test.want == "" {
			if len(alarms) > 0 || !health.Healthy(alarms) {
				t.Errorf("%s: %+v", test.name, alarms)
			}
			continue
		}
		severity := health.SeverityAction
		if test.record {
			severity = health.SeverityRecord
		}
		if len(alarms) != 1 || alarms[0].Code != test.want || alarms[0].Severity != severity || alarms[0].Message == "" || alarms[0].Remedy == "" {
			t.Errorf("%s: %+v, want %s of severity %s", test.name, alarms, test.want, severity)
		}
		if health.Healthy(alarms) != test.record {
			t.Errorf("%s: healthy %v", test.name, !test.record)
		}
	}
}

// TestFailedBeforeAnythingIsKnown: an error shows also if no run got to work.
func TestFailedBeforeAnythingIsKnown(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	f := health.Facts{State: catalog.PullState{LastError: "no lock", LastRemedy: "lock it"}, Gaps: []archive.Gap{{SeenAt: now}}}
	want := []health.AlarmCode{health.AlarmNeverRan, health.AlarmGap, health.AlarmPull}
	if codes := judged(now, f); !slices.Equal(codes, want) {
		t.Errorf("alarms %v, want %v", codes, want)
	}
}

func judged(now time.Time, f health.Facts) []health.AlarmCode {
	var codes []health.AlarmCode
	for _, a := range health.Judge(now, f) {
		codes = append(codes, a.Code)
	}
	return codes
}

// TestBuild: a program of unknown source asks somebody to act where what it stores
// stays for good; elsewhere it is only noted.
func TestBuild(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	well := health.Facts{State: catalog.PullState{FirstRunAt: now, EndReachedAt: now}, Cursor: catalog.Cursor{Envelopes: 1, PulledAt: now}}
	for _, test := range []struct {
		build health.Build
		want  health.Severity // empty: no alarm
	}{
		{health.Build{}, ""},
		{health.Build{Version: "v1.2.3", Compliance: true}, ""},
		{health.Build{Version: "v1.2.3+dirty", Unknown: true, Compliance: true}, health.SeverityAction},
		{health.Build{Version: "(devel)", Unknown: true}, health.SeverityRecord},
	} {
		well.Build = test.build
		alarms := health.Judge(now, well)
		if test.want == "" {
			if len(alarms) != 0 {
				t.Errorf("%+v: %+v", test.build, alarms)
			}
			continue
		}
		if len(alarms) != 1 || alarms[0].Code != health.AlarmVersion || alarms[0].Severity != test.want {
			t.Errorf("%+v: %+v", test.build, alarms)
			continue
		}
		for _, text := range []string{alarms[0].Message, alarms[0].MessageZH} {
			if !strings.Contains(text, test.build.Version) {
				t.Errorf("%q does not name %s", text, test.build.Version)
			}
		}
	}
}
