package archive_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store/storetest"
)

func TestParseEventKey(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 7e6, time.UTC)
	for key, want := range map[string]string{
		archive.RunKey(archive.Run{ID: "a-b", StartedAt: at}):                                                archive.EventRun,
		archive.GapKey(archive.Gap{Since: at.AddDate(0, 0, -6), SeenAt: at}):                                 archive.EventGap,
		archive.BindingKey(archive.KeyBinding{PublicKeyVer: 2, Key: "2026-11-a"}, at):                        archive.EventBinding,
		archive.BindingKey(archive.KeyBinding{PublicKeyVer: math.MaxInt64, Key: "k"}, at):                    archive.EventBinding,
		archive.HoleKey(archive.ChainHole{From: 3, To: math.MaxUint64, Outcome: archive.HoleFilled, At: at}): archive.EventHole,
		"events/dt=2026-11-23/hole-3-4-1795420800007-open.json":                                              "",
		"events/dt=2026-11-23/run-x.json":                                                                    "",
		"events/dt=2026-11-23/hold-1795420800007-a.json":                                                     "",
		"events/dt=2026-11-23/binding-0000000002-key.json":                                                   "",
		"pages/run-1795420800007-a.json":                                                                     "",
	} {
		kind, when, ok := archive.ParseEventKey(key)
		if kind != want || ok != (want != "") || (ok && !when.Equal(at)) {
			t.Errorf("%s: %q, %v, %v", key, kind, when, ok)
		}
	}
}

// TestBindingEvents: of two bindings of a version on one day the later comes later
// in the listing, whatever the keys are called, and a fact is not repeated.
func TestBindingEvents(t *testing.T) {
	objects := storetest.NewObjects()
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for i, key := range []string{"zebra", "zebra", "ant", "ant", "zebra", "zebra"} {
		b := archive.KeyBinding{PublicKeyVer: 3, Key: key, MsgID: "m"}
		if err := archive.PutBinding(t.Context(), objects, "corp", b, at.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	// Another version, and another day, are facts of their own.
	for _, b := range []archive.KeyBinding{{PublicKeyVer: 4, Key: "zebra", MsgID: "m"}, {PublicKeyVer: 30, Key: "zebra", MsgID: "m"}} {
		if err := archive.PutBinding(t.Context(), objects, "corp", b, at.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for info, err := range objects.List(t.Context(), archive.EventsPrefix, archive.EventsFrom(at)) {
		if err != nil {
			t.Fatal(err)
		}
		var b archive.KeyBinding
		if _, err := archive.GetEvent(t.Context(), objects, info.Key, &b); err != nil {
			t.Fatal(err)
		}
		got = append(got, b.Key)
	}
	if strings.Join(got, " ") != "zebra ant zebra zebra zebra" {
		t.Errorf("bindings %v", got)
	}
}

func FuzzParseEventKey(f *testing.F) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	f.Add(archive.RunKey(archive.Run{ID: "a", StartedAt: at}))
	f.Add(archive.HoleKey(archive.ChainHole{From: 1, To: 2, Outcome: archive.HoleOpen, At: at}))
	f.Add(archive.GapKey(archive.Gap{Since: at, SeenAt: at}))
	f.Add(archive.BindingKey(archive.KeyBinding{PublicKeyVer: 1, Key: "k"}, at))
	f.Fuzz(func(t *testing.T, key string) {
		kind, at, ok := archive.ParseEventKey(key)
		if ok != (kind != "") || ok && (!strings.HasPrefix(key, archive.EventsPrefix) || at.UnixMilli() < 0) {
			t.Errorf("%q: %q, %v, %v", key, kind, at, ok)
		}
	})
}
