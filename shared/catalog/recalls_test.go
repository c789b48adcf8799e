package catalog_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/store/storetest"
)

// TestRecalls: whatever the order in which segments come, and however often, the
// first recall counts, and only in its own conversation.
func TestRecalls(t *testing.T) {
	at := time.UnixMilli(1767000000000).UTC()
	recall := func(seq int64, conversation, of string) archive.Row {
		r := archive.Row{Seq: seq, HasSeq: true, Outcome: archive.OutcomeOK, Raw: []byte("{}"), PulledAt: at}
		r.Conversation, r.RefMsgID, r.MsgTime = conversation, of, at
		return r
	}
	long := strings.Repeat("长\x00", 4000)
	segments := [][]archive.Row{
		{recall(7, "pair:a,b", "m1"), recall(8, "pair:a,b", long)},
		{recall(5, "pair:a,b", "m1"), recall(6, "pair:a,b", "m1")},
		{recall(3, "pair:a,c", "m1"), recall(4, "pair:a,b", "")},
	}
	want := map[string]int64{"m1": 5, long: 8}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2, 0, 1}} {
		catalog := catalog.New(storetest.NewIndex())
		for _, n := range order {
			if err := decode.IndexConversationsPeopleRecallsConsents(t.Context(), catalog.Conversations, catalog.Consents, archive.SegmentKey(at, uint64(n), 0), segments[n]); err != nil {
				t.Fatal(err)
			}
		}
		got, err := catalog.Conversations.RecallsOf(t.Context(), "pair:a,b", "m1", "m1", "m2", "", long)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%v: %d of %d, %v", order, len(got), len(want), err)
		}
	}
}
