package rebuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/store"
)

// stored is what lies below pages/ of the page asked for at a seq: itself, and alternates.
type stored struct {
	asked    uint64
	keys     []string
	pages    []archive.PageHeader // whose header can be read, the page itself first
	unread   []string             // keys of those whose header cannot
	alone    bool                 // it is left alone: another page has its stretch
	complete bool                 // its segment is
	media    bool                 // files of its messages are to be fetched
}

// end is where its stretch ends; 0 if nothing of it can be read.
func (p *stored) end() (end uint64) {
	for _, h := range p.pages {
		end = max(end, h.End())
	}
	return end
}

// pages walks all pages in order of their seq. The cursor stands behind the last one.
func (r *run) pages(ctx context.Context) error {
	batch := make([]*stored, 0, r.Parallel)
	for info, err := range r.Objects.List(ctx, archive.PagesPrefix, r.After) {
		if err != nil {
			return fmt.Errorf("listing the pages: %w", err)
		}
		asked, _, ok := archive.ParseAnyPageKey(info.Key)
		if !ok {
			if err := r.stray(ctx, info.Key, "its name is not that of a page"); err != nil {
				return err
			}
			continue
		}
		if n := len(batch); n > 0 && batch[n-1].asked == asked {
			batch[n-1].keys = append(batch[n-1].keys, info.Key)
			continue
		}
		if len(batch) == r.Parallel {
			if err := r.pageBatch(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
		batch = append(batch, &stored{asked: asked, keys: []string{info.Key}})
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
	if err := each(ctx, batch, r.headers); err != nil {
		return err
	}
	if err := r.aside(ctx, batch); err != nil {
		return err
	}
	if err := each(ctx, batch, r.page); err != nil {
		return err
	}
	var waiting []string
	for _, p := range batch {
		if p.alone {
			continue
		}
		if err := r.follow(ctx, p); err != nil {
			return err
		}
		if len(p.pages) > 0 && !p.complete {
			r.Report.Waiting++
		}
		if p.media {
			r.Report.Media++
		}
		if len(p.pages) > 0 && (!p.complete || p.media) {
			waiting = append(waiting, p.pages[0].Key())
		}
	}
	if len(waiting) > 0 {
		if err := r.Queue.Notify(ctx, waiting...); err != nil {
			// The puller queues again what waits.
			r.Log.Warn("cannot queue pages that wait for the archiver", "pages", len(waiting), "error", err)
		}
	}
	last := batch[len(batch)-1].keys
	r.After = last[len(last)-1]
	return r.save(ctx)
}

// aside leaves out pages inside the stretch of another one that can be read: nobody asks
// for what a page has, but for alternates, while it could not be read.
func (r *run) aside(ctx context.Context, batch []*stored) error {
	next := r.Next
	for _, p := range batch {
		if inside := len(p.pages) > 0 && p.pages[len(p.pages)-1].Alternate == 0 && p.end() <= next || len(p.pages) == 0 && p.asked < next; inside {
			var err error
			if p.alone, err = decode.CanRead(ctx, r.Objects, r.Corp, r.Over); err != nil {
				return err
			}
		}
		for _, key := range p.keys {
			if !p.alone {
				break
			}
			if err := r.stray(ctx, key, "it lies inside the stretch of another page"); err != nil {
				return err
			}
		}
		if end := p.end(); end > next {
			next = end
			for _, h := range p.pages {
				if h.End() == end {
					r.Over = h.Key()
				}
			}
		}
	}
	return nil
}

// each calls do for all of a batch at a time.
func each(ctx context.Context, batch []*stored, do func(context.Context, *stored) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range batch {
		group.Go(func() error { return do(ctx, p) })
	}
	return group.Wait()
}

// headers reads what the headers say.
func (r *run) headers(ctx context.Context, p *stored) error {
	for _, key := range p.keys {
		h, err := r.header(ctx, key)
		switch {
		case err == nil && h.Key() == key && h.Corp == r.Corp:
			p.pages = append(p.pages, h)
		case err == nil:
			if err := r.stray(ctx, key, "its header names another page"); err != nil {
				return err
			}
		case errors.Is(err, store.ErrDamaged) || errors.Is(err, archive.ErrNewFormat):
			r.Log.Error("the header of a page cannot be read", "key", key, "error", err)
			p.unread = append(p.unread, key)
			if err := r.altered(ctx, key, err); err != nil {
				return err
			}
		default:
			return err
		}
	}
	slices.SortFunc(p.pages, func(a, b archive.PageHeader) int { return cmp.Compare(a.Alternate, b.Alternate) })
	return nil
}

// header reads the header alone; the reply is the archiver's to check.
func (r *run) header(ctx context.Context, key string) (archive.PageHeader, error) {
	start, err := r.Objects.GetRange(ctx, key, 0, archive.HeaderProbe)
	if err != nil {
		return archive.PageHeader{}, fmt.Errorf("reading %s: %w", key, err)
	}
	return archive.DecodePageHeader(start)
}

// page indexes one page and its alternates.
func (r *run) page(ctx context.Context, p *stored) (err error) {
	if len(p.pages) == 0 || p.alone {
		return nil
	}
	if p.complete, p.media, err = r.indexer.Index(ctx, p.pages, p.unread); err != nil {
		return fmt.Errorf("indexing page %d: %w", p.asked, err)
	}
	return nil
}

// follow moves the cursor over a page. What lies between it and the page before is a hole.
func (r *run) follow(ctx context.Context, p *stored) error {
	if len(p.unread) > 0 {
		r.Report.DamagedPages++
	}
	if len(p.pages) == 0 {
		if len(p.unread) > 0 {
			r.Report.Pages++
			r.Unread = p.asked
		}
		return nil // where it ended, the next page shows
	}
	r.Report.Pages++
	speaks := p.pages[0]
	if speaks.Alternate > 0 {
		speaks = p.pages[len(p.pages)-1]
	}
	if p.asked > r.Next {
		if r.Unread != r.Next || r.Report.Pages == 1 {
			r.Log.Error("the chain of pages is broken", "page", p.asked, "expected", r.Next)
			r.Report.Holes++
		}
		if err := r.region(ctx, decode.Region{From: r.Next, To: p.asked, First: r.Day, Last: speaks.PulledAt, Since: r.Since, By: "reindex"}); err != nil {
			return err
		}
	}
	r.Report.Envelopes += int64(speaks.Count)
	if end := p.end(); end > r.Next {
		speaks.Until = end
		r.Cursor, r.Next = r.Cursor.Over(speaks), end
	}
	if speaks.Alternate > 0 { // it was pulled later than what comes behind it
		return nil
	}
	r.Day = speaks.PulledAt
	if speaks.Count < speaks.Limit { // it had all that WeCom had then
		r.Since = speaks.PulledAt
	}
	return nil
}

// regionsKept bounds what is saved of an unfinished reindex.
const regionsKept = 500

// region notes a stretch that no page has. It is looked at when the events are read, which
// say what is known of it.
func (r *run) region(ctx context.Context, region decode.Region) error {
	if r.Regions = append(r.Regions, region); len(r.Regions) < regionsKept {
		return nil
	}
	return r.holes(ctx)
}

// holes finds out what is stored of each stretch that no page has.
func (r *run) holes(ctx context.Context) error {
	for len(r.Regions) > 0 {
		if err := r.keep(ctx); err != nil {
			return err
		}
		if _, err := r.survey(ctx, r.Regions[0]); err != nil {
			return err
		}
		r.Regions = r.Regions[1:]
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	return nil
}

// survey looks at a stretch that no page has, and queues what has files to fetch.
func (r *run) survey(ctx context.Context, region decode.Region) (end uint64, err error) {
	end, media, err := r.indexer.Survey(ctx, region)
	if err != nil || len(media) == 0 {
		return end, err
	}
	r.Report.Media += int64(len(media))
	if err := r.Queue.Notify(ctx, media...); err != nil {
		r.Log.Warn("cannot queue pages whose files are to be fetched", "pages", len(media), "error", err)
	}
	return end, nil
}

// end puts the cursor behind the last page. Segments of pages behind that, which are gone,
// are indexed, and the cursor stands behind these: WeCom is not asked for them again.
func (r *run) end(ctx context.Context) error {
	if err := r.keep(ctx); err != nil {
		return err
	}
	end, err := r.survey(ctx, decode.Region{From: r.Next, First: r.Day, Since: r.Since, By: "reindex"})
	if err != nil {
		return err
	}
	if end > r.Next {
		r.Report.Holes++
	}
	r.Cursor = r.Cursor.Behind(end)
	return r.restoreCursor(ctx)
}

// stray reports what no part of the program puts below pages/. It changes nothing.
func (r *run) stray(ctx context.Context, key, why string) error {
	r.Log.Error("an object below pages/ is left alone", "key", key, "why", why)
	return r.damage.Report(ctx, archive.Finding{Where: archive.InArchive, Kind: archive.Stray, Key: key, By: "reindex", Detail: why})
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
