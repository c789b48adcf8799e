package show

import (
	"context"
	"iter"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/health"
)

// backlog is what is not archived yet.
type backlog struct {
	pending    pendingStatus
	oldest     time.Time // when the oldest pending page was pulled; zero: there is none
	quarantine quarantineStatus
	newest     time.Time // when the newest page in quarantine was pulled
	holding    int       // pages in quarantine with envelopes that cannot be read
	headers    int       // pages in quarantine whose own header cannot be read
	parts      int       // damaged parts of their segments
	unreadable int64     // envelopes in quarantine that the cursor has passed and that are not pending
}

// judged is the quarantine, as health is judged by it.
func (b backlog) judged() health.Quarantine {
	q := b.quarantine
	return health.Quarantine{
		Pages: int(q.Pages), Envelopes: int(q.Envelopes), Holding: b.holding, Headers: b.headers, Parts: b.parts, Newest: b.newest,
		Waiting: q.AtLeast || q.Reasons[archive.OutcomeUnknownKey] > 0,
	}
}

// count counts what the cursor has passed but is not archived. Pages beyond the
// cursor wait and may alarm, but their envelopes are not among its envelopes.
func (s *Books) count(ctx context.Context, cursor catalog.Cursor) (backlog, error) {
	var b backlog
	waiting := map[uint64]bool{}
	for page, err := range bounded(ctx, s.config.Catalog.Pages.PendingPages, &b.pending.AtLeast) {
		if err != nil {
			return b, err
		}
		b.pending.Pages++
		if b.oldest.IsZero() || page.PulledAt.Before(b.oldest) {
			b.oldest = page.PulledAt
		}
		if page.LastSeq <= cursor.Seq {
			b.pending.Envelopes += int64(page.Count)
			waiting[page.SeqAsked] = true
		}
	}
	b.pending.Oldest = formatTime(b.oldest)
	b.quarantine.Reasons = map[archive.Outcome]int64{}
	for page, err := range bounded(ctx, s.config.Catalog.Pages.Quarantined, &b.quarantine.AtLeast) {
		if err != nil {
			return b, err
		}
		b.quarantine.Pages++
		if page.PulledAt.After(b.newest) {
			b.newest = page.PulledAt
		}
		for _, key := range page.Damaged {
			if _, own := archive.ParsePageKey(key); own {
				b.headers++
			} else {
				b.parts++
			}
		}
		if len(page.Unreadable) > 0 {
			b.holding++
		}
		for reason, n := range page.Unreadable {
			b.quarantine.Envelopes += int64(n)
			b.quarantine.Reasons[reason] += int64(n)
			// A page that is being finished stands in both lists.
			if page.LastSeq <= cursor.Seq && !waiting[page.SeqAsked] {
				b.unreadable += int64(n)
			}
		}
	}
	return b, nil
}

// bounded yields the pages of a listing, batch by batch, up to statusMaxPages,
// and sets more if there are more.
func bounded(ctx context.Context, list func(context.Context, uint64, int) ([]catalog.PageState, error), more *bool) iter.Seq2[catalog.PageState, error] {
	return func(yield func(catalog.PageState, error) bool) {
		from := uint64(0)
		for n := 0; ; {
			batch, err := list(ctx, from, statusBatch)
			if err != nil {
				yield(catalog.PageState{}, err)
				return
			}
			for _, page := range batch {
				if n++; n > statusMaxPages {
					*more = true
					return
				}
				if !yield(page, nil) {
					return
				}
				from = page.SeqAsked + 1
			}
			if len(batch) < statusBatch {
				return
			}
		}
	}
}
