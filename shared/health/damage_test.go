package health_test

import (
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/health"
)

// TestDamage: what is open asks somebody to act, however old, and names what was found
// last; what was acknowledged is on record.
func TestDamage(t *testing.T) {
	now := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	found := func(days int, where archive.Where, kind archive.FindingKind, key string) damage.Entry {
		return damage.Entry{Finding: archive.Finding{Where: where, Kind: kind, Key: key, Noticed: now.AddDate(0, 0, -days)}}
	}
	for _, test := range []struct {
		name         string
		open         []damage.Entry
		acknowledged []damage.Entry
		atLeast      bool
		want         string // codes
		says         string // in the first message
	}{
		{"nothing", nil, nil, false, "", ""},
		{"one object", []damage.Entry{found(400, archive.InArchive, archive.Altered, "media/x")}, nil, false, "damage!", "An object of the archive is missing or altered: media/x, noticed 2025-10-26T08:00:00Z."},
		{"two objects", []damage.Entry{found(3, archive.InArchive, archive.Altered, "media/x"), found(1, archive.InArchive, archive.Missing, "pages/y")}, nil, false, "damage!", "2 objects of the archive are missing or altered, the last one pages/y"},
		{"more than were counted", []damage.Entry{found(3, archive.InArchive, archive.Altered, "media/x")}, nil, true, "damage!", "At least 1 objects"},
		{"a hole", []damage.Entry{found(3, archive.InArchive, archive.Hole, "pages/7")}, nil, false, "hole!", "from pages/7 on"},
		{"a stray", []damage.Entry{found(3, archive.InArchive, archive.Stray, "pages/zz")}, nil, false, "stray!", "did not put there lies in the archive: pages/zz"},
		{"derived", []damage.Entry{found(0, archive.InDerived, archive.Missing, "compactions/x")}, nil, false, "derived!", "made from the archive is missing or altered: compactions/x"},
		{"acknowledged", nil, []damage.Entry{found(3, archive.InArchive, archive.Altered, "media/x")}, false, "acknowledged", "was acknowledged: media/x"},
		{"all", []damage.Entry{found(3, archive.InArchive, archive.Altered, "a"), found(3, archive.InArchive, archive.Hole, "b"), found(3, archive.InArchive, archive.Stray, "c"), found(3, archive.InDerived, archive.Altered, "d")},
			[]damage.Entry{found(3, archive.InArchive, archive.Altered, "e"), found(3, archive.InArchive, archive.Altered, "f")}, false, "damage! hole! stray! derived! acknowledged", "An object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var codes []string
			alarms := health.Judge(now, health.Facts{
				State: catalog.PullState{FirstRunAt: now, EndReachedAt: now}, Cursor: catalog.Cursor{PulledAt: now},
				Damage: damage.Summary{Open: test.open, Acknowledged: test.acknowledged, AtLeast: test.atLeast},
			})
			for _, a := range alarms {
				code := string(a.Code)
				if a.Severity == health.SeverityAction {
					code += "!"
				}
				codes = append(codes, code)
				for _, text := range []string{a.Message, a.Remedy, a.MessageZH, a.RemedyZH} {
					if text == "" || strings.Contains(text, "%!") || strings.Contains(text, "(s)") {
						t.Errorf("%s says %q", a.Code, text)
					}
				}
			}
			if got := strings.Join(codes, " "); got != test.want {
				t.Errorf("alarms %q, want %q", got, test.want)
			}
			if len(alarms) > 0 && !strings.Contains(alarms[0].Message, test.says) {
				t.Errorf("it says %q, want %q", alarms[0].Message, test.says)
			}
		})
	}
}
