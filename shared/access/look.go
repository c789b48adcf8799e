// Package access keeps the record of who looked at content. A look is one
// response that carries messages to a person; package show records it here, in the
// locked archive bucket, before the response leaves (docs/invariants.md, 8).
//
// # Stored format
//
// A look is an object access/dt=<day>/<ms>-<id>.json. <day> is the UTC date of
// the look, <ms> its time in Unix milliseconds with 13 digits, <id> a random
// name, so that the objects of a day sort by time. The object is one JSON object
// in UTF-8:
//
//	format        number    version of this format: 1, or 2 if there is a search. A reader refuses a greater one
//	at            string    time of the look, RFC 3339, UTC, ms
//	who           string    subject of the person, as the sign-in gives it
//	name          string    the person's name, as the sign-in gave it then; absent if it gave none. Who it was says who
//	how           string    "api" or "web"
//	what          string    "messages": as the parser read them; "messages_raw": and as decrypted;
//	                        "media": their files, with links to download them;
//	                        "search": what a search found, and the messages beside it
//	conversation  string    id of the conversation; of a search: the one it was limited to, absent if to none
//	conversations [string]  of a search: those of what was shown, sorted; absent if nothing was
//	search        object    of a search: its parameters as they were given, by name, strings; q are the terms
//	seqs          object    what was shown; of a search it may be nothing, with all three 0:
//	  first       number    smallest seq
//	  last        number    greatest seq
//	  count       number    messages
//	  list        [number]  every seq, in ascending order; absent above 1,000
//	from          string    begin of the period asked for, RFC 3339, inclusive; absent: from the first
//	to            string    its end, exclusive; absent: to the last
//	remote        string    address that the request came from; absent if not known
//	request       string    id of the request, as in the program's log
//	reason        string    why, as the person said; absent if the archive does not ask
//
// It never holds message text, but the terms that somebody searched for. Members may be added; a reader ignores those that
// it does not know.
package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"wecom-archive/shared/archive"
	"wecom-archive/shared/store"
)

// Format is the newest version of the stored look. Whoever changes the meaning of a
// member raises it and keeps reading the older ones for ever: they are locked. A
// look is stored in the least version that can say it.
const (
	Format       = 2
	formatLook   = 1
	formatSearch = 2 // the conversation may be absent
)

// How a person looked.
const (
	HowAPI = "api"
	HowWeb = "web"
)

// What was shown.
const (
	WhatMessages    = "messages"     // as the parser read them
	WhatMessagesRaw = "messages_raw" // and the bytes that DecryptData returned, with the sdkfileids in them
	WhatMedia       = "media"        // their files, with links to download them
	WhatSearch      = "search"       // what a search found, and the messages beside it
)

// maxList is how many messages a look names one by one. A page of the API is far
// below; an export is far above.
const maxList = 1000

// ErrIncomplete says that a look lacks what makes it evidence.
var ErrIncomplete = errors.New("look is not complete")

// Look is one response that carried content to a person, and, with its format before
// it, the object that is stored of it.
type Look struct {
	At            time.Time         `json:"at"`                      // UTC, ms; Recorder sets it if it is zero
	Who           string            `json:"who"`                     // subject
	Name          string            `json:"name,omitempty"`          // as signed in
	How           string            `json:"how"`                     // HowAPI, HowWeb
	What          string            `json:"what"`                    // WhatMessages, WhatMessagesRaw, WhatMedia, WhatSearch
	Conversation  string            `json:"conversation,omitempty"`  // of a search: the one it was limited to, if any
	Search        map[string]string `json:"search,omitempty"`        // of a search: its parameters, by name
	Conversations []string          `json:"conversations,omitempty"` // of a search: those of what was shown
	Seqs          Seqs              `json:"seqs"`
	From          time.Time         `json:"from,omitzero"`    // period asked for, inclusive; zero: from the first
	To            time.Time         `json:"to,omitzero"`      // exclusive; zero: to the last
	Remote        string            `json:"remote,omitempty"` // address of the client
	Request       string            `json:"request"`          // request id
	Reason        string            `json:"reason,omitempty"` // why, as the person said; empty if the archive does not ask
}

// Seqs says which messages were shown.
type Seqs struct {
	First int64   `json:"first"` // smallest
	Last  int64   `json:"last"`  // greatest
	Count int     `json:"count"`
	List  []int64 `json:"list,omitempty"` // all, ascending; nil if there are over 1,000
}

// SeqsOf describes the messages with these seqs.
func SeqsOf(seqs []int64) Seqs {
	if len(seqs) == 0 {
		return Seqs{}
	}
	s := Seqs{First: slices.Min(seqs), Last: slices.Max(seqs), Count: len(seqs)}
	if len(seqs) <= maxList {
		s.List = slices.Sorted(slices.Values(seqs))
	}
	return s
}

// stored is a Look as it is stored.
type stored struct {
	Format int `json:"format"`
	Look
}

// sorted is each once, in byte order.
func sorted(ids []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// Encode writes the object of a look. It returns ErrIncomplete, wrapped with
// what is missing.
func Encode(l Look) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	format := formatLook
	if l.What == WhatSearch {
		format = formatSearch
	}
	l.Conversations = sorted(l.Conversations)
	return json.Marshal(stored{format, l})
}

// Decode reads the object of a look. It returns store.ErrDamaged for bytes
// that are none, and archive.ErrNewFormat for one of a later program.
func Decode(doc []byte) (Look, error) {
	var r stored
	if err := json.Unmarshal(doc, &r); err != nil {
		return Look{}, fmt.Errorf("look: %w: %s", store.ErrDamaged, archive.JSONFault(err))
	}
	if r.Format > Format {
		return Look{}, fmt.Errorf("look: format %d: %w", r.Format, archive.ErrNewFormat)
	}
	if r.Format < 1 {
		return Look{}, fmt.Errorf("look: no format: %w", store.ErrDamaged)
	}
	if err := r.check(); err != nil {
		return Look{}, fmt.Errorf("look: %w: %w", store.ErrDamaged, err)
	}
	return r.Look, nil
}

func (l Look) check() error {
	switch {
	case l.At.IsZero():
		return fmt.Errorf("%w: no time", ErrIncomplete)
	case l.Who == "":
		return fmt.Errorf("%w: nobody looked", ErrIncomplete)
	case l.How == "" || l.What == "":
		return fmt.Errorf("%w: no how or what", ErrIncomplete)
	case l.What == WhatSearch && len(l.Search) == 0:
		return fmt.Errorf("%w: no search", ErrIncomplete)
	case l.What != WhatSearch && l.Conversation == "":
		return fmt.Errorf("%w: no conversation", ErrIncomplete)
	case l.Request == "":
		return fmt.Errorf("%w: no request id", ErrIncomplete)
	}
	return nil
}
