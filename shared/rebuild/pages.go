package rebuild

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// stored is a page below pages/.
type stored struct {
	key      string
	asked    uint64
	header   archive.PageHeader // zero if it cannot be read
	readable bool
	complete bool // its segment is
	media    bool // files of its messages are to be fetched
}

// pages walks all pages in order of their seq. The cursor follows as long as they
// are one chain.
func (r *run) pages(ctx context.Context) error {
	batch := make([]*stored, 0, r.Parallel)
	for info, err := range r.Objects.List(ctx, archive.PagesPrefix, r.After) {
		if err != nil {
			return fmt.Errorf("listing the pages: %w", err)
		}
		asked, ok := archive.ParsePageKey(info.Key)
		if !ok {
			r.Log.Error("not the key of a page", "key", info.Key)
			continue
		}
		if batch = append(batch, &stored{key: info.Key, asked: asked}); len(batch) < r.Parallel {
			continue
		}
		if err := r.pageBatch(ctx, batch); err != nil {
			return err
		}
		batch = batch[:0]
	}
	return r.pageBatch(ctx, batch)
}

// pageBatch indexes some pages at a time, and then goes over them in order.
func (r *run) pageBatch(ctx context.Context, batch []*stored) error {
	if len(batch) == 0 {
		return nil
	}
	if err := r.keep(ctx); err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for _, p := range batch {
		group.Go(func() error { return r.page(groupCtx, p) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var waiting []string
	for _, p := range batch {
		if !p.readable {
			if err := r.unreadPage(ctx, p); err != nil {
				return err
			}
		}
		r.follow(p)
		if p.readable && !p.complete {
			r.Report.Waiting++
		}
		if p.readable && p.media {
			r.Report.Media++
		}
		if p.readable && (!p.complete || p.media) {
			waiting = append(waiting, p.key)
		}
	}
	if len(waiting) > 0 {
		if err := r.Queue.Notify(ctx, waiting...); err != nil {
			// The puller queues again what waits.
			r.Log.Warn("cannot queue pages that wait for the archiver", "pages", len(waiting), "error", err)
		}
	}
	r.After = batch[len(batch)-1].key
	return r.save(ctx)
}

// page indexes one page.
func (r *run) page(ctx context.Context, p *stored) error {
	h, err := r.header(ctx, p.key, p.asked)
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, archive.ErrNewFormat) {
		r.Log.Error("the header of a page cannot be read", "key", p.key, "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	p.header, p.readable = h, true
	if p.complete, p.media, err = r.indexer.Index(ctx, h); err != nil {
		return fmt.Errorf("indexing page %d: %w", p.asked, err)
	}
	return nil
}

// header reads the header alone; the reply is the archiver's to check.
func (r *run) header(ctx context.Context, key string, asked uint64) (archive.PageHeader, error) {
	start, err := r.Objects.GetRange(ctx, key, 0, archive.HeaderProbe)
	if err != nil {
		return archive.PageHeader{}, fmt.Errorf("reading %s: %w", key, err)
	}
	h, err := archive.DecodePageHeader(start)
	if err == nil && (h.SeqAsked != asked || h.Corp != r.Corp) {
		err = fmt.Errorf("%s: its header says page %d of corp %s: %w", key, h.SeqAsked, h.Corp, store.ErrDamaged)
	}
	return h, err
}

// follow moves the cursor over a page, if the chain goes on there.
func (r *run) follow(p *stored) {
	r.Report.Pages++
	if p.asked != r.Next {
		r.Log.Error("the chain of pages is broken", "key", p.key, "expected", r.Next)
		r.Report.Holes++
		r.Broken = true // whoever pulls goes on before the hole
	}
	if p.readable {
		r.Report.Envelopes += int64(p.header.Count)
		r.Day = p.header.PulledAt
	}
	if r.Next = p.header.LastSeq; !r.Broken && r.Next > r.Cursor.Seq {
		if p.readable {
			r.Cursor = r.Cursor.Over(p.header)
		} else {
			// The chain is not broken, the next page shows where this one ended.
			r.Cursor.Seq = r.Next
			r.Cursor.Pages++
		}
	}
}

// unreadPage finds the segment of a page whose header cannot be read: it ended
// where the next one begins, and was pulled between its neighbours.
func (r *run) unreadPage(ctx context.Context, p *stored) error {
	r.Report.DamagedPages++
	next, until, err := r.neighbour(ctx, p.key)
	if err != nil {
		return err
	}
	p.header = archive.PageHeader{Corp: r.Corp, SeqAsked: p.asked, LastSeq: next}
	const week = 7 * 24 * time.Hour
	from := r.Day
	if from.IsZero() {
		from = until.Add(-week)
	}
	for day := from.UTC().Truncate(24 * time.Hour); !day.After(until); day = day.AddDate(0, 0, 1) {
		p.header.PulledAt = day
		if found, err := r.indexer.IndexUnread(ctx, p.header); err != nil || found {
			return err
		}
	}
	r.Log.Error("no segment of the page was found either", "key", p.key, "from", from, "until", until)
	return nil
}

// neighbour finds the page after one, and when it was pulled.
func (r *run) neighbour(ctx context.Context, key string) (asked uint64, pulledAt time.Time, err error) {
	pulledAt = r.Now()
	for info, err := range r.Objects.List(ctx, archive.PagesPrefix, key) {
		if err != nil {
			return 0, pulledAt, fmt.Errorf("listing the pages: %w", err)
		}
		next, ok := archive.ParsePageKey(info.Key)
		if !ok {
			continue
		}
		if asked == 0 {
			asked = next
		}
		h, err := r.header(ctx, info.Key, next)
		if err == nil {
			return asked, h.PulledAt, nil
		}
		if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, archive.ErrNewFormat) {
			return 0, pulledAt, err
		}
	}
	return asked, pulledAt, nil
}

// leased keeps the lease while versions are listed, and notes the last key of which
// all were.
type leased struct{ *run }

// ListVersions implements store.Versions.
func (l leased) ListVersions(ctx context.Context, prefix, after string) iter.Seq2[store.ObjectVersion, error] {
	return func(yield func(store.ObjectVersion, error) bool) {
		key := ""
		for v, err := range l.Versions.ListVersions(ctx, prefix, max(after, l.After)) {
			if err == nil && v.Key != key {
				if key != "" {
					l.After = key
				}
				key = v.Key
				err = l.keep(ctx)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}
