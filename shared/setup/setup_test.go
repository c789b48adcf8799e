package setup_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/setup"
)

var at = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func states(steps []setup.Step) map[string]setup.State {
	found := map[string]setup.State{}
	for _, s := range steps {
		found[s.ID] = s.State
	}
	return found
}

func checkup(lines map[string]archive.CheckupState) *archive.Checkup {
	c := &archive.Checkup{At: at}
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		c.Lines = append(c.Lines, archive.CheckupLine{Check: name, State: lines[name], Found: archive.Bilingual{English: name, Chinese: name}})
	}
	return c
}

var key = setup.Key{PublicKey: archive.PublicKey{ID: "spring", PublicPEM: "PEM of spring"}}

func TestSteps(t *testing.T) {
	const ok, act = archive.CheckupOK, archive.CheckupAct
	good := map[string]archive.CheckupState{"library": ok, "corp": ok, "secret": ok, "address": ok, "wecom": ok}
	bad := maps.Clone(good)
	bad["wecom"] = act
	alien := maps.Clone(bad)
	alien["address"] = act
	opened := key
	opened.Versions = []int64{1, 2}
	for _, test := range []struct {
		name  string
		facts setup.Facts
		want  map[string]setup.State // others are open, or a person's
	}{
		{"fresh", setup.Facts{}, nil},
		{"a key", setup.Facts{Keys: []setup.Key{key}}, nil},
		{"before WeCom trusts the address", setup.Facts{Checkup: checkup(bad)},
			map[string]setup.State{"secret": "done", "corp": "done", "doctor": "wrong"}},
		{"from another address", setup.Facts{Checkup: checkup(alien)},
			map[string]setup.State{"secret": "done", "corp": "done", "trusted_ip": "wrong", "doctor": "wrong"}},
		{"WeCom answers", setup.Facts{Checkup: checkup(good)},
			map[string]setup.State{"service": "done", "trusted_ip": "done", "secret": "done", "corp": "done", "doctor": "done"}},
		{"a pull has ended well", setup.Facts{State: catalog.PullState{LastSuccessAt: at}},
			map[string]setup.State{"service": "done", "trusted_ip": "done"}},
		{"a pull has ended well since", setup.Facts{Checkup: checkup(bad), State: catalog.PullState{LastSuccessAt: at.Add(time.Hour)}},
			map[string]setup.State{"service": "done", "trusted_ip": "done", "secret": "done", "corp": "done", "doctor": "wrong"}},
		{"not since", setup.Facts{Checkup: checkup(bad), State: catalog.PullState{LastSuccessAt: at.Add(-time.Hour)}},
			map[string]setup.State{"secret": "done", "corp": "done", "doctor": "wrong"}},
		{"seats", setup.Facts{State: catalog.PullState{Seats: new(3)}}, map[string]setup.State{"scope": "done"}},
		{"messages", setup.Facts{Keys: []setup.Key{key, opened}, Cursor: catalog.Cursor{Envelopes: 7}},
			map[string]setup.State{"public_key": "done", "scope": "done", "message": "done"}},
		{"a newer key was not used", setup.Facts{Keys: []setup.Key{opened, key}}, nil},
	} {
		want := map[string]setup.State{
			"service": "open", "public_key": "open", "trusted_ip": "open", "secret": "open", "corp": "open", "agreement": "person",
			"names": "person", "callback": "person", "doctor": "open", "scope": "open", "message": "open",
		}
		maps.Copy(want, test.want)
		test.facts.Settings.Callback = "https://x.example/callback"
		if got := states(setup.Steps(test.facts)); !maps.Equal(got, want) {
			t.Errorf("%s: %v\nwant %v", test.name, got, want)
		}
	}
}

// TestNoCallback: nobody is told to enter a URL that is not there.
func TestNoCallback(t *testing.T) {
	if state, found := states(setup.Steps(setup.Facts{}))["callback"]; found {
		t.Errorf("a callback that the stack does not have is %s", state)
	}
}

// TestWhole: every step says what to do, in both languages, and has what is to be
// copied.
func TestWhole(t *testing.T) {
	facts := setup.Facts{
		Settings: setup.Settings{Corp: "ww1", TrustedIP: "203.0.113.7", Callback: "https://x.example/callback"},
		Keys:     []setup.Key{key},
	}
	values := map[string]string{}
	for _, s := range setup.Steps(facts) {
		for _, text := range []string{s.Title.English, s.Title.Chinese, s.Do.English, s.Do.Chinese} {
			if text == "" || strings.Contains(text, "%") {
				t.Errorf("%s: %q", s.ID, text)
			}
		}
		if s.Value != "" {
			values[s.ID] = s.Value
		}
	}
	want := map[string]string{"public_key": key.PublicPEM, "trusted_ip": "203.0.113.7", "corp": "ww1", "callback": "https://x.example/callback"}
	if !maps.Equal(values, want) {
		t.Errorf("to copy: %v, want %v", values, want)
	}
}
