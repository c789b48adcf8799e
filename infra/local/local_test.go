package local_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wecom-archive/infra/local"
)

func config(dir string) local.Config {
	return local.Config{Dir: dir, Seed: 3, Program: "test", Log: slog.New(slog.DiscardHandler), Now: time.Now}
}

// runOnce archives what there is and returns the summary.
func runOnce(t *testing.T, c local.Config) local.Summary {
	t.Helper()
	started := time.Now()
	system, err := local.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := system.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := system.Run(t.Context(), true, nil); err != nil {
		t.Fatal(err)
	}
	sum, err := system.Summary(context.Background(), started)
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
	if sum.Pulled != 1500 || sum.Archived+sum.Quarantined != 1500 || sum.Pages != 2 || sum.Segments != 2 {
		t.Errorf("first start: %+v", sum)
	}
	again := runOnce(t, c)
	if again.Seconds, sum.Seconds = 0, 0; again != sum {
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
	files, err := filepath.Glob(filepath.Join(dir, "index.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("index files %v, %v", files, err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	again := runOnce(t, c)
	if again.Seconds > 60 {
		t.Errorf("it took %.0f s", again.Seconds)
	}
	if again.Seconds, sum.Seconds = 0, 0; again != sum {
		t.Errorf("%+v, was %+v", again, sum)
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
