package local_test

import (
	"slices"
	"testing"

	"wecom-archive/infra/local"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/wecom/wecomtest"
)

// namesIn opens the archive and compares its names with the corp's. It returns how
// many people and rooms it has.
func namesIn(t *testing.T, c local.Config) (people, rooms int) {
	t.Helper()
	system, err := local.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer system.Close()
	names := map[string]string{}
	for _, all := range [][]wecomtest.Someone{system.Corp.Employees(), system.Corp.Customers(), system.Corp.Robots()} {
		for _, p := range all {
			names[chat.ParticipantOf(p.ID).ID] = p.Name
		}
	}
	for _, room := range system.Corp.ChatRooms() {
		names[room.ID] = room.Name
	}
	for s, err := range system.Catalog.People.Subjects(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		find := system.Catalog.People.PersonEntries
		if s.Room {
			find, rooms = system.Catalog.People.RoomEntries, rooms+1
		} else {
			people++
		}
		known, err := find(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got := known[s.ID].Now(); got == "" || got != names[s.ID] {
			t.Errorf("%s is %q, want %q", s.ID, got, names[s.ID])
		}
	}
	return people, rooms
}

// parts are the keys of the directory.
func parts(t *testing.T, c local.Config) (keys []string) {
	t.Helper()
	system, err := local.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer system.Close()
	for info, err := range system.Objects.List(t.Context(), archive.DirectoryPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

// TestNames: everybody in the archive has a name, also after the index was lost. Then
// only the day's share is asked for again.
func TestNames(t *testing.T) {
	dir := t.TempDir()
	c := config(dir)
	c.Messages = 600
	runOnce(t, c)
	if people, rooms := namesIn(t, c); people < 50 || rooms < 5 {
		t.Errorf("%d people, %d rooms", people, rooms)
	}
	stored := parts(t, c)
	removeIndex(t, dir)
	runOnce(t, c)
	namesIn(t, c)
	if again := parts(t, c); len(stored) == 0 || len(again) > len(stored)+1 || !slices.Equal(again[:len(stored)], stored) {
		t.Errorf("the directory has %d parts, it had %d", len(again), len(stored))
	}
}
