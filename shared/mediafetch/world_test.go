package mediafetch_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/mediafetch"
	"wecom-archive/shared/store"
	"wecom-archive/shared/store/storetest"
	"wecom-archive/shared/wecom"
)

const sliceSize = 512 << 10

// library is WeCom as the stage sees it.
type library struct {
	mu    sync.Mutex
	files map[string][]byte                        // by sdkfileid
	fault func(fileID, index string, n int) error  // of the n-th call for this slice, from 1; nil: none
	alter func(fileID string, slice []byte) []byte // nil: none
	calls map[string]int                           // by sdkfileid and index
	total int
}

func newLibrary() *library {
	return &library{files: map[string][]byte{}, calls: map[string]int{}}
}

func (l *library) GetMediaData(ctx context.Context, fileID, index string) (wecom.MediaSlice, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return wecom.MediaSlice{}, err
	}
	l.total++
	l.calls[fileID+" "+index]++
	if l.fault != nil {
		if err := l.fault(fileID, index, l.calls[fileID+" "+index]); err != nil {
			return wecom.MediaSlice{}, err
		}
	}
	content, ok := l.files[fileID]
	if !ok {
		return wecom.MediaSlice{}, code(10010)
	}
	start := 0
	if index != "" {
		if _, err := fmt.Sscanf(index, "Range:bytes=%d-", &start); err != nil || start >= len(content) {
			return wecom.MediaSlice{}, code(10000)
		}
	}
	end := min(start+sliceSize, len(content))
	data := bytes.Clone(content[start:end])
	if l.alter != nil {
		data = l.alter(fileID, data)
	}
	return wecom.MediaSlice{Data: data, Next: fmt.Sprintf("Range:bytes=%d-%d", end, end+sliceSize-1), Last: end == len(content)}, nil
}

func code(n int) error { return wecom.NewSDKError("GetMediaData", n) }

// callsOf is how often slices of a file were asked for.
func (l *library) callsOf(fileID string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for what, calls := range l.calls {
		if strings.HasPrefix(what, fileID+" ") {
			n += calls
		}
	}
	return n
}

// world is all that a stage works with. Its clock moves when somebody sleeps.
type world struct {
	t       *testing.T
	objects *storetest.Objects
	derived *storetest.Derived
	index   *storetest.Index
	catalog *catalog.Catalog
	lib     *library
	log     bytes.Buffer
	logger  *slog.Logger // to log
	spool   string
	jobs    []archive.MediaJob

	mu  sync.Mutex
	now time.Time
}

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, objects: storetest.NewObjects(), derived: storetest.NewDerived(), index: storetest.NewIndex(),
		lib: newLibrary(), spool: t.TempDir(), now: start,
	}
	w.catalog = catalog.New(w.index)
	w.logger = slog.New(slog.NewTextHandler(&w.log, nil))
	t.Cleanup(func() {
		if strings.Contains(w.log.String(), "secret") {
			t.Error("an sdkfileid is in the log")
		}
	})
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) config() mediafetch.Config {
	return mediafetch.Config{
		Corp: "ww1", Program: "test", Objects: w.objects, Lock: w.objects, Derived: w.derived, Media: w.catalog.Media, Library: w.lib,
		Now: w.clock, Spool: w.spool, Workers: 4,
		Sleep: func(ctx context.Context, d time.Duration) error { w.advance(d); return ctx.Err() },
		Log:   w.logger,
		Sniff: func(head []byte) string { return fmt.Sprintf("test/%d", len(head)) },
	}
}

func (w *world) stage(change ...func(*mediafetch.Config)) *mediafetch.Stage {
	w.t.Helper()
	c := w.config()
	for _, f := range change {
		f(&c)
	}
	s := mediafetch.New(c)
	if err := s.Ready(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// content is size bytes, made of a name.
func content(name string, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(name))).Read(b) // never fails
	return b
}

// add makes a message with a file that WeCom has.
func (w *world) add(name string, body []byte) *archive.MediaJob {
	w.lib.files["secret-"+name] = body
	sum := md5.Sum(body)
	return w.refer(name, hex.EncodeToString(sum[:]), int64(len(body)))
}

// refer makes a message that refers to a file.
func (w *world) refer(name, sum string, size int64) *archive.MediaJob {
	id := ""
	if name != "" {
		id = "secret-" + name
	}
	n := len(w.jobs)
	w.jobs = append(w.jobs, archive.MediaJob{
		MediaPlace: archive.MediaPlace{Position: n, Path: "file", Seq: int64(n + 1), MsgID: fmt.Sprint("m", n), Kind: "file", FileIDSHA256: wecom.Media{FileID: id}.FileIDHash()},
		FileID:     id, MD5: sum, Size: size, Expires: start.Add(archive.Window),
	})
	return &w.jobs[n]
}

// list stores the job list, as the archiver does, and returns its key.
func (w *world) list() string {
	w.t.Helper()
	list := w.fetchList()
	links, err := archive.ReadPageLinks(w.t.Context(), w.objects, list.PulledAt, list.SeqAsked)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.catalog.Media.IndexLinks(w.t.Context(), list, links); err != nil {
		w.t.Fatal(err)
	}
	if err := archive.PutFetchList(w.t.Context(), w.derived, list); err != nil {
		w.t.Fatal(err)
	}
	return list.Key()
}

func (w *world) fetchList() archive.FetchList {
	return archive.FetchList{Corp: "ww1", SeqAsked: 7, PulledAt: start, Jobs: w.jobs}
}

func (w *world) handle(s *mediafetch.Stage, key string) {
	w.t.Helper()
	if err := s.Handle(w.t.Context(), key); err != nil {
		w.t.Fatal(err)
	}
}

// links are those of the page that count, by message.
func (w *world) links() map[string]archive.Link {
	w.t.Helper()
	page, err := archive.ReadPageLinks(w.t.Context(), w.objects, start, 7)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]archive.Link{}
	for _, l := range page.All() {
		out[l.MsgID] = l
	}
	return out
}

// checkStored compares what is stored for a message with what WeCom has.
func (w *world) checkStored(job *archive.MediaJob) archive.Link {
	w.t.Helper()
	l := w.links()[job.MsgID]
	if l.State != archive.MediaStored {
		w.t.Errorf("%s is %q (%s %d), want it stored", job.MsgID, l.State, l.Reason, l.Code)
		return l
	}
	body, err := store.ReadObject(w.t.Context(), w.objects, l.Key)
	if err != nil {
		w.t.Error(err)
		return l
	}
	sum := sha256.Sum256(body)
	if !bytes.Equal(body, w.lib.files[job.FileID]) || l.SHA256 != hex.EncodeToString(sum[:]) || l.Size != int64(len(body)) || !strings.HasSuffix(l.Key, l.SHA256) {
		w.t.Errorf("%s: stored are %d bytes with SHA-256 %x, linked as %+v", job.MsgID, len(body), sum, l)
	}
	file, err := w.catalog.Media.MediaFile(w.t.Context(), job.FileIDSHA256)
	if err != nil || file.State != archive.MediaStored || file.Key != l.Key || file.Type != l.Type {
		w.t.Errorf("%s: the index has %+v, %v", job.MsgID, file, err)
	}
	return l
}

func (w *world) checkState(job *archive.MediaJob, state archive.MediaState, reason archive.MediaReason) {
	w.t.Helper()
	link, linked := w.links()[job.MsgID]
	file, err := w.catalog.Media.MediaFile(w.t.Context(), job.FileIDSHA256)
	if err != nil {
		w.t.Fatal(err)
	}
	if linked != (state != archive.MediaPending) || linked && (link.State != state || link.Reason != reason) {
		w.t.Errorf("%s is linked as %q, %q (%v), want %q, %q", job.MsgID, link.State, link.Reason, linked, state, reason)
	}
	if job.FileID != "" && (file.State != state || file.Reason != reason) {
		w.t.Errorf("%s: the index says %q, %q, want %q, %q", job.MsgID, file.State, file.Reason, state, reason)
	}
}

// pending are the unfinished lists.
func (w *world) pending() []catalog.MediaList {
	w.t.Helper()
	lists, err := w.catalog.Media.PendingMedia(w.t.Context(), nil, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return lists
}

func (w *world) count() catalog.MediaCount {
	w.t.Helper()
	days, err := w.catalog.Media.MediaDays(w.t.Context(), "", 10)
	if err != nil || len(days) != 1 {
		w.t.Fatalf("%v, %v", days, err)
	}
	return days[0].MediaCount
}

// untilDone handles the list whenever it is due, and says how often.
func (w *world) untilDone(s *mediafetch.Stage, key string) (passes int) {
	w.t.Helper()
	for ; ; passes++ {
		if passes > 100 {
			w.t.Fatal("it does not end")
		}
		w.handle(s, key)
		lists := w.pending()
		if len(lists) == 0 {
			return passes + 1
		}
		if wait := lists[0].NextTry.Sub(w.clock()); wait > 0 {
			w.advance(wait)
		}
	}
}

var errHere = errors.New("failed here for the test")
