package catalog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// MediaTrouble is a reference to a file that was lost or failed.
type MediaTrouble struct {
	SeqAsked uint64    `json:"seq_asked"` // of the page
	Part     int       `json:"part"`
	PulledAt time.Time `json:"pulled_at"`
	archive.Link
}

func (t MediaTrouble) name() string {
	return fmt.Sprintf("%013d-%s-%06d-%s", max(t.At.UnixMilli(), 0), archive.SeqName(t.SeqAsked), t.Position, archive.ShortHash(t.Path+"\x00"+t.FileIDSHA256))
}

// putMediaTrouble lists a reference that was lost or failed.
func (c *Media) putMediaTrouble(ctx context.Context, t MediaTrouble) error {
	return c.table.Write(ctx, partitionMediaTrouble, t.name(), t)
}

// forgetMediaTrouble takes one from the list whose file came after all.
func (c *Media) forgetMediaTrouble(ctx context.Context, t MediaTrouble) error {
	if err := c.table.Delete(ctx, store.Item{Partition: partitionMediaTrouble, Sort: t.name()}); err != nil {
		return fmt.Errorf("forgetting a failed file: %w", err)
	}
	return nil
}

// MediaTroublesBefore returns lost and failed references, newest first; next goes
// on, and is empty at the end.
func (c *Media) MediaTroublesBefore(ctx context.Context, before string, limit int) (troubles []MediaTrouble, next string, err error) {
	return table.ListBefore[MediaTrouble](ctx, c.table, partitionMediaTrouble, before, limit)
}

// IndexLinks brings the index up to what is stored of the files of a job list: the
// files, the troubles, and how far the list is. What links say that the list counts
// already is in the index. open says whether there is anything left to fetch.
func (c *Media) IndexLinks(ctx context.Context, list archive.FetchList, links *archive.PageLinks) (open bool, err error) {
	count := NewMediaList(list, links)
	var known MediaList
	if _, err := c.table.Read(ctx, partitionMediaLists+archive.Day(count.PulledAt), count.name(), &known); err != nil {
		return false, err
	}
	fresh, failed := links.Since(known.Links, list.Jobs)
	files, err := c.filesOf(ctx, fresh, failed)
	if err != nil {
		return false, err
	}
	for _, link := range fresh {
		if file := files[link.FileIDSHA256]; !Redriven(link, file) {
			if err := c.indexLink(ctx, list, link, file); err != nil {
				return false, err
			}
		}
	}
	if len(fresh) > 0 {
		for _, old := range links.Superseded() {
			if err := c.forgetMediaTrouble(ctx, MediaTrouble{SeqAsked: list.SeqAsked, Link: old}); err != nil {
				return false, err
			}
		}
	}
	redriven := slices.ContainsFunc(failed, func(l archive.Link) bool { return Redriven(l, files[l.FileIDSHA256]) })
	return count.Pending() > 0 || redriven, c.NoteMediaList(ctx, count, redriven)
}

// filesOf is what is known of the files of links.
func (c *Media) filesOf(ctx context.Context, links ...[]archive.Link) (map[string]MediaFile, error) {
	var hashes []string
	for _, link := range slices.Concat(links...) {
		hashes = append(hashes, link.FileIDSHA256)
	}
	slices.Sort(hashes)
	return c.MediaFiles(ctx, slices.Compact(hashes)...)
}

// Redriven says whether a reference that failed is to be tried again.
func Redriven(link archive.Link, file MediaFile) bool {
	return link.State == archive.MediaFailed && file.State == archive.MediaPending && file.Redriven
}

func (c *Media) indexLink(ctx context.Context, list archive.FetchList, link archive.Link, known MediaFile) error {
	if f := FileOf(link); f.supersedes(known) && known.State != f.State || f.Key > known.Key {
		if err := c.PutMediaFile(ctx, f); err != nil {
			return err
		}
	}
	if link.State == archive.MediaStored {
		return nil
	}
	return c.putMediaTrouble(ctx, MediaTrouble{SeqAsked: list.SeqAsked, Part: list.Part, PulledAt: list.PulledAt.UTC(), Link: link})
}
