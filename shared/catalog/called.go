package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// People and rooms are found by any part of any name they ever had:
//
//	called#<person or room>   / <folded end of a name>#<digest>   Called
//
// There is an item for each character at which the end can begin, so that whatever a
// name contains begins an item: Chinese names have two to four characters, and nobody
// knows where a word of them ends.
const partitionCalled = "called#"

// maxCalled is at how many characters of a name what is looked for may begin. WeCom's
// names are shorter.
const maxCalled = 64

// Called is an item of names: what is called so.
type Called struct {
	ID    string `json:"id"`
	Name  string `json:"name"`            // folded
	Start int    `json:"start,omitempty"` // where the end begins in it, in bytes
}

// FoldName makes names equal that a reader would call so: full-width forms, case.
func FoldName(name string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(strings.ToValidUTF8(name, "\uFFFD"))))
}

// calledName is as much of a folded name as the index keeps.
func calledName(name string) string {
	name = FoldName(name)
	if len(name) > store.MaxIndexKey/2 {
		name = strings.ToValidUTF8(name[:store.MaxIndexKey/2], "")
	}
	return name
}

func calledPartition(room bool) string {
	if room {
		return partitionCalled + archive.SubjectRoom
	}
	return partitionCalled + "person"
}

// calledItems are the items of one name.
func calledItems(room bool, id, name string) ([]store.Item, error) {
	c := Called{ID: id, Name: calledName(name)}
	var items []store.Item
	for start := range c.Name {
		if len(items) == maxCalled {
			break
		}
		c.Start = start
		item, err := table.NewItem(calledPartition(room), c.Name[start:]+"#"+digestOf([]string{id, c.Name, fmt.Sprint(start)}), c)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// CalledPeople returns at most limit ids of people one of whose names contains a text,
// each once, in the order of what follows the text in the name. next goes on; empty at
// the end.
func (c *People) CalledPeople(ctx context.Context, text, after string, limit int) (ids []string, next string, err error) {
	return c.called(ctx, false, text, after, limit)
}

// CalledRooms is the same of rooms.
func (c *People) CalledRooms(ctx context.Context, text, after string, limit int) (ids []string, next string, err error) {
	return c.called(ctx, true, text, after, limit)
}

func (c *People) called(ctx context.Context, room bool, text, after string, limit int) (ids []string, next string, err error) {
	text = FoldName(text)
	if text == "" || len(text) > store.MaxIndexKey/2 {
		return nil, "", nil
	}
	q := store.IndexQuery{Partition: calledPartition(room), From: text, Limit: limit + 1}
	if after != "" {
		q.From = max(text, after+"\x00")
	}
	for {
		items, err := c.table.Query(ctx, q)
		if err != nil {
			return nil, "", fmt.Errorf("looking for names: %w", err)
		}
		entries, found, err := c.whoseNames(ctx, room, items, text)
		if err != nil {
			return nil, "", err
		}
		for i, f := range found {
			if !entries[f.ID].firstCalled(text, f) {
				continue
			}
			if len(ids) == limit {
				return ids, next, nil
			}
			ids, next = append(ids, f.ID), items[i].Sort
		}
		if len(found) < len(items) || len(items) < q.Limit {
			return ids, "", nil
		}
		q.From = items[len(items)-1].Sort + "\x00"
	}
}

// whoseNames decodes the items that begin with a text, and reads what is known of those
// they name.
func (c *People) whoseNames(ctx context.Context, room bool, items []store.Item, text string) (entries map[string]DirectoryEntry, found []Called, err error) {
	var ids []string
	for _, item := range items {
		if !strings.HasPrefix(item.Sort, text) {
			break
		}
		var f Called
		if err := json.Unmarshal(item.Value, &f); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", store.ErrIndexDamaged, err)
		}
		found, ids = append(found, f), append(ids, f.ID)
	}
	if room {
		entries, err = c.RoomEntries(ctx, ids...)
	} else {
		entries, err = c.PersonEntries(ctx, ids...)
	}
	return entries, found, err
}

// IsCalled says whether a name that the entry has, or had, contains a text.
func (e DirectoryEntry) IsCalled(text string) bool {
	text = FoldName(text)
	for _, n := range e.Names {
		if strings.Contains(calledName(n.Name), text) {
			return true
		}
	}
	return false
}

// firstCalled: of all places in all names where the text stands, only the first counts,
// so that nobody is listed twice.
func (e DirectoryEntry) firstCalled(text string, f Called) bool {
	for _, n := range e.Names {
		if name := calledName(n.Name); strings.Contains(name, text) {
			return name == f.Name && strings.Index(name, text) == f.Start
		}
	}
	return false
}
