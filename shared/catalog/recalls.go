package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// recall says in the index that a message was recalled. The message itself stays
// where it is: a recall is a message of its own, maybe days and pages later.
type recall struct {
	Seq int64 `json:"s"` // of the recall; the lowest, if there are several
}

// recallItem is the item of a recalled message. A msgid is what a message claims, so
// that only its hash, of fixed length, is a key.
func recallItem(conversation, msgid string) store.Item {
	sum := sha256.Sum256([]byte(msgid))
	return store.Item{Partition: partitionConv + conversation, Sort: "r#" + hex.EncodeToString(sum[:])}
}

// NoteRecalls writes which messages the recalls among these rows recall. Only a recall
// in the same conversation counts. In whatever order segments come, and however
// often, the index says the same.
func (c *Conversations) NoteRecalls(ctx context.Context, rows []archive.Row) error {
	first := map[table.Key]recall{}
	var items []store.Item
	for _, r := range rows {
		if !r.Readable() || r.RefMsgID == "" {
			continue
		}
		item := recallItem(r.Conversation, r.RefMsgID)
		known, found := first[table.KeyOf(item)]
		if !found {
			items = append(items, item)
		}
		if !found || r.Seq < known.Seq {
			first[table.KeyOf(item)] = recall{Seq: r.Seq}
		}
	}
	for _, item := range items {
		r := first[table.KeyOf(item)]
		err := table.Change(ctx, c.table, item.Partition, item.Sort, func(known recall, found bool) (recall, bool) {
			return r, !found || r.Seq < known.Seq
		})
		if err != nil {
			return fmt.Errorf("noting a recall: %w", err)
		}
	}
	return nil
}

// RecallsOf says which of these messages of a conversation were recalled: the seq of
// the recall by msgid of the message. It costs one GetMany for each 100.
func (c *Conversations) RecallsOf(ctx context.Context, conversation string, msgids ...string) (map[string]int64, error) {
	g := newGathering()
	found := g.recalls(conversation, msgids)
	if err := g.Read(ctx, c.table); err != nil {
		return nil, fmt.Errorf("looking for recalls: %w", err)
	}
	return found, nil
}
