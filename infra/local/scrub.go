package local

import (
	"context"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/clock"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/scrub"
	"wecom-archive/shared/segment"
	"wecom-archive/shared/wecom"
)

// scrubEvery is how often one machine reads its whole archive again.
const scrubEvery = 24 * time.Hour

// Scrub reads the whole archive again, and compares it with what it must be.
func (s *System) Scrub(ctx context.Context) (archive, files scrub.Report, err error) {
	checker := scrub.Checker{Objects: s.Objects, Corp: s.Corpid(), Segment: segment.Whose, Index: s.told(), Look: func(stored []byte) error {
		_, err := access.Decode(stored)
		return err
	}}
	c := scrub.Config{
		Name: scrub.Archive, Objects: s.Objects, Journal: s.Catalog.Journal, Parts: checker.Archive(), Shares: 1,
		Expected: []scrub.Expected{
			scrub.PagesAndSegments(s.Catalog.Pages), scrub.KeyRecords(s.Catalog.Keys), scrub.Removed(s.Versions, checker.Archive()),
		},
		Book: damage.New(s.Objects, s.Catalog.Table, s.Corpid(), s.Now), Now: s.Now, Log: s.Log,
	}
	if archive, err = scrub.New(c).Run(ctx); err != nil {
		return archive, files, err
	}
	c.Name, c.Parts, c.Expected = scrub.Files, checker.Files(), []scrub.Expected{checker.LinkedFiles(), scrub.Removed(s.Versions, checker.Files())}
	files, err = scrub.New(c).Run(ctx)
	return archive, files, err
}

// told is what the index must say of pages and segments.
func (s *System) told() *scrub.Index {
	return &scrub.Index{
		Pages: s.Catalog.Pages, Conversations: s.Catalog.Conversations, People: s.Catalog.People,
		Rows: segment.RowsOf, Parser: wecom.ParserVersion, Now: s.Now,
	}
}

// scrubDaily scrubs once a day. That it fails is logged; the status says when the last
// round ended.
func (s *System) scrubDaily(ctx context.Context) error {
	for {
		var last scrub.Standing
		if _, err := s.Catalog.Journal.Progress(ctx, scrub.Files, &last); err != nil {
			return err
		}
		if wait := last.RoundEnded.Add(scrubEvery).Sub(s.Now()); wait > 0 {
			if err := clock.Sleep(ctx, min(wait, time.Hour)); err != nil {
				return err
			}
			continue
		}
		if _, _, err := s.Scrub(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.Log.Error("scrubbing failed, will be tried again", "error", err)
			if err := clock.Sleep(ctx, time.Hour); err != nil {
				return err
			}
		}
	}
}
