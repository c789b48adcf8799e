package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/extract"
	"wecom-archive/shared/query"
	"wecom-archive/shared/store"
)

// MaxLimit bounds the hits of a page.
const MaxLimit = 100

// Query is what is asked for.
type Query struct {
	query.Query
	Descending bool // newest first
	Limit      int  // hits of a page: 1 to MaxLimit

	// Time after which no further part is begun; a part takes well below a second.
	// Zero: none. A call makes some progress however short it is.
	Time time.Duration

	// Cursor of the page before, of the same query and direction; zero: from the
	// first.
	Cursor Cursor
}

// Hit is a message that is meant.
type Hit struct {
	// Row has no Raw, and of the Reading at least what query.Query looks at.
	archive.Row
	Place  archive.Place
	Ranges []query.Range // where the terms stand in Text

	// More: there are places of the terms behind those in Ranges.
	More bool
	// Unread: Text could not be read, neither in extracts and compacted objects nor in the
	// segment. It is empty.
	Unread bool

	unit string   // that it was found in
	text *textRef // where Text comes from; nil: it is there
	size int      // bytes of Text, about
}

// Answer is a page.
type Answer struct {
	Hits []Hit // in order

	// Next goes on behind the page; nil: there is no more.
	Next *Cursor
	// Complete: the time sufficed for the page, and all could be read that had to be. If
	// the time did not, there may be fewer hits than there are, and none, and Next goes on.
	Complete bool

	Looked  Looked
	Damaged []string // keys of segments and of row groups ("key#3") that cannot be read, and so were not searched
	// Instead are the names of what is derived and cannot be read, though all that it should
	// hold was read elsewhere: row groups ("key#3"), directories, runs.
	Instead []string
}

// Looked is what was looked at for a page.
type Looked struct {
	Messages int64 // readable ones
	Bytes    int64 // read out of the buckets
	Requests int64 // to the buckets: one for each read
	Parts    int   // row groups and segments that were read
	Skipped  int   // that cannot hold what is next, by what the index says of them
	Plain    int   // of Parts: row groups that were read without extracts, which takes longer

	// Messages that the filters admit, words aside, whose contents are no text: by
	// kind of file, as archive.MediaRef has it.
	Contents map[string]int64
	// Rows of segments that hold no message (yet).
	Unreadable int64
	// Messages whose text the parser could not look into wholly (reading.Unopened), and whose
	// time is admitted. Whose and what they are may be unknown, so other filters do not count.
	Unopened int64
}

// textless are the kinds of files that say nothing. In all others, those of which nothing
// is known too, something may be said.
var textless = map[string]bool{"": true}

// Conversations are in which months their messages are, and what is not compacted.
type Conversations interface {
	ConversationMonths(ctx context.Context, conversation string) ([]catalog.MonthSpan, error)
	OpenParts(ctx context.Context, after string, limit int) ([]string, error)
}

// Pages know which parts of segments are damaged, and which were stored again.
type Pages interface {
	Page(ctx context.Context, asked uint64) (catalog.PageState, error)
}

// Compactions are the runs of months and their directories.
type Compactions interface {
	Months(ctx context.Context) ([]compaction.State, error)
	AllRowGroups(ctx context.Context, run string, after *compaction.RowGroup, limit int) ([]compaction.RowGroup, error)
}

// Config is what a Scanner works with.
type Config struct {
	Objects       store.ObjectReader // archive bucket
	Derived       store.ObjectReader // nil: nothing is compacted
	Conversations Conversations
	Pages         Pages
	Compactions   Compactions
	Now           func() time.Time // for time limits
}

// Scanner searches an archive. It is safe for concurrent use.
type Scanner struct {
	Config

	blocks *lru.Cache[string, []extract.Block]        // of directories of extracts, by key
	bounds *lru.Cache[string, *compaction.TimeBounds] // of segments, by key: they never change; nil: no message in it

	slots  chan struct{}       // parts in memory at a time, over all calls
	memory *semaphore.Weighted // bytes of unpacked texts at a time, over all calls
}

const (
	readers    = 12 // parts read at a time: two cores, and those that wait for a bucket; one takes about 4 MB
	keptBounds = 50_000

	unpackedBytes = 64 << 20 // at a time, over all calls

	keptDirectories    = 32
	keptDirectoryBytes = 512 << 10 // a larger one is not kept
)

// New returns a Scanner.
func New(c Config) *Scanner {
	s := &Scanner{Config: c, slots: make(chan struct{}, 2*readers), memory: semaphore.NewWeighted(unpackedBytes)}
	s.blocks, _ = lru.New[string, []extract.Block](keptDirectories) // these fail for sizes below one
	s.bounds, _ = lru.New[string, *compaction.TimeBounds](keptBounds)
	return s
}

// ErrQuery says that a query cannot be answered.
var ErrQuery = errors.New("this cannot be searched for")

// Search returns a page.
func (s *Scanner) Search(ctx context.Context, q Query) (Answer, error) {
	if q.Limit < 1 || q.Limit > MaxLimit {
		return Answer{}, fmt.Errorf("%w: limit %d is not between 1 and %d", ErrQuery, q.Limit, MaxLimit)
	}
	q.From, q.To = query.WholeMS(q.From), query.WholeMS(q.To)
	until := time.Time{}
	if q.Time > 0 {
		until = s.Now().Add(q.Time)
	}
	const tries = 3
	known := newTroubles(q.Cursor.progress)
	for try := 1; ; try++ {
		r := &run{Scanner: s, query: q, matcher: query.NewMatcher(q.Query), until: until, last: try == tries, known: known}
		r.answer.Looked.Contents = map[string]int64{}
		err := r.search(ctx)
		if err == nil {
			err = r.fetchTexts(ctx)
		}
		var found *foundError
		switch {
		case errors.As(err, &found) && known.add(found): // the next run knows, and does without
			try--
		case err == nil:
			r.answer.Instead = known.instead()
			r.answer.Complete = r.answer.Complete && len(r.answer.Damaged) == 0
			return r.answer, nil
		// A run that was replaced is deleted a day later, and is not found by a
		// search that has slept meanwhile. It looks again.
		case !errors.Is(err, store.ErrNotFound) || r.last:
			return r.answer, err
		}
	}
}

// run is one search under way.
type run struct {
	*Scanner
	query   Query
	matcher *query.Matcher
	until   time.Time
	last    bool // what is not found is damaged
	known   *troubles

	plan   plan
	best   []Hit // what is next as far as looked: query.Limit+1 at most, in order
	answer Answer
}

func (r *run) search(ctx context.Context) error {
	if err := r.makePlan(ctx); err != nil {
		return err
	}
	done, again := r.resume()
	next, err := r.readAll(ctx, done, again)
	if err != nil {
		return err
	}
	r.answer.Complete = next == len(r.plan.units)
	if r.answer.Complete {
		r.finish()
		return nil
	}
	// Only what comes before everything that was not looked at is certain.
	frontier, known := r.plan.frontier(next, r.query.Descending)
	certain := 0
	for known && certain < len(r.best) && r.before(r.best[certain].Place.Time.UnixMilli(), frontier) {
		certain++
	}
	if certain > r.query.Limit {
		r.answer.Complete = true
		r.finish()
		return nil
	}
	if certain > 0 {
		r.answer.Hits = r.best[:fitting(r.best[:certain])]
		after := r.best[len(r.answer.Hits)-1].Place.Position
		r.answer.Next = &Cursor{After: &after}
		return nil
	}
	r.answer.Next = &Cursor{After: r.query.Cursor.After, progress: r.progress(next)}
	return nil
}

// pageBytes are those of the texts of a page; one text may be longer.
const pageBytes = 16 << 20

// fitting is how many of the hits go onto a page.
func fitting(hits []Hit) int {
	size := 0
	for i, h := range hits {
		if size += h.size; size > pageBytes && i > 0 {
			return i
		}
	}
	return len(hits)
}

// finish makes the page of the best.
func (r *run) finish() {
	r.answer.Hits = r.best[:fitting(r.best[:min(len(r.best), r.query.Limit)])]
	if n := len(r.answer.Hits); n < len(r.best) {
		after := r.best[n-1].Place.Position
		r.answer.Next = &Cursor{After: &after}
	}
}

// before says whether a time comes ahead of another in the order of the query.
func (r *run) before(a, b int64) bool {
	if r.query.Descending {
		return a > b
	}
	return a < b
}

// compare orders hits as the query wants them; of copies the lowest part is first.
func (r *run) compare(a, b Hit) int {
	d := a.Place.Compare(b.Place.Position)
	if r.query.Descending {
		d = -d
	}
	return d
}

// wanted says whether a message at p is behind the cursor.
func (r *run) wanted(p archive.Position) bool {
	after := r.query.Cursor.After
	if after == nil {
		return true
	}
	d := p.Compare(*after)
	return d != 0 && d < 0 == r.query.Descending
}

// add puts a hit among the best, if it is one of them.
func (r *run) add(best []Hit, h Hit) []Hit {
	at, found := slices.BinarySearchFunc(best, h, r.compare)
	switch {
	case found:
		if cmp.Or(cmp.Compare(h.Place.Part(), best[at].Place.Part()), cmp.Compare(h.Place.Row, best[at].Place.Row)) < 0 {
			best[at] = h
		}
		return best
	case at > r.query.Limit:
		return best
	}
	best = slices.Insert(best, at, h)
	if len(best) > r.query.Limit+1 {
		best = best[:r.query.Limit+1]
	}
	return best
}
