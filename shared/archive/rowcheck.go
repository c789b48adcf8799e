package archive

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
)

// SortRows puts rows in the order that a segment has them: by seq, those without
// one at the end, equal ones as the page has them.
func SortRows(rows []Row) { slices.SortStableFunc(rows, bySeq) }

func bySeq(a, b Row) int {
	if a.HasSeq != b.HasSeq {
		if a.HasSeq {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Position, b.Position))
}

func (r Row) Check() error {
	switch {
	case r.Position < 0 || r.Position > math.MaxInt32:
		return errors.New("is out of range")
	case r.Outcome == "":
		return errors.New("has no outcome")
	case r.ParserVersion < 0 || r.ParserVersion > math.MaxInt32:
		return fmt.Errorf("has parser version %d", r.ParserVersion)
	case !r.Readable() && (r.Raw != nil || r.RawSHA256 != ""):
		return fmt.Errorf("is %s, but has raw", r.Outcome)
	case !r.Readable():
		return nil
	case r.Raw == nil || !r.HasSeq || r.Conversation == "":
		return errors.New("is ok, but has no raw, seq or conversation")
	}
	if sum := sha256.Sum256(r.Raw); r.RawSHA256 != hex.EncodeToString(sum[:]) {
		return errors.New("has raw that differs from its hash")
	}
	return nil
}
