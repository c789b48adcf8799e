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
		switch sum, err := s.Compact(ctx); {
		case ctx.Err() != nil:
		case err != nil:
			s.Log.Error("compacting failed, will be tried again", "error", err)
		default:
			s.Log.Info("compacted", "months", sum.Months, "messages", sum.Messages, "damaged", sum.Damaged, "renewed", sum.Renewed)
		}
	}
}

// Compact puts together what was archived, and makes again what is lost of it.
func (s *System) Compact(ctx context.Context) (compact.Summary, error) {
	return compact.New(compact.Config{
		Objects: s.Objects, Derived: s.Derived, Program: s.Program,
		Conversations: s.Catalog.Conversations, People: s.Catalog.People, Compactions: compaction.NewIndex(s.Catalog.Table),
		Damage: damage.New(s.Objects, s.Catalog.Table, corpID, s.Now),
		Read:   reading.Read, Parser: wecom.ParserVersion, Log: s.Log.With("stage", "compactor"),
	}).Run(ctx, s.Now())
}
