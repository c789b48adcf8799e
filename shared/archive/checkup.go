package archive

import (
	"context"
	"fmt"
	"time"

	"wecom-archive/shared/store"
)

// Checkup is what a look at the whole installation found; package doctor makes it.
type Checkup struct {
	ID      string        `json:"id"`
	At      time.Time     `json:"at"`
	Where   string        `json:"where"` // it was made: CheckedByPuller or CheckedHere
	Program string        `json:"program"`
	Lines   []CheckupLine `json:"lines"`
}

// Places of a checkup.
const (
	CheckedByPuller = "puller" // in the puller function, from whose address WeCom is asked
	CheckedHere     = "here"   // on the operator's machine
)

// CheckupLine is one finding.
type CheckupLine struct {
	Check  string       `json:"check"` // what was looked at, as "library"; see package doctor
	State  CheckupState `json:"state"`
	Found  Bilingual    `json:"found"`
	Remedy Bilingual    `json:"remedy,omitzero"` // what to do; empty if State is CheckupOK
}

// CheckupState says what a finding asks for.
type CheckupState string

// States of a finding.
const (
	CheckupOK   CheckupState = "ok"
	CheckupLook CheckupState = "look" // could not be decided: a person should look
	CheckupAct  CheckupState = "act"  // wrong: see Remedy
)

// Bilingual is a sentence for the operator in both languages.
type Bilingual struct {
	English string `json:"en"`
	Chinese string `json:"zh"`
}

// Well says whether nothing is known to be wrong.
func (c Checkup) Well() bool {
	for _, l := range c.Lines {
		if l.State == CheckupAct {
			return false
		}
	}
	return true
}

// CheckupKey names the object of a checkup's event.
func CheckupKey(c Checkup) string {
	return eventKey(c.At, fmt.Sprintf("checkup-%013d-%s", c.At.UnixMilli(), c.ID))
}

// PutCheckup stores a checkup as an event.
func PutCheckup(ctx context.Context, objects store.Objects, corp string, c Checkup) error {
	return PutEvent(ctx, objects, CheckupKey(c), EventCheckup, corp, c.At, c)
}
