package scan_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/scan"
	"wecom-archive/shared/search"
)

// TestOldDirectory: runs of a program without extracts, and without a footer for each row
// group, are searched all the same.
func TestOldDirectory(t *testing.T) {
	w := fixture(t)
	w.compact(t, start.AddDate(0, 0, 6))
	groups, runs := 0, 0
	for _, item := range w.index.All() {
		members := map[string]any{}
		if strings.HasPrefix(item.Partition, "compaction") {
			if err := json.Unmarshal(item.Value, &members); err != nil {
				t.Fatal(err)
			}
		}
		switch {
		case strings.HasPrefix(item.Partition, "compaction#") && members["m"] != nil:
			delete(members, "m")
			groups++
		case item.Partition == "compaction":
			for _, run := range members["runs"].([]any) {
				if run := run.(map[string]any); run["extracts"] != nil {
					delete(run, "extracts")
					runs++
				}
			}
		default:
			continue
		}
		var err error
		if item.Value, err = json.Marshal(members); err == nil {
			err = w.index.Put(t.Context(), item)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if groups < 4 || runs == 0 {
		t.Fatalf("%d row groups of %d runs", groups, runs)
	}
	for _, q := range []asked{
		{"合同", scan.Query{Limit: 2}}, {"合同", scan.Query{Limit: 2, Descending: true, Time: time.Nanosecond}}, {"", scan.Query{Limit: 50, Query: search.Query{Person: search.IDs{"wmCustomer"}}}},
		{"c", scan.Query{Limit: 9, Query: search.Query{From: start.AddDate(0, 0, 1), Conversation: "room:r1"}}},
	} {
		w.check(t, w.scanner(), q)
	}
}

// failing cannot read, for no fault of what is stored.
type failing struct {
	archive.ObjectReader
	err error
}

func (f failing) Get(context.Context, string) (io.ReadCloser, archive.ObjectInfo, error) {
	return nil, archive.ObjectInfo{}, f.err
}

func (f failing) GetRange(context.Context, string, int64, int64) ([]byte, error) { return nil, f.err }

// TestStoreFails: a store that is down is an error, not an archive without hits.
func TestStoreFails(t *testing.T) {
	w := fixture(t)
	down := errors.New("the store is down")
	q := scan.Query{Query: search.Query{Words: phrase(t, "合同")}, Limit: 5}
	if a, err := scan.New(failing{w.objects, down}, w.derived, w.catalog, time.Now).Search(t.Context(), q); !errors.Is(err, down) {
		t.Errorf("segments: %+v, %v", a, err)
	}
	w.compact(t, start.AddDate(0, 0, 6))
	if a, err := scan.New(w.objects, failing{w.derived, down}, w.catalog, time.Now).Search(t.Context(), q); !errors.Is(err, down) {
		t.Errorf("row groups: %+v, %v", a, err)
	}
	if a, err := scan.New(w.objects, nil, w.catalog, time.Now).Search(t.Context(), q); err == nil {
		t.Errorf("without the derived bucket: %+v", a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a, err := w.scanner().Search(ctx, q); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %+v, %v", a, err)
	}
}

// TestStoredAgain: a damaged segment whose rows lie in a later part hides nothing.
func TestStoredAgain(t *testing.T) {
	w := fixture(t)
	key := w.store(t, start.AddDate(0, 0, 6), w.message(start, "合同 lost", nil))
	_, asked, _, _ := archive.ParseSegmentKey(key)
	if err := w.catalog.FinishPage(t.Context(), archive.PageState{Key: archive.PageKey(asked), SeqAsked: asked, PulledAt: start.AddDate(0, 0, 6), Parts: 2, Damaged: []string{key}}); err != nil {
		t.Fatal(err)
	}
	a, err := scan.New(&spoiling{ObjectReader: w.objects, key: key}, w.derived, w.catalog, time.Now).
		Search(t.Context(), scan.Query{Query: search.Query{Words: phrase(t, "合同")}, Limit: 5})
	if err != nil || slices.Contains(a.Damaged, key) {
		t.Errorf("damaged %v, %v", a.Damaged, err)
	}
}
