package local

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/store"
)

// Summary is what a run with --once ends with.
type Summary struct {
	Pulled      int     `json:"pulled"`
	Archived    int     `json:"archived"`
	Quarantined int     `json:"quarantined"`
	Pages       int     `json:"pages"`
	Segments    int     `json:"segments"` // objects, parts included
	Seconds     float64 `json:"seconds"`
	Complete    bool    `json:"complete"` // all that was served is archived; files may wait

	Media MediaSummary `json:"media"` // references to files in messages
}

// MediaSummary counts references to files.
type MediaSummary struct {
	Files   int   `json:"files"`
	Stored  int   `json:"stored"`
	Failed  int   `json:"failed"`
	Lost    int   `json:"lost"`
	Pending int   `json:"pending"` // to be tried again, or nobody fetches them
	Bytes   int64 `json:"bytes"`   // of the stored ones
}

// ErrSegments means that there are more or fewer segments than the index knows.
var ErrSegments = errors.New("segments are missing, or the index does not know them")

// Summary sums up what is archived; call it when Run has returned. It fails with
// ErrSegments if the segments are not those of the index. That compares numbers
// only: what is in a segment will be checked by the command verify, a later one.
func (s *System) Summary(ctx context.Context, since time.Time) (Summary, error) {
	sum, err := s.summary(ctx)
	if err != nil {
		return sum, s.withRemedy(err)
	}
	sum.Seconds = s.Now().Sub(since).Seconds()
	return sum, nil
}

func (s *System) summary(ctx context.Context) (Summary, error) {
	p, err := s.Progress(ctx)
	if err != nil {
		return Summary{}, err
	}
	sum := Summary{
		Pulled: p.Pulled, Archived: p.Archived, Quarantined: p.Quarantined, Pages: p.Pages,
		Complete: s.pulledAll.Load() && p.Pending == 0 && p.Pulled == p.Total,
	}
	facts, err := s.Catalog.Media.MediaFacts(ctx)
	if err != nil {
		return sum, err
	}
	sum.Media = MediaSummary{facts.Refs, facts.Stored, facts.Failed, facts.Lost, facts.Pending(), facts.Bytes}
	for info, err := range s.Objects.List(ctx, archive.SegmentsPrefix, "") {
		if err != nil {
			return sum, err
		}
		if _, _, _, ok := archive.ParseSegmentKey(info.Key); ok {
			sum.Segments++
		}
	}
	known, envelopes, next := 0, 0, uint64(0)
	err = eachPage(ctx, s.Catalog.Pages.From, func(page catalog.PageState) error {
		if page.SeqAsked != next {
			return fmt.Errorf("a page is asked after seq %d, the one before ends at %d: %w", page.SeqAsked, next, store.ErrIndexDamaged)
		}
		known, envelopes, next = known+page.Parts, envelopes+page.Count, page.LastSeq
		return nil
	})
	if err == nil && p.Pending == 0 && envelopes != p.Pulled {
		err = fmt.Errorf("%d envelopes in pages, %d at the cursor: %w", envelopes, p.Pulled, store.ErrIndexDamaged)
	}
	// A page that waits may have parts that are stored and not indexed yet.
	if err == nil && (sum.Segments < known || sum.Segments > known && p.Pending == 0) {
		err = fmt.Errorf("%d segments below %s, %d in the index: %w",
			sum.Segments, filepath.Join(s.Dir, archiveBucket, archive.SegmentsPrefix), known, ErrSegments)
	}
	return sum, err
}

// withRemedy adds what to do to errors that a new index cures.
func (s *System) withRemedy(err error) error {
	if errors.Is(err, localstore.ErrOldFolder) {
		return fmt.Errorf("--dir: %w: an earlier version of this program made it, or its sums were lost. Nothing was changed. Take it over with: wecom-archive takeover --dir %s", err, s.Dir)
	}
	if !errors.Is(err, store.ErrIndexDamaged) && !errors.Is(err, ErrSegments) {
		return err
	}
	index := filepath.Join(s.Dir, indexFile)
	return fmt.Errorf("%w\nDelete %s, %s-wal and %s-shm, and start again with the same flags: that makes the index anew from the stored objects, and segments that are missing anew from their pages",
		err, index, index, index)
}
