package pipeline_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/scrub"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// scrubbers are those of all prefixes, in so many shares.
func (w *world) scrubbers(objects store.ObjectReader, shares int, stop func() bool) []*scrub.Scrubber {
	index := catalog.New(w.faults.Index(w.index))
	checker := scrub.Checker{Objects: objects, Corp: corpID, Segment: segment.Whose, Look: func(stored []byte) error { _, err := access.Decode(stored); return err }}
	c := scrub.Config{
		Name: scrub.Archive, Objects: objects, Journal: index.Journal, Parts: checker.Archive(), Shares: shares,
		Expected: []scrub.Expected{scrub.PagesAndSegments(index.Pages), scrub.KeyRecords(index.Keys)},
		Book:     damage.New(w.faults.Objects(w.objects), index.Table, corpID, w.Now), Now: w.Now, Log: w.log, Stop: stop,
	}
	files := c
	files.Name, files.Parts, files.Expected = scrub.Files, checker.Files(), []scrub.Expected{checker.LinkedFiles()}
	return []*scrub.Scrubber{scrub.New(c), scrub.New(files)}
}

// round scrubs everything once.
func (w *world) round(t *testing.T) {
	t.Helper()
	for _, s := range w.scrubbers(w.objects, 1, nil) {
		if report, err := s.Run(t.Context()); err != nil || !report.Round {
			t.Fatalf("%s: %+v, %v", s.Name, report, err)
		}
	}
}

// found are the open findings, by key.
func (w *world) found(t *testing.T) map[string]archive.FindingKind {
	t.Helper()
	s, err := damage.New(w.objects, catalog.New(w.index).Table, corpID, w.Now).Summary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]archive.FindingKind{}
	for _, e := range s.Open {
		kinds[e.Finding.Key] = e.Finding.Kind
	}
	return kinds
}

// scrubbed is a world with objects below every prefix.
func scrubbed(t *testing.T) *world {
	t.Helper()
	w := eventful(t)
	w.fetchAll(t, &files{})
	recorder := access.Recorder{Objects: w.objects, Now: w.Now, NewID: rand.Text}
	for range 2 {
		looked(t, w, &recorder)
	}
	w.rejectSomething(t)
	w.learnSomething(t)
	return w
}

func looked(t *testing.T, w *world, recorder *access.Recorder) {
	t.Helper()
	w.advance(time.Second)
	if err := recorder.Record(t.Context(), access.Look{Who: "anna", How: access.HowWeb, Request: "r1", Remote: "127.0.0.1", What: access.WhatMessages, Conversation: "pair:a,b"}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) rejectSomething(t *testing.T) {
	t.Helper()
	for n, reply := range []string{"no page", "no page either"} {
		body, err := archive.EncodeReject(archive.RejectHeader{Corp: corpID, SeqAsked: 7, Limit: 10, PulledAt: w.Now(), Run: "run1", Program: "test", SDKVersion: "simulator", Reason: "no JSON"}, []byte(reply))
		if err == nil {
			err = w.objects.PutIfAbsent(t.Context(), archive.RejectKey(7, "run1", n), bytes.NewReader(body))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) learnSomething(t *testing.T) {
	t.Helper()
	for n := range 2 {
		p := archive.DirectoryPart{Corp: corpID, Run: "run1", Part: n, At: w.Now(), Program: "test", Records: []archive.DirectoryRecord{{Kind: "employee", ID: "anna", At: w.Now(), Answer: "named", Name: "Anna"}}}
		if _, err := archive.PutDirectoryPart(t.Context(), w.objects, p); err != nil {
			t.Fatal(err)
		}
	}
}

// prefixed are the keys of a world by prefix.
func (w *world) prefixed(t *testing.T) map[string][]string {
	t.Helper()
	keys := map[string][]string{}
	for _, key := range w.all(t) {
		prefix, _, _ := strings.Cut(key, "/")
		keys[prefix] = append(keys[prefix], key)
	}
	return keys
}

// TestScrub: whatever becomes of one object of each prefix is found within one round,
// named with its key, and nothing else is; when the objects are whole again, so are the
// findings.
func TestScrub(t *testing.T) {
	base := scrubbed(t)
	prefixes := base.prefixed(t)
	names := slices.Sorted(maps.Keys(prefixes))
	if want := []string{"access", "directory", "events", "keys", "links", "media", "messages", "pages", "rejects"}; !slices.Equal(names, want) {
		t.Fatalf("prefixes %v, want %v", names, want)
	}
	base.round(t)
	if found := base.found(t); len(found) > 0 {
		t.Fatalf("in a whole archive: %v", found)
	}
	rng := mathrand.New(mathrand.NewPCG(1, 2))
	bodies := map[string][]byte{}
	for _, keys := range prefixes {
		for _, key := range keys {
			body, err := store.ReadObject(t.Context(), base.objects, key)
			if err != nil {
				t.Fatal(err)
			}
			bodies[key] = body
		}
	}
	linked := map[string][]string{} // which links name a file
	for _, key := range prefixes["links"] {
		l, err := archive.DecodeLinks(bodies[key])
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range l.Links {
			linked[link.Key] = append(linked[link.Key], key)
		}
	}
	spoil := map[string]func(prefix, key string) []byte{
		"one bit": func(prefix, key string) []byte {
			switch prefix {
			case "keys": // has no hash of its own: its store notices, or who unwraps it
				return bytes.Replace(bodies[key], []byte("MII"), []byte("MIJ"), 1)
			case "access": // neither
				return bytes.Replace(bodies[key], []byte("{"), []byte("["), 1)
			}
			body := bytes.Clone(bodies[key])
			body[rng.IntN(len(body))] ^= 1 << rng.IntN(8)
			return body
		},
		"cut short": func(_, key string) []byte { return bodies[key][:rng.IntN(len(bodies[key]))] },
		"swapped": func(prefix, key string) []byte {
			for _, other := range prefixes[prefix] {
				if !bytes.Equal(bodies[other], bodies[key]) {
					return bodies[other]
				}
			}
			return []byte("{}")
		},
		"gone": func(string, string) []byte { return nil },
	}
	for _, what := range slices.Sorted(maps.Keys(spoil)) {
		for try := range 12 {
			t.Run(fmt.Sprint(what, " ", try), func(t *testing.T) {
				chosen, want := map[string][]byte{}, map[string]archive.FindingKind{}
				for _, prefix := range names { // links before media
					key := prefixes[prefix][rng.IntN(len(prefixes[prefix]))]
					chosen[key] = spoil[what](prefix, key)
					want[key] = archive.Altered
					if what == "gone" {
						want[key] = archive.Missing
					}
					if _, told := chosen[first(linked[key])]; what == "gone" && prefix == "media" && told && len(linked[key]) == 1 { // who tells of it is gone, too
						delete(want, key)
					}
					// Nothing tells that these were there, or that they lie under a wrong name.
					if what == "gone" && slices.Contains([]string{"access", "directory", "events", "links", "rejects"}, prefix) || what == "swapped" && slices.Contains([]string{"access", "events", "rejects"}, prefix) {
						delete(want, key)
					}
				}
				w := base.damaged(t, func(key string, body []byte) []byte {
					if changed, ok := chosen[key]; ok {
						return changed
					}
					return body
				})
				if err := w.index.Put(t.Context(), base.index.All()...); err != nil {
					t.Fatal(err)
				}
				w.round(t)
				if found := w.found(t); !maps.Equal(found, want) {
					t.Errorf("found %v, want %v", found, want)
				}
				// A copy is put back.
				mended := *w
				mended.objects = base.copy(t).objects
				mended.round(t)
				if found := mended.found(t); len(found) > 0 {
					t.Errorf("whole again, found %v", found)
				}
			})
		}
	}
}

func first(of []string) string { return append(of, "")[0] }

// TestScrubStrays: what lies where nothing should is named, and nothing else.
func TestScrubStrays(t *testing.T) {
	w := scrubbed(t)
	want := map[string]archive.FindingKind{}
	for _, key := range []string{"pages/1", "pages/x/00000000000000000000.json.zst", "rejects/1.zst", "events/x.json", "links/dt=2026-11-24/x.json", "keys/k.pem", "directory/x", "messages/dt=2026-11-24/1.parquet", "media/2026-11/x", "access/x"} {
		if err := w.objects.PutIfAbsent(t.Context(), key, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		want[key] = archive.Stray
	}
	w.round(t)
	if found := w.found(t); !maps.Equal(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
}

// TestScrubShares: in as many runs as there are shares each object is read once, also
// when runs are stopped at any place, crash, and go on.
func TestScrubShares(t *testing.T) {
	w := scrubbed(t)
	all := map[string]bool{}
	for _, key := range w.all(t) {
		all[key] = true
	}
	for _, stopAfter := range []int{1 << 30, 3, 1} {
		counting := &countedReads{Objects: w.objects, times: map[string]int{}}
		ended := map[string]bool{}
		w.index = w.copy(t).index
		for runs := 0; len(ended) < 2; runs++ {
			if runs > 5000 {
				t.Fatal("it never ends")
			}
			left := 0
			for _, s := range w.scrubbers(counting, 5, func() bool { left--; return left < 0 }) {
				if left = stopAfter; ended[s.Name] {
					continue
				}
				report, err := s.Run(t.Context())
				if err != nil && !errors.Is(err, scrub.ErrUnfinished) {
					t.Fatal(err)
				}
				if report.Round {
					ended[s.Name] = true
				}
			}
		}
		for key := range all {
			// One that ends a saved stretch may be read again.
			if n := counting.times[key]; n == 0 || n > 2 && stopAfter > 1 && !strings.HasPrefix(key, archive.LinksPrefix) { // links tell of files, too
				t.Errorf("stopped after %d: %s was read %d times", stopAfter, key, n)
			}
		}
	}
}

// TestScrubCrashes: whatever step it crashes at, the next run finds the damage.
func TestScrubCrashes(t *testing.T) {
	base := scrubbed(t)
	victim := base.prefixed(t)["pages"][0]
	for k := 1; ; k++ {
		w := base.damaged(t, func(key string, body []byte) []byte {
			if key == victim {
				return body[:len(body)/2]
			}
			return body
		})
		if err := w.index.Put(t.Context(), base.index.All()...); err != nil {
			t.Fatal(err)
		}
		w.faults.CrashAt(k, storetest.After)
		for _, s := range w.scrubbers(w.objects, 1, nil) {
			_, _ = s.Run(t.Context())
		}
		crashed := w.faults.Crashed()
		w.faults.Restart()
		w.round(t)
		if found := w.found(t); !maps.Equal(found, map[string]archive.FindingKind{victim: archive.Altered}) {
			t.Errorf("crash at %d: found %v", k, found)
		}
		if !crashed {
			if k < 5 {
				t.Errorf("%d steps only", k)
			}
			return
		}
		if k > 40 {
			k += 25 // reads of the index, all alike
		}
	}
}

// TestScrubStoreDown: what cannot be read now is not damaged, and the round is not full.
func TestScrubStoreDown(t *testing.T) {
	w := scrubbed(t)
	down := failing{w.objects, w.prefixed(t)["pages"][0]}
	report, err := w.scrubbers(down, 1, nil)[0].Run(t.Context())
	if err != nil || report.Round || report.Unread != 1 || report.Damaged != 0 || len(w.found(t)) != 0 {
		t.Errorf("%+v, %v, found %v", report, err, w.found(t))
	}
}

var errDown = errors.New("access denied")

// failing is a bucket with an object that cannot be read.
type failing struct {
	store.ObjectReader
	key string
}

func (f failing) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	if key == f.key {
		return nil, store.ObjectInfo{}, errDown
	}
	return f.ObjectReader.Get(ctx, key)
}

// countedReads counts how often each object is read.
type countedReads struct {
	store.Objects
	times map[string]int
}

func (c *countedReads) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	c.times[key]++
	return c.Objects.Get(ctx, key)
}
