package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// recorder is a notifier that remembers.
type recorder struct{ keys []string }

func (r *recorder) Notify(_ context.Context, keys ...string) error {
	r.keys = append(r.keys, keys...)
	return nil
}

// world is one of each port, bare and as the program under test sees it.
type world struct {
	objects  *storetest.Objects
	index    *storetest.Index
	notified *recorder
	faults   *storetest.Faults
}

func newWorld() *world {
	return &world{storetest.NewObjects(), storetest.NewIndex(), &recorder{}, storetest.NewFaults()}
}

// run is a little program of five durable operations that stops at an error.
func (w *world) run(ctx context.Context) error {
	objects, index, notifier := w.faults.Objects(w.objects), w.faults.Index(w.index), w.faults.Notifier(w.notified)
	item := func(sort string) store.Item { return store.Item{Partition: "p", Sort: sort} }
	err := objects.PutIfAbsent(ctx, "a", strings.NewReader("x"))
	if err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	if err := index.Put(ctx, item("1"), item("2"), item("3"), item("4")); err != nil {
		return err
	}
	err = index.PutIf(ctx, item("5"))
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	if err := index.Delete(ctx, item("1"), item("2")); err != nil {
		return err
	}
	return notifier.Notify(ctx, "a", "b")
}

func (w *world) state() string {
	var sorts []string
	for _, item := range w.index.All() {
		sorts = append(sorts, item.Sort)
	}
	_, err := w.objects.Head(context.Background(), "a")
	return fmt.Sprint(err == nil, sorts, w.notified.keys)
}

func TestFaults(t *testing.T) {
	for _, test := range []struct {
		k    int
		when storetest.When
		want string
	}{
		{1, storetest.Before, "false [] []"},
		{1, storetest.After, "true [] []"},
		{1, storetest.Partly, "true [] []"},
		{2, storetest.Before, "true [] []"},
		{2, storetest.Partly, "true [1 2] []"},
		{2, storetest.After, "true [1 2 3 4] []"},
		{3, storetest.Before, "true [1 2 3 4] []"},
		{3, storetest.After, "true [1 2 3 4 5] []"},
		{4, storetest.Partly, "true [2 3 4 5] []"},
		{4, storetest.After, "true [3 4 5] []"},
		{5, storetest.Before, "true [3 4 5] []"},
		{5, storetest.Partly, "true [3 4 5] [a]"},
		{5, storetest.After, "true [3 4 5] [a b]"},
	} {
		w := newWorld()
		w.faults.CrashAt(test.k, test.when)
		if err := w.run(t.Context()); !errors.Is(err, storetest.ErrCrashed) {
			t.Errorf("crash at %d: run = %v", test.k, err)
		}
		if got := w.state(); got != test.want {
			t.Errorf("crash at %d, when %d: %s, want %s", test.k, test.when, got, test.want)
		}
		if !w.faults.Crashed() || w.faults.Count() != test.k {
			t.Errorf("crash at %d: crashed %v after %d", test.k, w.faults.Crashed(), w.faults.Count())
		}

		w = newWorld()
		w.faults.FailAt(test.k, test.when)
		if err := w.run(t.Context()); !errors.Is(err, storetest.ErrInjected) {
			t.Errorf("failure at %d: run = %v", test.k, err)
		}
		if got := w.state(); got != test.want {
			t.Errorf("failure at %d, when %d: %s, want %s", test.k, test.when, got, test.want)
		}
		if err := w.run(t.Context()); err != nil || w.faults.Crashed() {
			t.Errorf("after a failure at %d: %v", test.k, err)
		}
	}
	w := newWorld()
	w.faults.CrashAt(6, storetest.Before)
	if err := w.run(t.Context()); err != nil || w.faults.Crashed() || w.faults.Count() != 5 {
		t.Errorf("crash at 6 of 5: %v", err)
	}
}

func TestAfterCrash(t *testing.T) {
	w := newWorld()
	ctx := t.Context()
	if err := w.objects.PutIfAbsent(ctx, "old", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	w.faults.CrashAt(1, storetest.Before)
	objects, index := w.faults.Objects(w.objects), w.faults.Index(w.index)
	calls := map[string]func() error{
		"PutIfAbsent": func() error { return objects.PutIfAbsent(ctx, "b", strings.NewReader("x")) },
		"Get":         func() error { _, _, err := objects.Get(ctx, "old"); return err },
		"GetRange":    func() error { _, err := objects.GetRange(ctx, "old", 0, 1); return err },
		"Head":        func() error { _, err := objects.Head(ctx, "old"); return err },
		"List": func() error {
			for _, err := range objects.List(ctx, "", "") {
				return err
			}
			return nil
		},
		"PresignGet":  func() error { _, err := objects.PresignGet(ctx, "old", "x", time.Minute); return err },
		"CheckLock":   func() error { return w.faults.Lock(w.objects).CheckLock(ctx) },
		"Index.Get":   func() error { _, err := index.Get(ctx, "p", "s"); return err },
		"Index.Query": func() error { _, err := index.Query(ctx, store.IndexQuery{Partition: "p", Limit: 1}); return err },
		"Index.Put":   func() error { return index.Put(ctx, store.Item{Partition: "p", Sort: "s"}) },
		"PutIf":       func() error { return index.PutIf(ctx, store.Item{Partition: "p", Sort: "s"}) },
		"Delete":      func() error { return index.Delete(ctx, store.Item{Partition: "p", Sort: "s"}) },
		"Notify":      func() error { return w.faults.Notifier(w.notified).Notify(ctx, "a") },
	}
	defer w.objects.Close()
	if err := calls["Get"](); err != nil {
		t.Errorf("a read before the crash: %v", err)
	}
	if err := calls["PutIf"](); !errors.Is(err, storetest.ErrCrashed) {
		t.Fatalf("PutIf = %v, want the crash", err)
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, storetest.ErrCrashed) {
			t.Errorf("%s after the crash = %v, want ErrCrashed", name, err)
		}
	}
	if got := w.state(); got != "false [] []" {
		t.Errorf("after the crash: %s", got)
	}
	w.faults.Restart()
	for _, name := range []string{"PutIfAbsent", "Get", "GetRange", "Head", "List", "PresignGet", "CheckLock", "PutIf", "Index.Get", "Index.Query", "Index.Put", "Delete", "Notify"} {
		if err := calls[name](); err != nil {
			t.Errorf("%s after the restart: %v", name, err)
		}
	}
}

// TestListCrash: a listing that is under way when the crash comes stops.
func TestListCrash(t *testing.T) {
	w := newWorld()
	objects := w.faults.Objects(w.objects)
	for i := range 3 {
		if err := objects.PutIfAbsent(t.Context(), fmt.Sprint(i), strings.NewReader("")); err != nil {
			t.Fatal(err)
		}
	}
	w.faults.CrashAt(1, storetest.Before)
	var seen int
	var last error
	for _, err := range objects.List(t.Context(), "", "") {
		if last = err; err == nil {
			seen++
			_ = objects.PutIfAbsent(t.Context(), "x", strings.NewReader(""))
		}
	}
	if seen != 1 || !errors.Is(last, storetest.ErrCrashed) {
		t.Errorf("%d objects, then %v", seen, last)
	}
}

func TestDropping(t *testing.T) {
	r := &recorder{}
	n := storetest.Dropping(r, 3)
	for _, keys := range [][]string{{"1", "2"}, {"3"}, {"4", "5", "6", "7"}, {}} {
		if err := n.Notify(t.Context(), keys...); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"1", "2", "4", "5", "7"}; !slices.Equal(r.keys, want) {
		t.Errorf("arrived: %q, want %q", r.keys, want)
	}
}

func TestContents(t *testing.T) {
	objects := storetest.NewObjects()
	for _, key := range []string{"a/1", "a/2", "b/1"} {
		if err := objects.PutIfAbsent(t.Context(), key, strings.NewReader("body of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := storetest.Contents(t.Context(), objects, "a/")
	want := map[string][]byte{"a/1": []byte("body of a/1"), "a/2": []byte("body of a/2")}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Contents = %q, %v", got, err)
	}
}
