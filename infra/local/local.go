// Package local runs the whole system in one process on one machine: a simulated
// corp, objects as plain files, an index in SQLite, and the stages that run as
// Lambdas in the cloud, connected by the same events. It is what `wecom-archive local`
// starts, for demonstrations, development and tests; no Lambda imports it.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/clock"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/directory"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/localstore"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/mediatype"
	"wecom-archive/shared/store"
	"wecom-archive/shared/timeid"
	"wecom-archive/shared/wecom/wecomtest"
)

// The simulated corp.
const (
	corpID   = "ww5117a9e0c0ffee01"
	keyCount = 3 // public keys uploaded over time
)

// archiveBucket is the archive bucket's folder in the data folder.
const archiveBucket = "objects"

// unlocked says why nothing locks the archive bucket: who may write in the data
// folder can do everything there.
const unlocked = store.Unlocked("one machine")

// indexFile is the index in the data folder; SQLite keeps two more files beside
// it, with -wal and -shm at the end of their names.
const indexFile = "index.db"

// Config is what the operator chooses on the command line.
type Config struct {
	Dir      string // data folder
	Messages int    // that the simulated corp has said in all
	Limit    int    // most messages per page; 0: 1,000
	Seed     uint64
	Corpus   string // file of plaintext lines to serve instead; empty: made-up messages
	Truth    string // file to write what is served to; empty: none
	SDK      string // native library to pull and decrypt with; empty: the simulator itself
	Program  string // our version
	Log      *slog.Logger
	Now      func() time.Time

	// FetchMedia has files fetched from the simulated corp, Media from elsewhere; none
	// are fetched without. SpoolLimit bounds, in bytes, those that are under way; 0: as
	// the stage does. Sniff tells the type of one by its first bytes; nil:
	// mediatype.Sniff.
	FetchMedia bool
	Media      mediafetch.Library
	SpoolLimit int64
	Sniff      func(head []byte) string
}

// System is the running system.
type System struct {
	Config
	Objects store.Objects
	Lock    store.Lock // of Objects
	Derived store.Derived
	Catalog *catalog.Catalog
	Corp    *wecomtest.Corp // nil in an archive that OpenArchive opened

	// For the operator's commands.
	Versions store.Versions // of Objects
	Dropper  store.Dropper  // of Catalog
	Ring     *keyring.Ring
	Secrets  store.Secrets

	// EmptyLines is how many lines of the corpus file are not served.
	EmptyLines int

	queue      *localstore.Queue // of pages
	mediaQueue *localstore.Queue // of job lists
	puller     *capture.Puller
	archiver   *decode.Archiver
	media      *mediafetch.Stage // nil: files are not fetched
	directory  *directory.Stage
	learning   sync.Mutex // held by who runs it
	closers    []func() error

	wake chan struct{} // somebody asks for a pull at once

	pulledAll atomic.Bool // a run reached the end after the last message had arrived
}

// Open starts everything that Run needs. Two processes cannot open the same
// folder.
func Open(ctx context.Context, c Config) (_ *System, err error) {
	s := &System{Config: c, wake: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(s.withRemedy(err), s.Close())
		}
	}()
	if err := s.openFolder(ctx); err != nil {
		return nil, err
	}
	if err := s.openCorp(ctx); err != nil {
		return nil, err
	}
	if err := s.openStages(ctx); err != nil {
		return nil, err
	}
	return s, s.writeTruth(ctx)
}

// openFolder takes the folder for this process and opens what lies in it.
func (s *System) openFolder(ctx context.Context) (err error) {
	if err := localstore.CheckFolder(s.Dir); err != nil {
		return err
	}
	if err := s.checkFiles(); err != nil {
		return err
	}
	if err := makeFolder(s.Dir); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	unlock, err := lockFolder(filepath.Join(s.Dir, "lock"))
	if err != nil {
		return fmt.Errorf("--dir %s: %w", s.Dir, err)
	}
	s.closers = append(s.closers, unlock)
	if err := s.openStores(ctx); err != nil {
		return err
	}
	return s.openRing(ctx)
}

// Close stops everything, last started first.
func (s *System) Close() error {
	var errs []error
	for len(s.closers) > 0 {
		last := len(s.closers) - 1
		errs = append(errs, s.closers[last]())
		s.closers = s.closers[:last]
	}
	return errors.Join(errs...)
}

func (s *System) openStores(ctx context.Context) error {
	folder, err := localstore.OpenFolder(ctx, s.Dir)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, folder.Close)
	index, err := localstore.OpenIndex(ctx, filepath.Join(s.Dir, indexFile))
	if err != nil {
		return err
	}
	s.closers = append(s.closers, index.Close)
	s.Catalog = catalog.New(index)
	s.queue = localstore.NewQueue(localstore.QueueConfig{RetryAfter: 2 * time.Second, MaxReceives: maxReceives})
	s.mediaQueue = localstore.NewQueue(localstore.QueueConfig{RetryAfter: 2 * time.Second, MaxReceives: maxReceives})
	s.Derived = localstore.AnnouncingDerived(
		folder.Derived(),
		localstore.ByPrefix(map[string]store.Notifier{archive.FetchPrefix: s.mediaQueue}),
	)
	s.Versions, s.Lock, s.Dropper = folder.Objects(), unlocked, index
	s.Objects = localstore.Announcing(
		folder.Objects(),
		localstore.ByPrefix(map[string]store.Notifier{archive.PagesPrefix: s.queue}),
	)
	return nil
}

// openCorp makes the corp and does what the operator does in its console: keys
// are made, and their public halves uploaded.
func (s *System) openCorp(ctx context.Context) error {
	config := wecomtest.Config{Corp: corpID, Now: s.Now}
	messages := s.Messages
	if s.Corpus != "" {
		corpus, err := wecomtest.OpenCorpus(s.Corpus)
		if err != nil {
			return fmt.Errorf("--corpus: %w", err)
		}
		s.closers = append(s.closers, corpus.Close)
		config.Corpus, messages, s.EmptyLines = corpus, corpus.Len(), corpus.Empty()
	}
	var sum string
	if s.Corpus != "" {
		var err error
		if sum, err = fileSHA256(s.Corpus); err != nil {
			return fmt.Errorf("--corpus: %w", err)
		}
	}
	if err := s.checkSettings(ctx); err != nil {
		return err
	}
	set, err := loadSettings(s.Dir, s.Seed, messages, sum, s.Now())
	if err != nil {
		return err
	}
	config.Seed, config.Extents, config.Unreadable = set.Seed, set.Extents, set.Unreadable

	if config.Secret, err = s.secret(ctx, store.SecretArchive); err != nil {
		return err
	}
	if config.AppSecret, err = s.secret(ctx, store.SecretCompanion); err != nil {
		return err
	}
	if s.Corp, err = wecomtest.New(config); err != nil {
		return err
	}
	return s.uploadKeys(ctx)
}

// openRing opens what keeps keys and secrets.
func (s *System) openRing(ctx context.Context) error {
	wrapping := filepath.Join(s.Dir, wrappingFile)
	if err := s.checkWrapping(ctx, wrapping); err != nil {
		return err
	}
	port, err := localstore.OpenKeyring(wrapping)
	if err != nil {
		return err
	}
	if err := s.checkKeys(ctx, port, wrapping); err != nil {
		return err
	}
	s.Ring = keyring.New(keyring.Config{Corp: corpID, Objects: s.Objects, Port: port, Keys: s.Catalog.Keys, Now: s.Now, Log: s.Log})
	s.Secrets = localstore.OpenSecrets(filepath.Join(s.Dir, "secrets.json"))
	return nil
}

func (s *System) uploadKeys(ctx context.Context) error {
	for i := range keyCount {
		// The name fixes the order of upload, so a restart gives the same versions.
		id := fmt.Sprintf("local-%d", i+1)
		rec, err := s.Ring.Record(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			rec, err = s.Ring.Create(ctx, id)
		}
		if err != nil {
			return err
		}
		public, err := keyring.ParsePublicPEM([]byte(rec.PublicPEM))
		if err != nil {
			return fmt.Errorf("key %s: %w", id, err)
		}
		if _, err := s.Corp.UploadKey(public); err != nil {
			return fmt.Errorf("key %s: %w", id, err)
		}
	}
	return nil
}

func (s *System) openStages(ctx context.Context) error {
	lib, err := s.openLibrary(ctx)
	if err != nil {
		return err
	}
	s.puller = capture.New(capture.Config{
		Corp: corpID, Objects: s.Objects, Lock: s.Lock, Queue: s.queue,
		Pages: s.Catalog.Pages, Journal: s.Catalog.Journal, Keys: s.Catalog.Keys, Holes: s.Catalog.Journal, Findings: s.findings(),
		Chats: lib.chats, Seats: s.Corp, Limit: s.Limit, Now: s.Now, Sleep: clock.Sleep,
		Owner: "local", NewID: timeid.New, Log: s.Log.With("stage", "puller"),
		Program: s.Program, SDKVersion: lib.version, SDKSHA256: lib.sha256,
	})
	if s.Media == nil && s.FetchMedia {
		s.Media = lib.files
	}
	if s.Sniff == nil {
		s.Sniff = mediatype.Sniff
	}
	if err := s.openMedia(ctx, s.Media); err != nil {
		return err
	}
	if err := s.openDirectory(ctx); err != nil {
		return err
	}
	return s.openArchiver(ctx, lib.opener)
}

// findings is where stages tell what is not as it must be.
func (s *System) findings() *damage.Book {
	return damage.New(s.Objects, s.Catalog.Table, corpID, s.Now)
}

func (s *System) openArchiver(ctx context.Context, opener decode.Library) error {
	s.archiver = decode.New(decode.Config{
		Corp: corpID, Program: s.Program, Objects: s.Objects, Lock: s.Lock, Derived: s.Derived,
		Conversations: s.Catalog.Conversations, People: s.Catalog.People, Consents: s.Catalog.Consents,
		Media: s.Catalog.Media, Pages: s.Catalog.Pages, Holes: s.Catalog.Journal, Findings: s.findings(),
		Keys: s.Ring, Library: opener, Now: s.Now, Log: s.Log.With("stage", "archiver"),
	})
	return s.archiver.Ready(ctx)
}

// writeTruth writes what an archive that missed nothing will hold.
func (s *System) writeTruth(ctx context.Context) error {
	if s.Truth == "" {
		return nil
	}
	if err := replaceFile(s.Truth, func(w io.Writer) error { return s.Corp.WriteTruth(ctx, w) }); err != nil {
		return fmt.Errorf("--truth: %w", err)
	}
	return nil
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, write func(io.Writer) error) error {
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(temp))
	}
	return os.Rename(temp, path)
}
