package decrypt

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"wecom-archive/shared/wecom/financesdk/native"
)

// mode of the child processes: see RunHost.
const mode = "decrypt"

// Symbols are the library's functions that decrypting binds.
func Symbols() []string { return slices.Concat(native.Symbols(), ownSymbols()) }

func ownSymbols() []string { return []string{op} }

// Config is what a Pool works with. Path must be set.
type Config struct {
	Path string // of the library

	Children int // at most at a time; default 1. Each keeps one core busy

	Timeout      time.Duration // of a batch; default 5 s. Decryption takes some 10 µs a message
	StartTimeout time.Duration // of a child; see native.Config
	MaxResident  int64         // of a child; see native.Config

	Log     *slog.Logger       // of deaths and replacements; nil: none
	OnDeath func(native.Death) // told of each child that died at work; may be nil
}

// Pool decrypts with WeCom's library, in child processes. It is safe for concurrent
// use; as many calls are at work at a time as it has children, the others wait.
type Pool struct {
	processes *native.Pool
	timeout   time.Duration // of a batch
}

// Open starts the first child, so that a library that cannot be used shows here:
// then the error is a *native.LoadError. The other children start when they are
// needed.
//
// The program's main must call RunHost. Open makes the memory of the calling
// process unreadable for other processes of its user, for good.
func Open(ctx context.Context, c Config) (*Pool, error) {
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	processes, err := native.Open(ctx, native.Config{
		Path: c.Path, Mode: mode, Children: c.Children, StartTimeout: c.StartTimeout, MaxResident: c.MaxResident,
		Log: c.Log, OnDeath: c.OnDeath,
	})
	if err != nil {
		return nil, err
	}
	return &Pool{processes, c.Timeout}, nil
}

// Close ends the children after the calls that are at work. Later calls fail with
// native.ErrClosed.
func (p *Pool) Close() error { return p.processes.Close() }

// Try loads the library in a process of its own, and has it make a harmless call. The
// error is a *native.LoadError if the library cannot be used.
func Try(ctx context.Context, path string) error {
	pool, err := Open(ctx, Config{Path: path})
	if err != nil {
		return err
	}
	return pool.Close()
}
