package scrub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
)

// Checker knows what objects of a corp's archive must be.
type Checker struct {
	Objects store.ObjectReader
	Corp    string

	// Segment reads a segment whole, and says of which page it is (segment.Decode). Nil:
	// segments are not looked at.
	Segment func(stored []byte) (pageKey, corp string, err error)
	// Index is compared with pages and segments. Nil: it is not.
	Index *Index
	// Look reads a record of a look (access.Decode). Nil: they are not looked at.
	Look func(stored []byte) error
}

// Archive is all but files, as far as the Checker can read it.
func (c Checker) Archive() []Part {
	parts := []Part{
		{archive.PagesPrefix, c.page}, {archive.RejectsPrefix, c.reject}, {archive.EventsPrefix, c.event},
		{archive.LinksPrefix, c.links}, {archive.KeysPrefix, c.key}, {archive.DirectoryPrefix, c.names},
	}
	if c.Segment != nil {
		parts = append(parts, Part{archive.SegmentsPrefix, c.segment})
	}
	if c.Look != nil {
		parts = append(parts, Part{archive.AccessPrefix, c.look})
	}
	return parts
}

// Files are the files of messages.
func (c Checker) Files() []Part { return []Part{{archive.MediaPrefix, c.file}} }

func notIts(what string) error { return fmt.Errorf("%s: %w", what, store.ErrDamaged) }

// of checks whose an object is.
func (c Checker) of(corp string) error {
	if corp != c.Corp {
		return notIts("it is of another corp")
	}
	return nil
}

func (c Checker) page(ctx context.Context, key string) error {
	asked, ok := archive.ParsePageKey(key)
	if !ok {
		return ErrStray
	}
	stored, err := store.ReadObject(ctx, c.Objects, key)
	if err != nil {
		return err
	}
	p, err := archive.DecodePage(stored)
	if err == nil && p.Header.SeqAsked != asked {
		err = notIts("its header names another page")
	}
	if err = errors.Join(err, whole(err, c.of(p.Header.Corp))); err != nil {
		return err
	}
	return c.Index.page(ctx, p.Header)
}

// whole is a further error, unless there is one already.
func whole(err, more error) error {
	if err != nil {
		return nil
	}
	return more
}

var rejectName = regexp.MustCompile(`^rejects/\d{20}/[^/]+-\d+\.zst$`)

func (c Checker) reject(ctx context.Context, key string) error {
	if !rejectName.MatchString(key) {
		return ErrStray
	}
	stored, err := store.ReadObject(ctx, c.Objects, key)
	if err != nil {
		return err
	}
	h, _, err := archive.DecodeReject(stored)
	return errors.Join(err, whole(err, c.of(h.Corp)))
}

var eventName = regexp.MustCompile(`^events/dt=\d{4}-\d\d-\d\d/[^/]+\.json$`)

func (c Checker) event(ctx context.Context, key string) error {
	if !eventName.MatchString(key) {
		return ErrStray
	}
	e, err := archive.GetEvent(ctx, c.Objects, key, nil)
	return errors.Join(err, whole(err, c.of(e.Corp)))
}

func (c Checker) links(ctx context.Context, key string) error {
	if _, _, _, ok := archive.ParseLinksKey(key); !ok {
		return ErrStray
	}
	l, err := c.readLinks(ctx, key)
	if err == nil && l.Key() != key {
		err = notIts("its content belongs under another name")
	}
	return errors.Join(err, whole(err, c.of(l.Corp)))
}

func (c Checker) readLinks(ctx context.Context, key string) (archive.Links, error) {
	stored, err := store.ReadObject(ctx, c.Objects, key)
	if err != nil {
		return archive.Links{}, err
	}
	return archive.DecodeLinks(stored)
}

func (c Checker) key(ctx context.Context, key string) error {
	id, ok := archive.ParseKeyRecordKey(key)
	if !ok {
		return ErrStray
	}
	rec, err := archive.GetKeyRecord(ctx, c.Objects, id)
	if err == nil {
		// The private half proves itself when it is unwrapped; nothing here may do that.
		if block, _ := pem.Decode([]byte(rec.PublicPEM)); block == nil || fingerprint(block.Bytes) != rec.Fingerprint {
			err = notIts("its public key is not the one of its fingerprint")
		}
	}
	return errors.Join(err, whole(err, c.of(rec.Corp)))
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func (c Checker) names(ctx context.Context, key string) error {
	if _, ok := archive.ParseDirectoryKey(key); !ok {
		return ErrStray
	}
	p, err := archive.GetDirectoryPart(ctx, c.Objects, key)
	if err == nil && archive.DirectoryKey(p) != key {
		err = notIts("its content belongs under another name")
	}
	return errors.Join(err, whole(err, c.of(p.Corp)))
}

func (c Checker) segment(ctx context.Context, key string) error {
	_, asked, _, ok := archive.ParseSegmentKey(key)
	if !ok {
		return ErrStray
	}
	stored, err := store.ReadObject(ctx, c.Objects, key)
	if err != nil {
		return err
	}
	page, corp, err := c.Segment(stored)
	if of, isPage := archive.ParsePageKey(page); err == nil && isPage && of != asked {
		err = notIts("it is the segment of another page")
	}
	if err = errors.Join(err, whole(err, c.of(corp))); err != nil {
		return err
	}
	return c.Index.segment(ctx, key, asked, stored)
}

func (c Checker) look(ctx context.Context, key string) error {
	if !strings.HasSuffix(key, ".json") {
		return ErrStray
	}
	stored, err := store.ReadObject(ctx, c.Objects, key)
	if err != nil {
		return err
	}
	return c.Look(stored)
}

var fileName = regexp.MustCompile(`^media/\d{4}-\d\d/[0-9a-f]{64}$`)

func (c Checker) file(ctx context.Context, key string) error {
	if !fileName.MatchString(key) {
		return ErrStray
	}
	body, _, err := c.Objects.Get(ctx, key)
	if err != nil {
		return err
	}
	defer body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != path.Base(key) {
		return notIts("its SHA-256 is another one than its name")
	}
	return nil
}

// Pages are what the index says of pages (catalog.Pages).
type Pages interface {
	From(ctx context.Context, from uint64, limit int) ([]catalog.PageState, error)
}

// PagesAndSegments expects the pages that the index knows, and the parts of their
// segments.
func PagesAndSegments(pages Pages) Expected {
	const batch = 500
	return func(ctx context.Context, mine func(string) bool, must func(string) error) error {
		for from := uint64(0); ; {
			states, err := pages.From(ctx, from, batch)
			if err != nil {
				return err
			}
			for _, p := range states {
				keys := []string{archive.PageKey(p.SeqAsked)}
				for part := range p.Parts {
					keys = append(keys, archive.SegmentKey(p.PulledAt, p.SeqAsked, part))
				}
				for _, key := range keys {
					if mine(key) {
						if err := must(key); err != nil {
							return err
						}
					}
				}
			}
			if len(states) < batch {
				return nil
			}
			from = states[len(states)-1].SeqAsked + 1
		}
	}
}

// Removed expects all that anybody ever removed, where that is known: what no other
// object and no index names, as well.
func Removed(versions store.Versions, parts []Part) Expected {
	return func(ctx context.Context, mine func(string) bool, must func(string) error) error {
		for _, p := range parts {
			for v, err := range versions.ListVersions(ctx, p.Prefix, "") {
				if err != nil {
					return fmt.Errorf("listing what was removed: %w", err)
				}
				if v.DeleteMarker && mine(v.Key) {
					if err := must(v.Key); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
}

// PublicKeys are those that the index knows (catalog.Keys).
type PublicKeys interface {
	PublicKeys(ctx context.Context, limit int) ([]archive.PublicKey, error)
}

// KeyRecords expects the records of the keys that the index knows.
func KeyRecords(keys PublicKeys) Expected {
	const most = 1000
	return func(ctx context.Context, mine func(string) bool, must func(string) error) error {
		known, err := keys.PublicKeys(ctx, most)
		if err != nil {
			return err
		}
		for _, k := range known {
			if key := archive.KeyRecordKey(k.ID); mine(key) {
				if err := must(key); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// LinkedFiles expects the files that links name.
func (c Checker) LinkedFiles() Expected {
	return func(ctx context.Context, mine func(string) bool, must func(string) error) error {
		for info, err := range c.Objects.List(ctx, archive.LinksPrefix, "") {
			if err != nil {
				return err
			}
			if !mine(info.Key) {
				continue
			}
			l, err := c.readLinks(ctx, info.Key)
			if errors.Is(err, store.ErrDamaged) || errors.Is(err, archive.ErrNewFormat) {
				continue // the check of links says so
			}
			if err != nil {
				return err
			}
			for _, link := range l.Links {
				if link.State != archive.MediaStored {
					continue
				}
				if err := must(link.Key); err != nil {
					return err
				}
			}
		}
		return nil
	}
}
