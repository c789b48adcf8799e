package archive

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Partitions of media. What stands in them follows from segments and links, but
// for tries that are not over.
const (
	partitionMediaFile    = "mediafile#"     // + sha256 of the sdkfileid
	partitionMediaLists   = "medialists#"    // + pull day
	partitionMediaDays    = "media"          // by pull day
	partitionMediaPending = "media:pending"  // lists with unfinished files, by expiry
	partitionMediaTrouble = "media:troubles" // lost and failed references, by time
)

// MediaFile is what is known of the file that an sdkfileid opens.
type MediaFile struct {
	FileIDSHA256 string     `json:"sdkfileid_sha256"`
	State        MediaState `json:"state"`

	Key    string `json:"key,omitempty"`    // of the newest object with it, below media/
	SHA256 string `json:"sha256,omitempty"` // hex
	MD5    string `json:"md5,omitempty"`    // hex
	Size   int64  `json:"size,omitempty"`   // bytes
	Type   string `json:"type,omitempty"`   // media type by the bytes

	Reason   MediaReason `json:"reason,omitempty"` // of the last try that failed
	Code     int         `json:"code,omitempty"`
	Attempts int         `json:"attempts,omitempty"` // downloads begun, since the last redrive
	NextTry  time.Time   `json:"next_try,omitzero"`  // of a pending one
	At       time.Time   `json:"at,omitzero"`        // when it came to this state
	Redriven bool        `json:"redriven,omitempty"` // pending, since somebody asked for it after it had failed
}

// FileOf is what a link says of its file.
func FileOf(l Link) MediaFile {
	return MediaFile{
		FileIDSHA256: l.FileIDSHA256, State: l.State, Key: l.Key, SHA256: l.SHA256, MD5: l.MD5, Size: l.Size, Type: l.Type,
		Reason: l.Reason, Code: l.Code, Attempts: l.Attempts, At: l.At,
	}
}

// supersedes says whether f is to stand in place of known: a stored file is never
// forgotten, and the newest month's object is the one to read.
func (f MediaFile) supersedes(known MediaFile) bool {
	if known.State == MediaStored {
		return f.State == MediaStored && f.Key > known.Key
	}
	if known.State == MediaLost {
		return f.State == MediaStored
	}
	return f != known
}

// MediaFile returns what is known of a file by the SHA-256 of its sdkfileid. One
// that nothing is known of is pending.
func (c *Catalog) MediaFile(ctx context.Context, fileIDSHA256 string) (MediaFile, error) {
	f := MediaFile{FileIDSHA256: fileIDSHA256, State: MediaPending}
	_, err := c.get(ctx, partitionMediaFile+fileIDSHA256, mediaFileSort, &f)
	return f, err
}

const mediaFileSort = "file"

// MediaFiles is MediaFile for several. None may come twice.
func (c *Catalog) MediaFiles(ctx context.Context, hashes ...string) (map[string]MediaFile, error) {
	files := make(map[string]MediaFile, len(hashes))
	for batch := range slices.Chunk(hashes, 100) {
		keys := make([]Item, len(batch))
		for i, hash := range batch {
			keys[i] = Item{Partition: partitionMediaFile + hash, Sort: mediaFileSort}
			files[hash] = MediaFile{FileIDSHA256: hash, State: MediaPending}
		}
		items, err := c.index.GetMany(ctx, keys...)
		if err != nil {
			return nil, fmt.Errorf("reading what is known of %d files: %w", len(batch), err)
		}
		known, err := decodeItems[MediaFile](items)
		if err != nil {
			return nil, err
		}
		for _, f := range known {
			files[f.FileIDSHA256] = f
		}
	}
	return files, nil
}

// PutMediaFile records what is known of a file, unless more is known.
func (c *Catalog) PutMediaFile(ctx context.Context, f MediaFile) error {
	if f.FileIDSHA256 == emptySHA256 {
		return nil // no file: its messages name none
	}
	return c.changeMediaFile(ctx, f.FileIDSHA256, func(known MediaFile, found bool) (MediaFile, bool) {
		return f, !found || f.supersedes(known)
	})
}

// RedriveMedia makes a failed file pending again, with all its tries before it.
func (c *Catalog) RedriveMedia(ctx context.Context, fileIDSHA256 string, at time.Time) error {
	return c.changeMediaFile(ctx, fileIDSHA256, func(known MediaFile, _ bool) (MediaFile, bool) {
		return MediaFile{FileIDSHA256: fileIDSHA256, State: MediaPending, At: at.UTC(), Redriven: true}, known.State == MediaFailed
	})
}

// emptySHA256 stands for "no sdkfileid": it is the hash of the empty string.
const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func (c *Catalog) changeMediaFile(ctx context.Context, hash string, change func(known MediaFile, found bool) (MediaFile, bool)) error {
	return changeItem(ctx, c, partitionMediaFile+hash, mediaFileSort, change)
}

// changeItem replaces an item by what change makes of it, if that wants to.
func changeItem[T any](ctx context.Context, c *Catalog, partition, sort string, change func(known T, found bool) (T, bool)) error {
	const tries = 20
	for range tries {
		var known T
		revision, err := c.get(ctx, partition, sort, &known)
		if err != nil {
			return err
		}
		next, wanted := change(known, revision > 0)
		if !wanted {
			return nil
		}
		if err = c.putIf(ctx, partition, sort, revision, next); err == nil {
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return fmt.Errorf("changing %s/%s of the index: %w", partition, sort, err)
		}
	}
	return fmt.Errorf("changing %s/%s of the index: %d others were quicker: %w", partition, sort, tries, ErrConflict)
}

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

	Mismatches int                 `json:"mismatches,omitempty"` // stored, but not what the message says
	Reasons    map[MediaReason]int `json:"reasons,omitempty"`    // of the failed and lost
	FailedAt   time.Time           `json:"failed_at,omitzero"`   // the last one
	LostAt     time.Time           `json:"lost_at,omitzero"`     // the last one
}

// Pending is how many are neither stored nor given up.
func (m MediaCount) Pending() int { return m.Refs - m.Stored - m.Failed - m.Lost }

// Count adds a link to the count, but not to Refs.
func (m *MediaCount) Count(l Link) {
	switch l.State {
	case MediaStored:
		m.Stored++
		m.Bytes += l.Size
		if l.MD5Verdict == VerdictMismatch || l.SizeVerdict == VerdictMismatch {
			m.Mismatches++
		}
		return
	case MediaFailed:
		m.Failed++
		m.FailedAt = latest(m.FailedAt, l.At)
	case MediaLost:
		m.Lost++
		m.LostAt = latest(m.LostAt, l.At)
	}
	m.countReason(l.Reason, 1)
}

func (m *MediaCount) countReason(reason MediaReason, n int) {
	if m.Reasons == nil {
		m.Reasons = map[MediaReason]int{}
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
	m.FailedAt, m.LostAt = latest(m.FailedAt, o.FailedAt), latest(m.LostAt, o.LostAt)
	for reason, n := range o.Reasons {
		m.countReason(reason, n)
	}
}

// NewMediaList counts the jobs of a list by what is stored of them.
func NewMediaList(list FetchList, links *PageLinks) MediaList {
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
func (l MediaList) Key() string { return FetchKey(l.PulledAt, l.SeqAsked, l.Part) }

func (l MediaList) name() string {
	return fmt.Sprintf("%s#%04d", seqName(l.SeqAsked), l.Part)
}

func (l MediaList) pendingName() string {
	return fmt.Sprintf("%013d#%s#%s", max(l.Expires.UnixMilli(), 0), Day(l.PulledAt), l.name())
}

// NoteMediaList records how far a job list is. One that knows fewer links comes
// late and changes nothing. A list whose files are all stored or given up is no
// longer pending, unless redriven: then some of those that failed are to be tried
// again.
func (c *Catalog) NoteMediaList(ctx context.Context, l MediaList, redriven bool) error {
	pending := Item{Partition: partitionMediaPending, Sort: l.pendingName()}
	open := l.Pending() > 0 || redriven
	if open { // before it is listed: nobody would look for what is missing
		if err := c.put(ctx, pending.Partition, pending.Sort, l); err != nil {
			return fmt.Errorf("noting the job list %s: %w", l.Key(), err)
		}
	}
	day := Day(l.PulledAt)
	late, changed := false, false
	err := changeItem(ctx, c, partitionMediaLists+day, l.name(), func(known MediaList, found bool) (MediaList, bool) {
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
	if err := c.index.Delete(ctx, pending); err != nil {
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
func (c *Catalog) countMediaDay(ctx context.Context, day string) error {
	const tries = 50
	for range tries {
		var known MediaDay
		revision, err := c.get(ctx, partitionMediaDays, day, &known)
		if err != nil {
			return err
		}
		sum := MediaDay{Day: day}
		for from := ""; ; {
			const batch = 1000
			lists, err := list[MediaList](ctx, c, IndexQuery{Partition: partitionMediaLists + day, From: from, Limit: batch})
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
		if err = c.putIf(ctx, partitionMediaDays, day, revision, sum); err == nil {
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return fmt.Errorf("counting the files of %s: %w", day, err)
		}
	}
	return fmt.Errorf("counting the files of %s: %d others were quicker: %w", day, tries, ErrConflict)
}

// MediaDays returns at most limit sums, from a day on, in order of the days.
func (c *Catalog) MediaDays(ctx context.Context, from string, limit int) ([]MediaDay, error) {
	return list[MediaDay](ctx, c, IndexQuery{Partition: partitionMediaDays, From: from, Limit: limit})
}

// PendingMedia returns at most limit unfinished job lists, those first whose files
// expire first; after continues behind a list.
func (c *Catalog) PendingMedia(ctx context.Context, after *MediaList, limit int) ([]MediaList, error) {
	q := IndexQuery{Partition: partitionMediaPending, Limit: limit}
	if after != nil {
		q.From = after.pendingName() + "\x00"
	}
	return list[MediaList](ctx, c, q)
}

// MarkMediaQueued notes that an unfinished list was put on the queue again.
func (c *Catalog) MarkMediaQueued(ctx context.Context, l MediaList, at time.Time) error {
	return c.changePendingMedia(ctx, l, func(known *MediaList) { known.QueuedAt = at.UTC() })
}

// PostponeMedia notes when an unfinished list is to be worked on next.
func (c *Catalog) PostponeMedia(ctx context.Context, l MediaList, next time.Time) error {
	return c.changePendingMedia(ctx, l, func(known *MediaList) { known.NextTry = next.UTC() })
}

func (c *Catalog) changePendingMedia(ctx context.Context, l MediaList, change func(*MediaList)) error {
	return changeItem(ctx, c, partitionMediaPending, l.pendingName(), func(known MediaList, found bool) (MediaList, bool) {
		change(&known)
		return known, found // else it is finished
	})
}

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
	return c.put(ctx, partitionMediaTrouble, t.name(), t)
}

// forgetMediaTrouble takes one from the list whose file came after all.
func (c *Catalog) forgetMediaTrouble(ctx context.Context, t MediaTrouble) error {
	if err := c.index.Delete(ctx, Item{Partition: partitionMediaTrouble, Sort: t.name()}); err != nil {
		return fmt.Errorf("forgetting a failed file: %w", err)
	}
	return nil
}

// MediaTroublesBefore returns lost and failed references, newest first; next goes
// on, and is empty at the end.
func (c *Catalog) MediaTroublesBefore(ctx context.Context, before string, limit int) (troubles []MediaTrouble, next string, err error) {
	return listBefore[MediaTrouble](ctx, c, partitionMediaTrouble, before, limit)
}

// IndexLinks brings the index up to what is stored of the files of a job list: the
// files, the troubles, and how far the list is. open says whether there is anything
// left to fetch.
func (c *Catalog) IndexLinks(ctx context.Context, list FetchList, links *PageLinks) (open bool, err error) {
	var stored []Link
	seen := map[string]bool{}
	var hashes []string
	for _, job := range list.Jobs {
		if link, ok := links.Of(job.MediaPlace); ok {
			stored = append(stored, link)
			if !seen[link.FileIDSHA256] {
				seen[link.FileIDSHA256] = true
				hashes = append(hashes, link.FileIDSHA256)
			}
		}
	}
	files, err := c.MediaFiles(ctx, hashes...)
	if err != nil {
		return false, err
	}
	redriven := false
	for _, link := range stored {
		known := files[link.FileIDSHA256]
		if Redriven(link, known) {
			redriven = true
			continue
		}
		if err := c.indexLink(ctx, list, link, known); err != nil {
			return false, err
		}
	}
	for _, old := range links.superseded {
		if err := c.forgetMediaTrouble(ctx, MediaTrouble{SeqAsked: list.SeqAsked, Link: old}); err != nil {
			return false, err
		}
	}
	count := NewMediaList(list, links)
	return count.Pending() > 0 || redriven, c.NoteMediaList(ctx, count, redriven)
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

// MediaFacts sums up how far the files of all messages are.
func (c *Catalog) MediaFacts(ctx context.Context) (MediaFacts, error) {
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
