package local

import (
	"context"
	"time"

	"wecom-archive/shared/clock"
	"wecom-archive/shared/compact"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/wecom"
)

// When what was archived is put together: soon after a start, and daily.
const (
	compactAfter = time.Minute
	compactEvery = 24 * time.Hour
)

// compactDaily runs the compactor as its schedule does: it looks whether what is derived
// is whole, too. That it fails holds up nothing.
func (s *System) compactDaily(ctx context.Context) error {
	for wait := compactAfter; ; wait = compactEvery {
		if err := clock.Sleep(ctx, wait); err != nil {
			return err
		}
		s.compactOnce(ctx)
	}
}

func (s *System) compactOnce(ctx context.Context) {
	log := s.Log.With("stage", "compactor")
	sum, err := compact.New(compact.Config{
		Objects: s.Objects, Derived: s.Derived, Program: s.Program,
		Conversations: s.Catalog.Conversations, People: s.Catalog.People, Compactions: compaction.NewIndex(s.Catalog.Table),
		Damage: damage.New(s.Objects, s.Catalog.Table, corpID, s.Now),
		Read:   reading.Read, Parser: wecom.ParserVersion, Log: log,
	}).Run(ctx, s.Now())
	switch {
	case ctx.Err() != nil:
	case err != nil:
		log.Error("compacting failed, will be tried again", "error", err)
	default:
		log.Info("compacted", "months", sum.Months, "messages", sum.Messages, "damaged", sum.Damaged, "renewed", sum.Renewed)
	}
}
