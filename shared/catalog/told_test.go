package catalog_test

import (
	"errors"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
)

// TestTold: whatever readers need and the index lacks of a part of a segment is noticed,
// before it is compacted and after; of what is all there nothing is said.
func TestTold(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	key := archive.SegmentKey(at, 10, 0)
	var rows []archive.Row
	for i, conversation := range []string{"pair:a,b", "pair:a,b", "room:r"} {
		rows = append(rows, archive.Row{
			Position: i, Seq: int64(11 + i), HasSeq: true, Outcome: archive.OutcomeOK,
			Reading: archive.Reading{Conversation: conversation, MsgTime: at.Add(time.Duration(i) * time.Hour), FromID: "a", ToIDs: []string{"b"}, SenderKind: "employee"},
		})
	}
	for _, compacted := range []bool{false, true} {
		index := storetest.NewIndex()
		c := catalog.New(index).Conversations
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(c.IndexPostings(t.Context(), key, rows))
		must(c.PutActive(t.Context(), rows[0].Reading, rows[1].Reading, rows[2].Reading))
		items := []store.Item{{Partition: "conversation#pair:a,b", Sort: "a#2026-11-23"}, {Partition: "person#a", Sort: "d#2026-11-23#pair:a,b"}}
		if compacted {
			refs, err := catalog.PostingRefs(key, rows)
			must(err)
			must(c.CoverConversations(t.Context(), "2026-11", map[string][2]time.Time{"pair:a,b": {at, at}, "room:r": {at, at}}))
			must(c.MarkCompacted(t.Context(), key, refs))
			items = append(items, store.Item{Partition: "conversation#room:r", Sort: "c#2026-11"})
		} else {
			refs, err := catalog.PostingRefs(key, rows)
			must(err)
			for _, ref := range refs {
				items = append(items, store.Item{Partition: ref.Partition, Sort: ref.Sort})
			}
			items = append(items, store.Item{Partition: "open", Sort: key})
		}
		must(c.Told(t.Context(), key, rows))
		for _, item := range items {
			was, err := index.Get(t.Context(), item.Partition, item.Sort)
			must(err)
			must(index.Delete(t.Context(), item))
			if err := c.Told(t.Context(), key, rows); !errors.Is(err, catalog.ErrUntold) {
				t.Errorf("compacted %v, without %s %s: %v", compacted, item.Partition, item.Sort, err)
			}
			must(index.Put(t.Context(), was))
			must(c.Told(t.Context(), key, rows))
		}
	}
}
