package native

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"wecom-archive/shared/clock"

	"github.com/cenkalti/backoff/v5"
)

// Pool is WeCom's library in child processes. It is safe for concurrent use; as
// many calls are at work at a time as it has children, the others wait.
type Pool struct {
	config Config
	free   chan *Slot
	once   sync.Once
	closed chan struct{}
}

// Open starts the first child, so that a library that cannot be used shows here:
// then the error is a *LoadError. The other children start when they are needed.
//
// The program's main must run the Host of the mode. Open makes the memory of the calling
// process unreadable for other processes of its user, for good.
func Open(ctx context.Context, c Config) (*Pool, error) {
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	if err := hide(); err != nil {
		return nil, err
	}
	p := &Pool{config: c, free: make(chan *Slot, c.Children), closed: make(chan struct{})}
	for range c.Children {
		p.free <- newSlot(p)
	}
	s, err := p.Borrow(ctx)
	if err != nil {
		return nil, err
	}
	_, err = s.ready(ctx, true)
	s.Return()
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close ends the children after the calls that are at work. Later calls fail with
// ErrClosed.
func (p *Pool) Close() error {
	p.once.Do(func() {
		close(p.closed)
		for range cap(p.free) {
			(<-p.free).end()
		}
	})
	return nil
}

// Borrow takes the place of one child, waiting for it if need be. It goes back with
// Return.
func (p *Pool) Borrow(ctx context.Context) (*Slot, error) {
	select { // a closed pool first
	case <-p.closed:
		return nil, ErrClosed
	default:
	}
	select {
	case s := <-p.free:
		return s, nil
	case <-p.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for WeCom's library: %w", ctx.Err())
	}
}

// Call is one call of the library.
type Call struct {
	Op      string
	Timeout time.Duration
	Rest    bool // before a child that died is replaced, the longer the more died in a row
	Kind    Kind // of the request
	Ask     func(*Writer)
	// Read reads the answer; next is a frame of it, which must be of this kind. That
	// it makes no sense is ErrReply, and ends the child; another error of Read's is
	// about the call, and leaves the child in order.
	Read func(next func(want Kind) (*Fields, error)) error
}

// Call has a child make a call, starting one if there is none. The error is a *Death
// if the child died of it, else about starting one, or what Read returned.
func (s *Slot) Call(ctx context.Context, call Call) error {
	c, err := s.ready(ctx, call.Rest)
	if err != nil {
		return fmt.Errorf("%s: %w", call.Op, err)
	}
	c.frame.start(call.Kind)
	call.Ask(&c.frame)
	frame, err := c.frame.finish()
	if err != nil {
		return fmt.Errorf("%s: %w", call.Op, err)
	}
	var refused error
	err = c.call(ctx, call.Op, call.Timeout, frame, func() error {
		broken := false // what the child said, not what it means
		err := call.Read(func(want Kind) (*Fields, error) {
			f, err := c.next(want)
			broken = broken || err != nil
			return f, err
		})
		if broken || errors.Is(err, ErrReply) {
			return err
		}
		refused = err
		return nil
	})
	s.done(err)
	return errors.Join(err, refused)
}

// Slot is the place of one child, which whoever borrowed the slot uses.
type Slot struct {
	pool   *Pool
	config *Config
	child  *child // nil: none was started, or the last one is gone
	pause  *backoff.ExponentialBackOff
	wait   time.Duration // before the next start; 0: none
}

func newSlot(p *Pool) *Slot {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 10*time.Second
	return &Slot{pool: p, config: &p.config, pause: pause}
}

// Return gives the slot back to its pool.
func (s *Slot) Return() { s.pool.free <- s }

// maxStarts is how often a child is started in a row before a call fails.
const maxStarts = 4

// ready returns a child that runs, starting one if there is none. With rest, it
// waits before it replaces one that died, the longer the more died in a row.
func (s *Slot) ready(ctx context.Context, rest bool) (*child, error) {
	if s.child != nil && !s.child.dead() {
		return s.child, nil
	}
	s.drop()
	for try := 1; ; try++ {
		if rest || try > 1 {
			if err := clock.Sleep(ctx, s.wait); err != nil {
				return nil, fmt.Errorf("starting WeCom's library: %w", err)
			}
		}
		c, err := startChild(ctx, s.config)
		if err == nil {
			s.child = c
			return c, nil
		}
		if load := (*LoadError)(nil); errors.As(err, &load) || ctx.Err() != nil {
			return nil, err
		}
		s.config.Log.Error("a process for WeCom's library cannot be started", "try", try, "error", err)
		s.wait = s.pause.NextBackOff()
		if try == maxStarts {
			return nil, fmt.Errorf("gave up after %d tries: %w", try, err)
		}
	}
}

// done notes how a call of the child ended, and replaces one that has grown.
func (s *Slot) done(err error) {
	var death *Death
	switch {
	case err == nil:
		s.wait = 0
		s.pause.Reset()
	case errors.As(err, &death):
		s.wait = s.pause.NextBackOff()
		s.config.Log.Error("a process of WeCom's library died", "op", death.Op, "pid", death.PID,
			"signal", int(death.Signal), "status", death.Status, "cause", string(death.Cause))
		if s.config.OnDeath != nil {
			s.config.OnDeath(*death)
		}
	}
	if s.child.dead() {
		s.drop()
		return
	}
	if now := s.child.resident(); now > s.config.MaxResident {
		s.config.Log.Info("a process of WeCom's library is replaced, since it has grown", "bytes", now, "limit", s.config.MaxResident)
		s.end()
	}
}

// drop forgets a child that is dead.
func (s *Slot) drop() {
	if s.child != nil {
		s.child.discard()
		s.child = nil
	}
}

// end ends the child in order.
func (s *Slot) end() {
	if s.child != nil {
		s.child.close()
		s.child = nil
	}
}
