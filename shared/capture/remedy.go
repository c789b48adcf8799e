package capture

import (
	"context"
	"errors"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/store"
	"wecom-archive/shared/wecom"
)

// Reasons why a run stopped, in Run.Stopped.
const (
	StoppedEnd      = "end"      // nothing more to pull
	StoppedDeadline = "deadline" // time ran out; the next run goes on
	StoppedLease    = "lease"    // another puller is at work
	StoppedError    = "error"
)

// errDeadline ends a run that has used up its time. If it was waiting to try a
// failed call again, the failure is wrapped beside it.
var errDeadline = errors.New("no time left in this run")

// ownError is an error of our own bucket or index.
type ownError struct{ error }

func (e ownError) Unwrap() error { return e.error }

// own marks an error of our own bucket or index, for its remedy.
func own(err error) error {
	if err == nil {
		return nil
	}
	return ownError{err}
}

// errQueue marks errors of the archiver's queue.
var errQueue = errors.New("the archiver's queue")

// describe notes how the pulling ended.
func (r *run) describe(err error) {
	var held *catalog.LeaseHeldError
	switch {
	case err == nil:
		r.did.Stopped = StoppedEnd
	case errors.As(err, &held):
		r.did.Stopped = StoppedLease
		return
	case errors.Is(err, errDeadline):
		r.did.Stopped = StoppedDeadline
	default:
		r.did.Stopped = StoppedError
	}
	if err == nil || err == errDeadline { // alone: no failed call beside it
		return
	}
	r.did.Error, r.did.Remedy = err.Error(), remedy(err)
}

// alsoFailed notes what went wrong after the pulling, unless that failed itself.
func (r *run) alsoFailed(err error) error {
	if err != nil && r.did.Error == "" {
		r.did.Error, r.did.Remedy = err.Error(), remedy(err)
	}
	return err
}

// remedy says what an operator can do about an error. It is never empty.
func remedy(err error) string {
	var refused *wecom.Error
	var ours ownError
	switch {
	case errors.As(err, &refused) && refused.Remedy() != "":
		return refused.Remedy()
	case errors.Is(err, errDoubtful):
		return "WeCom gives other answers each time. Look at the replies below rejects/, and at the memory of the machine that pulls."
	case errors.Is(err, archive.ErrImplausibleSeq):
		return "Look at the reply below rejects/. If the seq is real, raise the puller's limit for jumps of seq."
	case errors.Is(err, archive.ErrNotJSON), errors.Is(err, archive.ErrBadSeq):
		return "What came is no answer of WeCom's. Look at the replies below rejects/, and for a proxy on the way. The next run asks again."
	case errors.Is(err, store.ErrNotLocked):
		return "Switch on versioning and Object Lock with a default retention for the archive bucket. Nothing is stored before."
	case errors.Is(err, archive.ErrNewFormat):
		return "A newer version of this program wrote what the error names. Run that version."
	case errors.Is(err, errForeign):
		return "The bucket holds pages of another company: look at the settings. Each company has a stack of its own."
	case errors.Is(err, errOrphans):
		return "The last pages are gone, of which messages are stored. The archiver finds out how far they reach, and the next run goes on from there; if it does not, make the index again: wecom-archive reindex."
	case errors.Is(err, errChanged):
		return "WeCom gives other answers each time, so nothing of them is stored. The next run asks again."
	case errors.Is(err, store.ErrIndexDamaged):
		return "The index holds what cannot be read. Drop it: it is built again from the objects."
	case errors.Is(err, store.ErrDamaged):
		return "Look at what the error names. Find out who wrote or altered it, and look at the earliest version of its key and at copies of the bucket."
	case errors.Is(err, errQueue):
		return "Look at the archiver's queue and the right to send to it. The pages are stored, and are queued again by the next run."
	case errors.Is(err, errStoring), errors.As(err, &ours):
		return "Our own bucket or index failed. Look at its free space, at the rights to it and to its encryption key, and whether it answers. Nothing is lost: the next run goes on from what is stored, but WeCom forgets after five days."
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "The run was stopped from outside. The next one goes on from what is stored."
	}
	return "Look at the puller's log. The next run goes on from what is stored, but WeCom forgets after five days."
}
