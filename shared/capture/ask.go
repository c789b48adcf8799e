package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom"
)

// A minute's ban follows too many calls (docs/wecom.md, "Limits and bans").
const rateBan = time.Minute

// ask calls GetChatData until it gets a page or the end of the stream.
func (r *run) ask(ctx context.Context) (got answer, err error) {
	var doubted answer
	err = r.persist(ctx, r.cursor.Seq, func() (err error) {
		if got, err = r.call(ctx, r.cursor.Seq, r.limit); err == nil {
			doubted, err = r.weigh(ctx, doubted, got)
		}
		return err
	})
	if err == nil {
		r.limit = min(r.limit*2, r.config.Limit, 1000)
	}
	return got, err
}

// persist tries until it succeeds. It waits by the class of each error, and gives up
// after Tries in a row.
func (r *run) persist(ctx context.Context, at uint64, try func() error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = time.Second, 30*time.Second
	pause.RandomizationFactor = 0 // one puller; nobody to get out of step with
	for n := 1; ; n++ {
		if err := r.mayGoOn(ctx); err != nil {
			return err
		}
		err := try()
		if err == nil {
			return nil
		}
		wait := pause.NextBackOff()
		var refused *wecom.Error
		switch {
		case errors.Is(err, errDoubtful):
			wait = 0
		case ctx.Err() != nil, errors.Is(err, errDeadline), errors.Is(err, archive.ErrImplausibleSeq), errors.Is(err, errStoring), errors.Is(err, errUnsure):
			return err
		case errors.As(err, &refused) && refused.Class() == wecom.Smaller:
			if r.asked == 1 {
				return fmt.Errorf("one message alone is too large to pull: %w", err)
			}
			r.limit, wait = r.asked/2, 0
			n-- // the limit bounds these tries
		case errors.As(err, &refused) && refused.Class() == wecom.Slower:
			wait = rateBan
		case errors.As(err, &refused) && refused.Class() != wecom.Retry:
			return err
		}
		if n >= r.config.Tries {
			return fmt.Errorf("gave up after %d tries: %w", n, err)
		}
		r.config.Log.Warn("call failed, trying again", "seq", at, "try", n, "wait", wait, "limit", r.limit, "error", err)
		if restErr := r.rest(ctx, wait); restErr != nil {
			return fmt.Errorf("%w: %w", restErr, err)
		}
	}
}

// rest sleeps unless that would use up the run.
func (r *run) rest(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && deadline.Sub(r.config.Now()) < d+r.config.Margin {
		return errDeadline
	}
	if d <= 0 {
		return nil
	}
	return r.config.Sleep(ctx, d)
}

// answer is a reply, as it came and understood, to the question for what comes after at.
type answer struct {
	at     uint64
	limit  int
	reply  []byte
	parsed archive.Reply
}

// call makes one call. A reply that is neither a page nor the end of the stream
// is kept below rejects/ and returned as an error.
func (r *run) call(ctx context.Context, at uint64, limit int) (answer, error) {
	if err := r.rest(ctx, r.limiter.ReserveN(r.config.Now(), 1).DelayFrom(r.config.Now())); err != nil {
		return answer{}, err
	}
	r.did.Calls++
	r.asked = limit
	reply, err := r.config.Chats.GetChatData(ctx, at, limit)
	if err != nil {
		return answer{}, fmt.Errorf("asking WeCom for what comes after %d: %w", at, err)
	}
	parsed, err := archive.ParseReply(reply, at, r.config.Seqs)
	got := answer{at, limit, reply, parsed}
	if err == nil {
		return got, nil
	}
	if keepErr := r.reject(ctx, got, err); keepErr != nil {
		return answer{}, keepErr
	}
	if errors.Is(err, archive.ErrErrcode) {
		err = wecom.NewReplyError("GetChatData", parsed.Errcode, parsed.Errmsg)
	}
	return answer{}, fmt.Errorf("reply to what comes after %d: %w", at, err)
}

// errDoubtful marks a reply that waits for a second one to confirm it.
var errDoubtful = errors.New("a great step of seq must be confirmed by asking again")

// weigh decides whether a reply can be believed. One with a great step of seq is
// doubted until the next one confirms it; one that the next contradicts goes to
// rejects. It returns what is doubted now, with an error, or nothing.
func (r *run) weigh(ctx context.Context, doubted, got answer) (answer, error) {
	believed := got.parsed.Confirms(doubted.parsed, r.config.Seqs)
	// That a doubted reply had more steps of its kind contradicts it only if the new
	// one does without any.
	if doubted.reply != nil && (!believed || !got.parsed.Doubtful(r.config.Seqs)) {
		if err := r.reject(ctx, doubted, archive.ErrUnconfirmed); err != nil {
			return answer{}, err
		}
	}
	switch {
	case doubted.reply != nil && len(got.parsed.Envelopes) == 0:
		got = answer{} // nothing, where something was: ask once more
	case believed:
		return answer{}, nil
	}
	return got, fmt.Errorf("reply to what comes after %d: %w", r.cursor.Seq, errDoubtful)
}

// errStoring marks errors of our own store: asking WeCom again does not help.
var errStoring = errors.New("cannot store")

// reject keeps a reply that is no page: the first MaxRejects of a run, and one of
// each errcode, so that refusals leave room for what is harder to explain.
func (r *run) reject(ctx context.Context, got answer, reason error) error {
	errcode := got.parsed.Errcode
	r.did.Rejects++
	r.config.Log.Error("reply is no page", "seq", got.at, "bytes", len(got.reply), "reason", reason)
	if r.kept >= r.config.MaxRejects || r.refused[errcode] {
		return nil
	}
	stored, err := archive.EncodeReject(archive.RejectHeader{
		Corp: r.config.Corp, SeqAsked: got.at, Limit: got.limit, PulledAt: r.config.Now().UTC().Truncate(time.Millisecond),
		Run: r.did.ID, Program: r.config.Program, SDKVersion: r.config.SDKVersion, Reason: reason.Error(),
	}, got.reply)
	if err != nil {
		return fmt.Errorf("%w: packing a rejected reply: %w", errStoring, err)
	}
	key := archive.RejectKey(got.at, r.did.ID, r.did.Rejects)
	if err := putBytes(ctx, r.config.Objects, key, stored); err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("%w: %w", errStoring, err)
	}
	r.kept++
	if errcode != 0 {
		r.refused[errcode] = true
	}
	return nil
}

func putBytes(ctx context.Context, objects store.Objects, key string, body []byte) error {
	if err := objects.PutIfAbsent(ctx, key, bytes.NewReader(body)); err != nil {
		return fmt.Errorf("storing %s: %w", key, err)
	}
	return nil
}
