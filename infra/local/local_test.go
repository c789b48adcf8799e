package local_test

import (
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"wecom-archive/infra/local"
)

func config(dir string) local.Config {
	return local.Config{Dir: dir, Seed: 3, Program: "test", Log: slog.New(slog.DiscardHandler), Now: time.Now}
}

// archiveOnce opens the system, archives all and sums up; the error is the first
// of these three.
func archiveOnce(t *testing.T, c local.Config) (sum local.Summary, err error) {
	t.Helper()
	system, err := local.Open(t.Context(), c)
	if err != nil {
		return sum, err
	}
	defer func() {
		if e := system.Close(); e != nil {
			t.Error(e)
		}
	}()
	if err := system.Run(t.Context(), true, nil); err != nil {
		return sum, err
	}
	sum, err = system.Summary(t.Context(), time.Now())
	sum.Seconds = 0
	return sum, err
}

// runOnce is archiveOnce where it must work.
func runOnce(t *testing.T, c local.Config) local.Summary {
	t.Helper()
	sum, err := archiveOnce(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestArchivesAndContinues(t *testing.T) {
	dir := t.TempDir()
	c := config(dir)
	c.Messages, c.Truth = 1500, filepath.Join(dir, "truth.jsonl")
	sum := runOnce(t, c)
	if sum.Pulled != 1500 || sum.Archived+sum.Quarantined != 1500 || sum.Pages != 2 || sum.Segments != 2 || !sum.Complete {
		t.Errorf("first start: %+v", sum)
	}
	again := runOnce(t, c)
	if again != sum {
		t.Errorf("second start changed the archive: %+v, was %+v", again, sum)
	}
	c.Messages = 1700
	if more := runOnce(t, c); more.Pulled != 1700 || more.Archived+more.Quarantined != 1700 || more.Pages != 3 {
		t.Errorf("after the corp talked on: %+v", more)
	}
}

// TestIndexLost: without its index a second start makes it anew from the objects,
// at once, and the archive stays as it was.
func TestIndexLost(t *testing.T) {
	dir := t.TempDir()
	c := config(dir)
	c.Messages = 300
	sum := runOnce(t, c)
	want := places(t, c)
	removeIndex(t, dir)
	started := time.Now()
	if again := runOnce(t, c); again != sum {
		t.Errorf("%+v, was %+v", again, sum)
	}
	if took := time.Since(started); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	if got := places(t, c); !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("%d conversations by day, or their messages, differ from the %d before", len(got), len(want))
	}
}

func TestRefusesAnotherStream(t *testing.T) {
	dir := t.TempDir()
	c := config(dir)
	c.Messages = 10
	runOnce(t, c)
	c.Seed++
	if _, err := local.Open(t.Context(), c); err == nil {
		t.Error("another seed was accepted in the same folder")
	}
}

func TestRefusesASecondProcess(t *testing.T) {
	c := config(t.TempDir())
	system, err := local.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer system.Close()
	if _, err := local.Open(t.Context(), c); err == nil {
		t.Error("the folder was opened twice")
	}
}
