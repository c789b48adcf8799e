package health_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
)

// proof is one pull that reached the end of the stream.
type proof struct {
	at  time.Time
	seq uint64
}

// silencesOf is what a list of proofs, in order of time, proves: of each row of
// proofs at the same seq, less than a window apart, the first and the last, if
// another row follows and both are at least 18 hours apart.
func silencesOf(proofs []proof) []archive.Silence {
	var all []archive.Silence
	for i := 0; i < len(proofs); {
		j := i
		for j+1 < len(proofs) && proofs[j+1].seq == proofs[i].seq && proofs[j+1].at.Sub(proofs[j].at) < archive.Window {
			j++
		}
		s := archive.Silence{From: proofs[i].at, To: proofs[j].at}
		last := proofs[len(proofs)-1].at
		if j+1 < len(proofs) && proofs[i].seq > 0 && s.To.Sub(s.From) >= 18*time.Hour && last.Sub(s.To) <= 35*24*time.Hour {
			all = append(all, s)
		}
		i = j + 1
	}
	return all
}

// TestSilences: whatever pulls succeed, fail or never happen, what is kept as a
// silence is what proofs prove, and no message was sent in it.
func TestSilences(t *testing.T) {
	begin := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		var said []time.Time
		at := begin
		for range rapid.IntRange(0, 12).Draw(t, "messages") {
			at = at.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "pause")) * time.Hour)
			said = append(said, at)
		}
		var state catalog.PullState
		var proofs []proof
		at = begin.Add(time.Minute)
		for range rapid.IntRange(1, 60).Draw(t, "pulls") {
			// Commonly an hour or a day apart, at times an outage.
			at = at.Add(rapid.SampledFrom([]time.Duration{time.Hour, time.Hour, 24 * time.Hour, 50 * time.Hour, 130 * time.Hour}).Draw(t, "rest"))
			p := proof{at: at}
			for _, m := range said {
				if m.Before(at) {
					p.seq++
				}
			}
			proofs = append(proofs, p)
			state.Prove(p.at, p.seq, at)
			if late := proofs[rapid.IntRange(0, len(proofs)-1).Draw(t, "late")]; rapid.Bool().Draw(t, "comes late") {
				state.Prove(late.at, late.seq, at)
			}
		}
		if got, want := fmt.Sprint(state.Quiet.Silences), fmt.Sprint(silencesOf(proofs)); got != want {
			t.Fatalf("silences %s\nwant %s\nof %v", got, want, proofs)
		}
		if !state.EndReachedAt.Equal(at) {
			t.Fatalf("last proof %v, want %v", state.EndReachedAt, at)
		}
		for _, s := range state.Quiet.Silences {
			if i := slices.IndexFunc(said, func(m time.Time) bool { return !m.Before(s.From) && m.Before(s.To) }); i >= 0 {
				t.Fatalf("a message of %v in the silence %v", said[i], s)
			}
		}
	})
}

// TestProofAhead: a proof dated by a wrong clock gives way to the next one, and
// proves no silence.
func TestProofAhead(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	var s catalog.PullState
	s.Prove(now, 7, now)
	s.Prove(now.Add(90*time.Hour), 7, now.Add(90*time.Hour)) // the clock ran ahead
	if !s.ProofAhead(now.Add(time.Hour)) {
		t.Fatal("not seen as ahead")
	}
	s.Prove(now.Add(time.Hour), 9, now.Add(time.Hour))
	if !s.EndReachedAt.Equal(now.Add(time.Hour)) || len(s.Quiet.Silences) > 0 || !s.Quiet.Since.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v", s)
	}
	s.Prove(now.Add(50*time.Minute), 9, now.Add(time.Hour))
	if !s.EndReachedAt.Equal(now.Add(time.Hour)) {
		t.Errorf("a late proof set the last one back to %v", s.EndReachedAt)
	}
}

// TestSilenceAhead: also a silence that a wrong clock saw is forgotten.
func TestSilenceAhead(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	var s catalog.PullState
	for i, seq := range []uint64{7, 7, 8} {
		at := now.AddDate(0, 0, 30+i)
		s.Prove(at, seq, at)
	}
	if len(s.Quiet.Silences) != 1 {
		t.Fatalf("%+v", s)
	}
	s.Prove(now, 8, now)
	if len(s.Quiet.Silences) > 0 {
		t.Errorf("%+v", s)
	}
}

// TestSilencesAreBounded: the state does not grow with the archive.
func TestSilencesAreBounded(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var s catalog.PullState
	for n := range 2000 {
		at = at.Add(9 * time.Hour)
		s.Prove(at, uint64(1+n/3), at)
	}
	if n := len(s.Quiet.Silences); n < 25 || n > 50 {
		t.Errorf("%d silences kept", n)
	}
}
