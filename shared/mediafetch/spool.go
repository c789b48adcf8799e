package mediafetch

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/semaphore"

	"wecom-archive/shared/wecom"
)

// spool is the folder of files under way. Each is a file named by the hash of its
// sdkfileid, and beside it, written now and then, a note of how far it is.
type spool struct {
	dir   string
	limit int64 // bytes
	room  *semaphore.Weighted

	mu    sync.Mutex
	inUse map[string]bool // by hash of the sdkfileid
}

const (
	partSuffix = ".part"
	noteSuffix = ".json"

	noteEvery   = 8 << 20   // bytes between two notes
	unknownSize = 32 << 20  // room for a file whose size the message does not say
	mostAtOnce  = 256 << 20 // room for a file at first: a message may say anything
	roomStep    = 16 << 20  // by which the room of a file grows
)

func newSpool(dir string, limit int64) *spool {
	return &spool{dir: dir, limit: limit, room: semaphore.NewWeighted(limit), inUse: map[string]bool{}}
}

// open makes the folder and removes what was left there before a time.
func (s *spool) open(before time.Time) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("folder of files under way: %w", err)
	}
	return s.clean(before)
}

// clean removes files that nobody works on and that are older than a time.
func (s *spool) clean(before time.Time) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("folder of files under way: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), ".")
		if info, err := e.Info(); err == nil && !s.inUse[name] && info.ModTime().Before(before) {
			_ = os.Remove(filepath.Join(s.dir, e.Name())) // tried again next time
		}
	}
	return nil
}

// room is what a file may take of the spool.
type room struct {
	spool *spool
	held  int64 // bytes
}

// reserve waits for room for a file of a size, -1 if not known, or for all.
func (s *spool) reserve(ctx context.Context, size int64, all bool) (*room, error) {
	switch {
	case all:
		size = s.limit
	case size < 0:
		size = unknownSize
	}
	if !all {
		size = min(max(size, 1), mostAtOnce, s.limit)
	}
	if err := s.room.Acquire(ctx, size); err != nil {
		return nil, err
	}
	return &room{s, size}, nil
}

// hold makes sure that there is room for so many bytes.
func (r *room) hold(size int64) error {
	if size <= r.held {
		return nil
	}
	if size > r.spool.limit {
		return fmt.Errorf("%d bytes or more, there is room for %d: %w", size, r.spool.limit, errTooLarge)
	}
	more := min(max(size-r.held, roomStep), r.spool.limit-r.held)
	if !r.spool.room.TryAcquire(more) {
		return errCrowded
	}
	r.held += more
	return nil
}

func (r *room) release() { r.spool.room.Release(r.held) }

// spooled is a file under way.
type spooled struct {
	spool    *spool
	name     string
	room     *room
	file     *os.File
	md5      hash.Hash
	sha256   hash.Hash
	size     int64  // bytes so far
	next     string // index of the next slice
	complete bool
	noted    int64 // size at the last note
}

// note says how far a file is, in the file beside it.
type note struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex, of so many bytes
	Next   string `json:"next"`   // index of the next slice
}

// begin opens a file, and goes on where an earlier try stopped if what is there is
// what that one had.
func (s *spool) begin(name string, r *room) (*spooled, error) {
	f, err := os.OpenFile(filepath.Join(s.dir, name+partSuffix), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, own(fmt.Errorf("spooling a file: %w", err))
	}
	s.mu.Lock()
	s.inUse[name] = true
	s.mu.Unlock()
	p := &spooled{spool: s, name: name, room: r, file: f}
	if err := p.resume(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *spooled) resume() error {
	text, err := os.ReadFile(p.notePath())
	var n note
	if err != nil || json.Unmarshal(text, &n) != nil || n.Size <= 0 || n.Next == "" || p.room.hold(n.Size) != nil {
		return p.restart()
	}
	p.md5, p.sha256 = md5.New(), sha256.New()
	_, err = io.CopyN(io.MultiWriter(p.md5, p.sha256), p.file, n.Size)
	if err != nil || p.sums().sha256 != n.SHA256 {
		return p.restart()
	}
	p.size, p.next, p.noted = n.Size, n.Next, n.Size
	return p.truncate()
}

// restart forgets what is there.
func (p *spooled) restart() error {
	p.md5, p.sha256 = md5.New(), sha256.New()
	p.size, p.next, p.noted, p.complete = 0, "", 0, false
	return p.truncate()
}

// truncate cuts off what does not count, and goes to the end.
func (p *spooled) truncate() error {
	err := p.file.Truncate(p.size)
	if err == nil {
		_, err = p.file.Seek(p.size, io.SeekStart)
	}
	if err != nil {
		return own(fmt.Errorf("spooling a file: %w", err))
	}
	return nil
}

// write adds a slice.
func (p *spooled) write(slice wecom.MediaSlice) error {
	size := p.size + int64(len(slice.Data))
	if err := p.room.hold(size); err != nil {
		return err
	}
	if _, err := p.file.Write(slice.Data); err != nil {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			// Something else fills the disk; maybe what earlier processes left.
			_ = p.spool.clean(time.Now())
		}
		return own(fmt.Errorf("spooling a file: %w", err))
	}
	p.md5.Write(slice.Data)
	p.sha256.Write(slice.Data)
	p.size, p.next, p.complete = size, slice.Next, slice.Last
	if p.complete || p.size-p.noted < noteEvery {
		return nil
	}
	return p.note()
}

// note writes how far the file is. It is not synced: after a crash of the machine
// the hash shows whether the bytes are there.
func (p *spooled) note() error {
	if p.complete || p.size == 0 {
		return nil
	}
	text, err := json.Marshal(note{p.size, p.sums().sha256, p.next})
	temp := p.notePath() + ".new"
	if err == nil {
		err = os.WriteFile(temp, text, 0o600)
	}
	if err == nil {
		err = os.Rename(temp, p.notePath())
	}
	if err != nil {
		return own(fmt.Errorf("spooling a file: %w", err))
	}
	p.noted = p.size
	return nil
}

func (p *spooled) notePath() string { return filepath.Join(p.spool.dir, p.name+noteSuffix) }

// sums are the hashes of what is there, in hex.
func (p *spooled) sums() sums {
	return sums{hex.EncodeToString(p.md5.Sum(nil)), hex.EncodeToString(p.sha256.Sum(nil)), p.size}
}

type sums struct {
	md5, sha256 string
	size        int64
}

const headSize = 4 << 10 // bytes that tell a type

// head is the beginning of the file.
func (p *spooled) head() ([]byte, error) {
	buf := make([]byte, min(headSize, p.size))
	if _, err := p.file.ReadAt(buf, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading a spooled file: %w", err)
	}
	return buf, nil
}

// reader reads the file from its start.
func (p *spooled) reader() (io.ReadSeeker, error) {
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading a spooled file: %w", err)
	}
	return p.file, nil
}

// discard removes the file: it is stored, or of no use.
func (p *spooled) discard() {
	p.complete = true // no note
	_ = os.Remove(p.notePath())
	_ = os.Remove(filepath.Join(p.spool.dir, p.name+partSuffix))
}

// close ends the work on the file; what is there stays for the next try.
func (p *spooled) close() error {
	err := p.note()
	p.spool.mu.Lock()
	delete(p.spool.inUse, p.name)
	p.spool.mu.Unlock()
	return errors.Join(err, own(p.file.Close()))
}
