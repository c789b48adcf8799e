package localstore_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// TestIndexModel does the same random operations on the SQLite index and on the
// one in memory: stage tests run on the latter and mean the former.
func TestIndexModel(t *testing.T) {
	index := openIndex(t, filepath.Join(t.TempDir(), "index.db"))
	run := 0
	keys := rapid.SampledFrom([]string{"a", "b", "b\x00", "a#1", "会", "\U0001F600", "é"})
	bounds := rapid.OneOf(rapid.Just(""), keys)
	rapid.Check(t, func(rt *rapid.T) {
		run++
		model := storetest.NewIndex()
		partition := func() string { return fmt.Sprint(run, rapid.SampledFrom([]string{"p", "q"}).Draw(rt, "partition")) }
		item := func() store.Item {
			return store.Item{
				Partition: partition(), Sort: keys.Draw(rt, "sort"),
				Value:    []byte(rapid.SampledFrom([]string{"1", "22", "{}"}).Draw(rt, "value")),
				Revision: rapid.Int64Range(0, 4).Draw(rt, "revision"),
			}
		}
		same := func(call string, got, want any, gotErr, wantErr error) {
			for _, sentinel := range []error{store.ErrConflict, store.ErrNotFound} {
				if errors.Is(gotErr, sentinel) != errors.Is(wantErr, sentinel) {
					rt.Fatalf("%s: SQLite says %v, memory %v", call, gotErr, wantErr)
				}
			}
			if (gotErr == nil) != (wantErr == nil) || !reflect.DeepEqual(got, want) {
				rt.Fatalf("%s: SQLite says %v, %v; memory %v, %v", call, got, gotErr, want, wantErr)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(*rapid.T) {
				items := []store.Item{item(), item()}
				same("Put", nil, nil, index.Put(t.Context(), items...), model.Put(t.Context(), items...))
			},
			"putIf": func(*rapid.T) {
				it := item()
				same("PutIf", nil, nil, index.PutIf(t.Context(), it), model.PutIf(t.Context(), it))
			},
			"delete": func(*rapid.T) {
				it := item()
				same("Delete", nil, nil, index.Delete(t.Context(), it), model.Delete(t.Context(), it))
			},
			"get": func(*rapid.T) {
				it := item()
				got, gotErr := index.Get(t.Context(), it.Partition, it.Sort)
				want, wantErr := model.Get(t.Context(), it.Partition, it.Sort)
				same("Get", got, want, gotErr, wantErr)
			},
			"query": func(*rapid.T) {
				q := store.IndexQuery{
					Partition: partition(), From: bounds.Draw(rt, "from"), To: bounds.Draw(rt, "to"),
					Descending: rapid.Bool().Draw(rt, "descending"), Limit: rapid.IntRange(0, 8).Draw(rt, "limit"),
				}
				got, gotErr := index.Query(t.Context(), q)
				want, wantErr := model.Query(t.Context(), q)
				if len(got)+len(want) > 0 || (gotErr == nil) != (wantErr == nil) { // nil and empty are alike
					same("Query", got, want, gotErr, wantErr)
				}
			},
		})
	})
}
