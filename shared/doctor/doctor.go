// Package doctor looks whether everything is in place that capturing needs, and says
// what to do where it is not: the program itself, the library, the corpid and the secret, the address
// that WeCom must trust, the clock, the archive bucket, the index, the keys, and at
// last whether WeCom answers.
//
// The operator's command runs it, on their own machine or, through the puller
// function, where the fixed address is the true one. It changes nothing but two
// records of what it found: an event in the archive and an item in the index, which
// are at the same time the proof that both can be written and read.
package doctor

import (
	"context"
	"fmt"
	"time"

	"wecom-archive/shared/archive"
)

// What is looked at, in CheckupLine.Check.
const (
	CheckVersion = "version"
	CheckLibrary = "library"
	CheckCorp    = "corp"
	CheckSecret  = "secret"
	CheckAddress = "address"
	CheckClock   = "clock"
	CheckWeCom   = "wecom"
	CheckKeys    = "keys"
	CheckBucket  = "bucket"
	CheckTable   = "table"
)

// Check looks at one thing. It is told what was found before it, and must not
// change that. It returns its lines, mostly one.
type Check func(ctx context.Context, before archive.Checkup) []archive.CheckupLine

// checkTime bounds each check.
const checkTime = 30 * time.Second

// Examine makes all checks, one after the other. head says when and where.
func Examine(ctx context.Context, head archive.Checkup, checks ...Check) archive.Checkup {
	for _, check := range checks {
		found := func() []archive.CheckupLine {
			ctx, cancel := context.WithTimeout(ctx, checkTime)
			defer cancel()
			return check(ctx, head)
		}()
		head.Lines = append(head.Lines[:len(head.Lines):len(head.Lines)], found...)
	}
	return head
}

// one makes a Check of a func that has one line to say.
func one(name string, look func(ctx context.Context, before archive.Checkup) finding) Check {
	return func(ctx context.Context, before archive.Checkup) []archive.CheckupLine {
		f := look(ctx, before)
		return []archive.CheckupLine{{Check: name, State: f.state, Found: f.found, Remedy: f.remedy}}
	}
}

// finding is a line without its name.
type finding struct {
	state         archive.CheckupState
	found, remedy archive.Bilingual
}

func ok(found archive.Bilingual) finding { return finding{state: archive.CheckupOK, found: found} }

func look(found, remedy archive.Bilingual) finding {
	return finding{archive.CheckupLook, found, remedy}
}

func act(found, remedy archive.Bilingual) finding {
	return finding{archive.CheckupAct, found, remedy}
}

// say makes a sentence in both languages with the same arguments. Chinese formats
// may order them by index.
func say(english, chinese string, args ...any) archive.Bilingual {
	return archive.Bilingual{English: fmt.Sprintf(english, args...), Chinese: fmt.Sprintf(chinese, args...)}
}

// lineOf returns the line of an earlier check.
func lineOf(c archive.Checkup, check string) (archive.CheckupLine, bool) {
	for _, l := range c.Lines {
		if l.Check == check {
			return l, true
		}
	}
	return archive.CheckupLine{}, false
}
