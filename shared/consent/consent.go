// Package consent lists who agreed to being archived, who refused and who has not
// answered, and where somebody who refused was written with afterwards. What is known
// stands in the index (catalog.ConsentState); only for those who refused a transcript
// is asked whether there is a later message, and no message is shown.
package consent

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/catalog"
	"wecom-archive/shared/chat"
	"wecom-archive/shared/transcript"
)

// Line is where one person outside the company stands in one conversation.
type Line struct {
	Conversation  string
	Person        string // empty: a room of which nobody is known
	Status        archive.ConsentStatus
	Since         time.Time // of the answer; zero: there is none
	Source        string    // of the answer: catalog.ConsentFrom…
	AskedAt       time.Time // when WeCom was last asked about the conversation; zero: never
	Answer        archive.Answer
	MessagesAfter bool // somebody wrote in the conversation after this person had refused
}

// Transcript finds messages (*transcript.Reader).
type Transcript interface {
	Messages(ctx context.Context, q catalog.PlaceQuery) ([]transcript.Message, error)
}

// Consents is what is known of conversations.
type Consents interface {
	ConsentOf(ctx context.Context, conversation string) (catalog.ConsentState, error)
	List(ctx context.Context, after string, limit int) ([]catalog.ConsentState, error)
}

// People are called something.
type People interface {
	PersonEntries(ctx context.Context, ids ...string) (map[string]catalog.DirectoryEntry, error)
}

// Lister lists.
type Lister struct {
	Consents   Consents
	People     People // for their names
	Transcript Transcript
}

// atOnce is how many transcripts are asked at a time.
const atOnce = 8

// statesAtOnce is how many conversations are read at a time: a room may have hundreds
// of people.
const statesAtOnce = 50

// Place is where a list goes on: after a person of a conversation, or, if Whole, after
// the conversation. The zero Place is the beginning.
type Place struct {
	Conversation string
	Person       string
	Whole        bool
}

// Page lists those of at most limit lines that have a status, or all of them, in byte
// order of conversations and people. next is where to go on; nil at the end.
func (l Lister) Page(ctx context.Context, after Place, limit int, status archive.ConsentStatus) (lines []Line, next *Place, err error) {
	lines, more, err := l.linesAfter(ctx, after, limit)
	if err != nil {
		return nil, nil, err
	}
	if more {
		last := lines[len(lines)-1]
		next = &Place{Conversation: last.Conversation, Person: last.Person, Whole: last.Person == ""}
	}
	lines = slices.DeleteFunc(lines, func(line Line) bool { return status != "" && line.Status != status })
	return lines, next, l.lookAfter(ctx, lines)
}

// linesAfter are the first limit lines after a place.
func (l Lister) linesAfter(ctx context.Context, after Place, limit int) (lines []Line, more bool, err error) {
	if after.Conversation != "" && !after.Whole {
		s, err := l.Consents.ConsentOf(ctx, after.Conversation)
		if err != nil {
			return nil, false, err
		}
		lines = slices.DeleteFunc(Lines(s), func(line Line) bool { return line.Person <= after.Person })
	}
	for conversation := after.Conversation; len(lines) <= limit; {
		states, err := l.Consents.List(ctx, conversation, statesAtOnce)
		if err != nil {
			return nil, false, err
		}
		for _, s := range states {
			lines, conversation = append(lines, Lines(s)...), s.Conversation
		}
		if len(states) < statesAtOnce {
			break
		}
	}
	return lines[:min(limit, len(lines))], len(lines) > limit, nil
}

// Of lists one conversation.
func (l Lister) Of(ctx context.Context, conversation string) ([]Line, error) {
	s, err := l.Consents.ConsentOf(ctx, conversation)
	if err != nil {
		return nil, err
	}
	lines := Lines(s)
	return lines, l.lookAfter(ctx, lines)
}

// Lines are the people of a state.
func Lines(s catalog.ConsentState) []Line {
	var lines []Line
	for _, p := range s.People {
		lines = append(lines, Line{Conversation: s.Conversation, Person: p.Person, Status: p.Status, Since: p.Since, Source: p.Source, AskedAt: s.AskedAt, Answer: s.Answer})
	}
	if len(lines) > 0 {
		return lines
	}
	line := Line{Conversation: s.Conversation, Status: archive.ConsentUnanswered, AskedAt: s.AskedAt, Answer: s.Answer}
	for _, who := range chat.PairOf(s.Conversation) {
		if who.Kind == chat.External {
			line.Person = who.ID
		}
	}
	return []Line{line}
}

// lookAfter looks for messages after refusals: at the last one of each conversation.
func (l Lister) lookAfter(ctx context.Context, lines []Line) error {
	refused := map[string][]*Line{}
	for i := range lines {
		if line := &lines[i]; line.Status == archive.ConsentRefused {
			refused[line.Conversation] = append(refused[line.Conversation], line)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for conversation, those := range refused {
		group.Go(func() error {
			last, known, err := l.lastWritten(ctx, conversation)
			for _, line := range those {
				line.MessagesAfter = known && !last.Before(afterAnswer(*line))
			}
			return err
		})
	}
	return group.Wait()
}

// answersAtOnce is how many messages are looked at for the last that is no answer.
const answersAtOnce = 20

// lastWritten is the time of the last message of a conversation, answers of others aside.
// If there are only answers among the last ones, it is that of the first of them: somebody
// may have written before.
func (l Lister) lastWritten(ctx context.Context, conversation string) (at time.Time, known bool, err error) {
	last, err := l.Transcript.Messages(ctx, catalog.PlaceQuery{Conversation: conversation, Descending: true, Limit: answersAtOnce})
	for _, m := range last {
		if at = m.MsgTime; m.MsgType != "agree" && m.MsgType != "disagree" {
			return at, true, err
		}
	}
	return at, len(last) == answersAtOnce, err
}

// afterAnswer is when messages are certainly later than the answer. WeCom tells the
// time of what it is asked for in whole seconds, and the message by which somebody
// refuses is no message after it.
func afterAnswer(line Line) time.Time {
	if line.Source == catalog.ConsentFromMessage {
		return line.Since.Add(time.Millisecond)
	}
	return line.Since.Truncate(time.Second).Add(time.Second)
}
