package show

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"wecom-archive/shared/access"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/person"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/search"
	"wecom-archive/shared/setup"
	"wecom-archive/shared/store"
	"wecom-archive/shared/transcript"
)

// Config is what is shown, and how.
type Config struct {
	Objects   store.Objects      // archive bucket; required
	Catalog   *catalog.Catalog   // required
	Corp      string             // corpid, in what is recorded of damage
	Derived   store.ObjectReader // derived bucket; required once something is compacted
	Read      reading.Func       // the parser: a message by its seq is read anew if this is newer; nil: reading.Read
	Access    LookRecorder       // required: without it no content is shown
	AskReason bool               // content is shown only to who says why; the look says it, too

	Setup setup.Settings // what operators are shown

	Version    string                                  // of the program, which status judges; empty: it does not
	Compliance func(ctx context.Context) (bool, error) // whether what is stored nobody can take back; nil: no
	Unlocked   store.Unlocked                          // where the archive bucket does without a lock; empty: it locks

	Zone *time.Location // of days of askers who say none; nil: UTC+8

	SearchTime time.Duration // that a search may take for a page; zero: 20 s
	BesideTime time.Duration // and then reading what stands beside its hits; zero: 5 s

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: no log
}

// LookRecorder records a look and returns once that is durable
// (*access.Recorder).
type LookRecorder interface {
	Record(ctx context.Context, l access.Look) error
}

// desk is what all that shows something works with.
type desk struct {
	config Config       // no face gets at what it reads by itself
	parser atomic.Int64 // version of config.Read, once it is known

	transcript *transcript.Reader
	scanner    *search.Scanner
	damage     *damage.Book
}

// Content shows what people said: messages, files, what a search finds. Each of its
// methods that returns some has recorded the look before it returns.
type Content struct {
	*desk
	people *People
}

// People shows who there is: people, rooms, conversations, what they are called, who
// agreed to being archived, who has a seat. None of it is content.
type People struct{ *desk }

// Books shows what the archive knows of itself: health, pages, runs, gaps, incidents,
// keys, how far the setup is. None of it is content.
type Books struct{ *desk }

// Looks shows who looked at content.
type Looks struct{ *desk }

// Show is all that may be seen.
type Show struct {
	*desk

	Content *Content
	People  *People
	Books   *Books
	Looks   *Looks
}

// New shows what c has.
func New(c Config) *Show {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Read == nil {
		c.Read = reading.Read
	}
	if c.Zone == nil {
		c.Zone = DefaultZone
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.SearchTime == 0 {
		c.SearchTime = defaultSearchTime
	}
	if c.BesideTime == 0 {
		c.BesideTime = defaultBesideTime
	}
	compactions := compaction.NewIndex(c.Catalog.Table)
	d := &desk{
		config: c, damage: damage.New(c.Objects, c.Catalog.Table, c.Corp, c.Now), transcript: transcript.New(transcript.Config{
			Objects: c.Objects, Derived: c.Derived,
			Conversations: c.Catalog.Conversations, Pages: c.Catalog.Pages, Compactions: compactions,
		}),
		scanner: search.New(search.Config{
			Objects: c.Objects, Derived: c.Derived, Now: time.Now,
			Conversations: c.Catalog.Conversations, Pages: c.Catalog.Pages, Compactions: compactions,
		}),
	}
	people := &People{d}
	return &Show{desk: d, Content: &Content{d, people}, People: people, Books: &Books{d}, Looks: &Looks{d}}
}

// DefaultZone is where askers are, unless somebody says.
var DefaultZone = time.FixedZone("UTC+8", 8*60*60)

// Zone is that of days where the asker says none.
func (s *Show) Zone() *time.Location { return s.config.Zone }

// Days are those of the zone of who asks.
func (s *desk) Days(ctx context.Context) *time.Location {
	if zone := AskerOf(ctx).Zone; zone != nil {
		return zone
	}
	return s.config.Zone
}

// Who may see what.
var (
	HealthRoles  = []person.Role{person.Reader, person.Auditor, person.Operator}
	ContentRoles = []person.Role{person.Reader, person.Auditor}
)

// KeyRoles may see which keys there are.
var KeyRoles = []person.Role{person.Auditor, person.Operator}
