package financesdk

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"wecom-archive/shared/wecom/financesdk/native"
)

// mode of the child processes: see RunHost.
const mode = "fetch"

// Symbols are the library's functions that fetching binds.
func Symbols() []string { return slices.Concat(native.Symbols(), handleSymbols(), mediaSymbols()) }

// handleSymbols and mediaSymbols are in the order in which they are bound.
func handleSymbols() []string {
	return []string{"NewSdk", "Init", "GetChatData", "GetMediaData", "DestroySdk"}
}

func mediaSymbols() []string {
	return []string{"NewMediaData", "FreeMediaData", "GetOutIndexBuf", "GetData", "GetIndexLen", "GetDataLen", "IsMediaDataFinish"}
}

// Inspect reads a library file without loading it, and looks for what fetching binds.
func Inspect(path string) (native.Info, error) { return native.Inspect(path, Symbols()...) }

// Config is what a Pool works with. Path, Corp and Secret must be set.
type Config struct {
	Path string // of the library

	Corp   string // corpid
	Secret string // the archive's own secret

	Proxy         string // as http://host:port or socks5://host:port; empty: none
	ProxyPassword string // as user:password; empty: none

	Children int // at most at a time; default 1. Each keeps one core busy

	NetworkTimeout time.Duration // that the library is told, in whole seconds; default 30 s
	StartTimeout   time.Duration // of a child; see native.Config
	MaxResident    int64         // of a child; see native.Config

	Log     *slog.Logger       // of deaths and replacements; nil: none
	OnDeath func(native.Death) // told of each child that died at work; may be nil
}

func (c *Config) setDefaults() error {
	if c.Corp == "" || c.Secret == "" {
		return errors.New("fetching with WeCom's library needs corpid and secret: one is missing")
	}
	if c.NetworkTimeout <= 0 {
		c.NetworkTimeout = 30 * time.Second
	}
	return native.NoNUL(c.Corp, c.Secret, c.Proxy, c.ProxyPassword)
}

// LogValue keeps secret and password out of logs.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String keeps secret and password out of formatted output.
func (c Config) String() string { return "WeCom's library " + c.Path }

// GoString keeps secret and password out of %#v.
func (c Config) GoString() string { return c.String() }

// processes is what the child processes need; they are told of the handle that each
// makes.
func (c Config) processes() native.Config {
	return native.Config{
		Path: c.Path, Mode: mode, Children: c.Children, StartTimeout: c.StartTimeout, MaxResident: c.MaxResident,
		Log: c.Log, OnDeath: c.OnDeath,
		Tell: func(w *native.Writer) {
			w.Str(c.Corp)
			w.Str(c.Secret)
			w.Str(c.Proxy)
			w.Str(c.ProxyPassword)
			w.U32(seconds(c.NetworkTimeout))
		},
	}
}

// seconds rounds up: 0 would be no time at all.
func seconds(d time.Duration) uint32 {
	return uint32(min((d+time.Second-1)/time.Second, 24*60*60))
}

// Try loads the library in a process of its own, and binds what fetching needs. The
// error is a *native.LoadError if the library cannot be used.
func Try(ctx context.Context, path string) error {
	pool, err := native.Open(ctx, Config{Path: path}.processes())
	if err != nil {
		return err
	}
	return pool.Close()
}
