package mediafetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cenkalti/backoff/v5"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom"
)

// fetch gets a file stored, and returns it as stored. If its fate is known already,
// it returns that.
func (p *pass) fetch(ctx context.Context, g group, allRoom bool) (catalog.MediaFile, error) {
	job := g.job()
	if job.FileID == "" {
		return catalog.MediaFile{}, errNoFileID
	}
	done, err := p.alone(ctx, job.FileIDSHA256)
	if err != nil {
		return catalog.MediaFile{}, err
	}
	defer done()
	file := g.file
	if stored, ok := p.recent.Get(job.FileIDSHA256); ok {
		file = stored
	}
	switch file.State {
	case archive.MediaLost:
		return file, nil
	case archive.MediaStored:
		// An sdkfileid names one file for ever, so what it named is that file; but
		// this month's lock needs this month's object.
		if file.Key == archive.MediaKey(p.Now(), file.SHA256) {
			return file, nil
		}
		return p.copyToThisMonth(ctx, file, allRoom)
	}
	return p.download(ctx, g, allRoom)
}

// download fetches a file from WeCom. One that is not what the message claims is
// fetched once more: it may have been altered on the way.
func (p *pass) download(ctx context.Context, g group, allRoom bool) (catalog.MediaFile, error) {
	job := g.job()
	for again := false; ; again = true {
		room, err := p.spool.reserve(ctx, job.Size, allRoom)
		if err != nil {
			return catalog.MediaFile{}, err
		}
		file, retry, err := p.downloadOnce(ctx, g, room, again)
		room.release()
		if err != nil || !retry {
			return file, err
		}
	}
}

// downloadOnce says, too, whether the file differs from what the message claims,
// unless it was fetched again for that.
func (p *pass) downloadOnce(ctx context.Context, g group, room *room, again bool) (_ catalog.MediaFile, retry bool, err error) {
	job := g.job()
	spooled, err := p.spool.begin(job.FileIDSHA256, room)
	if err != nil {
		return catalog.MediaFile{}, false, err
	}
	defer func() { err = errors.Join(err, spooled.close()) }()
	if err := p.slices(ctx, job, spooled); err != nil {
		if classify(err).state != archive.MediaPending || errors.Is(err, errNonsense) || errors.Is(err, errCrowded) || isBad(err) {
			spooled.discard() // of no use to a later try
		}
		return catalog.MediaFile{}, false, err
	}
	sum := spooled.sums()
	differs := archive.JudgeMD5(job.MD5, sum.md5) == archive.VerdictMismatch || archive.JudgeSize(job.Size, sum.size) == archive.VerdictMismatch
	if differs && !again {
		p.Log.Warn("a file is not what the message says; it is fetched once more", "file", job.FileIDSHA256, "kind", job.Kind, "seq", job.Seq)
		spooled.discard()
		return catalog.MediaFile{}, true, nil
	}
	file, err := p.store(ctx, spooled, job.FileIDSHA256)
	file.Attempts = g.file.Attempts + 1
	return file, false, err
}

// isBad says whether WeCom refused the call itself: the index may be to blame.
func isBad(err error) bool {
	var refused *wecom.Error
	return errors.As(err, &refused) && refused.Class() == wecom.Bad
}

// slices fetches what is missing of a file.
func (p *pass) slices(ctx context.Context, job archive.MediaJob, to *spooled) error {
	for !to.complete {
		slice, err := p.slice(ctx, job.FileID, to.next)
		if err != nil {
			return err
		}
		if !slice.Last && (len(slice.Data) == 0 || slice.Next == "" || slice.Next == to.next) {
			return fmt.Errorf("after %d bytes: %w", to.size, errNonsense)
		}
		if err := to.write(slice); err != nil {
			return err
		}
	}
	return nil
}

// slice fetches a slice; one that fails is tried again alone, later each time.
func (p *pass) slice(ctx context.Context, fileID, index string) (wecom.MediaSlice, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 500*time.Millisecond, 10*time.Second
	for try := 1; ; try++ {
		if err := p.limiter.Wait(ctx); err != nil {
			if ctx.Err() == nil { // its turn would come after the deadline
				<-ctx.Done()
			}
			return wecom.MediaSlice{}, ctx.Err()
		}
		slice, err := p.Library.GetMediaData(ctx, fileID, index)
		if err == nil || ctx.Err() != nil {
			return slice, err
		}
		wait := pause.NextBackOff()
		var refused *wecom.Error
		if errors.As(err, &refused) {
			switch refused.Class() {
			case wecom.Lost, wecom.Stop, wecom.Bad:
				return slice, err
			case wecom.Slower:
				wait = time.Minute
			}
		}
		if try >= p.SliceTries {
			return slice, err
		}
		if err := p.Sleep(ctx, wait); err != nil {
			return slice, err
		}
	}
}

// store puts a file that is complete in the spool into the archive.
func (p *pass) store(ctx context.Context, from *spooled, fileHash string) (catalog.MediaFile, error) {
	now, sum := p.Now().UTC(), from.sums()
	file := catalog.MediaFile{
		FileIDSHA256: fileHash, State: archive.MediaStored, Key: archive.MediaKey(now, sum.sha256),
		SHA256: sum.sha256, MD5: sum.md5, Size: sum.size, At: now,
	}
	head, err := from.head()
	if err != nil {
		return file, own(err)
	}
	file.Type = p.Sniff(head)
	if err := p.put(ctx, file, from); err != nil {
		return file, own(fmt.Errorf("storing a file of %d bytes: %w", file.Size, err))
	}
	from.discard()
	p.recent.Add(fileHash, file)
	return file, nil
}

// put stores a file, unless it is there: from another message, or from before a
// crash. It looks first, since a store that refuses a put may do so by breaking the
// connection under a body that is on its way.
func (p *pass) put(ctx context.Context, file catalog.MediaFile, from *spooled) error {
	info, err := p.Objects.Head(ctx, file.Key)
	if errors.Is(err, store.ErrNotFound) {
		var body io.ReadSeeker
		if body, err = from.reader(); err != nil {
			return err
		}
		if err = p.Objects.PutIfAbsent(ctx, file.Key, body); !errors.Is(err, store.ErrExists) {
			return err
		}
		info, err = p.Objects.Head(ctx, file.Key)
	}
	if err == nil && info.Size != file.Size {
		err = fmt.Errorf("%s has %d bytes, the file with this SHA-256 has %d: %w", file.Key, info.Size, file.Size, store.ErrDamaged)
	}
	p.reportDamage(ctx, file.Key, err)
	return err
}

// reportDamage says that a stored file is not what it must be. That this cannot be said
// now must not keep from working; the scrub says it, too.
func (p *pass) reportDamage(ctx context.Context, key string, err error) {
	f := archive.Finding{Where: archive.InArchive, Kind: archive.Altered, Key: key, By: "media"}
	switch {
	case p.Damage == nil || err == nil:
		return
	case errors.Is(err, store.ErrNotFound):
		f.Kind = archive.Missing
	case !errors.Is(err, store.ErrDamaged):
		return
	}
	f.Detail = err.Error()
	if err := p.Damage.Report(ctx, f); err != nil {
		p.Log.ErrorContext(ctx, "damage could not be reported", "key", key, "error", err)
	}
}

// copyToThisMonth stores again what is stored under an earlier month.
func (p *pass) copyToThisMonth(ctx context.Context, file catalog.MediaFile, allRoom bool) (catalog.MediaFile, error) {
	room, err := p.spool.reserve(ctx, file.Size, allRoom)
	if err != nil {
		return file, err
	}
	defer room.release()
	body, _, err := p.Objects.Get(ctx, file.Key)
	if err != nil {
		p.reportDamage(ctx, file.Key, err)
		return file, own(err)
	}
	defer body.Close()
	spooled, err := p.spool.begin(file.FileIDSHA256, room)
	if err != nil {
		return file, err
	}
	defer spooled.close() // the error is of no consequence: what is stored has its checksum
	if err := spooled.restart(); err != nil {
		return file, err
	}
	buf := make([]byte, 512<<10)
	for !spooled.complete {
		n, err := io.ReadFull(body, buf)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			p.reportDamage(ctx, file.Key, err)
			return file, own(fmt.Errorf("reading %s: %w", file.Key, err))
		}
		if err := spooled.write(wecom.MediaSlice{Data: buf[:n], Last: last}); err != nil {
			return file, err
		}
	}
	if sum := spooled.sums(); sum.sha256 != file.SHA256 {
		err := fmt.Errorf("%s holds a file with SHA-256 %s: %w", file.Key, sum.sha256, store.ErrDamaged)
		p.reportDamage(ctx, file.Key, err)
		return file, own(err)
	}
	copied, err := p.store(ctx, spooled, file.FileIDSHA256)
	copied.Attempts = file.Attempts
	return copied, err
}
