package show

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// checkedWhole is the largest file that is read and compared with its SHA-256 before
// anybody gets a link to it, in bytes. Of a larger one only its size is looked at; the
// scrub reads those, too.
const checkedWhole = 4 << 20

// reader is who notices what a look finds damaged.
const reader = "reader"

// intact says whether a stored file is what was stored. What is not is reported.
func (s *desk) intact(ctx context.Context, known catalog.MediaFile) (bool, error) {
	err := s.compare(ctx, known)
	kind := archive.Altered
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, store.ErrNotFound):
		kind = archive.Missing
	case !errors.Is(err, store.ErrDamaged):
		return false, err
	}
	s.report(ctx, archive.Finding{Where: archive.InArchive, Kind: kind, Key: known.Key, By: reader, Detail: err.Error()})
	return false, nil
}

func (s *desk) compare(ctx context.Context, known catalog.MediaFile) error {
	info, err := s.config.Objects.Head(ctx, known.Key)
	if err != nil {
		return err
	}
	if info.Size != known.Size {
		return fmt.Errorf("%d bytes, not %d: %w", info.Size, known.Size, store.ErrDamaged)
	}
	if known.Size > checkedWhole {
		return nil
	}
	body, err := store.ReadObject(ctx, s.config.Objects, known.Key)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != known.SHA256 {
		return fmt.Errorf("its SHA-256 is another one: %w", store.ErrDamaged)
	}
	return nil
}

// report notes damage that a look met. That it cannot be noted now must not keep
// anybody from looking; the next one, or the scrub, meets it again.
func (s *desk) report(ctx context.Context, f archive.Finding) {
	if err := s.damage.Report(ctx, f); err != nil {
		s.LogFailure(ctx, "reporting damage of "+f.Key, err)
	}
}
