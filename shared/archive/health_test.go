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
// and such days are usual.
func TestQuiet(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	seats := func(n int) *int { return &n }
	// days with messages, up to two days ago, without those that skip names
	days := func(first int, skip ...int) map[string]int {
		m := map[string]int{}
		for back := 2; back <= first; back++ {
			if !slices.Contains(skip, back) {
				m[archive.Day(now.AddDate(0, 0, -back))] = 10
			}
		}
		return m
	}
	tests := []struct {
		name  string
		seats *int
		first int // first run, days ago
		days  map[string]int
		last  int // last page, days ago; 0: never
		want  bool
	}{
		{"seats not known", nil, 30, days(30, 8), 2, true},
		{"nobody archived", seats(0), 30, days(30, 8), 2, true},
		{"not usual", seats(5), 30, days(30), 2, true},
		{"usual", seats(5), 30, days(30, 8), 2, false},
		{"too young to tell", seats(5), 5, days(5, 3), 2, true},
		{"two silent days are usual", seats(5), 30, days(30, 2, 8, 9), 3, false},
		{"three are not", seats(5), 30, days(30, 2, 3, 8, 9), 4, true},
		{"silent for a month", seats(5), 60, days(60, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22), 21, true},
		{"never a message", seats(5), 30, nil, 0, true},
		{"first day", seats(5), 0, nil, 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := archive.Facts{
				State:  archive.PullState{FirstRunAt: now.AddDate(0, 0, -test.first), EndReachedAt: now, Seats: test.seats},
				Cursor: archive.Cursor{Days: test.days},
			}
			if test.last > 0 {
				f.Cursor.PulledAt = now.AddDate(0, 0, -test.last)
			}
			if got := slices.Contains(judged(now, f), archive.AlarmQuiet); got != test.want {
				t.Errorf("quiet alarm %v, want %v", got, test.want)
			}
		})
	}
}

func TestOtherAlarms(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	well := archive.Facts{State: archive.PullState{FirstRunAt: now, EndReachedAt: now}, Cursor: archive.Cursor{PulledAt: now}}
	if codes := judged(now, well); codes != nil {
		t.Fatalf("alarms %v when all is well", codes)
	}
	late := well
	late.OldestPending = now.Add(-archive.PendingLimit - time.Second)
	early := well
	early.OldestPending = now.Add(-archive.PendingLimit)
	gaps, quarantine, failed := well, well, well
	gaps.Gaps, quarantine.Quarantined, failed.State.LastError = 1, 1, "boom"
	for want, f := range map[archive.AlarmCode]archive.Facts{archive.AlarmArchiver: late, archive.AlarmGap: gaps, archive.AlarmQuarantine: quarantine, archive.AlarmPull: failed} {
		if codes := judged(now, f); !slices.Equal(codes, []archive.AlarmCode{want}) {
			t.Errorf("alarms %v, want %s", codes, want)
		}
	}
	if codes := judged(now, early); codes != nil {
		t.Errorf("alarms %v for a page that waits an hour", codes)
	}
}

func judged(now time.Time, f archive.Facts) []archive.AlarmCode {
	var codes []archive.AlarmCode
	for _, a := range archive.Judge(now, f) {
		codes = append(codes, a.Code)
	}
	return codes
}
