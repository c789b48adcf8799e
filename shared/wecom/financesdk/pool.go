package financesdk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"wecom-archive/shared/clock"
	"wecom-archive/shared/wecom"
)

// Pool is WeCom's library in child processes. It is safe for concurrent use; as
// many calls are at work at a time as it has children, the others wait.
type Pool struct {
	config Config
	free   chan *slot
	once   sync.Once
	closed chan struct{}
}

// Open starts the first child, so that a library that cannot be used shows here:
// then the error is a *LoadError. The other children start when they are needed.
//
// The program's main must call RunHost. Open makes the memory of the calling
// process unreadable for other processes of its user, for good.
func Open(ctx context.Context, c Config) (*Pool, error) {
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	if err := hide(); err != nil {
		return nil, err
	}
	p := &Pool{config: c, free: make(chan *slot, c.Children), closed: make(chan struct{})}
	for range c.Children {
		p.free <- newSlot(&p.config)
	}
	s, err := p.borrow(ctx)
	if err != nil {
		return nil, err
	}
	_, err = s.ready(ctx, true)
	p.free <- s
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

func (p *Pool) borrow(ctx context.Context) (*slot, error) {
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

// GetChatData returns the reply to "at most limit messages after seq", as it came.
// The error is a *wecom.Error if the library refused, or a *Death; a refusal by
// WeCom is in the reply, as errcode, for the caller to find.
func (p *Pool) GetChatData(ctx context.Context, seq uint64, limit int) (reply []byte, err error) {
	const op = "GetChatData"
	if p.config.Corp == "" {
		return nil, fmt.Errorf("%s: %w", op, ErrNoHandle)
	}
	if limit < 0 || limit > math.MaxInt32 {
		return nil, wecom.NewSDKError(op, 10000)
	}
	err = p.fetch(ctx, op, func(c *child) ([]byte, error) { return c.frame.chats(seq, uint32(limit)) }, kindResult, func(body []byte) error {
		code, content, err := result(body)
		if err == nil && code != 0 {
			return wecom.NewSDKError(op, int(code))
		}
		reply = content
		return err
	})
	return reply, err
}

// GetMediaData fetches a part of a file. The first index is empty, those that
// follow are the Next of the part before. Parts of a file are fetched one after
// the other; one that failed can be fetched again. The error is a *wecom.Error if
// the library refused (10003: try again; 10010: the file is gone), or a *Death.
func (p *Pool) GetMediaData(ctx context.Context, fileID, index string) (s wecom.MediaSlice, err error) {
	const op = "GetMediaData"
	if p.config.Corp == "" {
		return s, fmt.Errorf("%s: %w", op, ErrNoHandle)
	}
	if err := noNUL(fileID, index); err != nil {
		return s, fmt.Errorf("%s: %w", op, err)
	}
	err = p.fetch(ctx, op, func(c *child) ([]byte, error) { return c.frame.media(index, fileID) }, kindMediaSlice, func(body []byte) error {
		code, got, err := mediaSlice(body)
		if err == nil && code != 0 {
			return wecom.NewSDKError(op, int(code))
		}
		s = got
		return err
	})
	return s, err
}

// fetch makes a call that goes over the network.
func (p *Pool) fetch(ctx context.Context, op string, ask func(*child) ([]byte, error), answer kind, read func(body []byte) error) error {
	s, err := p.borrow(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	defer func() { p.free <- s }()
	c, err := s.ready(ctx, true)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	frame, err := ask(c)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	var refused error // by the library: the child is in order
	err = c.call(ctx, op, networkDeadline(p.config.NetworkTimeout), frame, func() error {
		body, err := c.next(answer)
		if err != nil {
			return err
		}
		if err := read(body); errors.Is(err, ErrReply) {
			return err
		} else {
			refused = err
		}
		return nil
	})
	s.done(err)
	return errors.Join(err, refused)
}

// networkDeadline is when a call is taken to hang. The library's timeout is for
// one connection; it may need a second one, for its access token.
func networkDeadline(timeout time.Duration) time.Duration { return 2*timeout + 10*time.Second }

// slot is the place of one child, which whoever borrowed the slot uses.
type slot struct {
	config *Config
	child  *child // nil: none was started, or the last one is gone
	pause  *backoff.ExponentialBackOff
	wait   time.Duration // before the next start; 0: none
}

func newSlot(c *Config) *slot {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 10*time.Second
	return &slot{config: c, pause: pause}
}

// maxStarts is how often a child is started in a row before a call fails.
const maxStarts = 4

// ready returns a child that runs, starting one if there is none. With rest, it
// waits before it replaces one that died, the longer the more died in a row.
func (s *slot) ready(ctx context.Context, rest bool) (*child, error) {
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
func (s *slot) done(err error) {
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
func (s *slot) drop() {
	if s.child != nil {
		s.child.discard()
		s.child = nil
	}
}

// end ends the child in order.
func (s *slot) end() {
	if s.child != nil {
		s.child.close()
		s.child = nil
	}
}
