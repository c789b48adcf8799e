package financesdk

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"time"
)

// How a child is called. The arguments are visible to everybody on the machine.
const (
	self         = "/proc/self/exe" // also after the file was replaced by a newer one
	argv0        = "wecom-archive"
	hostMode     = "sdk-host"
	confinedMode = "confined"
)

// orphanTime is how long a child whose parent is gone may go on with a call, and a
// parent waits for a child that has closed its pipe.
const orphanTime = 2 * time.Second

// Config is what a Pool works with. Path must be set.
type Config struct {
	Path string // of the library

	// Corp and Secret are the corpid and the archive's own secret. Both empty: the
	// pool decrypts only, and opens no handle.
	Corp   string
	Secret string

	Proxy         string // as http://host:port or socks5://host:port; empty: none
	ProxyPassword string // as user:password; empty: none

	Children int // at most at a time; default 1. Each keeps one core busy

	NetworkTimeout time.Duration // that the library is told, in whole seconds; default 30 s
	DecryptTimeout time.Duration // of a batch; default 5 s. Decryption takes some 10 µs a message
	StartTimeout   time.Duration // of a child; default 20 s

	// MaxResident is the resident memory of a child, in bytes, from which on it is
	// replaced between two calls; default 256 MiB. At twice as much it is killed in
	// the middle of a call.
	MaxResident int64

	Log     *slog.Logger // of deaths and replacements; nil: none
	OnDeath func(Death)  // told of each child that died at work; may be nil
}

func (c *Config) setDefaults() error {
	if c.Path == "" {
		return errors.New("no path of WeCom's library")
	}
	if (c.Corp == "") != (c.Secret == "") {
		return errors.New("corpid and secret of WeCom's library belong together: one is missing")
	}
	if err := noNUL(c.Path, c.Corp, c.Secret, c.Proxy, c.ProxyPassword); err != nil {
		return err
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return err
	}
	c.Path = path // children leave the folder
	setDefault(&c.Children, 1)
	setDefault(&c.NetworkTimeout, 30*time.Second)
	setDefault(&c.DecryptTimeout, 5*time.Second)
	setDefault(&c.StartTimeout, 20*time.Second)
	setDefault(&c.MaxResident, 256<<20)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// LogValue keeps secret and password out of logs.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String keeps secret and password out of formatted output.
func (c Config) String() string { return "WeCom's library " + c.Path }

// GoString keeps secret and password out of %#v.
func (c Config) GoString() string { return c.String() }

// noNUL refuses strings that the library would see cut off.
func noNUL(strs ...string) error {
	for _, s := range strs {
		if strings.IndexByte(s, 0) >= 0 {
			return ErrNUL
		}
	}
	return nil
}

// seconds rounds up: 0 would be no time at all.
func seconds(d time.Duration) int32 {
	return int32(min((d+time.Second-1)/time.Second, 24*60*60))
}
