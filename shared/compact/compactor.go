package compact

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/store"
)

// Config is what a Compactor works with.
type Config struct {
	Objects       store.ObjectReader // archive bucket
	Derived       store.Derived
	Conversations Conversations
	People        People
	Compactions   Compactions
	Damage        Damage // nil: what is made again is not written down
	Program       string // our version

	// Read reads messages again whose reading is older than Parser. Nil: readings
	// stay as the segments have them.
	Read   reading.Func
	Parser int // parser version of Read

	NewID func() string // names of runs; nil: random
	Log   *slog.Logger  // nil: no log
	Temp  string        // folder for sorted chunks, at most about RoundBytes; empty: the system's

	Limits
}

// Limits bound memory, disk and objects. Zero means DefaultLimits.
type Limits struct {
	SortBytes   int64 // messages in memory while they are sorted
	RoundBytes  int64 // messages of segments that one round merges
	GroupRows   int   // rows of a row group
	GroupBytes  int64 // messages of a row group, before compression
	ObjectParts int   // row groups of an object
}

// DefaultLimits keep the process below 512 MB.
func DefaultLimits() Limits {
	return Limits{SortBytes: 64 << 20, RoundBytes: 1 << 30, GroupRows: 1024, GroupBytes: 8 << 20, ObjectParts: 32}
}

// Compactor compacts months. Two at work at the same time do no harm, but one
// works in vain.
type Compactor struct{ Config }

// New returns a Compactor.
func New(c Config) *Compactor {
	if c.NewID == nil {
		c.NewID = rand.Text
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits()
	}
	return &Compactor{c}
}

// Summary is what a call did.
type Summary struct {
	Months   int   `json:"months"`   // looked at
	Rounds   int   `json:"rounds"`   // that made a run
	Parts    int   `json:"parts"`    // of segments, merged
	Messages int64 `json:"messages"` // in them
	Rows     int64 `json:"rows"`     // written, those of older runs too
	Damaged  int   `json:"damaged"`  // parts that cannot be read
	More     bool  `json:"more"`     // there was no time left for the rest

	// Renewed are months, with commas between them, that were made again, since something
	// of them was lost.
	Renewed string `json:"renewed,omitempty"`
}

// Plus adds what another call did; there is more if it says so.
func (s Summary) Plus(t Summary) Summary {
	return Summary{s.Months + t.Months, s.Rounds + t.Rounds, s.Parts + t.Parts, s.Messages + t.Messages, s.Rows + t.Rows, s.Damaged + t.Damaged, t.More, joined(s.Renewed, t.Renewed)}
}

// Times.
const (
	graceMonth = 24 * time.Hour      // after its end a month counts as over
	keepRuns   = 24 * time.Hour      // replaced runs and garbage stay so long, for readers under way
	relist     = 30 * 24 * time.Hour // closed months are looked through for late parts
	spare      = 30 * time.Second    // before the deadline no new round begins
)

// All is Rebuild's name for every month.
const All = ""

// Run looks whether what is compacted is there and whole, makes again what is not, and
// merges what is not compacted yet, oldest month first. If the deadline of ctx comes near
// it stops between two rounds, with More; the next Run goes on. An interrupted round is
// begun again and loses nothing.
func (c *Compactor) Run(ctx context.Context, now time.Time) (Summary, error) {
	var sum Summary
	err := c.run(ctx, now, &sum)
	if err != nil {
		return sum, fmt.Errorf("compacting: %w", err)
	}
	return sum, nil
}

// Rebuild makes a month (2026-11), or All, again from the segments alone, with
// readings at the newest parser version, while readers go on with the old runs. An
// interrupted Rebuild is finished by the next Run or Rebuild; one of a month that had
// no time for all (More), by Continue.
func (c *Compactor) Rebuild(ctx context.Context, month string, now time.Time) (Summary, error) {
	var sum Summary
	open, err := c.findings(ctx)
	if err == nil {
		err = c.eachMonth(ctx, now, func(name string) (bool, error) {
			if month != All && name != month {
				return true, nil
			}
			m, err := c.startRebuild(ctx, name)
			if err != nil {
				return false, err
			}
			return c.monthOrRenew(ctx, now, m, open, &sum)
		})
	}
	if err != nil {
		return sum, fmt.Errorf("rebuilding the compaction: %w", err)
	}
	return sum, nil
}

// Continue goes on with a month whose Rebuild had no time for all. It does not begin
// the rebuild anew if that is done, and only what came meanwhile is left.
func (c *Compactor) Continue(ctx context.Context, month string, now time.Time) (Summary, error) {
	var sum Summary
	m, err := c.Compactions.Month(ctx, month)
	if err == nil && m.Rebuild != nil { // begun by an older program, perhaps
		m, err = c.startRebuild(ctx, month)
	}
	var open map[string]archive.Finding
	if err == nil {
		open, err = c.findings(ctx)
	}
	if err == nil {
		_, err = c.monthOrRenew(ctx, now, m, open, &sum)
	}
	if err != nil {
		return sum, fmt.Errorf("rebuilding the compaction: month %s: %w", month, err)
	}
	return sum, nil
}

// startRebuild goes on with a rebuild by the same parser and aliases, or begins one.
func (c *Compactor) startRebuild(ctx context.Context, month string) (compaction.State, error) {
	aliases, err := c.People.Aliases(ctx)
	if err != nil {
		return compaction.State{}, err
	}
	m, err := c.Compactions.Month(ctx, month)
	if err != nil && !cannotRead(err) || m.Rebuild != nil && m.Rebuild.Parser == c.Parser && m.Rebuild.Aliases == len(aliases) {
		return m, err
	}
	m.Rebuild = &compaction.Rebuild{Parser: c.Parser, Aliases: len(aliases)}
	return c.Compactions.PutMonth(ctx, m)
}

// eachMonth calls do for each of Months, until it returns false.
func (c *Compactor) eachMonth(ctx context.Context, now time.Time, do func(month string) (bool, error)) error {
	all, err := c.Months(ctx, now)
	if err != nil {
		return err
	}
	for _, month := range all {
		goOn, err := do(month)
		if err != nil {
			return fmt.Errorf("month %s: %w", month, err)
		}
		if !goOn {
			return nil
		}
	}
	return nil
}

// Months are those from that of the first segment to that of now, and those that were
// ever compacted, in order (2026-11).
func (c *Compactor) Months(ctx context.Context, now time.Time) ([]string, error) {
	first, err := c.firstMonth(ctx)
	if err != nil || first == "" {
		return nil, err
	}
	known, err := c.Compactions.MonthNames(ctx)
	if err != nil {
		return nil, err
	}
	months := map[string]bool{}
	for _, month := range known { // a rebuild after the segments were lost shows that they were
		months[month] = true
	}
	at, err := time.Parse(archive.MonthLayout, first)
	if err != nil {
		return nil, fmt.Errorf("first segment: %w", err)
	}
	for ; !at.After(now.UTC().AddDate(0, 0, 1)); at = at.AddDate(0, 1, 0) { // clocks may differ a little
		months[at.Format(archive.MonthLayout)] = true
	}
	return slices.Sorted(maps.Keys(months)), nil
}

func (c *Compactor) firstMonth(ctx context.Context) (string, error) {
	for info, err := range c.Objects.List(ctx, archive.SegmentsPrefix, "") {
		if err != nil {
			return "", fmt.Errorf("looking for the first segment: %w", err)
		}
		if day, _, _, ok := archive.ParseSegmentKey(info.Key); ok {
			return day[:len(archive.MonthLayout)], nil
		}
	}
	return "", nil
}

// month runs rounds until nothing is left to do. It returns false if the deadline
// is near.
func (c *Compactor) month(ctx context.Context, now time.Time, m compaction.State, sum *Summary) (goOn bool, err error) {
	sum.Months++
	after := ""
	var longest time.Duration // round
	for {
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < spare+2*longest {
			sum.More = true
			return false, nil
		}
		began := time.Now()
		done, err := c.round(ctx, now, &m, &after, sum)
		longest = max(longest, time.Since(began))
		if errors.Is(err, store.ErrConflict) {
			return false, fmt.Errorf("another compactor is at work: %w", err)
		}
		if err != nil {
			return false, err
		}
		if done {
			break
		}
	}
	return true, c.clean(ctx, now, m)
}

// round merges parts of segments, RoundBytes at most, and switches to the runs
// that this gives. done says that no parts are left.
func (c *Compactor) round(ctx context.Context, now time.Time, m *compaction.State, after *string, sum *Summary) (done bool, err error) {
	dir, err := os.MkdirTemp(c.Temp, "compact-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	rebuild := m.Rebuild != nil
	if rebuild {
		*after = m.Rebuild.After
	}
	aliases, err := c.People.Aliases(ctx)
	if err != nil {
		return false, err
	}
	b := newBatch(c, m.Month, dir, aliases)
	defer b.close()
	if err := b.gather(ctx, *after, rebuild); err != nil {
		return false, err
	}
	*after = b.last
	sum.Parts += b.parts
	sum.Messages += b.sorter.rows
	sum.Damaged += b.damaged

	plan := planOf(m, b, now)
	next := plan.next
	if plan.merge {
		var more []source
		if plan.takeOver {
			more = c.kept(m, next.Rebuild)
		}
		run, err := c.merge(ctx, now, m.Month, b, plan.inputs, more)
		if err != nil {
			return false, err
		}
		if run.Rows > 0 {
			sum.Rounds++
			plan.keep = append(slices.Clone(plan.keep), run)
		}
		sum.Rows += run.Rows
		if err := c.Conversations.CoverConversations(ctx, m.Month, b.spans); err != nil {
			return false, err
		}
		next.set(rebuild, plan.keep)
	}
	if rebuild {
		if !b.exhausted {
			next.Rebuild.After = b.last
			*m, err = c.Compactions.PutMonth(ctx, next.State)
			return false, err
		}
		next.finishRebuild(now)
	}
	next.replace(m, now)
	if plan.merge || rebuild || next.Closed != m.Closed {
		if *m, err = c.Compactions.PutMonth(ctx, next.State); err != nil {
			return false, err
		}
	}
	if rebuild {
		*after = "" // parts that came meanwhile, and the postings of all
		return false, nil
	}
	if err := b.mark(ctx); err != nil {
		return false, err
	}
	if b.exhausted && m.Closed { // after the marks: from now on nobody looks for what is left
		m.ListedAt = now.UTC()
		*m, err = c.Compactions.PutMonth(ctx, *m)
	}
	return b.exhausted, err
}

// clean deletes runs that were replaced keepRuns ago, and what crashes left.
func (c *Compactor) clean(ctx context.Context, now time.Time, m compaction.State) error {
	keep := map[string]bool{}
	for _, run := range m.Runs {
		keep[run.ID] = true
	}
	if m.Rebuild != nil {
		for _, run := range m.Rebuild.Runs {
			keep[run.ID] = true
		}
	}
	var left []compaction.ReplacedRun
	for _, run := range m.Replaced {
		if now.Sub(run.At) < keepRuns {
			keep[run.ID] = true
			left = append(left, run)
		}
	}
	garbage := map[string][]string{} // run: keys
	for info, err := range c.Derived.List(ctx, compaction.Prefix+m.Month+"/", "") {
		if err != nil {
			return fmt.Errorf("looking for old runs: %w", err)
		}
		_, run, ok := compaction.ParseKey(info.Key)
		if !ok || keep[run] {
			continue
		}
		replaced := slices.ContainsFunc(m.Replaced, func(r compaction.ReplacedRun) bool { return r.ID == run })
		if !replaced && now.Sub(info.Modified) < keepRuns {
			continue // perhaps another compactor makes it right now
		}
		garbage[run] = append(garbage[run], info.Key)
	}
	for run, keys := range garbage {
		// The directory first: the objects show that there is something to delete.
		if err := c.Compactions.DropRowGroups(ctx, run); err != nil {
			return err
		}
		if err := c.Derived.Delete(ctx, keys...); err != nil {
			return fmt.Errorf("deleting run %s: %w", run, err)
		}
		c.Log.Info("deleted a run that was replaced", "month", m.Month, "run", run, "objects", len(keys))
	}
	if len(left) == len(m.Replaced) {
		return nil
	}
	m.Replaced = left
	if _, err := c.Compactions.PutMonth(ctx, m); err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	return nil
}

// runID names a run by when it was made.
func (c *Compactor) runID(now time.Time) string {
	return fmt.Sprintf("%013d-%s", now.UnixMilli(), strings.ToLower(c.NewID()))
}
