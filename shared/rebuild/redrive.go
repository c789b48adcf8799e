package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// Pages are listed that could not be read, and marked to be tried again.
type Pages interface {
	Page(ctx context.Context, asked uint64) (catalog.PageState, error)
	Quarantined(ctx context.Context, from uint64, limit int) ([]catalog.PageState, error)
	MarkRedrive(ctx context.Context, asked uint64, at time.Time) error
}

// Media are files that failed, and are to be fetched again.
type Media interface {
	MediaTroublesBefore(ctx context.Context, before string, limit int) (troubles []catalog.MediaTrouble, next string, err error)
	RedriveMedia(ctx context.Context, fileIDSHA256 string, at time.Time) error
}

// Redriver has pages tried again: after a key was imported, or a library or a
// parser was mended.
type Redriver struct {
	Corp    string // corpid
	Objects store.Objects
	Pages   Pages
	Media   Media
	Queue   store.Notifier // of the archiver
	Now     func() time.Time
	NewID   func() string // of requests, unique
}

// Selection says which pages. The zero value is all that the quarantine lists.
type Selection struct {
	Page   *uint64         // the one that was asked for at this seq, whatever its state
	Reason archive.Outcome // those with envelopes that are unreadable for this reason
	Media  bool            // those with files that failed; these are tried again, too
}

func (s Selection) what() string {
	switch {
	case s.Page != nil:
		return "page"
	case s.Reason != "":
		return string(s.Reason)
	case s.Media:
		return "media"
	}
	return "all"
}

func (s Selection) wants(p catalog.PageState) bool {
	return s.Reason == "" || p.Unreadable[s.Reason] > 0
}

// Run records the request as an event and queues the pages for the archiver. It
// returns how many there were. If it breaks off, run it again: pages that were
// tried are only tried once more. ErrNotFound if the page is not known.
func (r *Redriver) Run(ctx context.Context, s Selection, who string) (pages int, err error) {
	redrive := archive.Redrive{ID: r.NewID(), What: s.what(), Who: who, At: r.Now().UTC().Truncate(time.Millisecond)}
	if s.Page != nil {
		if s.Reason != "" {
			return 0, errors.New("redriving: a page or a reason, not both")
		}
		if _, err := r.Pages.Page(ctx, *s.Page); err != nil {
			return 0, fmt.Errorf("redriving: %w", err)
		}
		redrive.Pages = []uint64{*s.Page}
		return 1, r.redrive(ctx, redrive)
	}
	if s.Media {
		return r.media(ctx, redrive)
	}
	for from := uint64(0); ; redrive.Part++ {
		listed, err := r.Pages.Quarantined(ctx, from, archive.MaxRedrivePages)
		if err != nil {
			return pages, fmt.Errorf("redriving: %w", err)
		}
		redrive.Pages = nil
		for _, p := range listed {
			if s.wants(p) {
				redrive.Pages = append(redrive.Pages, p.SeqAsked)
			}
		}
		if len(redrive.Pages) > 0 {
			if err := r.redrive(ctx, redrive); err != nil {
				return pages, err
			}
			pages += len(redrive.Pages)
		}
		if len(listed) < archive.MaxRedrivePages {
			return pages, nil
		}
		from = listed[len(listed)-1].SeqAsked + 1
	}
}

// redrive records the fact first: an index that is made again then knows it, too.
func (r *Redriver) redrive(ctx context.Context, redrive archive.Redrive) error {
	if err := archive.PutEvent(ctx, r.Objects, archive.RedriveKey(redrive), archive.EventRedrive, r.Corp, redrive.At, redrive); err != nil {
		return fmt.Errorf("redriving: %w", err)
	}
	for batch := range slices.Chunk(redrive.Pages, 10) { // what SQS takes at a time
		keys := make([]string, len(batch))
		for i, asked := range batch {
			if err := r.Pages.MarkRedrive(ctx, asked, redrive.At); err != nil {
				return fmt.Errorf("redriving page %d: %w", asked, err)
			}
			keys[i] = archive.PageKey(asked)
		}
		if err := r.Queue.Notify(ctx, keys...); err != nil {
			return fmt.Errorf("redriving: %w", err)
		}
	}
	return nil
}

// media has files that failed fetched again. The archiver writes their job lists
// anew: the old ones may be gone.
func (r *Redriver) media(ctx context.Context, redrive archive.Redrive) (pages int, err error) {
	for before := ""; ; redrive.Part++ {
		troubles, next, err := r.Media.MediaTroublesBefore(ctx, before, archive.MaxRedrivePages)
		if err != nil {
			return pages, fmt.Errorf("redriving media: %w", err)
		}
		redrive.Pages = nil
		for _, t := range troubles {
			if t.State != archive.MediaFailed {
				continue
			}
			// Before the archiver looks: it lists what is to be tried.
			if err := r.Media.RedriveMedia(ctx, t.FileIDSHA256, redrive.At); err != nil {
				return pages, fmt.Errorf("redriving media: %w", err)
			}
			if !slices.Contains(redrive.Pages, t.SeqAsked) {
				redrive.Pages = append(redrive.Pages, t.SeqAsked)
			}
		}
		if len(redrive.Pages) > 0 {
			if err := r.redrive(ctx, redrive); err != nil {
				return pages, err
			}
			pages += len(redrive.Pages)
		}
		if next == "" {
			return pages, nil
		}
		before = next
	}
}
