package archive

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// MediaTrouble is a reference to a file that was lost or failed.
type MediaTrouble struct {
	SeqAsked uint64    `json:"seq_asked"` // of the page
	Part     int       `json:"part"`
	PulledAt time.Time `json:"pulled_at"`
	Link
}

func (t MediaTrouble) name() string {
	return fmt.Sprintf("%013d-%s-%06d-%s", max(t.At.UnixMilli(), 0), seqName(t.SeqAsked), t.Position, shortHash(t.Path+"\x00"+t.FileIDSHA256))
}

// putMediaTrouble lists a reference that was lost or failed.
func (c *Catalog) putMediaTrouble(ctx context.Context, t MediaTrouble) error {
	return c.Table.Write(ctx, partitionMediaTrouble, t.name(), t)
}

// forgetMediaTrouble takes one from the list whose file came after all.
func (c *Catalog) forgetMediaTrouble(ctx context.Context, t MediaTrouble) error {
	if err := c.Table.Delete(ctx, store.Item{Partition: partitionMediaTrouble, Sort: t.name()}); err != nil {
		return fmt.Errorf("forgetting a failed file: %w", err)
	}
	return nil
}

// MediaTroublesBefore returns lost and failed references, newest first; next goes
// on, and is empty at the end.
func (c *Catalog) MediaTroublesBefore(ctx context.Context, before string, limit int) (troubles []MediaTrouble, next string, err error) {
	return table.ListBefore[MediaTrouble](ctx, c.Table, partitionMediaTrouble, before, limit)
}

// IndexLinks brings the index up to what is stored of the files of a job list: the
// files, the troubles, and how far the list is. What links say that the list counts
// already is in the index. open says whether there is anything left to fetch.
func (c *Catalog) IndexLinks(ctx context.Context, list FetchList, links *PageLinks) (open bool, err error) {
	count := NewMediaList(list, links)
	var known MediaList
	if _, err := c.Table.Read(ctx, partitionMediaLists+Day(count.PulledAt), count.name(), &known); err != nil {
		return false, err
	}
	fresh, failed := links.since(known.Links, list.Jobs)
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
		for _, old := range links.superseded {
			if err := c.forgetMediaTrouble(ctx, MediaTrouble{SeqAsked: list.SeqAsked, Link: old}); err != nil {
				return false, err
			}
		}
	}
	redriven := slices.ContainsFunc(failed, func(l Link) bool { return Redriven(l, files[l.FileIDSHA256]) })
	return count.Pending() > 0 || redriven, c.NoteMediaList(ctx, count, redriven)
}

// since are the links of jobs that objects from a number on say, and all those of
// files that failed.
func (p *PageLinks) since(number int, jobs []MediaJob) (fresh, failed []Link) {
	for _, job := range jobs {
		l, ok := p.latest[job.ref()]
		if ok && l.number >= number {
			fresh = append(fresh, l.Link)
		}
		if ok && l.State == MediaFailed {
			failed = append(failed, l.Link)
		}
	}
	return fresh, failed
}

// filesOf is what is known of the files of links.
func (c *Catalog) filesOf(ctx context.Context, links ...[]Link) (map[string]MediaFile, error) {
	var hashes []string
	for _, link := range slices.Concat(links...) {
		hashes = append(hashes, link.FileIDSHA256)
	}
	slices.Sort(hashes)
	return c.MediaFiles(ctx, slices.Compact(hashes)...)
}

// Redriven says whether a reference that failed is to be tried again.
func Redriven(link Link, file MediaFile) bool {
	return link.State == MediaFailed && file.State == MediaPending && file.Redriven
}

func (c *Catalog) indexLink(ctx context.Context, list FetchList, link Link, known MediaFile) error {
	if f := FileOf(link); f.supersedes(known) && known.State != f.State || f.Key > known.Key {
		if err := c.PutMediaFile(ctx, f); err != nil {
			return err
		}
	}
	if link.State == MediaStored {
		return nil
	}
	return c.putMediaTrouble(ctx, MediaTrouble{SeqAsked: list.SeqAsked, Part: list.Part, PulledAt: list.PulledAt.UTC(), Link: link})
}

// sortJobs puts first what expires first.
func sortJobs(jobs []MediaJob) {
	slices.SortStableFunc(jobs, func(a, b MediaJob) int {
		return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.Position, b.Position), strings.Compare(a.Path, b.Path))
	})
}

// ByExpiry are the jobs, those first that expire first.
func (l FetchList) ByExpiry() []MediaJob {
	jobs := slices.Clone(l.Jobs)
	sortJobs(jobs)
	return jobs
}
