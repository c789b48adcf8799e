package archive

import (
	"fmt"
	"time"
)

// Window is how long WeCom keeps messages for us (wecom-facts §2).
const Window = 5 * 24 * time.Hour

// PendingLimit is how long a page may wait for the archiver before it alarms.
const PendingLimit = time.Hour

// countdown are the hours after the last proof at which the operator is warned,
// each more loudly than the one before.
var countdown = []time.Duration{26 * time.Hour, 48 * time.Hour, 72 * time.Hour, 96 * time.Hour}

// AlarmCode names an alarm for machines. Codes are only added, never changed.
type AlarmCode string

// Alarm codes.
const (
	AlarmBehind     AlarmCode = "behind"      // no pull reached the end for 26, 48, 72, 96 hours
	AlarmLoss       AlarmCode = "loss"        // five days have passed: messages may be gone
	AlarmGap        AlarmCode = "gap"         // a gap was recorded; it stays for ever
	AlarmQuiet      AlarmCode = "quiet"       // the stream is empty and nothing proves that that is right
	AlarmArchiver   AlarmCode = "archiver"    // pages wait over an hour for the archiver
	AlarmQuarantine AlarmCode = "quarantine"  // envelopes that cannot be decrypted
	AlarmPull       AlarmCode = "pull_failed" // the last run failed
	AlarmNeverRan   AlarmCode = "never_ran"   //
)

// Alarm is one thing that is wrong, and what to do about it.
type Alarm struct {
	Code    AlarmCode `json:"code"`
	Level   int       `json:"level"` // of AlarmBehind: 1 to 4; else 1
	Message string    `json:"message"`
	Remedy  string    `json:"remedy"`
}

// Facts is what health is judged by.
type Facts struct {
	State         PullState
	Cursor        Cursor
	OldestPending time.Time // when the oldest page without segment was pulled; zero: none waits
	Quarantined   int       // envelopes
	Gaps          int
}

// Judge returns what is wrong at a time; nothing means proven health, not the
// absence of news.
func Judge(now time.Time, f Facts) []Alarm {
	s := f.State
	if s.FirstRunAt.IsZero() {
		return []Alarm{{AlarmNeverRan, 1, "The puller has never run.", "Start it: wecom-archive pull, or wait for its schedule."}}
	}
	var alarms []Alarm
	if a, ok := judgeLag(now.Sub(s.LastProof())); ok {
		alarms = append(alarms, a)
	}
	if f.Gaps > 0 {
		alarms = append(alarms, Alarm{AlarmGap, 1, fmt.Sprintf("%d recorded gap(s): WeCom may have dropped messages before they were pulled.", f.Gaps),
			"Nothing brings them back from WeCom. Keep the record; ask the employees' devices if the period matters."})
	}
	if s.LastError != "" {
		alarms = append(alarms, Alarm{AlarmPull, 1, "The last pull failed: " + s.LastError, s.LastRemedy})
	}
	if a, ok := judgeQuiet(now, f); ok {
		alarms = append(alarms, a)
	}
	if !f.OldestPending.IsZero() && now.Sub(f.OldestPending) > PendingLimit {
		alarms = append(alarms, Alarm{AlarmArchiver, 1,
			fmt.Sprintf("Pages wait for the archiver since %s.", f.OldestPending.UTC().Format(time.RFC3339)),
			"Look at the archiver's log and its dead-letter queue. Nothing is lost: the pages are stored."})
	}
	if f.Quarantined > 0 {
		alarms = append(alarms, Alarm{AlarmQuarantine, 1, fmt.Sprintf("%d envelope(s) could not be decrypted yet.", f.Quarantined),
			"See the reasons. For unknown_key_version: wecom-archive keys import, then redrive."})
	}
	return alarms
}

// judgeLag counts down to the first loss.
func judgeLag(lag time.Duration) (Alarm, bool) {
	if lag >= Window {
		return Alarm{AlarmLoss, 1, fmt.Sprintf("No pull reached the end of the stream for %d h: messages may be gone.", hours(lag)),
			"Make a pull succeed now: each hour loses another hour of messages."}, true
	}
	level := 0
	for _, limit := range countdown {
		if lag >= limit {
			level++
		}
	}
	if level == 0 {
		return Alarm{}, false
	}
	return Alarm{AlarmBehind, level, fmt.Sprintf("No pull reached the end of the stream for %d h: first loss in %d h.", hours(lag), hours(Window-lag)),
		"Look at the last run's error; then pull."}, true
}

func hours(d time.Duration) int { return int(d / time.Hour) }

// learnDays is how long an archive must have run before a silent day can be
// called usual.
const learnDays = 7

// judgeQuiet tells an empty stream that is believable from one that looks like
// a missing scope, licence or consent: those all look like nothing (design §5.9).
func judgeQuiet(now time.Time, f Facts) (Alarm, bool) {
	s, last := f.State, f.Cursor.PulledAt
	if last.IsZero() {
		last = s.FirstRunAt
	}
	const day = 24 * time.Hour
	if s.EndReachedAt.IsZero() || s.EndReachedAt.Sub(last) < day {
		return Alarm{}, false
	}
	remedy := "Check in the WeCom console: archive scope opened, seats bought and not expired, trusted IP and Secret right. Then send a test message."
	switch {
	case s.Seats != nil && *s.Seats == 0:
		return Alarm{AlarmQuiet, 1, "No messages for a day, and nobody is in the archive's scope.", remedy}, true
	case s.Seats == nil:
		return Alarm{AlarmQuiet, 1, "No messages for a day, and the list of archived seats is not known.", remedy}, true
	case !silenceIsUsual(now, f):
		return Alarm{AlarmQuiet, 1, fmt.Sprintf("No messages for %d h, which is not usual for this corp.", hours(s.EndReachedAt.Sub(last))), remedy}, true
	}
	return Alarm{}, false
}

// silenceIsUsual says whether there were as many silent days in a row before: a
// corp that rests on Sundays is not well when Monday and Tuesday are silent, too.
func silenceIsUsual(now time.Time, f Facts) bool {
	first := f.State.FirstRunAt.UTC().AddDate(0, 0, 1) // the first day was not a whole one
	until := f.Cursor.PulledAt.UTC()
	if oldest := now.UTC().AddDate(0, 0, -KeepDays+1); first.Before(oldest) {
		first = oldest
	}
	if f.Cursor.PulledAt.IsZero() || until.Sub(first) < learnDays*24*time.Hour {
		return false
	}
	// Whole UTC days without a message; a day's silence may touch none.
	silent := 0
	for d := until.AddDate(0, 0, 1); Day(d) < Day(f.State.EndReachedAt); d = d.AddDate(0, 0, 1) {
		silent++
	}
	row := 0
	for d := first; Day(d) < Day(until); d = d.AddDate(0, 0, 1) {
		row++
		if f.Cursor.Days[Day(d)] > 0 {
			row = 0
		}
		if row >= max(silent, 1) {
			return true
		}
	}
	return false
}
