package pages

import (
	"net/http"
	"slices"

	"wecom-archive/shared/health"
	"wecom-archive/shared/show"
)

// check is one of the things that the overview's state follows from.
type check struct {
	What  string
	State string // done: proved; record: something is known and past; open: not proved; wrong: somebody has to act
}

// Mark is a sign for those who do not see colours.
func (c check) Mark() string {
	return map[string]string{"done": "✓", "record": "!", "open": "…", "wrong": "✗"}[c.State]
}

// checks judges each part by its alarms, and, where there are none, by its proof: that
// nothing is known to be wrong proves nothing.
func checksOf(b show.Status, seatsFresh, proved bool) []check {
	seats := b.Seats != nil && *b.Seats > 0 && seatsFresh
	decrypted := b.Quarantine.Envelopes == 0 && !b.Quarantine.AtLeast
	all := []struct {
		what   string
		alarms []health.AlarmCode
		proved bool
	}{
		{"pull", []health.AlarmCode{health.AlarmNeverRan, health.AlarmBehind, health.AlarmLoss, health.AlarmPull, health.AlarmClock}, proved},
		{"archiver", []health.AlarmCode{health.AlarmArchiver}, b.Pending.Pages == 0 && !b.Pending.AtLeast},
		{"quarantine", []health.AlarmCode{health.AlarmQuarantine}, decrypted},
		{"parsed", []health.AlarmCode{health.AlarmUnparsed, health.AlarmTypes}, true},
		{"media", []health.AlarmCode{health.AlarmMediaLost, health.AlarmMediaFail, health.AlarmMediaWait}, b.Media.Pending == 0},
		{"damage", []health.AlarmCode{health.AlarmDamage, health.AlarmHole, health.AlarmStray, health.AlarmDerived, health.AlarmAcknowledged}, true},
		{"seats", []health.AlarmCode{health.AlarmQuiet}, seats},
	}
	var checks []check
	var judged []health.AlarmCode
	for _, part := range all {
		judged = append(judged, part.alarms...)
		checks = append(checks, check{part.what, alarmState(b, part.proved, func(code health.AlarmCode) bool { return slices.Contains(part.alarms, code) })})
	}
	rest := alarmState(b, true, func(code health.AlarmCode) bool { return !slices.Contains(judged, code) })
	return append(checks, check{"records", rest})
}

func alarmState(b show.Status, proved bool, concerns func(health.AlarmCode) bool) string {
	has := func(severity health.Severity) bool {
		return slices.ContainsFunc(b.Alarms, func(a show.Alarm) bool { return a.Severity == severity && concerns(a.Code) })
	}
	switch {
	case has(health.SeverityAction):
		return "wrong"
	case has(health.SeverityRecord):
		return "record"
	case !proved:
		return "open"
	}
	return "done"
}

// stateOf is the whole: healthy only if each part is proved, or what is wrong with it is
// past and on record.
func stateOf(checks []check) string {
	has := func(state string) bool {
		return slices.ContainsFunc(checks, func(c check) bool { return c.State == state })
	}
	switch {
	case has("wrong"):
		return "unhealthy"
	case has("open"):
		return "unproven"
	}
	return "healthy"
}

// requestPull asks for a pull in the name of the operator.
func (s *server) requestPull(w http.ResponseWriter, r *http.Request) (page, error) {
	if err := s.Puller.RequestPull(r.Context(), show.AskerOf(r.Context()).Person.Subject); err != nil {
		return page{}, err
	}
	http.Redirect(w, r, "/?asked", http.StatusSeeOther)
	return page{}, errElsewhere
}
