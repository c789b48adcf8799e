package compact_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"wecom-archive/shared/compaction"
	"wecom-archive/shared/extract"
	"wecom-archive/shared/query"
	"wecom-archive/shared/store"
)

// harm is a kind of damage.
type harm struct {
	name string
	do   func(t *testing.T, w *world)
	// unread: transcripts do not read it, so only the compaction notices.
	unread bool
}

func harms() (all []harm) {
	body := func(t *testing.T, w *world, key string) []byte {
		b, err := store.ReadObject(t.Context(), w.derived, key)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	put := func(t *testing.T, w *world, key string, b []byte) {
		if err := w.derived.Put(t.Context(), key, bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
	flip := func(at func(n int) int) func(*testing.T, *world, []string) {
		return func(t *testing.T, w *world, keys []string) {
			b := body(t, w, keys[0])
			b[at(len(b))] ^= 4
			put(t, w, keys[0], b)
		}
	}
	for _, end := range []string{".parquet", ".extract", ".directory"} {
		for name, do := range map[string]func(*testing.T, *world, []string){
			"missing": func(t *testing.T, w *world, keys []string) {
				if err := w.derived.Delete(t.Context(), keys[0]); err != nil {
					t.Fatal(err)
				}
			},
			"cut": func(t *testing.T, w *world, keys []string) {
				put(t, w, keys[0], body(t, w, keys[0])[:40])
			},
			"a byte short": func(t *testing.T, w *world, keys []string) {
				put(t, w, keys[0], body(t, w, keys[0])[:len(body(t, w, keys[0]))-1])
			},
			"longer":             func(t *testing.T, w *world, keys []string) { put(t, w, keys[0], append(body(t, w, keys[0]), 0)) },
			"empty":              func(t *testing.T, w *world, keys []string) { put(t, w, keys[0], nil) },
			"flipped at once":    flip(func(int) int { return 4 }),
			"flipped in data":    flip(func(n int) int { return n / 3 }),
			"flipped at the end": flip(func(n int) int { return n - 20 }),
			"swapped": func(t *testing.T, w *world, keys []string) {
				a, b := body(t, w, keys[0]), body(t, w, keys[len(keys)-1])
				put(t, w, keys[0], b)
				put(t, w, keys[len(keys)-1], a)
			},
		} {
			// What follows the row groups only the object's footer speaks of: screens
			// have footers of their own.
			unread := end != ".parquet" || name == "longer" || name == "a byte short" || name == "flipped at the end"
			all = append(all, harm{end + " " + name, func(t *testing.T, w *world) { do(t, w, w.keysOf(t, end)) }, unread})
		}
	}
	folded := func(t *testing.T, w *world) { // by tables of another Unicode
		key := w.keysOf(t, ".directory")[0]
		month, run, _ := compaction.ParseKey(key)
		b := body(t, w, key)
		b[bytes.Index(b, []byte(query.FoldVersion))] ^= 1
		put(t, w, key, b)
		c := compaction.NewIndex(w.catalog.Table)
		m, err := c.Month(t.Context(), month)
		for i := range m.Runs {
			if m.Runs[i].ID == run {
				m.Runs[i].Extracts[0] = extract.DirectoryOf(b)
			}
		}
		if _, putErr := c.PutMonth(t.Context(), m); err != nil || putErr != nil {
			t.Fatal(err, putErr)
		}
	}
	return append(append(all, harm{"folded by another version", folded, true}), indexHarms()...)
}

// indexHarms damage what the index says of runs.
func indexHarms() []harm {
	drop := func(pick func([]store.Item) []store.Item) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			if err := w.catalog.Table.Delete(t.Context(), pick(w.directoryItems(t))...); err != nil {
				t.Fatal(err)
			}
		}
	}
	write := func(t *testing.T, w *world, item store.Item, value string) {
		item.Value = []byte(value)
		if err := w.catalog.Table.Put(t.Context(), item); err != nil {
			t.Fatal(err)
		}
	}
	change := func(key, value string) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			item := w.directoryItems(t)[0]
			var g map[string]json.RawMessage
			if err := json.Unmarshal(item.Value, &g); err != nil {
				t.Fatal(err)
			}
			g[key] = json.RawMessage(value)
			changed, err := json.Marshal(g)
			if err != nil {
				t.Fatal(err)
			}
			write(t, w, item, string(changed))
		}
	}
	return []harm{
		{"first entry gone", drop(func(i []store.Item) []store.Item { return i[:1] }), false},
		{"entry in the middle gone", drop(func(i []store.Item) []store.Item { return i[len(i)/2 : len(i)/2+1] }), false},
		{"last entry gone", drop(func(i []store.Item) []store.Item { return i[len(i)-1:] }), false},
		{"all entries gone", drop(func(i []store.Item) []store.Item { return i }), false},
		{"entry garbled", func(t *testing.T, w *world) { write(t, w, w.directoryItems(t)[0], "\x00\xff{") }, false},
		{"entry that says nothing", func(t *testing.T, w *world) { write(t, w, w.directoryItems(t)[0], "{}") }, false},
		{"entry of nowhere", change("at", "-7"), false},
		{"entry of another object", change("o", `"compactions/2026-09/other/00000.parquet"`), false},
		{"entry with another sum", change("h", `"00"`), false},
		{"entry with another footer", change("m", `"AAAA"`), false},
		{"entry with a long length", change("len", "9000000000000000000"), false},
		{"switch names a run that is gone", func(t *testing.T, w *world) {
			item := w.items(t, "compaction")[0]
			var m compaction.State
			if err := json.Unmarshal(item.Value, &m); err != nil {
				t.Fatal(err)
			}
			write(t, w, item, strings.Replace(string(item.Value), m.Runs[0].ID, "0000000000000-gone", 1))
		}, false},
		{"switch garbled", func(t *testing.T, w *world) { write(t, w, w.items(t, "compaction")[0], "]") }, false},
		{"switch gone", func(t *testing.T, w *world) {
			if err := w.catalog.Table.Delete(t.Context(), w.items(t, "compaction")[0]); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"the whole bucket is empty", func(t *testing.T, w *world) {
			for info := range w.derived.List(t.Context(), "", "") {
				if err := w.derived.Delete(t.Context(), info.Key); err != nil {
					t.Fatal(err)
				}
			}
		}, false},
	}
}
