package mediafetch

import (
	"errors"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/wecom"
)

// verdict says what follows from a failed try.
type verdict struct {
	state    archive.MediaState // pending: try again
	attempts int                // at most, if pending
	reason   archive.MediaReason
	code     int    // of WeCom's library; 0: it gave none
	stop     bool   // no other file can be had either; does not count as a try
	remedy   string // if stop
}

// Own errors of a download.
var (
	errTooLarge = errors.New("the file is larger than the room for files under way")
	errCrowded  = errors.New("no room for the file beside others")
	errNoFileID = errors.New("the message names no sdkfileid")
	errNonsense = errors.New("senseless slices")
)

// ownError is an error of our own bucket, disk or index: WeCom is not to blame.
type ownError struct{ error }

func (e ownError) Unwrap() error { return e.error }

func own(err error) error {
	if err == nil {
		return nil
	}
	return ownError{err}
}

// classify sorts errors of a download.
//
//   - Gone (10010, 301048): lost, at once and for ever.
//   - Nothing works until an operator acts (10009, 10011, …): the pass ends.
//   - Refused for what it is (10000, 10005, 10006): some files give these now and
//     then, some always (docs/wecom.md, "GetMediaData"): tried a few times.
//   - Everything else (10001, 10002, 10003, a child that dies): tried over the days
//     that are left.
func classify(err error) verdict {
	var refused *wecom.Error
	var died interface{ Blames() bool } // a process of the library
	v := verdict{state: archive.MediaPending, attempts: maxAttempts, reason: archive.ReasonUnavailable}
	switch {
	case errors.Is(err, errNoFileID):
		return verdict{state: archive.MediaFailed, reason: archive.ReasonNoFileID}
	case errors.Is(err, errTooLarge):
		return verdict{state: archive.MediaFailed, reason: archive.ReasonTooLarge}
	case errors.Is(err, errNonsense):
		v.reason = archive.ReasonNonsense
	case errors.As(err, &refused):
		v.code = refused.Code
		switch {
		case refused.Class() == wecom.Lost:
			v.state, v.reason = archive.MediaLost, archive.ReasonExpired
		case refused.Class() == wecom.Stop:
			v.stop, v.remedy = true, refused.Remedy()
		case errors.Is(err, wecom.ErrUndecryptable):
			v.attempts, v.reason = maxBadAttempts, archive.ReasonUnreadable
		case refused.Class() == wecom.Bad:
			v.attempts, v.reason = maxBadAttempts, archive.ReasonRefused
		}
	case errors.As(err, &died) && died.Blames(), errors.Is(err, wecom.ErrLibraryCrash):
		v.reason = archive.ReasonCrash
	}
	return v
}
