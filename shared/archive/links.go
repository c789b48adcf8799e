package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"wecom-archive/shared/store"
)

// LinksFormat is the version of the objects below links/.
const LinksFormat = 1

// MediaState says how far a file is.
type MediaState string

// States. Only MediaPending is not stored in links.
const (
	MediaPending MediaState = "pending" // not fetched yet
	MediaStored  MediaState = "stored"
	MediaFailed  MediaState = "failed" // given up; a redrive tries again
	MediaLost    MediaState = "lost"   // WeCom no longer has it; for ever
)

// MediaReason says why a file failed or was lost.
type MediaReason string

// Reasons.
const (
	ReasonExpired     MediaReason = "expired"         // WeCom says that it is gone: 10010, 301048
	ReasonNoFileID    MediaReason = "no_sdkfileid"    // the message names none
	ReasonRefused     MediaReason = "refused"         // WeCom or its library does not take the sdkfileid: 10000, 10005
	ReasonUnreadable  MediaReason = "undecryptable"   // the library cannot decrypt it: 10006
	ReasonUnavailable MediaReason = "unavailable"     // did not come in any of the tries
	ReasonTooLarge    MediaReason = "too_large"       // larger than the space for one file
	ReasonCrash       MediaReason = "library_crash"   // WeCom's library died of it
	ReasonNonsense    MediaReason = "senseless_reply" // slices that do not end, or follow no order
)

// Link is what became of one reference to a file.
type Link struct {
	MediaPlace
	State MediaState `json:"state"`

	// Of a stored file.
	Key         string  `json:"key,omitempty"`    // below media/
	SHA256      string  `json:"sha256,omitempty"` // hex, as the key says
	MD5         string  `json:"md5,omitempty"`    // hex, of the bytes
	Size        int64   `json:"size"`             // bytes
	Type        string  `json:"type,omitempty"`   // media type by the bytes
	MD5Verdict  Verdict `json:"md5_verdict,omitempty"`
	SizeVerdict Verdict `json:"size_verdict,omitempty"`

	// Of one that was lost or failed.
	Reason MediaReason `json:"reason,omitempty"`
	Code   int         `json:"code,omitempty"` // of WeCom's library, if it gave one

	Attempts int       `json:"attempts"` // downloads begun for it
	At       time.Time `json:"at"`       // when that was known
}

// Links is an object below links/: what became of files of a page's messages, as
// far as no object with a lower number says the same. Of several links of a
// reference that with the highest number counts.
type Links struct {
	Format    int       `json:"format"` // LinksFormat
	Corp      string    `json:"corp"`
	SeqAsked  uint64    `json:"seq_asked"` // of the page
	PulledAt  time.Time `json:"pulled_at"` // of the page
	Number    int       `json:"number"`    // of this object among those of the page, from 0
	Program   string    `json:"program"`   // our version
	WrittenAt time.Time `json:"written_at"`
	Links     []Link    `json:"links"`

	SHA256 string `json:"links_sha256"` // of this document; set by PutLinks
}

const linksSeal = `"links_sha256":"`

// Key is where the links are stored.
func (l Links) Key() string { return LinksKey(l.PulledAt, l.SeqAsked, l.Number) }

// PutLinks stores links. ErrExists if the number is taken.
func PutLinks(ctx context.Context, objects store.Objects, l Links) error {
	l.Format, l.SHA256 = LinksFormat, Unsealed
	doc, err := encodeSealed(l, linksSeal)
	if err == nil {
		err = objects.PutIfAbsent(ctx, l.Key(), bytes.NewReader(doc))
	}
	if err != nil {
		return fmt.Errorf("storing %s: %w", l.Key(), err)
	}
	return nil
}

// DecodeLinks reads the stored form of links.
func DecodeLinks(doc []byte) (Links, error) {
	var l Links
	if err := decodeJSON(doc, LinksFormat, &l); err != nil {
		return Links{}, err
	}
	if err := CheckSeal(doc, linksSeal); err != nil {
		return Links{}, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	if _, _, n, ok := ParseLinksKey(l.Key()); !ok || n != l.Number {
		return Links{}, fmt.Errorf("belongs under no key: %w", store.ErrDamaged)
	}
	return l, nil
}

// PageLinks is all that is stored of what became of the files of a page.
type PageLinks struct {
	SeqAsked uint64
	PulledAt time.Time
	Objects  int      // links objects, which is also the next number
	Damaged  []string // keys of those that cannot be read

	latest     map[mediaRef]numbered
	superseded []Link
}

// numbered is a link, and the number of the object that says it.
type numbered struct {
	Link
	number int
}

// ReadPageLinks reads what is stored.
func ReadPageLinks(ctx context.Context, objects store.ObjectReader, pulledAt time.Time, asked uint64) (*PageLinks, error) {
	p := &PageLinks{SeqAsked: asked, PulledAt: pulledAt, latest: map[mediaRef]numbered{}}
	return p, p.Reload(ctx, objects)
}

// Reload reads what was stored since. Names sort as strings, so that -10 comes
// before -2: numbers are read in turn until one is missing.
func (p *PageLinks) Reload(ctx context.Context, objects store.ObjectReader) error {
	stored := map[int]bool{}
	for info, err := range objects.List(ctx, LinksStem(p.PulledAt, p.SeqAsked), "") {
		if err != nil {
			return fmt.Errorf("listing the links of page %d: %w", p.SeqAsked, err)
		}
		if _, asked, n, ok := ParseLinksKey(info.Key); ok && asked == p.SeqAsked {
			stored[n] = true
		}
	}
	for ; stored[p.Objects]; p.Objects++ {
		if err := p.read(ctx, objects, LinksKey(p.PulledAt, p.SeqAsked, p.Objects)); err != nil {
			return err
		}
	}
	return nil
}

func (p *PageLinks) read(ctx context.Context, objects store.ObjectReader, key string) error {
	doc, err := store.ReadObject(ctx, objects, key)
	var links Links
	if err == nil {
		links, err = DecodeLinks(doc)
	}
	if err == nil && links.Key() != key {
		err = fmt.Errorf("belongs at %s: %w", links.Key(), store.ErrDamaged)
	}
	if err != nil {
		if errors.Is(err, store.ErrDamaged) || errors.Is(err, ErrNewFormat) { // what it says can be found out again, or asked for again
			p.Damaged = append(p.Damaged, key)
			return nil
		}
		return fmt.Errorf("reading %s: %w", key, err)
	}
	p.add(links.Links, links.Number)
	return nil
}

func (p *PageLinks) add(links []Link, number int) {
	for _, l := range links {
		if old, ok := p.latest[l.ref()]; ok {
			p.superseded = append(p.superseded, old.Link)
		}
		p.latest[l.ref()] = numbered{l, number}
	}
}

// Add stores links as the page's next object. When somebody else was quicker, what
// that one says is left out. It returns those that were stored.
func (p *PageLinks) Add(ctx context.Context, objects store.Objects, l Links) ([]Link, error) {
	wanted := l.Links
	for {
		l.SeqAsked, l.PulledAt, l.Number = p.SeqAsked, p.PulledAt, p.Objects
		l.Links = nil
		for _, link := range wanted {
			if p.news(link) {
				l.Links = append(l.Links, link)
			}
		}
		if len(l.Links) == 0 {
			return nil, nil
		}
		err := PutLinks(ctx, objects, l)
		if err == nil {
			p.add(l.Links, l.Number)
			p.Objects++
			return l.Links, nil
		}
		before := p.Objects
		if !errors.Is(err, store.ErrExists) {
			return nil, err
		}
		if err := p.Reload(ctx, objects); err != nil {
			return nil, err
		}
		if p.Objects == before {
			return nil, fmt.Errorf("the links object %d of page %d is there, but the listing does not show it", before, p.SeqAsked)
		}
	}
}

// news says whether a link says more than what is stored: a file that failed may
// be lost or come after all, and even a lost one may come.
func (p *PageLinks) news(l Link) bool {
	rank := map[MediaState]int{MediaFailed: 1, MediaLost: 2, MediaStored: 3}
	return rank[l.State] > rank[p.latest[l.ref()].State]
}

// Of returns what became of a reference.
func (p *PageLinks) Of(place MediaPlace) (Link, bool) {
	l, ok := p.latest[place.ref()]
	return l.Link, ok
}

// All returns the links that count.
func (p *PageLinks) All() []Link {
	out := make([]Link, 0, len(p.latest))
	for _, l := range p.latest {
		out = append(out, l.Link)
	}
	return out
}

// Superseded are links that later ones have replaced.
func (p *PageLinks) Superseded() []Link { return p.superseded }

// Since are the links of jobs that objects from a number on say, and all those of
// files that failed.
func (p *PageLinks) Since(number int, jobs []MediaJob) (fresh, failed []Link) {
	for _, job := range jobs {
		l, ok := p.latest[job.ref()]
		if ok && l.number >= number {
			fresh = append(fresh, l.Link)
		}
		if ok && l.State == MediaFailed {
			failed = append(failed, l.Link)
		}
	}
	return fresh, failed
}
