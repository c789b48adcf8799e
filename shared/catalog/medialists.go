package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog/table"
	"wecom-archive/shared/store"
)

// MediaList is how far a job list is.
type MediaList struct {
	SeqAsked uint64    `json:"seq_asked"` // of the page
	Part     int       `json:"part"`      // of its segment
	PulledAt time.Time `json:"pulled_at"`
	Expires  time.Time `json:"expires"` // when WeCom may forget the first file
	MediaCount

	Links    int       `json:"links"`              // links objects of the page that this counts
	NextTry  time.Time `json:"next_try,omitzero"`  // of an unfinished list; zero: at once
	QueuedAt time.Time `json:"queued_at,omitzero"` // last put on the queue again
}

// MediaCount counts references to files.
type MediaCount struct {
	Refs   int   `json:"refs"` // all
	Stored int   `json:"stored"`
	Failed int   `json:"failed"`
	Lost   int   `json:"lost"`
	Bytes  int64 `json:"bytes"` // of the stored ones, each counted

	Mismatches int                         `json:"mismatches,omitempty"` // stored, but not what the message says
	Reasons    map[archive.MediaReason]int `json:"reasons,omitempty"`    // of the failed and lost
	FailedAt   time.Time                   `json:"failed_at,omitzero"`   // the last one
	LostAt     time.Time                   `json:"lost_at,omitzero"`     // the last one
}

// Pending is how many are neither stored nor given up.
func (m MediaCount) Pending() int { return m.Refs - m.Stored - m.Failed - m.Lost }

// Count adds a link to the count, but not to Refs.
func (m *MediaCount) Count(l archive.Link) {
	switch l.State {
	case archive.MediaStored:
		m.Stored++
		m.Bytes += l.Size
		if l.MD5Verdict == archive.VerdictMismatch || l.SizeVerdict == archive.VerdictMismatch {
			m.Mismatches++
		}
		return
	case archive.MediaFailed:
		m.Failed++
		m.FailedAt = archive.Latest(m.FailedAt, l.At)
	case archive.MediaLost:
		m.Lost++
		m.LostAt = archive.Latest(m.LostAt, l.At)
	}
	m.countReason(l.Reason, 1)
}

func (m *MediaCount) countReason(reason archive.MediaReason, n int) {
	if m.Reasons == nil {
		m.Reasons = map[archive.MediaReason]int{}
	}
	m.Reasons[reason] += n
}

// Add adds another count.
func (m *MediaCount) Add(o MediaCount) {
	m.Refs += o.Refs
	m.Stored += o.Stored
	m.Failed += o.Failed
	m.Lost += o.Lost
	m.Bytes += o.Bytes
	m.Mismatches += o.Mismatches
	m.FailedAt, m.LostAt = archive.Latest(m.FailedAt, o.FailedAt), archive.Latest(m.LostAt, o.LostAt)
	for reason, n := range o.Reasons {
		m.countReason(reason, n)
	}
}

// NewMediaList counts the jobs of a list by what is stored of them.
func NewMediaList(list archive.FetchList, links *archive.PageLinks) MediaList {
	l := MediaList{SeqAsked: list.SeqAsked, Part: list.Part, PulledAt: list.PulledAt.UTC(), Links: links.Objects}
	l.Refs = len(list.Jobs)
	for _, job := range list.Jobs {
		if l.Expires.IsZero() || job.Expires.Before(l.Expires) {
			l.Expires = job.Expires.UTC()
		}
		if link, ok := links.Of(job.MediaPlace); ok {
			l.Count(link)
		}
	}
	return l
}

// Key is where the job list is stored.
func (l MediaList) Key() string { return archive.FetchKey(l.PulledAt, l.SeqAsked, l.Part) }

func (l MediaList) name() string {
	return fmt.Sprintf("%s#%04d", archive.SeqName(l.SeqAsked), l.Part)
}

func (l MediaList) pendingName() string {
	return fmt.Sprintf("%013d#%s#%s", max(l.Expires.UnixMilli(), 0), archive.Day(l.PulledAt), l.name())
}

// NoteMediaList records how far a job list is. One that knows fewer links comes
// late and changes nothing. A list whose files are all stored or given up is no
// longer pending, unless redriven: then some of those that failed are to be tried
// again.
func (c *Media) NoteMediaList(ctx context.Context, l MediaList, redriven bool) error {
	pending := store.Item{Partition: partitionMediaPending, Sort: l.pendingName()}
	open := l.Pending() > 0 || redriven
	if open { // before it is listed: nobody would look for what is missing
		if err := c.table.Write(ctx, pending.Partition, pending.Sort, l); err != nil {
			return fmt.Errorf("noting the job list %s: %w", l.Key(), err)
		}
	}
	day := archive.Day(l.PulledAt)
	late, changed := false, false
	err := table.Change(ctx, c.table, partitionMediaLists+day, l.name(), func(known MediaList, found bool) (MediaList, bool) {
		late = found && known.Links > l.Links
		changed = !late && !(found && sameJSON(known, l))
		return l, changed
	})
	if err != nil {
		return err
	}
	if err := c.countMediaDay(ctx, day); err != nil {
		return err
	}
	if open || late {
		return nil
	}
	if err := c.table.Delete(ctx, pending); err != nil {
		return fmt.Errorf("noting the job list %s: %w", l.Key(), err)
	}
	return nil
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// MediaDay sums up the references in messages pulled on a day.
type MediaDay struct {
	Day string `json:"day"`
	MediaCount
}

// countMediaDay sums up the lists of a day. Who read them before another one
// changed does not write after that one: it begins again.
func (c *Media) countMediaDay(ctx context.Context, day string) error {
	const tries = 50
	for range tries {
		var known MediaDay
		revision, err := c.table.Read(ctx, partitionMediaDays, day, &known)
		if err != nil {
			return err
		}
		sum := MediaDay{Day: day}
		for from := ""; ; {
			const batch = 1000
			lists, err := table.List[MediaList](ctx, c.table, store.IndexQuery{Partition: partitionMediaLists + day, From: from, Limit: batch})
			if err != nil {
				return err
			}
			for _, l := range lists {
				sum.Add(l.MediaCount)
				from = l.name() + "\x00"
			}
			if len(lists) < batch {
				break
			}
		}
		// Also when nothing changed: else one that read earlier could still write.
		if err = c.table.WriteIf(ctx, partitionMediaDays, day, revision, sum); err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("counting the files of %s: %w", day, err)
		}
	}
	return fmt.Errorf("counting the files of %s: %d others were quicker: %w", day, tries, store.ErrConflict)
}

// MediaDays returns at most limit sums, from a day on, in order of the days.
func (c *Media) MediaDays(ctx context.Context, from string, limit int) ([]MediaDay, error) {
	return table.List[MediaDay](ctx, c.table, store.IndexQuery{Partition: partitionMediaDays, From: from, Limit: limit})
}

// PendingMedia returns at most limit unfinished job lists, those first whose files
// expire first; after continues behind a list.
func (c *Media) PendingMedia(ctx context.Context, after *MediaList, limit int) ([]MediaList, error) {
	q := store.IndexQuery{Partition: partitionMediaPending, Limit: limit}
	if after != nil {
		q.From = after.pendingName() + "\x00"
	}
	return table.List[MediaList](ctx, c.table, q)
}

// MarkMediaQueued notes that an unfinished list was put on the queue again.
func (c *Media) MarkMediaQueued(ctx context.Context, l MediaList, at time.Time) error {
	return c.changePendingMedia(ctx, l, func(known *MediaList) { known.QueuedAt = at.UTC() })
}

// PostponeMedia notes when an unfinished list is to be worked on next.
func (c *Media) PostponeMedia(ctx context.Context, l MediaList, next time.Time) error {
	return c.changePendingMedia(ctx, l, func(known *MediaList) { known.NextTry = next.UTC() })
}

func (c *Media) changePendingMedia(ctx context.Context, l MediaList, change func(*MediaList)) error {
	return table.Change(ctx, c.table, partitionMediaPending, l.pendingName(), func(known MediaList, found bool) (MediaList, bool) {
		change(&known)
		return known, found // else it is finished
	})
}

// MediaFacts sums up how far the files of all messages are.
func (c *Media) MediaFacts(ctx context.Context) (MediaFacts, error) {
	var facts MediaFacts
	for from := ""; ; {
		const batch = 500
		days, err := c.MediaDays(ctx, from, batch)
		if err != nil {
			return facts, err
		}
		for _, day := range days {
			facts.Add(day.MediaCount)
			from = day.Day + "\x00"
		}
		if len(days) < batch {
			break
		}
	}
	const looked = 100 // the first is the oldest, unless somebody had it redriven
	lists, err := c.PendingMedia(ctx, nil, looked)
	if err != nil {
		return facts, err
	}
	for _, l := range lists {
		if l.Pending() == 0 {
			continue
		}
		if facts.Oldest.IsZero() || l.PulledAt.Before(facts.Oldest) {
			facts.Oldest = l.PulledAt
		}
		if facts.Expires.IsZero() || l.Expires.Before(facts.Expires) {
			facts.Expires = l.Expires
		}
	}
	return facts, nil
}

// MediaFacts is how far the files of messages are.
type MediaFacts struct {
	MediaCount
	Oldest  time.Time // when the page of the oldest pending one was pulled; zero: none waits
	Expires time.Time // when WeCom may forget the first pending one
}
