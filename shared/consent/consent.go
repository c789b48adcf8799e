// Package consent lists who agreed to being archived, who refused and who has not
// answered, and where somebody who refused was written with afterwards. What is known
// stands in the index (archive.ConsentState); only for those who refused a transcript
// is asked whether there is a later message, and no message is shown.
package consent

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/wecom"
)

// Line is where one person outside the company stands in one conversation.
type Line struct {
	Conversation  string
	Person        string // empty: a room of which nobody is known
	Status        archive.ConsentStatus
	Since         time.Time // of the answer; zero: there is none
	Source        string    // of the answer: archive.ConsentFrom…
	AskedAt       time.Time // when WeCom was last asked about the conversation; zero: never
	Answer        archive.Answer
	MessagesAfter bool // somebody wrote in the conversation after this person had refused
}

// Transcript tells whether there are messages (*transcript.Reader).
type Transcript interface {
	Any(ctx context.Context, conversation string, from, to time.Time) (bool, error)
}

// Lister lists.
type Lister struct {
	Catalog    *archive.Catalog
	Transcript Transcript
}

// atOnce is how many transcripts are asked at a time.
const atOnce = 8

// Page lists at most conversations conversations after one, in byte order, with all
// their people, or only those with a status. next is what to go on after; empty at the
// end.
func (l Lister) Page(ctx context.Context, after string, conversations int, status archive.ConsentStatus) (lines []Line, next string, err error) {
	states, err := l.Catalog.Consents(ctx, after, conversations)
	if err != nil {
		return nil, "", err
	}
	if len(states) == conversations {
		next = states[len(states)-1].Conversation
	}
	for _, s := range states {
		lines = append(lines, Lines(s)...)
	}
	lines = slices.DeleteFunc(lines, func(line Line) bool { return status != "" && line.Status != status })
	return lines, next, l.lookAfter(ctx, lines)
}

// Of lists one conversation.
func (l Lister) Of(ctx context.Context, conversation string) ([]Line, error) {
	s, err := l.Catalog.ConsentOf(ctx, conversation)
	if err != nil {
		return nil, err
	}
	lines := Lines(s)
	return lines, l.lookAfter(ctx, lines)
}

// Lines are the people of a state.
func Lines(s archive.ConsentState) []Line {
	var lines []Line
	for _, p := range s.People {
		lines = append(lines, Line{Conversation: s.Conversation, Person: p.Person, Status: p.Status, Since: p.Since, Source: p.Source, AskedAt: s.AskedAt, Answer: s.Answer})
	}
	if len(lines) > 0 {
		return lines
	}
	line := Line{Conversation: s.Conversation, Status: archive.ConsentUnanswered, AskedAt: s.AskedAt, Answer: s.Answer}
	for _, who := range wecom.PairOf(s.Conversation) {
		if who.Kind == wecom.External {
			line.Person = who.ID
		}
	}
	return []Line{line}
}

// lookAfter looks for messages after refusals.
func (l Lister) lookAfter(ctx context.Context, lines []Line) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range lines {
		line := &lines[i]
		if line.Status != archive.ConsentRefused {
			continue
		}
		group.Go(func() (err error) {
			line.MessagesAfter, err = l.Transcript.Any(ctx, line.Conversation, afterAnswer(*line), time.Time{})
			return err
		})
	}
	return group.Wait()
}

// afterAnswer is when messages are certainly later than the answer. WeCom tells the
// time of what it is asked for in whole seconds, and the message by which somebody
// refuses is no message after it.
func afterAnswer(line Line) time.Time {
	if line.Source == archive.ConsentFromMessage {
		return line.Since.Add(time.Millisecond)
	}
	return line.Since.Truncate(time.Second).Add(time.Second)
}
