package mediafetch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
)

// pass is one time of working on a job list.
type pass struct {
	*Stage
	list archive.FetchList

	mu      sync.Mutex
	links   *archive.PageLinks
	ready   []archive.Link // found out, not stored
	bytes   int64          // of the files in ready
	flushed time.Time
	next    time.Time // when the first file that waits is to be tried; zero: none waits
	crowded []group   // files that there was no room for beside others
}

// group is a file and the references to it.
type group struct {
	file catalog.MediaFile
	jobs []archive.MediaJob
}

// job is the one that stands for all: what one message says of the file is as good
// as what another says.
func (g group) job() archive.MediaJob { return g.jobs[0] }

// unfinished are the files to fetch now, those first that expire first.
func (p *pass) unfinished(ctx context.Context) ([]group, error) {
	var order []string
	jobs := map[string][]archive.MediaJob{}
	failed := map[string]archive.Link{}
	for _, job := range p.list.ByExpiry() {
		link, known := p.links.Of(job.MediaPlace)
		if known && link.State != archive.MediaFailed {
			continue
		}
		if known {
			failed[job.FileIDSHA256] = link
		}
		if jobs[job.FileIDSHA256] == nil {
			order = append(order, job.FileIDSHA256)
		}
		jobs[job.FileIDSHA256] = append(jobs[job.FileIDSHA256], job)
	}
	files, err := p.Media.MediaFiles(ctx, order...)
	if err != nil {
		return nil, err
	}
	var groups []group
	for _, hash := range order {
		file := files[hash]
		link, gaveUp := failed[hash]
		switch {
		case gaveUp && file.State != archive.MediaStored && !catalog.Redriven(link, file):
			continue // given up, and nobody asked for it again
		case file.State == archive.MediaPending && p.Now().Before(file.NextTry):
			p.wait(file.NextTry)
			continue
		}
		groups = append(groups, group{file, jobs[hash]})
	}
	return groups, nil
}

// wait notes that a file is to be tried at a time.
func (p *pass) wait(next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.IsZero() || next.Before(p.next) {
		p.next = next
	}
}

// work fetches the files: at most so many at a time as there are workers, and one
// that needs all the room for itself.
func (p *pass) work(ctx context.Context, groups []group) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, deadline.Add(-p.Margin), ErrNoTime)
		defer cancel()
	}
	if err := p.each(ctx, groups, p.one); err != nil {
		return err
	}
	for _, g := range p.crowded {
		if err := p.each(ctx, []group{g}, p.oneWithAllRoom); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) each(ctx context.Context, groups []group, do func(context.Context, group) error) error {
	workers, workCtx := errgroup.WithContext(ctx)
	for _, g := range groups {
		if err := p.takeWorker(workCtx); err != nil {
			break
		}
		workers.Go(func() error {
			defer func() { <-p.workers }()
			return do(workCtx, g)
		})
	}
	err := workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause // the others are its echo
	}
	return err
}

func (s *Stage) takeWorker(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.workers <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pass) one(ctx context.Context, g group) error { return p.file(ctx, g, false) }

func (p *pass) oneWithAllRoom(ctx context.Context, g group) error { return p.file(ctx, g, true) }

// file brings one file to its end, or puts it off. The error ends the pass.
func (p *pass) file(ctx context.Context, g group, allRoom bool) error {
	result, err := p.fetch(ctx, g, allRoom)
	switch {
	case err == nil:
		return p.settle(ctx, g, result)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errCrowded):
		p.mu.Lock()
		defer p.mu.Unlock()
		p.crowded = append(p.crowded, g)
		return nil
	}
	var ours ownError
	if errors.As(err, &ours) {
		return err
	}
	return p.failed(ctx, g, err)
}

// failed notes a try that did not succeed.
func (p *pass) failed(ctx context.Context, g group, err error) error {
	v := classify(err)
	if v.stop {
		return fmt.Errorf("%w (%s)", err, v.remedy)
	}
	file, job, now := g.file, g.job(), p.Now().UTC()
	if file.State == archive.MediaFailed { // another message, another try
		file.Attempts = 0
	}
	file.Attempts++
	file.Reason, file.Code, file.At = v.reason, v.code, now
	p.Log.Warn("a file could not be fetched", "file", job.FileIDSHA256, "kind", job.Kind, "seq", job.Seq, "attempt", file.Attempts, "error", err)
	file.State, file.NextTry = v.state, time.Time{}
	if v.state == archive.MediaPending {
		file.NextTry = p.nextTry(now, file.Attempts, g.expires())
		if file.Attempts >= v.attempts || !now.Before(g.expires()) {
			file.State, file.NextTry = archive.MediaFailed, time.Time{}
		}
	}
	if file.State != archive.MediaPending {
		return p.settle(ctx, g, file)
	}
	p.wait(file.NextTry)
	return p.Media.PutMediaFile(ctx, file)
}

// expires is when the last of the messages that refer to the file gets too old.
func (g group) expires() (last time.Time) {
	for _, job := range g.jobs {
		if job.Expires.After(last) {
			last = job.Expires
		}
	}
	return last
}

// nextTry spreads the tries over the time that is left: each pause is twice the one
// before, and at most half of what is left.
func (s *Stage) nextTry(now time.Time, attempts int, expires time.Time) time.Time {
	pause := s.FirstPause << (attempts - 1)
	if left := expires.Sub(now) / 2; pause > left {
		pause = left
	}
	return now.Add(max(pause, s.FirstPause/2))
}

// settle links all references to a file whose fate is known.
func (p *pass) settle(ctx context.Context, g group, file catalog.MediaFile) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, job := range g.jobs {
		link := archive.Link{
			MediaPlace: job.MediaPlace, State: file.State, Key: file.Key, SHA256: file.SHA256, MD5: file.MD5, Size: file.Size, Type: file.Type,
			Reason: file.Reason, Code: file.Code, Attempts: file.Attempts, At: file.At,
		}
		if file.State == archive.MediaStored {
			link.Reason, link.Code = "", 0
			link.MD5Verdict, link.SizeVerdict = archive.JudgeMD5(job.MD5, file.MD5), archive.JudgeSize(job.Size, file.Size)
		}
		p.ready = append(p.ready, link)
	}
	p.bytes += file.Size
	if file.State == archive.MediaFailed && g.file.Redriven { // no new link says that it failed again
		file.Redriven = false
		if err := p.Media.PutMediaFile(ctx, file); err != nil {
			return err
		}
	}
	if len(p.ready) < flushRefs && p.bytes < flushBytes && p.Now().Sub(p.flushed) < flushTime {
		return nil
	}
	return p.flush(ctx)
}

// flush stores what was found out. The caller holds the lock.
func (p *pass) flush(ctx context.Context) error {
	if len(p.ready) > 0 {
		stored, err := p.links.Add(ctx, p.Objects, archive.Links{Corp: p.Corp, Program: p.Program, WrittenAt: p.Now().UTC(), Links: p.ready})
		if err != nil {
			return err
		}
		if p.Settled != nil {
			for _, link := range stored {
				p.Settled(link)
			}
		}
	}
	p.ready, p.bytes, p.flushed = nil, 0, p.Now()
	_, err := p.Media.IndexLinks(ctx, p.list, p.links)
	return err
}

// finish records what was found out, however the work ended.
func (p *pass) finish(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.flush(ctx); err != nil {
		return err
	}
	count := catalog.NewMediaList(p.list, p.links)
	p.Log.Info("fetched media", "page", p.list.SeqAsked, "part", p.list.Part, "files", count.Refs, "stored", count.Stored,
		"failed", count.Failed, "lost", count.Lost, "pending", count.Pending())
	if p.next.IsZero() {
		return nil
	}
	return p.Media.PostponeMedia(ctx, count, p.next)
}
