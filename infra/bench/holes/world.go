package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/rebuild"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom/wecomtest"
)

const (
	corpID = "ww5117a9e0c0ffee01"
	secret = "s3cr3t-of-the-archive-0123456789abcdef"
)

// start is when the company begins to archive.
var start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

// clock stands still unless somebody sleeps on it or moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.advance(d)
	return ctx.Err()
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// openPort is a keyring port that wraps nothing.
type openPort struct{ store.Keyring }

func (openPort) Wrap(_ context.Context, _ store.KeyContext, pkcs8 []byte) ([]byte, error) {
	return pkcs8, nil
}

func (openPort) Unwrap(_ context.Context, _ store.KeyContext, wrapped []byte) ([]byte, error) {
	return wrapped, nil
}

// world is what outlives a process: the corp, the bucket, the index, the clock.
type world struct {
	*clock
	corp    *wecomtest.Corp
	objects *storetest.Objects
	index   *storetest.Index
	queue   *queue
	limit   int
	log     *slog.Logger
	runs    *runs
}

type runs struct {
	mu sync.Mutex
	n  int
}

func (r *runs) next() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	return fmt.Sprintf("run%06d", r.n)
}

var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// newWorld has a company that says so many messages in so many days.
func newWorld(ctx context.Context, seed uint64, messages, limit, unreadable int, days time.Duration) (*world, error) {
	w := &world{
		clock: &clock{now: start}, objects: storetest.NewObjects(), index: storetest.NewIndex(),
		queue: &queue{}, limit: limit, log: logger(), runs: &runs{},
	}
	var err error
	w.corp, err = wecomtest.New(wecomtest.Config{
		Corp: corpID, Secret: secret, Seed: seed, Unreadable: unreadable, KeyChanges: []int{},
		Extents: []wecomtest.Extent{{Count: messages, From: start.Add(time.Hour), To: start.Add(days)}},
		Now:     w.Now, Unmetered: true,
	})
	if err != nil {
		return nil, err
	}
	key, err := rsaKey()
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	ring := keyring.New(keyring.Config{Corp: corpID, Objects: w.objects, Port: openPort{}, Keys: catalog.New(w.index).Keys, Now: w.Now})
	if _, err := ring.Import(ctx, "key", text); err != nil {
		return nil, err
	}
	_, err = w.corp.UploadKey(&key.PublicKey)
	return w, err
}

// process is one life of puller and archiver.
type process struct {
	*world
	catalog  *catalog.Catalog
	puller   *capture.Puller
	archiver *decode.Archiver
}

func (w *world) boot(owner string) *process {
	p := &process{world: w, catalog: catalog.New(w.index)}
	objects := announcing{w.objects, w.queue}
	book := damage.New(objects, p.catalog.Table, corpID, w.Now)
	p.puller = capture.New(capture.Config{
		Corp: corpID, Objects: objects, Lock: w.objects, Pages: p.catalog.Pages, Journal: p.catalog.Journal, Keys: p.catalog.Keys,
		Holes: p.catalog.Journal, Findings: book, Queue: w.queue, Chats: w.corp.NewClient(corpID, secret), Seats: w.corp,
		Now: w.Now, Sleep: w.Sleep, Owner: owner, Log: w.log, Limit: w.limit, Program: "holes", SDKVersion: "simulator", NewID: w.runs.next,
	})
	ring := keyring.New(keyring.Config{Corp: corpID, Objects: objects, Port: openPort{}, Keys: p.catalog.Keys, Now: w.Now})
	p.archiver = decode.New(decode.Config{
		Corp: corpID, Program: "holes", Objects: objects, Lock: w.objects, Keys: ring,
		Conversations: p.catalog.Conversations, People: p.catalog.People, Consents: p.catalog.Consents,
		Media: p.catalog.Media, Pages: p.catalog.Pages, Holes: p.catalog.Journal, Findings: book,
		Library: wecomtest.Library{}, Now: w.Now, Log: w.log, Workers: 2,
	})
	return p
}

func (w *world) reindex(ctx context.Context, drop bool) (rebuild.Report, error) {
	return rebuild.NewReindexer(rebuild.Config{
		Corp: corpID, Objects: w.objects, Versions: w.objects, Catalog: catalog.New(w.index),
		Dropper: w.index, Queue: w.queue, Now: w.Now, Log: w.log, Parallel: 2,
	}).Run(ctx, drop)
}

// announcing tells a queue of each new page.
type announcing struct {
	store.Objects
	queue store.Notifier
}

func (a announcing) PutIfAbsent(ctx context.Context, key string, body io.ReadSeeker) error {
	if err := a.Objects.PutIfAbsent(ctx, key, body); err != nil {
		return err
	}
	if _, _, ok := archive.ParseAnyPageKey(key); ok {
		_ = a.queue.Notify(ctx, key)
	}
	return nil
}

// queue is a queue in memory.
type queue struct {
	mu   sync.Mutex
	keys []string
}

func (q *queue) Notify(_ context.Context, keys ...string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.keys = append(q.keys, keys...)
	return nil
}

func (q *queue) take() (key string, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.keys) == 0 {
		return "", false
	}
	key, q.keys = q.keys[0], q.keys[1:]
	return key, true
}

// work pulls once and archives what is queued, with so many pullers and archivers at once.
func (w *world) work(ctx context.Context, at int) error {
	var group sync.WaitGroup
	errs := make([]error, at)
	for i := range at {
		group.Go(func() {
			_, err := w.boot(fmt.Sprint("puller", i)).puller.Run(ctx)
			var held *catalog.LeaseHeldError
			if !errors.As(err, &held) {
				errs[i] = err
			}
		})
	}
	group.Wait()
	p := w.boot("archivers")
	for {
		key, ok := w.queue.take()
		if !ok {
			return errors.Join(errs...)
		}
		handled := make([]error, at)
		for i := range at {
			group.Go(func() { handled[i] = p.archiver.Handle(ctx, key) })
		}
		group.Wait()
		errs = append(errs, handled...)
	}
}

// copy is the same world with a bucket and an index of its own, without objects that lose
// says, and with others changed. It has no index if that is lost.
func (w *world) copy(ctx context.Context, change func(key string, body []byte) []byte) (*world, error) {
	c := *w
	c.objects, c.index, c.queue, c.runs = storetest.NewObjects(), storetest.NewIndex(), &queue{}, &runs{n: 1000 * (w.runs.n/1000 + 1)}
	for info, err := range w.objects.List(ctx, "", "") {
		if err != nil {
			return nil, err
		}
		body, err := store.ReadObject(ctx, w.objects, info.Key)
		if err != nil {
			return nil, err
		}
		if body = change(info.Key, bytes.Clone(body)); body == nil {
			continue
		}
		if err := c.objects.PutIfAbsent(ctx, info.Key, bytes.NewReader(body)); err != nil {
			return nil, err
		}
	}
	return &c, c.index.Put(ctx, w.index.All()...)
}

// logger writes what the stages say if HOLES_LOG is set.
func logger() *slog.Logger {
	if os.Getenv("HOLES_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}
