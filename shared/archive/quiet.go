package archive

import (
	"time"
)

// Quiet is what the puller has learned of the stream's silence. It rests on
// proofs alone: two pulls that both reached the end of the stream at the same seq
// prove that nothing was said between them. A time without pulls proves nothing,
// so an outage is never taken for a silence.
type Quiet struct {
	Seq      uint64    `json:"seq"`                // where the stream ended at the last proof; 0: no message yet
	Since    time.Time `json:"since,omitzero"`     // first proof that it ends there
	Silences []Silence `json:"silences,omitempty"` // past ones, oldest first
}

// Silence is a time in which provably nobody said anything.
type Silence struct {
	From time.Time `json:"from"` // first proof that the stream ended at some seq
	To   time.Time `json:"to"`   // last one
}
