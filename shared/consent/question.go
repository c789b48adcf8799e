package consent

import (
	"context"

	"wecom-archive/shared/archive"
)

// ModeConsent is the mode in which the compactor function answers a Question: it has
// the rights to index and messages that the list takes.
const ModeConsent = "consent"

// MaxLines is the most that a Question may ask for at once.
const MaxLines = 1000

// Question asks for a page of the list.
type Question struct {
	Mode   string                `json:"mode"` // ModeConsent
	After  Place                 `json:"after"`
	Limit  int                   `json:"limit"`  // lines; 1 to MaxLines, or else MaxLines
	Status archive.ConsentStatus `json:"status"` // empty: all
}

// Reply is the page.
type Reply struct {
	Mode  string            `json:"mode"` // ModeConsent
	Lines []Line            `json:"lines"`
	Names map[string]string `json:"names"` // of people on it, as they are now
	Next  *Place            `json:"next"`  // to go on after; nil: this is the end
}

// Ask answers a Question.
func (l Lister) Ask(ctx context.Context, q Question) (Reply, error) {
	if q.Limit < 1 || q.Limit > MaxLines {
		q.Limit = MaxLines
	}
	lines, next, err := l.Page(ctx, q.After, q.Limit, q.Status)
	if err != nil {
		return Reply{}, err
	}
	var ids []string
	for _, line := range lines {
		ids = append(ids, line.Person)
	}
	known, err := l.People.PersonEntries(ctx, ids...)
	if err != nil {
		return Reply{}, err
	}
	reply := Reply{Mode: ModeConsent, Lines: lines, Names: map[string]string{}, Next: next}
	for id, entry := range known {
		if name := entry.Now(); name != "" {
			reply.Names[id] = name
		}
	}
	return reply, nil
}
