package search_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/extract"
	"wecom-archive/shared/query"
	"wecom-archive/shared/search"
	"wecom-archive/shared/store"
)

// few archives a page of the fixture's kinds.
func (w *world) few(t *testing.T, pulled time.Time) {
	t.Helper()
	var rows []archive.Row
	for i, text := range texts {
		rows = append(rows, w.message(pulled.Add(-time.Duration(i)*time.Hour), text, func(r *archive.Row) {
			switch i % 3 {
			case 0:
				r.Conversation, r.RoomID, r.ToIDs = "room:r1", "r1", []string{"wang.wei", "zhao.min"}
			case 1:
				r.Conversation, r.FromID, r.ToIDs = "pair:wmCustomer,wang.wei", "wmCustomer", []string{"wang.wei"}
			}
		}))
	}
	w.store(t, pulled, rows...)
}

// twoMonths is an archive of two compacted months: their runs can be swapped.
func twoMonths(t *testing.T) *world {
	w := newWorld()
	for i := range 2 {
		w.few(t, start.AddDate(0, 0, i))
	}
	w.compact(t, start.AddDate(0, 0, 2))
	for i := range 2 {
		pulled := start.AddDate(0, 1, i)
		w.store(t, pulled, w.message(pulled, "合同 later", nil), w.message(pulled.Add(-time.Hour), texts[0], nil))
	}
	w.compact(t, start.AddDate(0, 1, 3))
	return w
}

func (w *world) put(t *testing.T, key string, body []byte) {
	t.Helper()
	if err := w.derived.Put(t.Context(), key, bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
}

func (w *world) body(t *testing.T, key string) []byte {
	t.Helper()
	body, err := store.ReadObject(t.Context(), w.derived, key)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestFallback: whatever became of extracts, their directories and the compacted objects,
// every message is found, and an answer names what could not be used.
func TestFallback(t *testing.T) {
	w := twoMonths(t)
	queries := []asked{{"合同", search.Query{Limit: 3}}, {"合同", search.Query{Limit: 50, Descending: true, Time: time.Nanosecond}}, {"", search.Query{Limit: 50, Query: query.Query{Person: query.IDs{"wmCustomer"}}}}}
	keys := keysBelow(t, w.derived, compaction.Prefix)
	was := map[string][]byte{}
	for _, key := range keys {
		was[key] = w.body(t, key)
	}
	other := func(key string) []byte { // of the other month
		i := slices.IndexFunc(keys, func(k string) bool {
			return k[:len(compaction.Prefix)+7] != key[:len(compaction.Prefix)+7] && k[len(k)-7:] == key[len(key)-7:]
		})
		return was[keys[i]]
	}
	flip := func(body []byte, at int) []byte {
		body = bytes.Clone(body)
		body[at] ^= 0x20
		return body
	}
	damages := map[string]func(key string) []byte{
		"gone":       func(string) []byte { return nil },
		"empty":      func(string) []byte { return []byte{} },
		"one byte":   func(key string) []byte { return was[key][:1] },
		"half":       func(key string) []byte { return was[key][:len(was[key])/2] },
		"short":      func(key string) []byte { return was[key][:len(was[key])-1] },
		"longer":     func(key string) []byte { return append(bytes.Clone(was[key]), 0) },
		"flipped":    func(key string) []byte { return flip(was[key], len(was[key])/3) },
		"begin":      func(key string) []byte { return flip(was[key], 0) },
		"of another": other,
	}
	for name, damage := range damages {
		if underRace && name != "half" {
			continue
		}
		for _, suffixes := range [][]string{{".extract"}, {".directory"}, {".parquet"}, {".extract", ".directory"}, {".extract", ".parquet"}, {".directory", ".parquet"}, {".extract", ".directory", ".parquet"}} {
			t.Run(name+strings.Join(suffixes, ""), func(t *testing.T) {
				altered := false
				for _, key := range keys {
					if !slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(key, s) }) {
						continue
					}
					body := damage(key)
					altered = altered || !bytes.HasPrefix(body, was[key]) // what lies behind the end nobody reads
					if body == nil {
						if err := w.derived.Delete(t.Context(), key); err != nil {
							t.Fatal(err)
						}
						continue
					}
					w.put(t, key, body)
				}
				for _, q := range queries {
					w.check(t, w.scanner(), q)
				}
				q := queries[0].Query
				q.Limit, q.Words = 100, phrase(t, "合同")
				a, err := w.scanner().Search(t.Context(), q)
				if err != nil || !a.Complete || len(a.Damaged) > 0 || altered && suffixes[0] != ".parquet" && len(a.Instead) == 0 {
					t.Errorf("complete %v, damaged %v, instead %v, %v", a.Complete, a.Damaged, a.Instead, err)
				}
				for _, key := range keys {
					w.put(t, key, was[key])
				}
			})
		}
	}
}

// alter changes the items of the index whose partition begins with a name.
func (w *world) alter(t *testing.T, partition string, change func(partition string, members map[string]any)) {
	t.Helper()
	for _, item := range w.index.All() {
		if !strings.HasPrefix(item.Partition, partition) {
			continue
		}
		members := map[string]any{}
		if err := json.Unmarshal(item.Value, &members); err != nil {
			t.Fatal(err)
		}
		change(item.Partition, members)
		var err error
		if item.Value, err = json.Marshal(members); err == nil {
			err = w.index.Put(t.Context(), item)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// eachRun calls do with what the switches say of each run.
func (w *world) eachRun(t *testing.T, do func(run map[string]any)) {
	t.Helper()
	w.alter(t, "compaction", func(partition string, members map[string]any) {
		if partition == "compaction" {
			for _, run := range members["runs"].([]any) {
				do(run.(map[string]any))
			}
		}
	})
}

// TestWrongIndex: whatever the index says of runs and where their parts lie, every message
// is found.
func TestWrongIndex(t *testing.T) {
	directory := func(change func(d map[string]any)) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			w.eachRun(t, func(run map[string]any) {
				for _, d := range run["extracts"].([]any) {
					change(d.(map[string]any))
				}
			})
		}
	}
	groups := func(change func(g map[string]any)) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			w.eachRun(t, func(run map[string]any) { delete(run, "extracts") })
			w.alter(t, "compaction#", func(_ string, g map[string]any) { change(g) })
		}
	}
	set := func(name string, value any) func(map[string]any) {
		return func(m map[string]any) { m[name] = value }
	}
	for name, change := range map[string]func(t *testing.T, w *world){
		"directory of no bytes": directory(set("len", 0)), "negative": directory(set("len", -7)), "too short": directory(set("len", 20)), "huge": directory(set("len", int64(1)<<60)),
		"directory of another sum": directory(set("h", strings.Repeat("0", 64))), "directory without a sum": directory(set("h", "")),
		"fewer row groups":  func(t *testing.T, w *world) { w.eachRun(t, set("groups", 1)) },
		"more messages":     func(t *testing.T, w *world) { w.eachRun(t, set("rows", 1e6)) },
		"row group nowhere": groups(set("at", -5)), "beyond the end": groups(set("at", 1e12)), "of a negative length": groups(set("len", -1)), "of a huge length": groups(set("len", int64(1)<<60)),
		"of another sum": groups(set("h", "00")), "with a spoilt footer": groups(set("m", "AAAA")), "of no rows": groups(set("r", 0)), "of another object": groups(set("o", "compactions/2026-09/none/00000.parquet")),
		"without a name": groups(set("o", "")), "no directory of the run": func(t *testing.T, w *world) {
			w.eachRun(t, func(run map[string]any) { delete(run, "extracts") })
			for _, item := range w.index.All() {
				if strings.HasPrefix(item.Partition, "compaction#") {
					if err := w.index.Delete(t.Context(), item); err != nil {
						t.Fatal(err)
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := twoMonths(t)
			change(t, w)
			for _, q := range []asked{{"合同", search.Query{Limit: 3}}, {"合同", search.Query{Limit: 4, Descending: true, Time: time.Nanosecond}}} {
				w.check(t, w.scanner(), q)
			}
		})
	}
}

// TestNothingLeft: what can be read nowhere is named, and the answer is not complete, on
// whatever page.
func TestNothingLeft(t *testing.T) {
	w := twoMonths(t)
	for _, key := range keysBelow(t, w.derived, compaction.Prefix) {
		w.put(t, key, []byte("x"))
	}
	segments := keysBelow(t, w.objects, archive.SegmentsPrefix)
	spoiled := &spoiling{ObjectReader: w.objects, key: segments[0], also: segments[1:3]}
	for _, limit := range []time.Duration{0, time.Nanosecond} {
		q := search.Query{Query: query.Query{Words: phrase(t, "没有这个")}, Limit: 5, Time: limit}
		var damaged []string
		s := w.over(spoiled, w.derived)
		for page := 0; ; page++ {
			a, err := s.Search(t.Context(), q)
			if err != nil || page > 100 || len(a.Damaged) > 0 && a.Complete {
				t.Fatalf("page %d: damaged %v, complete %v, %v", page, a.Damaged, a.Complete, err)
			}
			damaged = append(damaged, a.Damaged...)
			if a.Next == nil {
				break
			}
			q.Cursor = *a.Next
		}
		slices.Sort(damaged)
		if want := segments[:3]; !slices.Equal(slices.Compact(damaged), want) {
			t.Errorf("limit %v: damaged %v, want %v", limit, damaged, want)
		}
	}
}

// counting counts reads of directories of runs.
type counting struct {
	*compaction.Index
	directories atomic.Int64
}

func (c *counting) AllRowGroups(ctx context.Context, run string, after *compaction.RowGroup, limit int) ([]compaction.RowGroup, error) {
	if after == nil {
		c.directories.Add(1)
	}
	return c.Index.AllRowGroups(ctx, run, after, limit)
}

// TestDirectoryOnce: without extracts, or without their original texts, the directory of a
// run is read once, and the search does not begin anew for each row group.
func TestDirectoryOnce(t *testing.T) {
	for name, spoil := range map[string]func(w *world, key string){
		"gone": func(w *world, key string) {
			if err := w.derived.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		},
		"originals flipped": func(w *world, key string) { // they are at the end
			body := w.body(t, key)
			for at := len(body) * 2 / 3; at < len(body); at++ {
				body[at] ^= 1
			}
			w.put(t, key, body)
		},
	} {
		w := fixture(t)
		w.compact(t, start.AddDate(0, 0, 6))
		for _, key := range keysBelow(t, w.derived, compaction.Prefix) {
			if strings.HasSuffix(key, ".extract") {
				spoil(w, key)
			}
		}
		states, err := compaction.NewIndex(w.catalog.Table).Months(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		runs, groups := 0, 0
		for _, m := range states {
			for _, run := range m.Runs {
				runs, groups = runs+1, groups+run.Groups
			}
		}
		c := &counting{Index: compaction.NewIndex(w.catalog.Table)}
		s := search.New(search.Config{Objects: w.objects, Derived: w.derived, Now: time.Now, Conversations: w.catalog.Conversations, Pages: w.catalog.Pages, Compactions: c})
		a, err := s.Search(t.Context(), search.Query{Query: query.Query{Words: phrase(t, "合同")}, Limit: 100})
		want := len(w.want(asked{"合同", search.Query{}}))
		if err != nil || len(a.Hits) != want || groups < 4*runs || c.directories.Load() > int64(runs) || a.Looked.Requests > int64(3*groups+len(states)) {
			t.Errorf("%s: %d hits of %d, %d directories of %d runs with %d row groups, %d requests, %v", name, len(a.Hits), want, c.directories.Load(), runs, groups, a.Looked.Requests, err)
		}
		for _, h := range a.Hits {
			if !strings.Contains(plainFold(h.Text), "合同") {
				t.Errorf("%s: %q", name, h.Text)
			}
		}
	}
}

// refold rewrites the directories of extracts as if another program had folded their texts.
func (w *world) refold(t *testing.T, version string) {
	t.Helper()
	said := map[string]compaction.ExtractDirectory{}
	for _, key := range keysBelow(t, w.derived, compaction.Prefix) {
		if !strings.HasSuffix(key, ".directory") {
			continue
		}
		body := bytes.Replace(w.body(t, key), []byte(query.FoldVersion), []byte(version), 1)
		w.put(t, key, body)
		said[key] = extract.DirectoryOf(body)
	}
	w.alter(t, "compaction", func(partition string, members map[string]any) {
		if partition != "compaction" {
			return
		}
		for _, run := range members["runs"].([]any) {
			run := run.(map[string]any)
			for n := range run["extracts"].([]any) {
				run["extracts"].([]any)[n] = said[extract.DirectoryKey(fmt.Sprint(members["month"]), fmt.Sprint(run["id"]), n)]
			}
		}
	})
}

// TestOtherFolding: extracts that another program folded are not searched, and the answer
// says how much was read without.
func TestOtherFolding(t *testing.T) {
	w := twoMonths(t)
	w.refold(t, "9"+query.FoldVersion[1:])
	for _, key := range keysBelow(t, w.derived, compaction.Prefix) { // whatever they say
		if strings.HasSuffix(key, ".extract") {
			w.put(t, key, []byte("folded otherwise"))
		}
	}
	w.check(t, w.scanner(), asked{"合同", search.Query{Limit: 3}})
	a, err := w.scanner().Search(t.Context(), search.Query{Query: query.Query{Words: phrase(t, "合同")}, Limit: 100})
	if err != nil || !a.Complete || a.Looked.Plain == 0 || a.Looked.Plain != a.Looked.Parts || len(a.Instead) > 0 {
		t.Errorf("%+v, instead %v, %v", a.Looked, a.Instead, err)
	}
}
