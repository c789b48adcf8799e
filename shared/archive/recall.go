package archive

import (
	"context"
	"fmt"
	"slices"
)

// Recall says which message recalls another one: item recalled#<msgid of the other> /
// recall. The last one that was indexed stands there; WeCom recalls a message once.
type Recall struct {
	Of           string `json:"of"` // msgid
	Seq          int64  `json:"seq"`
	Conversation string `json:"conversation"`
}

const (
	partitionRecalled = "recalled#" // + msgid
	sortRecall        = "recall"
	typeRecall        = "revoke" // Reading.MsgType
	maxMsgID          = 512      // bytes; WeCom's have about 40
)

// noteRecalls notes which messages recall others.
func (c *Catalog) noteRecalls(ctx context.Context, rows []Row) error {
	var items []Item
	for _, r := range rows {
		if !r.Readable() || r.MsgType != typeRecall || r.RefMsgID == "" || len(r.RefMsgID) > maxMsgID {
			continue
		}
		item, err := newItem(partitionRecalled+r.RefMsgID, sortRecall, Recall{r.RefMsgID, r.Seq, r.Conversation})
		if err != nil {
			return err
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		return nil
	}
	// Of two that recall one message in this segment the last stands.
	slices.Reverse(items)
	slices.SortStableFunc(items, func(a, b Item) int { return slices.Compare([]byte(a.Partition), []byte(b.Partition)) })
	items = slices.CompactFunc(items, func(a, b Item) bool { return a.Partition == b.Partition })
	if err := c.index.Put(ctx, items...); err != nil {
		return fmt.Errorf("noting recalls: %w", err)
	}
	return nil
}

// Recalls finds the recalls of messages, by their msgid; those that were not recalled
// are not in it.
func (c *Catalog) Recalls(ctx context.Context, msgids ...string) (map[string]Recall, error) {
	var keys []Item
	for _, id := range msgids {
		if id != "" && len(id) <= maxMsgID {
			keys = append(keys, Item{Partition: partitionRecalled + id, Sort: sortRecall})
		}
	}
	slices.SortFunc(keys, func(a, b Item) int { return slices.Compare([]byte(a.Partition), []byte(b.Partition)) })
	keys = slices.CompactFunc(keys, func(a, b Item) bool { return a.Partition == b.Partition })
	found := map[string]Recall{}
	if len(keys) == 0 {
		return found, nil
	}
	items, err := c.index.GetMany(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("reading recalls from the index: %w", err)
	}
	recalls, err := decodeItems[Recall](items)
	for _, r := range recalls {
		found[r.Of] = r
	}
	return found, err
}
