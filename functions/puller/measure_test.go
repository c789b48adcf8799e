package main

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// measured is what was written last of each metric.
func (s *stack) measured(t *testing.T) map[string]float64 {
	t.Helper()
	found := map[string]float64{}
	for line := range strings.Lines(s.metrics.String()) {
		var values map[string]any
		if err := json.Unmarshal([]byte(line), &values); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for name, value := range values {
			if n, ok := value.(float64); ok {
				found[name] += n
			}
		}
	}
	s.metrics.Reset()
	return found
}

func TestMetrics(t *testing.T) {
	s := newStack(t)
	if _, err := s.invoke(t); err == nil {
		t.Fatal("without a secret it pulls")
	}
	if m := s.measured(t); m["EndReached"] != 0 || m["Pulled"] != 0 || m["Refused"] != 0 {
		t.Errorf("without a secret: %v", m)
	}
	s.set(t, store.SecretArchive, "not-that-one")
	if _, err := s.invoke(t); err == nil {
		t.Fatal("a wrong secret is accepted")
	}
	if m := s.measured(t); m["EndReached"] != 0 || m["Refused"] != 1 {
		t.Errorf("with a wrong secret: %v", m)
	}
	s.set(t, store.SecretArchive, secret)
	if _, err := s.invoke(t); err != nil {
		t.Fatal(err)
	}
	m := s.measured(t)
	lag, known := m["LagSeconds"]
	if m["EndReached"] != 1 || m["Pulled"] != 1200 || m["Refused"] != 0 || m["Rejects"] != 0 || m["Gaps"] != 0 || m["QuietAlarm"] != 0 || !known || lag < 0 || lag > 60 {
		t.Errorf("after a good pull: %v", m)
	}
	now := time.Now()
	s.Now = func() time.Time { return now.Add(6 * 24 * time.Hour) }
	if _, err := s.invoke(t); err != nil {
		t.Fatal(err)
	}
	if m := s.measured(t); m["Gaps"] != 1 || m["EndReached"] != 1 {
		t.Errorf("six days later: %v", m)
	}
	if _, err := s.Catalog.Pages.AcquireLease(t.Context(), "another", s.Now(), time.Minute); err != nil {
		t.Fatal(err)
	}
	s.invoke(t)
	if m := s.measured(t); m["EndReached"] != 0 || m["Pulled"] != 0 {
		t.Errorf("while another puller is at work: %v", m)
	}
}

// TestIncidents: what is laid over the archive is found by the daily run, counted
// once, and kept as an event.
func TestIncidents(t *testing.T) {
	s := newStack(t)
	s.set(t, store.SecretArchive, secret)
	if _, err := s.invoke(t); err != nil {
		t.Fatal(err)
	}
	s.Versions.(*storetest.Objects).PlantDeleteMarker(archive.PageKey(0))
	s.measured(t)
	for _, want := range []float64{1, 0} {
		if _, err := s.invoke(t); err != nil {
			t.Fatal(err)
		}
		if m := s.measured(t); m["Incidents"] != want {
			t.Errorf("%v incidents, want %v", m["Incidents"], want)
		}
	}
	found, err := s.Catalog.Journal.Incidents(t.Context(), 10)
	if err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	if !strings.Contains(s.log.String(), "laid something over") {
		t.Error("the log says nothing")
	}
}

// slow is a bucket whose listings of versions below one prefix never end.
type slow struct {
	store.Versions
	prefix string
}

func (s slow) ListVersions(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectVersion, error] {
	if prefix != s.prefix {
		return s.Versions.ListVersions(ctx, prefix, after)
	}
	return func(yield func(store.ObjectVersion, error) bool) {
		<-ctx.Done()
		yield(store.ObjectVersion{}, ctx.Err())
	}
}

// TestScanGoesOn: a scan that the time is too short for does not fail the run, and
// goes on where it was.
func TestScanGoesOn(t *testing.T) {
	s := newStack(t)
	all := s.Versions
	s.Versions = slow{all, archive.KeysPrefix}
	ctx, cancel := context.WithTimeout(t.Context(), scanMargin+100*time.Millisecond)
	defer cancel()
	if err := s.lookForIncidents(ctx); err != nil {
		t.Fatal(err)
	}
	all.(*storetest.Objects).PutIfAbsent(t.Context(), archive.SegmentsPrefix+"x", strings.NewReader("x"))
	all.(*storetest.Objects).PlantVersion(archive.SegmentsPrefix+"x", []byte("y"))
	s.Versions = slow{all, archive.PagesPrefix} // which is done
	again, cancelAgain := context.WithTimeout(t.Context(), scanMargin+100*time.Millisecond)
	defer cancelAgain()
	if err := s.lookForIncidents(again); err != nil {
		t.Fatal(err)
	}
	if m := s.measured(t); m["Incidents"] != 1 {
		t.Errorf("%v", m)
	}
	s.Versions = broken{}
	if err := s.lookForIncidents(t.Context()); err == nil {
		t.Error("a bucket that cannot be listed is no error")
	}
}

type broken struct{ store.Versions }

func (broken) ListVersions(context.Context, string, string) iter.Seq2[store.ObjectVersion, error] {
	return func(yield func(store.ObjectVersion, error) bool) {
		yield(store.ObjectVersion{}, errors.New("access denied"))
	}
}
