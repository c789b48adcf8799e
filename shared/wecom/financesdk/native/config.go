package native

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"time"
)

// How a child is called; its mode follows. The arguments are visible to everybody on
// the machine.
const (
	self         = "/proc/self/exe" // also after the file was replaced by a newer one
	argv0        = "wecom-archive"
	hostArg      = "sdk-host"
	confinedArg  = "confined"
	hostArgs     = 3 // arguments of a child: argv0, hostArg, mode
	confinedArgs = 4 // and confinedArg
)

// orphanTime is how long a child whose parent is gone may go on with a call, and a
// parent waits for a child that has closed its pipe.
const orphanTime = 2 * time.Second

// Config is what a Pool works with. Path and Mode must be set.
type Config struct {
	Path string        // of the library
	Mode string        // of the Host that children run
	Tell func(*Writer) // writes what a child is told when it opens the library; nil: nothing

	Children     int           // at most at a time; default 1. Each keeps one core busy
	StartTimeout time.Duration // of a child; default 20 s

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
	if err := NoNUL(c.Path); err != nil {
		return err
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return err
	}
	c.Path = path // children leave the folder
	if c.Children <= 0 {
		c.Children = 1
	}
	if c.StartTimeout <= 0 {
		c.StartTimeout = 20 * time.Second
	}
	if c.MaxResident <= 0 {
		c.MaxResident = 256 << 20
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// NoNUL refuses strings that the library would see cut off.
func NoNUL(strs ...string) error {
	for _, s := range strs {
		if strings.IndexByte(s, 0) >= 0 {
			return ErrNUL
		}
	}
	return nil
}
