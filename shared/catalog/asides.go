package catalog

import (
	"context"
	"encoding/json"
	"fmt"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// Asides is what a page shows beside messages of one conversation.
type Asides struct {
	People, Rooms map[string]DirectoryEntry // by id; who was never asked for is not in it
	Recalls       map[string]int64          // seq of the recall by msgid of the message
	Files         map[string]MediaFile      // by SHA-256 of the sdkfileid
	Aliases       Aliases
}

// AsidesQuery asks for them.
type AsidesQuery struct {
	Conversation  string
	People, Rooms []string // ids
	Messages      []string // msgids
	Files         []string // SHA-256 of sdkfileids
}

// Asides reads all of it together: one request, as long as these are below 100 things.
func (c *Catalog) Asides(ctx context.Context, q AsidesQuery) (a Asides, err error) {
	g := newGathering()
	a.People, a.Rooms = g.entries(archive.SubjectExternal, q.People), g.entries(archive.SubjectRoom, q.Rooms)
	a.Recalls, a.Files = g.recalls(q.Conversation, q.Messages), g.files(q.Files)
	g.Want(store.Item{Partition: partitionAliases, Sort: sortAliases}, func(value []byte) error { return json.Unmarshal(value, &a.Aliases) })
	if err := g.Read(ctx, c.Table); err != nil {
		return a, fmt.Errorf("reading what belongs to messages: %w", err)
	}
	return a, nil
}

// gathering knows where things of several subjects stand that are read together.
type gathering struct{ *table.Gathering }

func newGathering() gathering { return gathering{table.NewGathering()} }

// entries are what is known of people or rooms, once the gathering is read.
func (g gathering) entries(kind string, ids []string) map[string]DirectoryEntry {
	found := map[string]DirectoryEntry{}
	for _, id := range ids {
		if id == "" || len(id) > archive.MaxPersonID {
			continue
		}
		g.Want(store.Item{Partition: subjectPartition(kind, id), Sort: sortEntry}, func(value []byte) error {
			var e DirectoryEntry
			err := json.Unmarshal(value, &e)
			found[e.ID] = e
			return err
		})
	}
	return found
}

// recalls are the seqs of recalls by msgid, once the gathering is read.
func (g gathering) recalls(conversation string, msgids []string) map[string]int64 {
	found := map[string]int64{}
	for _, id := range msgids {
		if id == "" {
			continue
		}
		g.Want(recallItem(conversation, id), func(value []byte) error {
			var r recall
			err := json.Unmarshal(value, &r)
			found[id] = r.Seq
			return err
		})
	}
	return found
}

// files are what is known of files; of which nothing is known are pending.
func (g gathering) files(hashes []string) map[string]MediaFile {
	found := make(map[string]MediaFile, len(hashes))
	for _, hash := range hashes {
		found[hash] = MediaFile{FileIDSHA256: hash, State: archive.MediaPending}
		g.Want(store.Item{Partition: partitionMediaFile + hash, Sort: mediaFileSort}, func(value []byte) error {
			var f MediaFile
			err := json.Unmarshal(value, &f)
			found[hash] = f
			return err
		})
	}
	return found
}
