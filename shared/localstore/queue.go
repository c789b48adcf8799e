package localstore

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"wecom-archive/shared/store"
)

// Queue settings that NewQueue takes for zero values.
const (
	DefaultRetryAfter  = 30 * time.Second
	DefaultMaxReceives = 5
)

// QueueConfig says how a queue treats deliveries that fail.
type QueueConfig struct {
	// RetryAfter is how long a key waits after a failed delivery (the visibility
	// timeout of SQS).
	RetryAfter time.Duration
	// MaxReceives is how often a key is delivered before it becomes a dead letter
	// (maxReceiveCount of SQS).
	MaxReceives int
}

// Queue holds keys to work on, in memory: it takes any number, but each key only
// once. What it holds is lost with the process, as events may be; the puller
// queues again what was left undone. It is safe for concurrent use.
//
// It has no visibility timeout for a worker that vanishes: a worker in the same
// process calls Done, or takes the queue with it.
type Queue struct {
	config QueueConfig
	wake   chan struct{} // a token while waiting is not empty

	mu      sync.Mutex
	letters map[string]*letter
	waiting []string      // keys to deliver now, in order
	undone  int           // letters that are not dead
	idle    chan struct{} // closed while undone is 0
}

// letter is a key that the queue knows.
type letter struct {
	state    state
	receives int
	again    bool // notified while it was being worked on
	err      error
}

type state int

const (
	waiting  state = iota // in Queue.waiting
	inFlight              // delivered, not done
	delayed               // failed, a timer will make it wait again
	dead
)

var _ store.Notifier = (*Queue)(nil)

// NewQueue makes an empty queue.
func NewQueue(config QueueConfig) *Queue {
	if config.RetryAfter == 0 {
		config.RetryAfter = DefaultRetryAfter
	}
	if config.MaxReceives == 0 {
		config.MaxReceives = DefaultMaxReceives
	}
	q := &Queue{config: config, wake: make(chan struct{}, 1), letters: map[string]*letter{}, idle: make(chan struct{})}
	close(q.idle)
	return q
}

// Notify implements store.Notifier. A key that waits already, also for its next
// try, is not queued twice. One that is being worked on is delivered again
// afterwards, since the worker may have looked too early. A dead letter starts
// anew.
func (q *Queue) Notify(ctx context.Context, keys ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, key := range keys {
		switch l := q.letters[key]; {
		case l == nil || l.state == dead:
			if q.undone++; q.undone == 1 {
				q.idle = make(chan struct{})
			}
			q.enqueue(key, &letter{})
		case l.state == inFlight:
			l.again = true
		}
	}
	return nil
}

// enqueue makes a key wait for delivery. The caller holds the lock.
func (q *Queue) enqueue(key string, l *letter) {
	l.state = waiting
	q.letters[key] = l
	q.waiting = append(q.waiting, key)
	q.signal()
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // the token is there
	}
}

// Delivery is one key to work on.
type Delivery struct {
	Key      string
	Receives int // how often it was delivered, this time included

	queue *Queue
	once  sync.Once
}

// Receive waits for a key and hands it out. The receiver must call Done. The
// error is the context's.
func (q *Queue) Receive(ctx context.Context) (*Delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if d := q.take(); d != nil {
			return d, nil
		}
		select {
		case <-ctx.Done():
		case <-q.wake:
		}
	}
}

func (q *Queue) take() *Delivery {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	key := q.waiting[0]
	q.waiting = q.waiting[1:]
	if len(q.waiting) > 0 {
		q.signal() // another receiver may have slept through this one's token
	}
	l := q.letters[key]
	l.state = inFlight
	l.receives++
	return &Delivery{Key: key, Receives: l.receives, queue: q}
}

// Done says how the work ended. After an error the key is delivered again later,
// or becomes a dead letter. Only the first call counts.
func (d *Delivery) Done(err error) {
	d.once.Do(func() { d.queue.done(d.Key, err) })
}

func (q *Queue) done(key string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.letters[key]
	l.err = err
	switch {
	case l.again: // news since this delivery began: it counts as a new message
		q.enqueue(key, &letter{})
		return
	case err == nil:
		delete(q.letters, key)
	case l.receives >= q.config.MaxReceives:
		l.state = dead
	default:
		l.state = delayed
		time.AfterFunc(q.config.RetryAfter, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.enqueue(key, l)
		})
		return
	}
	if q.undone--; q.undone == 0 {
		close(q.idle)
	}
}

// Len is how many keys wait, are worked on or will be tried again.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.undone
}

// Wait returns when nothing waits, is worked on or will be tried again, or with
// the context's error. Dead letters do not count.
func (q *Queue) Wait(ctx context.Context) error {
	q.mu.Lock()
	idle := q.idle
	q.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// DeadLetter is a key that the queue has given up on.
type DeadLetter struct {
	Key      string
	Receives int
	Err      error // of the last delivery
}

// Dead returns the dead letters, ordered by key.
func (q *Queue) Dead() []DeadLetter {
	q.mu.Lock()
	defer q.mu.Unlock()
	var letters []DeadLetter
	for key, l := range q.letters {
		if l.state == dead {
			letters = append(letters, DeadLetter{key, l.receives, l.err})
		}
	}
	slices.SortFunc(letters, func(a, b DeadLetter) int { return strings.Compare(a.Key, b.Key) })
	return letters
}
