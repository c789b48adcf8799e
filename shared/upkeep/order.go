package upkeep

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Mode is what is to be made again, or, Compact, made at all.
type Mode string

// Modes. A function of the stack has the rights for each of them: the compactor for
// all but Reindex, which the reindexer has.
const (
	ModeCompact   Mode = "compact"   // what is not compacted yet
	ModeRecompact Mode = "recompact" // compacted months, from the segments
	ModeReparse   Mode = "reparse"
	ModeReindex   Mode = "reindex"
)

// Order is what the command asks a function for. The function works for as long as it
// may; the same order again goes on from there.
type Order struct {
	Mode  Mode   `json:"mode,omitempty"`
	Month string `json:"month,omitempty"` // 2026-11, with ModeRecompact: this one only
	Drop  bool   `json:"drop,omitempty"`  // with ModeReindex: empty the index first
	By    string `json:"by,omitempty"`    // with ModeReindex: who goes on; between two orders by the same nobody pulls
}

// Answer is what a function says to an Order.
type Answer struct {
	Mode   Mode            `json:"mode"`            // that was ordered
	More   bool            `json:"more"`            // the order must be given again
	Report json.RawMessage `json:"report"`          // of the mode; what was done so far, but with ModeCompact what this invocation did
	Queue  []string        `json:"queue,omitempty"` // pages for the archiver's queue, which the reindexer does not reach
}

// NewAnswer makes an Answer.
func NewAnswer(mode Mode, more bool, report any, queue ...string) (Answer, error) {
	text, err := json.Marshal(report)
	if err != nil {
		return Answer{}, fmt.Errorf("answering %s: %w", mode, err)
	}
	return Answer{Mode: mode, More: more, Report: text, Queue: queue}, nil
}

// margin is how long before the deadline nothing new begins.
const margin = time.Minute

// DeadlineNear says that there is no time left for another step.
func DeadlineNear(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < margin
}
