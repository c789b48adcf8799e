package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"wecom-archive/infra/local"
	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/compaction"
	"wecom-archive/shared/keyring"
	"wecom-archive/shared/program"
	"wecom-archive/shared/store"
	"wecom-archive/shared/transcript"
)

// target says which archive a command works on.
type target struct {
	Dir     string  `type:"path" xor:"target" placeholder:"DIR" help:"The archive in this folder, made by wecom-archive local. No other wecom-archive may be at work in it."`
	Stack   string  `xor:"target" placeholder:"NAME" help:"The archive of this CloudFormation stack: its outputs are the settings below."`
	AWS     account `embed:"" group:"On AWS, without --stack:"`
	Verbose bool    `short:"v" help:"Log what is done."`
}

// opened is an archive that a command works on.
type opened struct {
	Corp     string
	Objects  store.Objects
	Lock     store.Lock // of Objects
	Versions store.Versions
	Derived  store.Derived
	Catalog  *catalog.Catalog
	Dropper  store.Dropper
	Ring     *keyring.Ring
	Secrets  store.Secrets
	Queue    store.Notifier // of the archiver
	Log      *slog.Logger
	Remote   *remote // functions that work on it; nil: the command does itself

	system *local.System // of a folder; nil: on AWS

	// compliance says whether what is stored nobody can take back; nil: it can be.
	compliance func(context.Context) (bool, error)

	pull  func(context.Context) (archive.Run, error)
	drain func(context.Context) error // archives what is queued; in AWS a function does
	close func() error

	// examine has the puller function look at what is around it; nil: there is none.
	examine func(ctx context.Context, trusted netip.Addr) (archive.Checkup, error)
}

// transcript reads its messages.
func (o *opened) transcript() *transcript.Reader {
	return transcript.New(transcript.Config{
		Objects: o.Objects, Derived: o.Derived,
		Conversations: o.Catalog.Conversations, Pages: o.Catalog.Pages, Compactions: compaction.NewIndex(o.Catalog.Table),
	})
}

// errNoTarget says that it is not known which archive is meant.
var errNoTarget = errors.New("which archive? Give --dir DIR, --stack NAME, or --bucket and the other settings of an AWS account")

// open opens the archive.
func (t *target) open(ctx context.Context, to streams) (*opened, error) {
	log := newLogger(to.Err, t.Verbose)
	switch {
	case t.Dir != "":
		system, err := local.OpenArchive(ctx, local.Config{Dir: t.Dir, Program: program.Version(), Log: log, Now: time.Now})
		if err != nil {
			return nil, err
		}
		return openedFolder(system), nil
	case t.Stack != "" || t.AWS.Bucket != "":
		return t.AWS.open(ctx, t.Stack, log)
	}
	return nil, errNoTarget
}

func openedFolder(s *local.System) *opened {
	return &opened{
		Corp: s.Corpid(), Objects: s.Objects, Lock: s.Lock, Versions: s.Versions, Derived: s.Derived, Catalog: s.Catalog, Dropper: s.Dropper,
		Ring: s.Ring, Secrets: s.Secrets, Queue: s.Queue(), Log: s.Log, pull: s.Pull, drain: s.Drain, close: s.Close, system: s,
	}
}

// with opens the archive for as long as do takes.
func (t *target) with(ctx context.Context, to streams, do func(*opened) error) (err error) {
	o, err := t.open(ctx, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	return do(o)
}

// maxInput bounds what is read from a file or standard input, in bytes.
const maxInput = 64 << 10

// readInput reads a value that must not stand on the command line, where every
// user of the machine sees it: from a file, or from standard input.
func readInput(path string, in io.Reader) ([]byte, error) { return readUpTo(path, in, maxInput) }

func readUpTo(path string, in io.Reader, most int) ([]byte, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("--file: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, int64(most)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("--file %s: %w", path, err)
	case len(text) > most:
		return nil, fmt.Errorf("--file %s: over %d bytes", path, most)
	}
	return text, nil
}
