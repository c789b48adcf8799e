package compact_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/transcript"
)

// rot says which objects of the archive bucket are gone (store.ErrNotFound) or altered
// (store.ErrDamaged), behind its back.
type rot map[string]error

type rotten struct {
	store.Objects
	rot rot
}

func (w *world) rotten(o store.Objects) store.Objects { return rotten{o, w.rot} }

func (r rotten) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	if err := r.rot[key]; err != nil {
		return nil, store.ObjectInfo{}, err
	}
	return r.Objects.Get(ctx, key)
}

func (r rotten) List(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectInfo, error] {
	return func(yield func(store.ObjectInfo, error) bool) {
		for info, err := range r.Objects.List(ctx, prefix, after) {
			if r.rot[info.Key] != store.ErrNotFound && !yield(info, err) {
				return
			}
		}
	}
}

// openFindings are the keys of what is known to be damaged.
func (w *world) openFindings(t testing.TB) string {
	t.Helper()
	s, err := w.book().Summary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, e := range s.Open {
		keys = append(keys, fmt.Sprintf("%s %s %s", e.Finding.Where, e.Finding.Kind, e.Finding.Key))
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

// keysOf are those of compacted objects that end so, in order.
func (w *world) keysOf(t testing.TB, end string) (keys []string) {
	t.Helper()
	for info, err := range w.derived.List(t.Context(), compaction.Prefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(info.Key, end) && w.seen(t, info.Key) {
			keys = append(keys, info.Key)
		}
	}
	return keys
}

// seen says whether readers see the run of an object.
func (w *world) seen(t testing.TB, key string) bool {
	t.Helper()
	month, run, _ := compaction.ParseKey(key)
	m, err := compaction.NewIndex(w.catalog.Table).Month(t.Context(), month)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(m.Runs, func(r compaction.Run) bool { return r.ID == run })
}

// items are those of a partition of the index.
func (w *world) items(t testing.TB, partition string) []store.Item {
	t.Helper()
	items, err := w.catalog.Table.Query(t.Context(), store.IndexQuery{Partition: partition, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// directoryItems are those of the directory of the first run.
func (w *world) directoryItems(t testing.TB) []store.Item {
	t.Helper()
	_, run, _ := compaction.ParseKey(w.keysOf(t, ".parquet")[0])
	return w.items(t, "compaction#"+run)
}

// checkPermalinks leads to messages as permalinks do.
func (w *world) checkPermalinks(t testing.TB) {
	t.Helper()
	for i := 0; i < len(w.messages); i += 1 + len(w.messages)/12 {
		m := w.messages[i]
		_, later, err := w.reader.AroundMessage(t.Context(), m.Conversation, m.Place.Position, 5, 5, 1000)
		if err != nil || later.Incomplete || len(later.Messages) == 0 || later.Messages[0].MsgID != m.MsgID {
			t.Fatalf("message %d: %v, %v", m.Seq, seqs(later.Messages), err)
		}
	}
}

// checkEverything reads every conversation up, down, around and by permalinks.
func (w *world) checkEverything(t testing.TB) {
	t.Helper()
	w.reader = w.newReader()
	w.checkAll(t, 7)
	w.checkScreens(t, 5, 8)
	w.checkPermalinks(t)
}

// TestDerivedHeals: whatever is damaged of what is derived, answers are as before; the
// next compaction makes it again, and says so; and then nothing is known to be damaged.
func TestDerivedHeals(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.fillWorld(t, 12)
	w.now = day0.AddDate(0, 0, 75)
	w.mustRun(t)
	w.checkEverything(t)
	if open := w.openFindings(t); open != "" {
		t.Fatalf("before: %s", open)
	}
	for _, h := range harms() {
		t.Run(h.name, func(t *testing.T) {
			h.do(t, w)
			w.checkEverything(t)
			if noticed := w.openFindings(t); !h.unread && !strings.Contains(noticed, "derived ") || strings.Contains(noticed, "archive ") {
				t.Errorf("it is known: %q", noticed)
			}
			sum := w.mustRun(t)
			if sum.Renewed == "" {
				t.Errorf("%+v", sum)
			}
			w.checkAll(t, 7)
			if open := w.openFindings(t); open != "" {
				t.Errorf("still open: %s", open)
			}
			if sum = w.mustRun(t); sum.Renewed != "" || sum.Rounds > 0 {
				t.Errorf("once more: %+v", sum)
			}
		})
	}
}

// TestIncomplete: what cannot be read in runs nor in segments is not said to be nothing.
func TestIncomplete(t *testing.T) {
	w := newWorld()
	w.fillWorld(t, 12)
	w.now = day0.AddDate(0, 0, 75)
	w.mustRun(t)
	for _, key := range w.keysOf(t, ".parquet") {
		if err := w.derived.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	w.rot[w.parts[0].key], w.rot[w.parts[2].key] = store.ErrNotFound, store.ErrDamaged
	lost := map[string]bool{w.parts[0].key: true, w.parts[2].key: true}
	w.reader = w.newReader()
	q := catalog.PlaceQuery{Conversation: "room:0", Limit: 1000}
	part, err := w.reader.Some(t.Context(), q)
	want := slices.DeleteFunc(seqsIn(w.want(q)), func(s placed) bool { return lost[s.object] })
	if got := seqsIn(part.Messages); err != nil || !part.Incomplete || !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("%v, %v, incomplete %v; want %v", got, err, part.Incomplete, want)
	}
	if _, err := w.reader.Messages(t.Context(), q); err != transcript.ErrIncomplete {
		t.Errorf("%v", err)
	}
	open := w.openFindings(t)
	for _, says := range []string{"archive missing " + w.parts[0].key, "archive altered " + w.parts[2].key, "derived missing "} {
		if !strings.Contains(open, says) {
			t.Errorf("%q is not in %q", says, open)
		}
	}
}

type placed struct {
	seq    int64
	object string
}

func seqsIn(messages []transcript.Message) (out []placed) {
	for _, m := range messages {
		out = append(out, placed{m.Seq, m.Place.Object})
	}
	return out
}

// TestLastCopy: a month that is made again keeps what only its runs have.
func TestLastCopy(t *testing.T) {
	w := newWorld()
	w.fillWorld(t, 18)
	w.now = day0.AddDate(0, 0, 75)
	w.mustRun(t)
	// Of a month's many objects one row group is lost; of its segments, two.
	month, _, _ := compaction.ParseKey(w.keysOf(t, ".parquet")[0])
	var parts []storedPart
	for _, p := range w.parts {
		if day, _, _, _ := archive.ParseSegmentKey(p.key); strings.HasPrefix(day, month) {
			parts = append(parts, p)
		}
	}
	w.rot[parts[0].key], w.rot[parts[1].key] = store.ErrNotFound, store.ErrDamaged
	if err := w.derived.Delete(t.Context(), w.keysOf(t, ".directory")[0]); err != nil {
		t.Fatal(err)
	}
	sum := w.mustRun(t)
	if sum.Renewed != month || sum.Damaged == 0 {
		t.Errorf("%+v", sum)
	}
	w.checkEverything(t)
}

// TestHealCrashAtEveryStep: broken off anywhere, the healing goes on.
func TestHealCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	stride := 2
	if underRace {
		stride = 7
	}
	crashes := 0
	for _, when := range []storetest.When{storetest.Before, storetest.After} {
		w := newWorld()
		w.fillWorld(t, 4)
		w.now = day0.AddDate(0, 0, 75)
		w.mustRun(t)
		for k := 1; ; k += stride {
			if err := w.derived.Delete(t.Context(), w.keysOf(t, ".extract")[0]); err != nil {
				t.Fatal(err)
			}
			w.faults.CrashAt(k, when)
			_, err := w.compactor(tiny).Run(t.Context(), w.now)
			if crashed := w.faults.Crashed(); crashed != (err != nil) {
				t.Fatalf("at %d: crashed %v, %v", k, crashed, err)
			} else if !crashed {
				break
			}
			crashes++
			w.faults.Restart()
			w.reader = w.newReader()
			w.checkAll(t, 20)
			w.mustRun(t)
			w.checkAll(t, 20)
			if open := w.openFindings(t); open != "" {
				t.Errorf("after a crash at %d: %s", k, open)
			}
		}
	}
	if crashes < 4 {
		t.Errorf("%d crashes only", crashes)
	}
}
