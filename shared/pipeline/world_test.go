package pipeline_test

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
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/capture"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/damage"
	"wecom-archive/shared/decode"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/reading"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom/wecomtest"
)

const (
	corpID = "ww5117a9e0c0ffee01"
	secret = "s3cr3t-of-the-archive-0123456789abcdef"
)

// start is early in a UTC day, so that a test's pages have one pull day.
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

// rsaKeys are made once: they take longest.
var rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 3)
	for i := range keys {
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return keys
})

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
	chats   capture.Chats
	objects *storetest.Objects
	index   *storetest.Index
	derived *storetest.Derived
	faults  *storetest.Faults
	limit   int // of the puller
	log     *slog.Logger
	runs    int
	drop    int          // lose one in so many created-events; 0: none
	newest  reading.Func // parser of the API; nil: the program's
}

// newWorld has a corp that said so many messages in the last days, with some that
// cannot be read, under two versions of keys. All its keys are ours.
func newWorld(t *testing.T, messages, limit int, change func(*wecomtest.Config)) *world {
	t.Helper()
	w := &world{
		clock: &clock{now: start}, objects: storetest.NewObjects(), index: storetest.NewIndex(), derived: storetest.NewDerived(),
		faults: storetest.NewFaults(), limit: limit, log: slog.New(slog.DiscardHandler),
	}
	config := wecomtest.Config{
		Corp: corpID, Secret: secret, Seed: 7, Unreadable: 7, KeyChanges: []int{messages / 2},
		Extents: []wecomtest.Extent{{Count: messages, From: start.Add(-72 * time.Hour), To: start.Add(-time.Hour)}},
		Now:     w.Now, Unmetered: true,
	}
	if change != nil {
		change(&config)
	}
	corp, err := wecomtest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	w.corp, w.chats = corp, corp.NewClient(corpID, secret)
	for i, key := range rsaKeys()[:2] {
		w.addKey(t, fmt.Sprintf("key-%d", i+1), key)
		if _, err := corp.UploadKey(&key.PublicKey); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// addKey imports a private key.
func (w *world) addKey(t *testing.T, id string, key *rsa.PrivateKey) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	ring := keyring.New(keyring.Config{Corp: corpID, Objects: w.objects, Port: openPort{}, Keys: catalog.New(w.index).Keys, Now: w.Now})
	if _, err := ring.Import(t.Context(), id, text); err != nil {
		t.Fatal(err)
	}
	w.advance(time.Second) // keys are tried in the order of their making
}

// copy is the same world with a bucket and an index of its own.
func (w *world) copy(t *testing.T) *world {
	t.Helper()
	c := *w
	c.clock = &clock{now: w.Now()}
	c.objects, c.index, c.faults = storetest.NewObjects(), storetest.NewIndex(), storetest.NewFaults()
	for info, err := range w.objects.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := store.ReadObject(t.Context(), w.objects, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.objects.PutIfAbsent(t.Context(), info.Key, bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.index.Put(t.Context(), w.index.All()...); err != nil {
		t.Fatal(err)
	}
	return &c
}

// process is one life of the program: puller, queue and archiver in one process,
// on ports that crash together. Its queue dies with it.
type process struct {
	*world
	queue    *queue
	catalog  *catalog.Catalog
	puller   *capture.Puller
	archiver *decode.Archiver
}

// boot starts the program. change, if not nil, changes its archiver.
func (w *world) boot(change func(*decode.Config)) *process {
	p := &process{world: w, queue: &queue{}, catalog: catalog.New(w.faults.Index(w.index))}
	var notifier store.Notifier = p.queue
	if w.drop > 0 {
		notifier = storetest.Dropping(p.queue, w.drop)
	}
	// The store sends the event, whatever becomes of who put the object.
	objects := w.faults.Objects(announcing{w.objects, notifier})
	book := damage.New(objects, p.catalog.Table, corpID, w.Now)
	p.puller = capture.New(capture.Config{
		Corp: corpID, Objects: objects, Lock: w.faults.Lock(w.objects), Pages: p.catalog.Pages, Journal: p.catalog.Journal, Keys: p.catalog.Keys, Holes: p.catalog.Journal, Findings: book, Queue: w.faults.Notifier(notifier), Chats: w.chats, Seats: w.corp,
		Now: w.Now, Sleep: w.Sleep, Owner: "puller", Log: w.log, Limit: w.limit, Program: "test", SDKVersion: "simulator",
		NewID: func() string { w.runs++; return fmt.Sprintf("run%06d", w.runs) },
	})
	ring := keyring.New(keyring.Config{Corp: corpID, Objects: objects, Port: openPort{}, Keys: p.catalog.Keys, Now: w.Now})
	config := decode.Config{
		Corp: corpID, Program: "test", Objects: objects, Lock: w.faults.Lock(w.objects), Derived: w.faults.Derived(w.derived), Keys: ring,
		Conversations: p.catalog.Conversations, People: p.catalog.People, Consents: p.catalog.Consents,
		Media: p.catalog.Media, Pages: p.catalog.Pages, Holes: p.catalog.Journal, Findings: book,
		Library: wecomtest.Library{}, Now: w.Now, Log: w.log, Workers: 2,
	}
	if change != nil {
		change(&config)
	}
	p.archiver = decode.New(config)
	return p
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
		_ = a.queue.Notify(ctx, key) // a lost event fails no put
	}
	return nil
}

// queue is a queue in memory.
type queue struct {
	mu   sync.Mutex
	keys []string
}

func (q *queue) Notify(ctx context.Context, keys ...string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.keys = append(q.keys, keys...)
	return ctx.Err()
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

// errUnfinished says that the queue lost some work, which is not yet queued again.
var errUnfinished = errors.New("pages are waiting")

// once pulls once and archives what is queued.
func (p *process) once(ctx context.Context) error {
	_, pullErr := p.puller.Run(ctx)
	if errors.Is(pullErr, storetest.ErrCrashed) {
		return pullErr
	}
	for key, ok := p.queue.take(); ok; key, ok = p.queue.take() {
		err := p.archiver.Handle(ctx, key)
		if errors.Is(err, storetest.ErrCrashed) {
			return err
		}
		if err != nil {
			pullErr = errors.Join(pullErr, err) // its message is lost; requeue will find it
		}
	}
	if pullErr != nil {
		return pullErr
	}
	pending, err := p.catalog.Pages.PendingPages(ctx, 0, 1)
	if err == nil && len(pending) > 0 {
		err = errUnfinished
	}
	return err
}

// finish runs until everything is archived, an hour and a bit apart. It stops at
// a crash, and at any error that stays.
func (p *process) finish(ctx context.Context) error {
	var err error
	for range 12 {
		if err = p.once(ctx); err == nil || errors.Is(err, storetest.ErrCrashed) {
			return err
		}
		p.advance(61 * time.Minute)
	}
	return err
}

// mustFinish is finish for a world without faults.
func (p *process) mustFinish(t *testing.T) {
	t.Helper()
	if err := p.finish(t.Context()); err != nil {
		t.Fatalf("running to the end: %v", err)
	}
}
