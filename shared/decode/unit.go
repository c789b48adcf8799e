package decode

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// unit is the page that was asked for at a seq, and its alternates. Their rows share
// one segment, so that whoever stores its next part knows all parts before.
type unit struct {
	asked  uint64
	pages  []archive.Page // that can be read, the page itself first, then its alternates in order
	unread []string       // keys of those that cannot
	stray  []string       // keys of pages that belong elsewhere
	from   uint64         // where what may hold the same messages begins
	inside bool           // others were asked for within the stretch of these
	broken bool           // the page before does not end where these begin
}

// readUnit reads the page asked for at a seq and its alternates.
func readUnit(ctx context.Context, objects store.ObjectReader, corp string, asked uint64, log *slog.Logger) (*unit, error) {
	u := &unit{asked: asked, from: asked}
	// One listing: it goes on to what was asked for within the stretch.
	for info, err := range objects.List(ctx, archive.PagesPrefix, archive.PageStem(asked)) {
		if err != nil {
			return nil, fmt.Errorf("listing the pages from %d on: %w", asked, err)
		}
		of, _, ok := archive.ParseAnyPageKey(info.Key)
		if !ok {
			continue
		}
		if of != asked {
			u.inside = of < u.end()
			break
		}
		page, err := readPage(ctx, objects, corp, info.Key)
		switch {
		case errors.Is(err, errBelongsElsewhere):
			log.Error("a page belongs under another key", "key", info.Key, "error", err)
			u.stray = append(u.stray, info.Key)
		case errors.Is(err, store.ErrDamaged):
			log.Error("a page cannot be read", "key", info.Key, "error", err)
			u.unread = append(u.unread, info.Key)
		case err != nil:
			return nil, err
		default:
			u.pages = append(u.pages, page)
		}
	}
	slices.SortFunc(u.pages, func(a, b archive.Page) int { return cmp.Compare(a.Header.Alternate, b.Header.Alternate) })
	return u, nil
}

// errBelongsElsewhere comes with ErrDamaged: a page whose header is whole and names
// another place.
var errBelongsElsewhere = errors.New("its header names another page")

// readPage reads a page or an alternate, which must be what its key says.
func readPage(ctx context.Context, objects store.ObjectReader, corp, key string) (archive.Page, error) {
	stored, err := store.ReadObject(ctx, objects, key)
	if err != nil {
		return archive.Page{}, err
	}
	h, err := archive.DecodePageHeader(stored)
	if err != nil {
		return archive.Page{}, fmt.Errorf("%s: %w", key, err)
	}
	if h.Key() != key || h.Corp != corp {
		return archive.Page{}, fmt.Errorf("%s: its header says %s of corp %s, not of %s: %w: %w", key, h.Key(), h.Corp, corp, errBelongsElsewhere, store.ErrDamaged)
	}
	page, err := archive.DecodePage(stored)
	if err != nil {
		return archive.Page{}, fmt.Errorf("%s: %w", key, err)
	}
	if _, err := archive.ParseStored(page); err != nil {
		return archive.Page{}, fmt.Errorf("%s: %w: %w", key, store.ErrDamaged, err)
	}
	return page, nil
}

// CanRead says whether a page can be read, to its last envelope.
func CanRead(ctx context.Context, objects store.ObjectReader, corp, key string) (bool, error) {
	_, err := readPage(ctx, objects, corp, key)
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// end is where the stretch of the unit ends.
func (u *unit) end() (end uint64) {
	for _, p := range u.pages {
		end = max(end, p.Header.End())
	}
	return end
}

// shared says whether others may have stored messages of these pages.
func (u *unit) shared() bool {
	return u.inside || u.broken || len(u.pages) > 0 && u.pages[len(u.pages)-1].Header.Alternate > 0
}

// headers are those of the pages that can be read.
func (u *unit) headers() []archive.PageHeader {
	headers := make([]archive.PageHeader, len(u.pages))
	for i, p := range u.pages {
		headers[i] = p.Header
	}
	return headers
}

// stemOf is the day of the segment that pages asked for at one seq share: that which
// their alternates name, the lowest first, and else the day of the page.
func stemOf(headers []archive.PageHeader) string {
	for _, h := range headers {
		if h.Alternate > 0 {
			return h.Stem
		}
	}
	return archive.Day(headers[0].PulledAt)
}

// byStem groups pages by the segment that their rows belong to: one, unless two wrote
// alternates that did not know of each other.
func byStem(headers []archive.PageHeader) (groups [][]archive.PageHeader) {
	if len(headers) == 0 {
		return nil
	}
	at := map[string]int{}
	plain := stemOf(headers)
	for _, h := range headers {
		stem := cmp.Or(h.Stem, plain)
		if _, ok := at[stem]; !ok {
			at[stem] = len(groups)
			groups = append(groups, nil)
		}
		groups[at[stem]] = append(groups[at[stem]], h)
	}
	return groups
}
