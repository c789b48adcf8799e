package storetest_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

func TestUnits(t *testing.T) {
	counter := storetest.NewUnitCounter()
	index := counter.Index(storetest.NewIndex())
	ctx := t.Context()
	item := func(sort string, size int) store.Item {
		return store.Item{Partition: "p", Sort: sort, Value: bytes.Repeat([]byte("x"), size)}
	}
	at := func(revision int64, item store.Item) store.Item {
		item.Revision = revision
		return item
	}
	for _, test := range []struct {
		name string
		call func() error
		want storetest.Units
		err  error
	}{
		{"new, small", func() error { return index.Put(ctx, item("a", 10), item("b", 900)) }, storetest.Units{Write: 2, Writes: 2}, nil},
		{"just over a KB with its names", func() error { return index.Put(ctx, item("c", 1000)) }, storetest.Units{Write: 2, Writes: 1}, nil},
		{"grown", func() error { return index.Put(ctx, item("a", 5000)) }, storetest.Units{Write: 5, Writes: 1}, nil},
		{"shrunk costs what it was", func() error { return index.Put(ctx, item("a", 1)) }, storetest.Units{Write: 5, Writes: 1}, nil},
		{"a condition holds", func() error { return index.PutIf(ctx, at(3, item("a", 3000))) }, storetest.Units{Write: 3, Writes: 1}, nil},
		{"a condition fails: what is stored", func() error { return index.PutIf(ctx, item("a", 9000)) }, storetest.Units{Write: 3, Writes: 1}, store.ErrConflict},
		{"and if nothing is", func() error { return index.PutIf(ctx, at(1, item("z", 9000))) }, storetest.Units{Write: 1, Writes: 1}, store.ErrConflict},
		{"get", func() error { _, err := index.Get(ctx, "p", "a"); return err }, storetest.Units{Read: 1}, nil},
		{"get nothing", func() error { _, err := index.Get(ctx, "p", "z"); return err }, storetest.Units{Read: 1}, store.ErrNotFound},
		{"get many", func() error { _, err := index.GetMany(ctx, item("a", 0), item("z", 0), item("b", 0)); return err }, storetest.Units{Read: 3}, nil},
		{"query adds sizes up", func() error { _, err := index.Query(ctx, store.IndexQuery{Partition: "p", Limit: 9}); return err }, storetest.Units{Read: 2}, nil},
		{"query nothing", func() error { _, err := index.Query(ctx, store.IndexQuery{Partition: "q", Limit: 9}); return err }, storetest.Units{Read: 1}, nil},
		{"delete", func() error { return index.Delete(ctx, item("a", 0), item("z", 0), item("a", 0)) }, storetest.Units{Write: 4, Writes: 2}, nil},
		{"refused unsent", func() error { return index.Put(ctx, item("a", 1), item("a", 1)) }, storetest.Units{}, errAny},
	} {
		counter.Reset()
		if err := test.call(); test.err != errAny && !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("%s: %v, want %v", test.name, err, test.err)
		}
		if got := counter.Units(); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

var errAny = errors.New("any error")

// TestCountersPassContracts: what is counted works as what is not.
func TestCountersPassContracts(t *testing.T) {
	storetest.TestIndex(t, func(*testing.T) store.Index {
		return storetest.NewUnitCounter().Index(storetest.NewIndex())
	})
	storetest.TestObjects(t, func(t *testing.T) store.Objects {
		objects := storetest.NewObjects()
		t.Cleanup(objects.Close)
		return storetest.NewRequestCounter().Objects(objects)
	})
	storetest.TestDerived(t, func(*testing.T) store.Derived {
		return storetest.NewRequestCounter().Derived(storetest.NewDerived())
	})
}

// TestFaultyDerived: puts and deletions are durable operations, reads are not.
func TestFaultyDerived(t *testing.T) {
	for k, want := range map[int][]string{1: nil, 2: {"a"}, 3: {"a", "b"}, 4: {"b"}} {
		derived, faults := storetest.NewDerived(), storetest.NewFaults()
		broken := faults.Derived(derived)
		faults.CrashAt(k, storetest.Before)
		err := broken.Put(t.Context(), "a", bytes.NewReader(nil))
		if err == nil {
			_, err = broken.Head(t.Context(), "a")
		}
		if err == nil {
			err = broken.Put(t.Context(), "b", bytes.NewReader(nil))
		}
		if err == nil {
			err = broken.Delete(t.Context(), "a")
		}
		if errors.Is(err, storetest.ErrCrashed) != (k < 4) {
			t.Errorf("crash at %d: %v", k, err)
		}
		var got []string
		for info, err := range derived.List(t.Context(), "", "") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("crash at %d leaves %q, want %q", k, got, want)
		}
	}
}
