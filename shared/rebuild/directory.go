package rebuild

import (
	"context"
	"errors"
	"fmt"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/reparse"
	"wecom-archive/shared/store"
)

// directory puts names and seats into the index.
func (r *run) directory(ctx context.Context) error {
	for info, err := range r.Objects.List(ctx, archive.DirectoryPrefix, r.After) {
		if err != nil {
			return fmt.Errorf("listing the directory: %w", err)
		}
		if err := r.keep(ctx); err != nil {
			return err
		}
		if err := r.names(ctx, info.Key); err != nil {
			return err
		}
		r.After = info.Key
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	return nil
}

// names puts one part of the directory into the index.
func (r *run) names(ctx context.Context, key string) error {
	p, err := archive.GetDirectoryPart(ctx, r.Objects, key)
	if err == nil && p.Corp != r.Corp {
		err = fmt.Errorf("%s is of corp %s: %w", key, p.Corp, store.ErrDamaged)
	}
	r.Report.Names++
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, archive.ErrNewFormat) {
		r.Log.Error("a part of the directory cannot be read and is passed over", "key", key, "error", err)
		r.Report.DamagedNames++
		return r.altered(ctx, key, err)
	}
	if err == nil {
		err = r.Catalog.People.ApplyDirectoryPart(ctx, key, p)
	}
	if err == nil {
		err = r.Catalog.People.NoteDirectoryPart(ctx, key)
	}
	return err
}

// consents: pages and the directory's parts name the userids of their day.
func (r *run) consents(ctx context.Context) error {
	aliases, err := r.Catalog.People.Aliases(ctx)
	if err != nil {
		return err
	}
	return reparse.FoldConsents(ctx, r.Catalog.Consents, aliases)
}
