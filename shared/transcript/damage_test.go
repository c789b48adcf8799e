package transcript_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/transcript"
)

// rotten is a bucket of which some objects were altered behind its back.
type rotten struct {
	store.Objects
	keys map[string]bool
}

func (r rotten) Get(ctx context.Context, key string) (io.ReadCloser, store.ObjectInfo, error) {
	body, info, err := r.Objects.Get(ctx, key)
	if err == nil && r.keys[key] {
		body = io.NopCloser(strings.NewReader(strings.Repeat("x", int(info.Size))))
	}
	return body, info, err
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// TestDamagedSegment: a segment that rots costs its own messages, which still
// stand where they were; once they are stored again they show, once.
func TestDamagedSegment(t *testing.T) {
	const conversation = "pair:a,b"
	memory := storetest.NewObjects()
	objects := rotten{memory, map[string]bool{}}
	cat := catalog.New(storetest.NewIndex())
	reader := transcript.New(transcript.Config{
		Objects:       objects,
		Conversations: cat.Conversations, Pages: cat.Pages, Compactions: compaction.NewIndex(cat.Table),
	})
	store := func(asked uint64, part int, shift time.Duration, seqs ...int64) string {
		t.Helper()
		var rows []archive.Row
		for _, seq := range seqs {
			r := archive.Row{
				Position: int(seq), Seq: seq, HasSeq: true, MsgID: fmt.Sprint("m", seq), PulledAt: noon, Outcome: archive.OutcomeOK, Raw: fmt.Append(nil, seq),
				Reading: archive.Reading{Conversation: conversation, MsgTime: noon.Add(time.Duration(seq)*time.Minute + shift), Text: fmt.Sprint("text ", seq)},
			}
			sum := sha256.Sum256(r.Raw)
			r.RawSHA256 = hex.EncodeToString(sum[:])
			rows = append(rows, r)
		}
		key := archive.SegmentKey(noon, asked, part)
		body, err := segment.Encode(segment.Meta{PageKey: archive.PageKey(asked), Part: part, WrittenAt: noon}, rows)
		if err != nil {
			t.Fatal(err)
		}
		if err := memory.PutIfAbsent(t.Context(), key, bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
		if err := decode.IndexConversationsPeopleRecallsConsents(t.Context(), cat.Conversations, cat.Consents, key, rows); err != nil {
			t.Fatal(err)
		}
		return key
	}
	show := func() string {
		t.Helper()
		var all []string
		for _, descending := range []bool{false, true} {
			found, err := reader.Messages(t.Context(), catalog.PlaceQuery{Conversation: conversation, Descending: descending, Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			var line []string
			for _, m := range found {
				line = append(line, fmt.Sprintf("%d:%s", m.Seq, m.Outcome))
			}
			all = append(all, strings.Join(line, " "))
		}
		return strings.Join(all, " / ")
	}
	first := store(10, 0, 0, 11, 13)
	second := store(10, 1, 0, 12)
	store(20, 0, 0, 21)
	if got := show(); got != "11:ok 12:ok 13:ok 21:ok / 21:ok 13:ok 12:ok 11:ok" {
		t.Fatalf("before: %s", got)
	}
	objects.keys[first], objects.keys[second] = true, true
	if got := show(); got != "11:damaged 12:damaged 13:damaged 21:ok / 21:ok 13:damaged 12:damaged 11:damaged" {
		t.Errorf("damaged: %s", got)
	}
	// Stored again, by a parser that reads other times.
	store(10, 2, time.Second, 11, 12, 13)
	state := catalog.PageState{Key: archive.PageKey(10), SeqAsked: 10, LastSeq: 20, Count: 3, PulledAt: noon, Parts: 3, OK: 3, Damaged: []string{first, second}}
	if err := cat.Pages.FinishPage(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	if got := show(); got != "11:ok 12:ok 13:ok 21:ok / 21:ok 13:ok 12:ok 11:ok" {
		t.Errorf("stored again: %s", got)
	}
}
